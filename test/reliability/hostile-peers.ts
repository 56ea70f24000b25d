/**
 * Hostile peers on the replication port, in a world of one server (test/simulation/world.ts): replicas that break every rule
 * of the link, and masters that do. A packet is what one peer says at a time. The server must answer its own client all the
 * while, keep its data where replicas can't touch them, and have nothing left of the peers when they have gone.
 */
import { MemoryNetwork } from '../../src/base/memory-network.ts';
import type { SeededRandom } from '../../src/base/random.ts';
import { replicationOf } from '../../src/replication/owners.ts';
import { request } from '../../src/replication/sink.ts';
import { Peer } from '../simulation/peer.ts';
import { type Client, type Process, World } from '../simulation/world.ts';

const PEERS = 6;
/** Packets between two looks at the server. */
const ROUND = 50;
/** Bytes that the server may take beyond what it took before. */
const GROWTH = 96 * 1024 * 1024;
const NUMBERS = [
  '0',
  '1',
  '-1',
  '-2',
  '2147483648',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '1e3',
  'x',
  '',
  '18446744073709551616',
];
const IDS = [
  '?',
  '',
  'f'.repeat(40),
  'F'.repeat(40),
  '0'.repeat(40),
  'f'.repeat(39),
  'f'.repeat(4000),
  '\0'.repeat(40),
];

export interface HostileReport {
  packets: number;
  links: number;
  readonly failures: string[];
}

function whole(...words: readonly string[]): string {
  return Buffer.from(request(...words)).toString('latin1');
}

/** Draws what peers say. */
class Words {
  readonly random: SeededRandom;

