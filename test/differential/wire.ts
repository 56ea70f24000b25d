/** One side of the comparison: a socket that takes many commands at once and gives each reply's exact bytes. */
import { connect, type Socket } from 'node:net';

/** A reply taken apart, without its framing: nested where it was. */
export type Tree = string | null | Tree[];

/** A command: its arguments, one character a byte. */
export type Command = readonly string[];

export function encode(command: Command): string {
  let text = `*${command.length}\r\n`;
  for (const word of command) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}

/** Where the reply that begins at `start` ends, or -1 while it is incomplete. */
export function endOfReply(text: string, start: number): number {
  let at = start;
  for (let pending = 1; pending > 0; pending--) {
    const line = text.indexOf('\r\n', at);
    if (line < 0) return -1;
    const kind = text[at];
    const length = Number(text.slice(at + 1, line));
    at = line + 2;
    if (kind === '$' || kind === '=' || kind === '!') {
      if (length >= 0) at += length + 2;
      if (at > text.length) return -1;
    } else if (kind === '*' || kind === '~' || kind === '>') {
      if (length > 0) pending += length;
    } else if (kind === '%' || kind === '|') {
      pending += 2 * length + (kind === '|' ? 1 : 0);
    }
  }
  return at;
}

/** The reply as a tree; numbers, states and errors keep their first character, bulks have none. */
export function treeOf(text: string): Tree {
  const cursor = { at: 0 };
  return parse(text, cursor);
}

function parse(text: string, cursor: { at: number }): Tree {
  const line = text.indexOf('\r\n', cursor.at);
  const kind = text[cursor.at];
  const head = text.slice(cursor.at, line);
  const length = Number(head.slice(1));
  cursor.at = line + 2;
  if (kind === '$' || kind === '=') {
    if (length < 0) return null;
    const bulk = text.slice(cursor.at, cursor.at + length);
    cursor.at += length + 2;
    return bulk;
  }
  if (kind === '_') return null;
  if (kind !== '*' && kind !== '~' && kind !== '>' && kind !== '%') return head;
  if (length < 0) return null;
  const items: Tree[] = [];
  for (let i = kind === '%' ? length * 2 : length; i > 0; i--) items.push(parse(text, cursor));
  return items;
}

export class Side {
  private readonly socket: Socket;
  private received: Buffer[] = [];
  private arrived: () => void = () => {};
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => {
      this.received.push(chunk);
      this.arrived();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.arrived();
    });
  }

  /** The bytes of each reply; fewer than commands where the connection closed or 20 s passed. */
  async send(commands: readonly Command[]): Promise<string[]> {
    this.received = [];
    this.socket.write(Buffer.from(commands.map(encode).join(''), 'latin1'));
    const deadline = Date.now() + 20_000;
    const replies: string[] = [];
    let text = '';
    let at = 0;
    while (replies.length < commands.length) {
      if (this.received.length === 0) {
        if (this.closed || Date.now() > deadline) break;
        await new Promise<void>((done) => {
          const timer = setTimeout(done, 1000);
          this.arrived = () => {
            clearTimeout(timer);
            done();
          };
        });
        continue;
      }
      text = text.slice(at) + Buffer.concat(this.received.splice(0)).toString('latin1');
      at = 0;
      for (let end = endOfReply(text, 0); end >= 0; end = endOfReply(text, at)) {
        replies.push(text.slice(at, end));
        at = end;
      }
    }
    return replies;
  }

  async call(...command: string[]): Promise<string> {
    return (await this.send([command]))[0] ?? '';
  }

  close(): void {
    this.socket.destroy();
  }
}
