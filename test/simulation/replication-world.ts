/**
 * The replication world: a master, two replicas and a sub-replica, of which a seed writes to, cuts off, restarts, robs of
 * power, promotes and rearranges some, over and over. When all is healed and quiet, it must hold that
 *
 *   - all four have the same data and the same offset;
 *   - one history and one offset stand for one content, whenever and wherever they are seen;
 *   - as many replicas as WAIT has counted have what was written before it;
 *   - what the stream keeps is within its bounds.
 *
 * `course` answers what was broken, '' for nothing, and the world's trace.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import { type Client, type Machine, type Settings, World } from './world.ts';

const NAMES = ['a', 'b', 'c', 'd'];
const BACKLOG = 32_768;
/** Virtual milliseconds within which four servers that can reach each other have to agree. */
const PATIENCE = 120_000;

export interface Course {
  readonly broken: string;
  readonly trace: readonly string[];
  /** Virtual milliseconds that it lasted. */
  readonly lasted: number;
  readonly full: number;
  readonly partial: number;
}

class Broken extends Error {}

class ReplicationWorld {
  readonly world: World;
  private readonly random: SeededRandom;
  private readonly machines: readonly Machine[];
  private readonly settings = new Map<string, Settings>();
  private readonly clients = new Map<string, Client>();
  /** Whom each follows, as it was last told; '' for nobody. */
  private readonly masters = new Map<string, string>();
  /** Which content each history and offset has been seen to stand for. */
  private readonly seen = new Map<string, string>();
  private marks = 0;
  full = 0;
  partial = 0;

  constructor(seed: number) {
    this.world = new World(seed);
    this.random = this.world.derivedRandom();
    this.machines = NAMES.map((name) => this.world.machine(name));
    for (const name of NAMES) this.settings.set(name, this.drawSettings());
  }

