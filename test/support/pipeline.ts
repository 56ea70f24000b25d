/** Sends many commands at once to a server and collects the replies; strings are one character a byte both ways. */
import { connect, type Socket } from 'node:net';
import Parser from 'redis-parser';

export type Answer = string | number | null | Error | Answer[];

function encode(args: readonly string[]): string {
  let text = `*${args.length}\r\n`;
  for (const arg of args) text += `$${arg.length}\r\n${arg}\r\n`;
  return text;
}

function readable(value: unknown): Answer {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map(readable);
  return value as Answer;
}

export class Pipeline {
  private readonly socket: Socket;
  private readonly parser: Parser;
  private answers: Answer[] = [];
  /** Without the end of a line. */
  private pieces: Buffer[] = [];
  private arrived: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.parser = new Parser({
      returnReply: (reply: unknown) => this.take(readable(reply)),
      returnError: (error: Error) => this.take(error),
      returnBuffers: true,
    });
    this.socket.on('data', (chunk: Buffer) => this.read(chunk));
    // Whatever went wrong, the end of the connection follows.
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.take(new Error('connection closed')));
  }

  /** A reply that nests deeper than the parser can follow counts as one, and ends the connection. */
  private read(chunk: Buffer): void {
    this.pieces.push(chunk);
    // A line feed ends each reply; the parser begins a line anew with each piece of it.
    if (!chunk.includes(10)) return;
    const whole = this.pieces.length === 1 ? chunk : Buffer.concat(this.pieces);
    this.pieces = [];
    try {
      this.parser.execute(whole);
    } catch (error) {
      this.take(error as Error);
      this.socket.destroy();
    }
  }

  private take(answer: Answer): void {
    this.answers.push(answer);
    this.arrived();
  }

  /** The replies to these commands, in their order; an error reply is an Error whose message is the reply. */
  async send(commands: readonly (readonly string[])[]): Promise<Answer[]> {
    const all = new Promise<void>((done) => {
      this.arrived = () => this.answers.length >= commands.length && done();
    });
    this.socket.write(commands.map(encode).join(''), 'latin1');
    if (commands.length > 0) await all;
    return this.answers.splice(0, commands.length);
  }

  /** Sends a command without waiting; its reply is among what `unasked` gives. */
  post(command: readonly string[]): void {
    this.socket.write(encode(command), 'latin1');
  }

  /** Sends bytes as they are, one character a byte. */
  raw(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Takes no more replies. */
  stopReading(): void {
    this.socket.pause();
  }

  /** What has arrived unasked: messages of channels. */
  unasked(): Answer[] {
    return this.answers.splice(0);
  }

  async call(...args: string[]): Promise<Answer> {
    return (await this.send([args]))[0];
  }

  close(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }
}