  constructor(random: SeededRandom) {
    this.random = random;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)];
  }

  below(most: number): number {
    return this.random.below(most);
  }

  bytes(most: number): string {
    return Array.from({ length: this.below(most) }, () => String.fromCharCode(this.below(256))).join('');
  }

  number(): string {
    return this.pick(NUMBERS);
  }

  /** A command, often whole, else cut, spoilt or with something in front of it. */
  said(...words: readonly string[]): string {
    const text = whole(...words);
    const how = this.below(12);
    if (how === 0) return text.slice(0, this.below(text.length));
    if (how === 1) return this.spoilt(text);
    if (how === 2) return `\n${text}`;
    return text;
  }

  spoilt(text: string): string {
    const at = this.below(text.length + 1);
    return text.slice(0, at) + this.bytes(8) + text.slice(at + this.below(4));
  }

  /** What nobody should say anywhere. */
  garbage(): string {
    return this.pick([
      () => this.bytes(200),
      () => `*${this.number()}\r\n`,
      () => `*3\r\n$${this.number()}\r\n`,
      () => '*1\r\n$5000000\r\nx',
      () => '\n'.repeat(this.below(50)),
      () => `${'x'.repeat(this.below(3000))}\r\n`,
      () => '*1048576\r\n',
    ])();
  }

  ofReplica(online: boolean): string {
    const before = (): string =>
      this.pick([
        () =>
          this.said(
            'REPLCONF',
            this.pick(['listening-port', 'ip-address', 'capa', 'rdb-only', 'rdb-filter-only', 'x']),
            this.pick([this.number(), 'eof', 'psync2', 'functions', this.bytes(300)]),
          ),
        () => this.said('REPLCONF', 'capa', 'eof', 'capa', 'psync2', 'listening-port', this.number()),
        () => this.said('PSYNC', this.pick(IDS), this.number()),
        () => this.said('PSYNC', '?', '-1'),
        () => whole('PSYNC', this.pick(IDS), this.number(), 'FAILOVER'),
        () => this.said('SYNC'),
        () => this.said('REPLCONF', 'ACK', this.number()),
        () => this.said('REPLCONF', 'GETACK', '*'),
        () => this.said('REPLCONF'),
        () => this.said('ROLE'),
        () => this.garbage(),
      ])();
    if (!online) return before();
    return this.pick([
      () => this.said('REPLCONF', 'ACK', this.number()),
      () => this.said('REPLCONF', 'ACK', String(this.below(100_000))),
      () => this.said('REPLCONF', 'ACK', String(this.below(100_000)), 'FACK', this.number()),
      () => '\n',
      before,
      () =>
        this.said(
          ...this.pick([
            ['SET', 'k', 'hostile'],
            ['FLUSHALL'],
            ['GET', 'k'],
            ['MULTI'],
            ['EXEC'],
            ['MONITOR'],
            ['SUBSCRIBE', 'c'],
            ['RESET'],
            ['WAIT', '1', '0'],
            ['CLIENT', 'REPLY', 'SKIP'],
            ['CLIENT', 'REPLY', 'OFF'],
            ['BLPOP', 'k', '0'],
            ['EVAL', 'return 1', '0'],
            ['QUIT'],
          ]),
        ),
    ])();
  }

  /** An answer to the handshake of a replica. */
  ofHandshake(snapshot: string): string {
    const sure = this.below(3) > 0;
    if (sure) return '+PONG\r\n';
    return this.pick([
      () => '+OK\r\n',
      () => '-NOAUTH x\r\n',
      () => '-ERR unknown\r\n',
      () => '-LOADING\r\n',
      () => '\n\n\n',
      () => 'x'.repeat(this.below(3000)),
      () => this.garbage(),
      () => this.toPsync(snapshot),
    ])();
  }

  /** An answer to PSYNC, with what follows it. */
  toPsync(snapshot: string): string {
    const id = this.pick(IDS);
    return this.pick([
      () => `+FULLRESYNC ${'f'.repeat(40)} ${this.below(1000)}\r\n${this.payload(snapshot)}`,
      () => `+FULLRESYNC ${'f'.repeat(40)} 0\r\n$${snapshot.length}\r\n${snapshot}`,
      () => `+FULLRESYNC ${'f'.repeat(40)} 0\r\n$${snapshot.length}\r\n${snapshot}`,
      () => `+FULLRESYNC ${id} ${this.number()}\r\n${this.payload(snapshot)}`,
      () => `+CONTINUE ${id}\r\n`,
      () => '+CONTINUE\r\n',
      () => '-NOMASTERLINK x\r\n',
      () => `-ERR ${this.bytes(100)}\r\n`,
      () => this.payload(snapshot),
    ])();
  }

  payload(snapshot: string): string {
    const mark = 'm'.repeat(40);
    const bytes = this.below(2) === 0 ? snapshot : this.spoilt(snapshot);
    return this.pick([
      () => `$${snapshot.length}\r\n${bytes}`,
      () => `$EOF:${mark}\r\n${bytes}${mark}`,
      () => `$EOF:${mark}\r\n${bytes}${this.pick([mark.slice(1), '', mark + mark])}`,
      () => `$EOF:${mark.slice(this.below(40))}\r\n${bytes}`,
      () => `$${this.number()}\r\n${bytes}`,
      () => `-ERR ${this.bytes(50)}\r\n`,
      () => this.garbage(),
    ])();
  }

  /** Of the stream of a master. */
  ofStream(): string {
    const n = (most: number): string => String(this.below(most));
    return this.pick([
      () => this.said('SELECT', this.pick([n(16), this.number()])),
      () => this.said('SET', `k${n(20)}`, this.bytes(100)),
      () => this.said('SET', `k${n(20)}`, 'v', this.pick(['PX', 'EX', 'KEEPTTL', 'PXAT']), this.number()),
      () =>
        this.said(
          this.pick(['RPUSH', 'SADD', 'HSET', 'ZADD', 'APPEND', 'SETRANGE', 'XADD', 'PFADD']),
          `k${n(20)}`,
          n(50),
          this.pick([n(50), this.number()]),
        ),
      () =>
        this.said(
          this.pick([
            'MULTI',
            'EXEC',
            'DISCARD',
            'PING',
            'FLUSHALL',
            'FLUSHDB',
            'MONITOR',
            'SYNC',
            'QUIT',
            'RESET',
            'FAILOVER',
            'UNWATCH',
          ]),
        ),
      () => this.said('REPLCONF', this.pick(['GETACK', 'ACK', 'capa', 'x']), this.pick(['*', this.number()])),
      () => this.said('PSYNC', this.pick(IDS), this.number()),
      () => this.said('RESTORE', `k${n(20)}`, '0', this.bytes(60), 'REPLACE'),
      () =>
        this.said(
          'EVAL',
          this.pick(["return redis.call('SET', KEYS[1], 'x')", 'return {', "error('x')"]),
          '1',
          `k${n(20)}`,
        ),
      () => this.said('FUNCTION', this.pick(['LOAD', 'DELETE', 'RESTORE']), this.bytes(30)),
      () => this.said(this.pick(['BLPOP', 'BRPOP', 'BZPOPMIN']), `k${n(20)}`, '0'),
      () =>
        this.said(
          this.pick(['SUBSCRIBE', 'PSUBSCRIBE', 'UNSUBSCRIBE', 'WATCH', 'AUTH', 'HELLO', 'DEL', 'GET']),
          this.pick([`k${n(20)}`, '3']),
        ),
      () =>
        this.said(
          'CLIENT',
          ...this.pick([
            ['REPLY', 'ON'],
            ['REPLY', 'SKIP'],
            ['TRACKING', 'ON'],
            ['NO-EVICT', 'ON'],
            ['SETNAME', 'x'],
            ['PAUSE', '20'],
          ]),
        ),
      () => this.garbage(),
    ])();
  }
}