  private drawSettings(): Settings {
    const { random } = this;
    return {
      'enable-debug-command': 'yes',
      'repl-timeout': 10,
      'repl-ping-replica-period': 1 + random.below(3),
      'repl-backlog-size': BACKLOG,
      'repl-diskless-sync': random.below(2) === 0 ? 'yes' : 'no',
      'repl-diskless-sync-delay': random.below(2),
      'repl-diskless-load': ['disabled', 'on-empty-db', 'swapdb'][random.below(3)],
      appendonly: random.below(4) === 0 ? 'yes' : 'no',
      save: random.below(2) === 0 ? '' : '2 1',
    };
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)];
  }

  private get master(): string {
    return NAMES.find((name) => this.masters.get(name) === '') ?? NAMES[0];
  }

  private running(name: string): boolean {
    return this.machine(name).process !== null;
  }

  private machine(name: string): Machine {
    return this.machines[NAMES.indexOf(name)];
  }

  /** A command to a server that runs; null where it doesn't, or ends meanwhile. */
  async ask(name: string, ...words: readonly string[]): Promise<unknown> {
    if (!this.running(name)) return null;
    try {
      return await this.client(name).call(...words);
    } catch (error) {
      if (String(error).includes('does not come')) throw new Broken(`${words[0]} of ${name} is not answered`);
      this.clients.delete(name);
      return null;
    }
  }

  private client(name: string): Client {
    let client = this.clients.get(name);
    if (client === undefined) {
      client = this.machine(name).process?.client();
      if (client === undefined) throw new Error(`${name} does not run`);
      this.clients.set(name, client);
    }
    return client;
  }

  private async start(name: string): Promise<void> {
    const master = this.masters.get(name) ?? '';
    const more: Settings = master === '' ? {} : { replicaof: `${master} 6379` };
    await this.machine(name).start({ ...this.settings.get(name), ...more });
  }

  private async follow(name: string, master: string): Promise<void> {
    this.masters.set(name, master);
    await this.ask(name, 'REPLICAOF', ...(master === '' ? ['NO', 'ONE'] : [master, '6379']));
  }

  async begin(): Promise<void> {
    for (const name of NAMES) this.masters.set(name, name === 'a' ? '' : 'a');
    this.masters.set('d', 'b');
    for (const name of NAMES) await this.start(name);
  }

  // What happens.

  async step(): Promise<void> {
    const { random, world } = this;
    const what = random.below(24);
    if (what < 11) await this.write();
    else if (what < 13) await this.wait();
    else if (what === 13) this.cut();
    else if (what === 14) world.wires.healAll();
    else if (what === 15) await this.stop(false);
    else if (what === 16) await this.stop(true);
    else if (what === 17) await this.startOne();
    else if (what === 18) await this.promote();
    else if (what === 19) await this.rearrange();
    else if (what === 20) await this.ask(this.pick(NAMES), 'CLIENT', 'KILL', 'TYPE', this.pick(['replica', 'master']));
    else if (what === 21) await this.ask(this.pick(NAMES), 'BGSAVE');
    else if (what === 22) await this.shutdown();
    await world.pass(this.random.below(what < 12 ? 20 : 3000));
    await this.look(this.pick(NAMES));
  }

  private async write(): Promise<void> {
    const { master } = this;
    if (this.random.below(4) === 0) await this.ask(master, 'SELECT', String(this.random.below(3)));
    for (let i = 0; i < 1 + this.random.below(8); i++) await this.ask(master, ...randomWrite(this.random));
    if (this.random.below(8) === 0) {
      await this.ask(master, 'MULTI');
      for (let i = 0; i < this.random.below(4); i++) await this.ask(master, ...randomWrite(this.random));
      await this.ask(master, 'EXEC');
    }
    if (this.random.below(12) === 0)
      await this.ask(master, 'SETRANGE', 'long', String(this.random.below(BACKLOG)), 'x');
  }

  private async wait(): Promise<void> {
    const { master } = this;
    const key = `mark${++this.marks}`;
    await this.ask(master, 'SELECT', '0');
    if ((await this.ask(master, 'SET', key, 'x')) !== 'OK') return;
    const count = await this.ask(master, 'WAIT', '2', '300');
    if (typeof count !== 'number' || count === 0) return;
    const until = this.world.clock.now() + 5000;
    let have = 0;
    while (have < count && this.world.clock.now() < until) {
      have = 0;
      for (const name of NAMES) if (name !== master && (await this.has(name, key))) have++;
    }
    if (have < count) throw new Broken(`WAIT has counted ${count} replicas, of which ${have} have ${key}`);
  }

  private async has(name: string, key: string): Promise<boolean> {
    await this.ask(name, 'SELECT', '0');
    return (await this.ask(name, 'EXISTS', key)) === 1;
  }

  private cut(): void {
    const [from, to] = [this.pick(NAMES), this.pick(NAMES)];
    if (from === to) return;
    if (this.random.below(2) === 0) this.world.wires.cut(from, to);
    else this.world.wires.part([from], [to]);
    this.world.note(`the way from ${from} to ${to} is cut`);
  }

  private async stop(power: boolean): Promise<void> {
    const name = this.pick(NAMES);
    if (!this.running(name)) return;
    this.clients.delete(name);
    if (power) this.machine(name).powerCut();
    else this.machine(name).kill();
    if (this.random.below(2) === 0) await this.start(name);
  }

  private async shutdown(): Promise<void> {
    const name = this.pick(NAMES);
    if (!this.running(name)) return;
    await this.ask(name, 'SHUTDOWN', this.pick(['SAVE', 'NOSAVE']), 'NOW');
    this.clients.delete(name);
    this.machine(name).kill();
    await this.start(name);
  }

  private async startOne(): Promise<void> {
    for (const name of NAMES) {
      if (this.running(name)) continue;
      await this.start(name);
      return;
    }
  }

  /** Another one is the master from now on; the old one follows it, and the rest follow anybody up the chain. */
  private async promote(): Promise<void> {
    const next = this.pick(NAMES);
    await this.follow(next, '');
    const chain = [next];
    for (const name of NAMES) {
      if (name === next) continue;
      await this.follow(name, this.pick(chain));
      chain.push(name);
    }
  }

  private async rearrange(): Promise<void> {
    const { master } = this;
    const name = this.pick(NAMES);
    if (name === master || [...this.masters.values()].includes(name)) return;
    await this.follow(name, this.pick(NAMES.filter((other) => other !== name)));
  }

  // What must hold.

  /** One history and one offset stand for one content. */
  private async look(name: string): Promise<string> {
    if (!this.running(name)) return '';
    const client = this.client(name);
    const asked = [
      client.send('INFO', 'replication'),
      client.send('DEBUG', 'DIGEST'),
      client.send('INFO', 'replication'),
    ];
    for (const each of asked) each.catch(() => {});
    const [before, digest, after] = await this.world.run(Promise.all(asked)).catch(() => ['', '', 'lost']);
    if (after === 'lost') this.clients.delete(name);
    const place = placeOf(String(before));
    if (place === '' || place !== placeOf(String(after)) || typeof digest !== 'string') return '';
    const known = this.seen.get(place);
    if (known === undefined) this.seen.set(place, digest);
    else if (known !== digest) throw new Broken(`${place} stands for ${digest} on ${name}, and for ${known} elsewhere`);
    return `${place} ${digest}`;
  }

  /** All is healed, all run: within a time they agree. */
  async settle(): Promise<void> {
    const { world } = this;
    world.wires.healAll();
    for (const name of NAMES) if (!this.running(name)) await this.start(name);
    for (const name of NAMES) await this.follow(name, this.masters.get(name) ?? '');
    const until = world.clock.now() + PATIENCE;
    let states: string[] = [];
    while (world.clock.now() < until) {
      await world.pass(1000);
      states = [];
      for (const name of NAMES) states.push(await this.look(name));
      if (states[0] !== '' && new Set(states).size === 1) break;
    }
    if (states[0] === '' || new Set(states).size > 1) throw new Broken(`they do not agree: ${states.join(' / ')}`);
    for (const { name, process } of this.machines) {
      const replication = process?.server.engine.replication;
      if (replication === undefined) continue;
      this.full += replication.syncs.full;
      this.partial += replication.syncs.partialOk;
      if (replication.bufferBytes > 2 * BACKLOG + 65_536)
        throw new Broken(`${name} keeps ${replication.bufferBytes} bytes of the stream`);
    }
  }
}

