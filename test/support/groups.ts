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
    return new GroupClient(this.alive.map(({ port }) => port));
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

/** One connection; replies come in the order of the calls. */
export class Connection {
  private readonly socket: Socket;
  private readonly waiting: { done(answer: Answer): void; failed(error: Error): void }[] = [];
  private connected = false;
  private ended = false;

  constructor(port: number) {
    this.socket = connect({ port, host: HOST, noDelay: true });
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
    return new Promise((done, failed) => {
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

/** Sends what it is asked to the leader, whoever that is; each of its calls waits for the one before. */
export class GroupClient {
  private readonly ports: readonly number[];
  private connection: Connection | null = null;
  private turn = 0;

  constructor(ports: readonly number[]) {
    this.ports = ports;
  }

  /**
   * The reply of a leader; errors other than those that send the client elsewhere are thrown. Rejects with Unknown where it
   * may have been done or not.
   */
  async call(...args: readonly string[]): Promise<Answer> {
    const end = Date.now() + 30_000;
    while (Date.now() < end) {
      this.connection = this.connection?.open
        ? this.connection
        : new Connection(this.ports[this.turn % this.ports.length]);
      const answer = await this.connection.send(...args).catch((error: Error) => {
        this.elsewhere();
        if (error instanceof Unreached) return undefined;
        throw error;
      });
      if (answer === undefined) {
        await new Promise((done) => setTimeout(done, 10));
        continue;
      }
      if (!(answer instanceof Error)) return answer;
      const moved = /^MOVED \d+ .*:(\d+)$/.exec(answer.message);
      if (moved === null && !/^(CLUSTERDOWN|LOADING)/.test(answer.message)) throw answer;
      this.elsewhere();
      if (moved !== null) this.connection = new Connection(Number(moved[1]));
      else await new Promise((done) => setTimeout(done, 20));
    }
    throw new Error(`nobody answers ${args.join(' ')}`);
  }

  private elsewhere(): void {
    this.connection?.close();
    this.connection = null;
    this.turn++;
  }

  close(): void {
    this.connection?.close();
  }
}

/** Over a connection of its own, to this server; errors are thrown. */
export async function callOnce(port: number, ...args: readonly string[]): Promise<Answer> {
  const connection = new Connection(port);
  try {
    const answer = await connection.send(...args);
    if (answer instanceof Error) throw answer;
    return answer;
  } finally {
    connection.close();
  }
}