/** What both kinds of hostile play share: a server, its client, and what must hold of them. */
class Stage {
  readonly world: World;
  readonly words: Words;
  readonly report: HostileReport = { packets: 0, links: 0, failures: [] };
  process!: Process;
  client!: Client;
  private memory = 0;

  constructor(seed: number) {
    this.world = new World(seed);
    this.words = new Words(this.world.derivedRandom());
  }

  async start(settings: Readonly<Record<string, string | number>>): Promise<void> {
    this.process = await this.world
      .machine('a')
      .start({ 'repl-diskless-sync-delay': 0, 'repl-timeout': 5, ...settings });
    this.client = this.process.client();
    await this.client.call('SET', 'k', 'v');
    // Words that are cut may be one, which holds writes back for as long as nobody ends it.
    await this.client.call('ACL', 'SETUSER', 'default', '-failover');
    this.memory = this.used;
  }

  get used(): number {
    return this.process.server.engine.usedMemory.total;
  }

  /** Throws where something does not hold. */
  async look(): Promise<void> {
    const { client, process, world } = this;
    const pong = await client.call('PING');
    if (pong !== 'PONG' && !String(pong).includes('LOADING')) throw new Error(`PING is answered ${String(pong)}`);
    const replication = replicationOf(process.server.engine);
    replication.master.verify();
    replication.follower.verify();
    if (this.used > this.memory + GROWTH) throw new Error(`${this.used} bytes are in use, of ${this.memory} before`);
    // Nobody reads it, and it would be the largest of all.
    world.trace.length = 0;
  }
}

async function played(stage: Stage, play: () => Promise<void>): Promise<HostileReport> {
  const { report, world } = stage;
  try {
    await play();
  } catch (error) {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const log = world.trace.filter((line) => line.includes(' log ')).slice(-12);
    report.failures.push(`seed ${world.seed}, packet ${report.packets}: ${told}\n${log.join('\n')}`);
  }
  world.end();
  return report;
}

