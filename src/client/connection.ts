/** A connection to a server, of RESP2 or RESP3: requests, and the replies in their order. */
import { readFileSync } from 'node:fs';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { addressText } from '../base/network.ts';
import { systemError } from '../base/system-error.ts';
import { encode } from '../links/request.ts';
import { accepted, type Reply } from './reply.ts';
import { ReplyReader } from './reply-reader.ts';

export interface TlsChoice {
  /** Paths of files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly insecure: boolean;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  /** A unix socket, instead. */
  readonly socket?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database: number;
  readonly resp: 2 | 3;
  readonly tls?: TlsChoice;
}

/** There is no connection, or none any more. */
export class ConnectionError extends Error {
  override name = 'ConnectionError';
}

/** What `redis-cli` calls an address. */
export function nameOf({ host, port, socket }: Target): string {
  return socket ?? addressText(host, port);
}

interface Waiter {
  /** Replies that it still waits for. */
  left: number;
  /** The first of them that was an error. */
  refusal: Reply | null;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  /** Why it has ended. */
  error: ConnectionError | null = null;
  /** Takes what RESP3 tells without having been asked. */
  onPush: (reply: Reply) => void = () => {};
  /** Whether pushes are what the program waits for, as one who subscribes does: then `next()` gives them, too. */
  takesPushes = false;
  private readonly stream: net.Socket;
  private readonly waiters: Waiter[] = [];
  private readonly kept: Reply[] = [];

  private constructor(stream: net.Socket) {
    this.stream = stream;
    const reader = new ReplyReader((reply) => this.arrived(reply));
    stream.on('data', (bytes: Buffer) => {
      try {
        reader.read(bytes);
      } catch (error) {
        stream.destroy();
        this.end(new ConnectionError(`Protocol error, ${systemError(error)}`));
      }
    });
    stream.on('error', (error) => this.end(new ConnectionError(systemError(error))));
    stream.on('close', () => this.end(new ConnectionError('Server closed the connection')));
  }

  /** Connects, and says who it is: rejects with ConnectionError, or RefusedError where the server refuses that. */
  static async open(target: Target): Promise<Connection> {
    const stream = connect(target);
    const connection = new Connection(stream);
    await new Promise<void>((done, failed) => {
      stream.once(target.tls ? 'secureConnect' : 'connect', done);
      stream.once('close', () => failed(connection.error));
    });
    return connection;
  }

  call(words: readonly string[]): Promise<Reply> {
    this.send(words);
    return this.next();
  }

  send(words: readonly string[]): void {
    this.stream.write(encode(words));
  }

  /** The next reply in the order of the requests; rejects with ConnectionError. */
  next(): Promise<Reply> {
    const kept = this.kept.shift();
    if (kept !== undefined) return Promise.resolve(kept);
    if (this.error !== null) return Promise.reject(this.error);
    return this.wait(1);
  }

  /** Sends requests as they travel; resolves once so many replies have come, with the first that is an error, or the last. */
  exchange(bytes: Uint8Array, replies: number): Promise<Reply> {
    if (this.error !== null) return Promise.reject(this.error);
    this.stream.write(bytes);
    return this.wait(replies);
  }

  private wait(left: number): Promise<Reply> {
    return new Promise((resolve, reject) => this.waiters.push({ left, refusal: null, resolve, reject }));
  }

  close(): void {
    this.stream.destroy();
    this.end(new ConnectionError('closed'));
  }

  private arrived(reply: Reply): void {
    if (reply.kind === 'push' && !this.takesPushes) {
      this.onPush(reply);
      return;
    }
    const waiter = this.waiters.at(0);
    if (waiter === undefined) {
      this.kept.push(reply);
      return;
    }
    if (reply.kind === 'error') waiter.refusal ??= reply;
    if (--waiter.left > 0) return;
    this.waiters.shift();
    waiter.resolve(waiter.refusal ?? reply);
  }

  private end(error: ConnectionError): void {
    if (this.error !== null) return;
    this.error = error;
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
  }
}

function connect({ host, port, socket, tls: choice }: Target): net.Socket {
  const endpoint = socket === undefined ? { host, port } : { path: socket };
  if (choice === undefined) return net.connect({ ...endpoint, noDelay: true });
  const { ca, cert, key, serverName, insecure } = choice;
  // An address is no name that TLS could ask for.
  const servername = serverName ?? (net.isIP(host) === 0 ? host : undefined);
  return tls.connect({
    ...endpoint,
    ...(servername !== undefined && { servername }),
    ...(ca !== undefined && { ca: readFileSync(ca) }),
    ...(cert !== undefined && { cert: readFileSync(cert) }),
    ...(key !== undefined && { key: readFileSync(key) }),
    rejectUnauthorized: !insecure,
  });
}

/** AUTH, HELLO 3 and SELECT, as the target asks for them; `refused` is told what does not end the connection. */
export async function introduce(
  connection: Connection,
  target: Target,
  refused: (text: string) => void,
): Promise<void> {
  const { user, password, resp, database } = target;
  if (password !== undefined) {
    const reply = await connection.call(user === undefined ? ['AUTH', password] : ['AUTH', user, password]);
    if (reply.kind === 'error') refused(`AUTH failed: ${reply.text}`);
  }
  if (resp === 3) {
    const reply = await connection.call(['HELLO', '3']);
    if (reply.kind === 'error') refused(`HELLO 3 failed: ${reply.text}`);
  }
  if (database !== 0) {
    const reply = await connection.call(['SELECT', String(database)]);
    if (reply.kind === 'error') refused(`SELECT ${database} failed: ${reply.text}`);
  }
}

/** A connection for a program that can't do with less than all of it: rejects where anything is refused. */
export async function openFully(target: Target): Promise<Connection> {
  const connection = await Connection.open(target);
  try {
    await introduce(connection, target, (text) => accepted({ kind: 'error', text }));
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}
