/**
 * One server with several connections to it, whose bytes are gathered, and an observer by which it is known when the server
 * has nothing left to do: two unknown commands one after the other. Such a command is answered in every state, paused
 * servers included, and whoever is answered in a later turn of the loop has been written to after all others.
 */
import { connect, type Socket } from 'node:net';
import { type Command, encode } from '../wire.ts';

const UNKNOWN = encode(['X']);
const ANSWER = "-ERR unknown command 'X', with args beginning with: \r\n";
const PATIENCE = 20_000;

class Wire {
  received = '';
  closed = false;
  readonly socket: Socket;
  arrived: () => void = () => {};

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.received += text;
      this.arrived();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.arrived();
    });
  }

  /** Waits until `enough` holds of what has come; throws where the server is gone or says nothing. */
  async until(enough: () => boolean): Promise<void> {
    if (enough()) return;
    await new Promise<void>((done, fail) => {
      const late = setTimeout(() => fail(new Error('the server does not answer')), PATIENCE);
      this.arrived = () => {
        if (!enough() && !this.closed) return;
        clearTimeout(late);
        this.arrived = () => {};
        if (enough()) done();
        else fail(new Error('the server is gone'));
      };
    });
  }
}

export class Player {
  private readonly port: number;
  private readonly observer: Wire;
  private wires: Wire[] = [];
  /** Ids of the connections, by their number. */
  private ids: number[] = [];
  private readonly names = new Map<string, string>();
  private paused = false;

  constructor(port: number) {
    this.port = port;
    this.observer = new Wire(port);
  }

  /** Has the observer give commands that are answered by a line each; throws where one is refused. */
  async ask(...commands: readonly Command[]): Promise<void> {
    const { observer } = this;
    observer.received = '';
    observer.socket.write(commands.map(encode).join(''), 'latin1');
    await observer.until(() => observer.received.split('\r\n').length > commands.length);
    if (observer.received.includes('-')) throw new Error(`the observer hears ${observer.received}`);
  }

  /** Ends the connections of before, and forgets all data and scripts. */
  async reset(events: string): Promise<void> {
    await this.ask(
      ['CLIENT', 'KILL', 'TYPE', 'normal'],
      ['CLIENT', 'KILL', 'TYPE', 'pubsub'],
      ...(this.paused ? [['CLIENT', 'UNPAUSE']] : []),
      ['SELECT', '1'],
      ['FLUSHDB'],
      ['SELECT', '0'],
      ['FLUSHDB'],
      ['CONFIG', 'SET', 'notify-keyspace-events', events],
    );
    for (const { socket } of this.wires) socket.destroy();
    this.wires = [];
    this.ids = [];
    this.names.clear();
    this.paused = false;
  }

  /** Opens connection number `at`, with an id of `least` or more; its id. */
  async open(at: number, least: number): Promise<number> {
    for (;;) {
      const wire = new Wire(this.port);
      wire.socket.write(encode(['CLIENT', 'ID']));
      await wire.until(() => wire.received.endsWith('\r\n'));
      const id = Number(wire.received.slice(1));
      wire.received = '';
      if (id < least) {
        wire.socket.destroy();
        continue;
      }
      this.wires[at]?.socket.destroy();
      this.wires[at] = wire;
      this.ids[at] = id;
      this.names.set(String(wire.socket.localPort), `c${at}`);
      return id;
    }
  }

  /** Sends bytes over a connection at once. */
  send(at: number, text: string): void {
    const wire = this.wires[at];
    if (text.includes('PAUSE')) this.paused = true;
    if (wire !== undefined && !wire.closed) wire.socket.write(text, 'latin1');
  }

  /** A command as it is sent; "@2" is the id of connection 2. */
  encoded(command: Command): string {
    return encode(command.map((word) => (/^@\d$/.test(word) ? String(this.ids[Number(word[1])] ?? 0) : word)));
  }

  /** Waits until the server has done all that was sent, and what it has answered is here. */
  async settle(): Promise<void> {
    const { observer } = this;
    for (let round = 0; round < 2; round++) {
      observer.received = '';
      observer.socket.write(UNKNOWN);
      await observer.until(() => observer.received.length >= ANSWER.length);
    }
    await new Promise((done) => setImmediate(done));
  }

  /** What has come over each connection since the last time it was taken, as far as it is the server's doing. */
  peek(): string[] {
    return this.wires.map((wire) => (wire.received === '' ? '' : this.plain(wire.received)));
  }

  take(): void {
    for (const wire of this.wires) wire.received = '';
  }

  closed(): boolean[] {
    return this.wires.map((wire) => wire.closed);
  }

  end(): void {
    this.observer.socket.destroy();
    for (const { socket } of this.wires) socket.destroy();
  }

  /** Without what differs between two servers by itself: ports, moments, and what a connection takes. */
  private plain(text: string): string {
    if (text.includes('laddr='))
      text = text.replace(/[$=]\d+\r\n(?:txt:)?(id=\d+ addr=[^\r]*)\r\n/g, (_, lines: string) =>
        lines.replace(FIGURES, ''),
      );
    if (text.includes('127.0.0.1:'))
      text = text.replace(/127\.0\.0\.1:(\d+)/g, (_, port: string) => this.names.get(port) ?? 'observer');
    return text.replace(/\+\d{10}\.\d{6} \[/g, '+TIME [');
  }
}

const FIGURES =
  /(?<= )(?:laddr|fd|age|idle|qbuf|qbuf-free|argv-mem|multi-mem|rbs|rbp|obl|oll|omem|tot-mem|events)=\S* /g;
