/** What the reliability suites share: raw connections, a server's descriptors and memory, many things at a time. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket, type TcpSocketConnectOpts } from 'node:net';

export const MIB = 1024 * 1024;

/** Descriptors that a process has open. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Resident bytes of a process. */
export function resident(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(found?.[1] ?? 0) * 1024;
}

export async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until `condition` holds; throws after `limit` ms with what it waited for. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, limit = 20_000): Promise<void> {
  const deadline = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`did not come about within ${limit} ms: ${what}`);
    await pause(5);
  }
}

/** Runs `work` for 0 .. count - 1, so many at a time. */
export async function atOnce(count: number, width: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}

export function command(...args: readonly (string | number)[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${String(arg).length}\r\n${arg}\r\n`).join('')}`;
}

/** A connection on which bytes are one character each. */
export class Raw {
  readonly socket: Socket;
  received = '';
  /** Bytes in all, also of what `counting` doesn't keep. */
  count = 0;
  counting = false;
  closed = false;
  ended = false;
  connected = false;

  constructor(port: number, more: Partial<TcpSocketConnectOpts> = {}) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, ...more });
    this.socket.on('connect', () => {
      this.connected = true;
    });
    this.socket.on('data', (chunk: Buffer) => {
      this.count += chunk.length;
      if (!this.counting) this.received += chunk.toString('latin1');
    });
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'));
  }

  call(...args: readonly (string | number)[]): void {
    this.send(command(...args));
  }

  /** Sends a command and waits for bytes that end a line; for replies of one piece. */
  async ask(...args: readonly (string | number)[]): Promise<string> {
    this.received = '';
    this.call(...args);
    await until(() => this.closed || this.received.endsWith('\r\n'), `a reply to ${args.join(' ').slice(0, 100)}`);
    return this.received;
  }

  /** Takes what has come, once it is as long as `expected`; throws when it is something else. */
  async expect(expected: string): Promise<void> {
    await until(
      () => this.closed || this.received.length >= expected.length,
      `${JSON.stringify(expected.slice(0, 100))}`,
    );
    const got = this.received.slice(0, expected.length);
    this.received = this.received.slice(expected.length);
    if (got !== expected) throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Ends it with a reset, which leaves no port behind in TIME_WAIT. */
  reset(): void {
    if (this.connected && !this.closed) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }
}

/** A field of INFO. */
export async function info(client: Raw, field: string): Promise<string> {
  const text = await client.ask('INFO', 'everything');
  return new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
}