/** A write of any type, on few keys. */
export function randomWrite(random: SeededRandom): readonly string[] {
  const n = (most: number): string => String(random.below(most));
  const writes: readonly (readonly string[])[] = [
    ['SET', `s${n(20)}`, n(1e6)],
    ['SET', `v${n(20)}`, n(1e6), 'PX', String(1 + random.below(3000))],
    ['INCR', `i${n(5)}`],
    ['APPEND', `p${n(3)}`, n(1e6)],
    ['RPUSH', `l${n(5)}`, n(100), n(100)],
    ['LPOP', `l${n(5)}`],
    ['SADD', `t${n(5)}`, n(100), n(100)],
    ['SPOP', `t${n(5)}`],
    ['HSET', `h${n(5)}`, n(30), n(100)],
    ['HDEL', `h${n(5)}`, n(30)],
    ['ZADD', `z${n(5)}`, n(100), n(30)],
    ['ZPOPMIN', `z${n(5)}`],
    ['XADD', `x${n(3)}`, 'MAXLEN', '50', '*', 'f', n(100)],
    ['SETEX', `e${n(5)}`, '1', n(100)],
    ['PEXPIRE', `s${n(20)}`, n(2000)],
    ['DEL', `s${n(20)}`, `h${n(5)}`],
    ['RENAME', `s${n(20)}`, `s${n(20)}`],
    ['EVAL', "return redis.call('INCRBYFLOAT', KEYS[1], 1.5)", '1', `f${n(3)}`],
  ];
  return writes[random.below(writes.length)];
}

/** History and offset of a server whose data stand there; '' for others. */
function placeOf(info: string): string {
  const field = (name: string): string => new RegExp(`^${name}:(.*)\r$`, 'm').exec(info)?.[1] ?? '';
  if (field('role') === 'slave' && field('master_link_status') !== 'up') return '';
  if (field('repl_backlog_active') !== '1') return '';
  return `${field('master_replid')}:${field('master_repl_offset')}`;
}

/** The course of a seed. */
export async function course(seed: number, steps = 40): Promise<Course> {
  const played = new ReplicationWorld(seed);
  const { world } = played;
  const began = world.clock.now();
  let broken = '';
  try {
    await played.begin();
    for (let i = 0; i < steps; i++) await played.step();
    await played.settle();
  } catch (error) {
    broken = error instanceof Broken ? error.message : String(error instanceof Error ? error.stack : error);
  }
  world.end();
  return {
    broken,
    trace: world.trace,
    lasted: world.clock.now() - began,
    full: played.full,
    partial: played.partial,
  };
}