export async function hostileReplicas(packets: number, seed: number): Promise<HostileReport> {
  const stage = new Stage(seed);
  const { world, words, report } = stage;
  return played(stage, async () => {
    await stage.start({ 'repl-diskless-sync': words.pick(['yes', 'no']), 'repl-backlog-size': '16kb' });
    const peers: Peer[] = [];
    for (; report.packets < packets; report.packets++) {
      let peer = words.pick(peers.length < PEERS ? [null] : peers);
      if (peer === null || peer.closed) {
        if (peer !== null) peers.splice(peers.indexOf(peer), 1);
        peer = Peer.to(world, 'a');
        report.links++;
        peers.push(peer);
      }
      const online = /\+(FULLRESYNC|CONTINUE)/.test(peer.heard);
      peer.say(words.ofReplica(online));
      if (peer.heard.length > 100_000) peer.heard = '+CONTINUE';
      if (words.below(60) === 0) peer.stream.destroy();
      else if (words.below(20) === 0) peer.stream[words.pick(['pause', 'resume'] as const)]();
      if (words.below(4) === 0) await world.pass(words.below(words.below(20) === 0 ? 1500 : 10));
      if (report.packets % ROUND !== 0) continue;
      await stage.client.call('SET', 'other', 'x'.repeat(words.below(5000)));
      await stage.look();
    }
    for (const peer of peers) peer.stream.destroy();
    await world.pass(10_000);
    await stage.look();
    const { engine } = stage.process.server;
    const left = [...engine.sessions.values()].map((session) => session.describe());
    if (left.length !== 1) throw new Error(`${left.length} sessions are left: ${left.join('; ')}`);
    if ((await stage.client.call('GET', 'k')) !== 'v') throw new Error('a replica has changed the data');
  });
}

export async function hostileMasters(packets: number, seed: number): Promise<HostileReport> {
  const stage = new Stage(seed);
  const { world, words, report } = stage;
  return played(stage, async () => {
    const snapshot = await snapshotOf(world);
    let peer: Peer | null = null;
    await new MemoryNetwork(world.wires, 'evil').listen({ host: 'evil', port: 6379 }, 1, (stream) => {
      peer = new Peer(stream);
      report.links++;
    });
    await stage.start({ 'repl-diskless-load': words.pick(['disabled', 'swapdb', 'on-empty-db']) });
    await stage.client.call('REPLICAOF', 'evil', '6379');
    const link = (): Peer | null => peer;
    for (; report.packets < packets; report.packets++) {
      const master = link();
      if (master === null || master.closed) await world.pass(1000);
      else {
        const psync = /PSYNC|SYNC\r\n/.test(master.heard);
        if (!psync) master.say(words.ofHandshake(snapshot));
        else if (!master.heard.includes('answered')) {
          master.heard += 'answered';
          master.say(words.toPsync(snapshot));
        } else master.say(words.ofStream());
        if (words.below(psync ? 150 : 40) === 0) master.stream.destroy();
      }
      if (words.below(3) === 0) await world.pass(words.below(words.below(20) === 0 ? 3000 : 8));
      if (report.packets % ROUND === 0) await stage.look();
    }
    // While it loads it takes no command.
    link()?.stream.destroy();
    await world.pass(1000);
    await stage.client.call('REPLICAOF', 'NO', 'ONE');
    await world.pass(10_000);
    await stage.look();
    const set = await stage.client.call('SET', 'k', 'v');
    if (set !== 'OK') throw new Error(`as a master again it answers SET: ${String(set)}`);
  });
}

/** A snapshot of some data, as a server of ours sends it. */
async function snapshotOf(world: World): Promise<string> {
  const client = (await world.machine('source').start()).client();
  await client.call('HSET', 'h', 'f', 'v');
  await client.call('RPUSH', 'l', 'a', 'b');
  await client.call('SET', 's', 'v', 'PX', '100000');
  const peer = Peer.to(world, 'source');
  peer.command('SYNC');
  await world.pass(10_000);
  const [, length = '0', bytes = ''] = /\$(\d+)\r\n(.*)$/s.exec(peer.heard) ?? [];
  peer.stream.destroy();
  return bytes.slice(0, Number(length));
}

/** Both, half of the packets each, in plays of some thousand packets with a seed of their own. */
export async function hostilePeers(packets: number, seed: number, each = 5000): Promise<HostileReport> {
  const sum: HostileReport = { packets: 0, links: 0, failures: [] };
  for (let play = 0; sum.packets < packets && sum.failures.length === 0; play++) {
    const count = Math.min(each, packets - sum.packets);
    const report = await (play % 2 === 0 ? hostileReplicas : hostileMasters)(count, seed + play);
    sum.packets += Math.max(1, report.packets);
    sum.links += report.links;
    sum.failures.push(...report.failures);
  }
  return sum;
}
