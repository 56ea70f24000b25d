/** Groups of Raft in this process, over real sockets and folders, and clients that look for the leader. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Parser from 'redis-parser';
import type { Log } from '../../src/engine/server-port.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { freePort } from './ports.ts';
import { waitFor } from './sentinels.ts';

export type Settings = Readonly<Record<string, string | number | boolean>>;

const HOST = '127.0.0.1';
/** Milliseconds before a client asks again where nobody served it. */
const REST = 20;
/** Milliseconds for which it does so. */
const PERSISTENCE = 60_000;
const QUICK: Settings = { 'raft-election-timeout': 300, 'raft-heartbeat-interval': 30 };

export class TestMember {
  readonly port: number;
  readonly folder: string;
  server: CinnabarServer | null = null;
  /** What its log has told. */
  readonly lines: string[] = [];
  private readonly settings: Settings;

  constructor(port: number, settings: Settings) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), 'cinnabar-raft-'));
    this.settings = settings;
  }

  get up(): boolean {
    return this.server !== null;
  }

  get serves(): boolean {
    return this.server?.engine.membership.group?.serves === true;
  }

  async start(): Promise<void> {
    const tell = (line: string): void => void this.lines.push(line);
    const log: Log = { debug: () => {}, verbose: tell, notice: tell, warning: tell };
    const { port, folder: dir } = this;
    const settings = { bind: HOST, ...QUICK, ...this.settings, port, dir, 'raft-enabled': true };
    const server = createServer({ settings, log, persistent: true });
    await server.listen();
    this.server = server;
  }

  /** Ends it as a crash would: nothing more is written. */
  async kill(): Promise<void> {
    const { server } = this;
    this.server = null;
    await server?.close();
  }

  /** A field of INFO raft. */
  async figure(name: string): Promise<string> {
    const session = this.server!.session();
    const text = String(await session.call('INFO', 'raft'));
    session.close();
    return new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
  }
}

export class TestGroup {
  readonly members: TestMember[] = [];
  private readonly settings: Settings;

  private constructor(settings: Settings) {
    this.settings = settings;
  }

  /** The first begins a group, the others join it; resolves when all vote. */
  static async start(count: number, settings: Settings = {}): Promise<TestGroup> {
    const group = new TestGroup(settings);
    for (let i = 0; i < count; i++) await group.add();
    return group;
  }

  /** One more member. */
  async add(): Promise<TestMember> {
    const member = new TestMember(await freePort(), this.settings);
    const [first] = this.members;
    this.members.push(member);
    await member.start();
    if (first === undefined) await callOnce(member.port, 'RAFT', 'INIT');
    else await callOnce(member.port, 'RAFT', 'JOIN', HOST, String((await this.leader()).port));
    await waitFor('all vote', async () => {
      const { port } = await this.leader();
      const text = String(await callOnce(port, 'INFO', 'raft'));
      const isIn = text.includes(`port=${member.port},`);
      return isIn && !text.includes('role=learner') && text.includes(`raft_members:${this.members.length}`);
    });
    return member;
  }

  get alive(): TestMember[] {
    return this.members.filter(({ up }) => up);
  }

  async leader(): Promise<TestMember> {
    await waitFor('there is a leader', async () => this.alive.some(({ serves }) => serves));
    return this.alive.find(({ serves }) => serves)!;
  }

  async follower(): Promise<TestMember> {
    const leader = await this.leader();
    return this.alive.find((member) => member !== leader)!;
  }

  client(): GroupClient {
    return new GroupClient(inTurn(this.alive.map(({ port }) => local(port))));
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    for (const { folder } of this.members) rmSync(folder, { recursive: true, force: true });
  }
}

export type Answer = string | number | null | Error | Answer[];

/** The connection has ended, and nobody knows what came of what was asked. */
export class Unknown extends Error {}

/** There was no connection: it was not done. */
export class Unreached extends Error {}

/** Where a server listens. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** A server, and for how many milliseconds its reply is waited for; for ever where that is not said. */
export interface Asked extends Place {
  readonly patience?: number;
}

export const local = (port: number): Place => ({ host: HOST, port });

/** One connection; replies come in the order of the calls. */
export class Connection {
  private readonly socket: Socket;
  private readonly waiting: { done(answer: Answer): void; failed(error: Error): void }[] = [];
  private readonly patience: number | undefined;
  private connected = false;
  private ended = false;

  /** Ends when a reply has not come within `patience` ms. */
  constructor(port: number, { host = HOST, patience }: Partial<Asked> = {}) {
    this.patience = patience;
    this.socket = connect({ port, host, noDelay: true });
    const parser = new Parser({
      returnReply: (reply: unknown) => this.waiting.shift()?.done(readable(reply)),
      returnError: (error: Error) => this.waiting.shift()?.done(error),
    });
    this.socket.on('data', (chunk: Buffer) => parser.execute(chunk));
    this.socket.on('error', () => {});
    this.socket.on('connect', () => {
      this.connected = true;
    });
    this.socket.on('close', () => this.close());
  }

  get open(): boolean {
    return !this.ended;
  }

  /** Resolves with the reply, an error too; rejects with Unknown or Unreached. */
  send(...args: readonly string[]): Promise<Answer> {
    if (this.ended) return Promise.reject(new Unreached('the connection is closed'));
    return new Promise((answered, failed) => {
      const { patience } = this;
      const timer = patience === undefined ? undefined : setTimeout(() => this.close(), patience);
      const done = (answer: Answer): void => {
        clearTimeout(timer);
        answered(answer);
      };
      this.waiting.push({ done, failed });
      this.socket.write(`*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`);
    });
  }

  close(): void {
    this.ended = true;
    this.socket.destroy();
    for (const { failed } of this.waiting.splice(0))
      failed(this.connected ? new Unknown('the connection is lost') : new Unreached('nobody is there'));
  }
}

function readable(value: unknown): Answer {
  if (Array.isArray(value)) return value.map(readable);
  return value as Answer;
}

/** How a client that has nobody to ask finds somebody; undefined where nobody is known now. */
export type Seek = () => Promise<Place | undefined>;

/** One after the other, whoever leads. */
export function inTurn(places: readonly Place[]): Seek {
  let turn = 0;
  return async () => places[turn++ % places.length];
}

export interface ClientHabits {
  /** Milliseconds after which it waits no longer for a reply. */
  readonly patience?: number;
  /** Milliseconds after which it looks anew for somebody to ask. */
  readonly loyalty?: number;
}

/** What tells that nothing was done, and that somebody else may do it, or this one later. */
const ELSEWHERE = /^(CLUSTERDOWN|LOADING|READONLY|NOREPLICAS|MASTERDOWN)/;

/** Sends what it is asked to the leader, whoever that is; each of its calls waits for the one before. */
export class GroupClient {
  private readonly seek: Seek;
  private readonly habits: ClientHabits;
  private connection: Connection | null = null;
  private openedAt = 0;

  constructor(seek: Seek, habits: ClientHabits = {}) {
    this.seek = seek;
    this.habits = habits;
  }

  /**
   * The reply of a leader; errors other than those that send the client elsewhere are thrown. Rejects with Unknown where it
   * may have been done or not.
   */
  async call(...args: readonly string[]): Promise<Answer> {
    const end = Date.now() + PERSISTENCE;
    while (Date.now() < end) {
      const connection = await this.connected();
      const answer = await connection?.send(...args).catch((error: Error) => {
        this.close();
        if (error instanceof Unreached) return undefined;
        throw error;
      });
      if (answer !== undefined && !(answer instanceof Error)) return answer;
      if (answer !== undefined && this.follows(answer)) continue;
      await new Promise((done) => setTimeout(done, REST));
    }
    throw new Error(`nobody answers ${args.join(' ')}`);
  }

  private async connected(): Promise<Connection | null> {
    const { loyalty = Number.POSITIVE_INFINITY } = this.habits;
    if (this.connection?.open === true && performance.now() - this.openedAt < loyalty) return this.connection;
    this.close();
    const place = await this.seek();
    if (place !== undefined) this.open(place);
    return this.connection;
  }

  private open({ host, port }: Place): void {
    this.connection = new Connection(port, { host, patience: this.habits.patience });
    this.openedAt = performance.now();
  }

  /** Leaves who has refused; whether he has said who is to be asked. Throws what is no such refusal. */
  private follows(refusal: Error): boolean {
    const moved = /^MOVED \d+ (.*):(\d+)$/.exec(refusal.message);
    if (moved === null && !ELSEWHERE.test(refusal.message)) throw refusal;
    this.close();
    if (moved !== null) this.open({ host: moved[1], port: Number(moved[2]) });
    return moved !== null;
  }

  close(): void {
    this.connection?.close();
    this.connection = null;
  }
}

/** Over a connection of its own, to the server at this port of this machine; errors are thrown. */
export function callOnce(port: number, ...args: readonly string[]): Promise<Answer> {
  return callAt(local(port), ...args);
}

/** The same of a server of any machine. */
export async function callAt(asked: Asked, ...args: readonly string[]): Promise<Answer> {
  const connection = new Connection(asked.port, asked);
  try {
    const answer = await connection.send(...args);
    if (answer instanceof Error) throw answer;
    return answer;
  } finally {
    connection.close();
  }
}
