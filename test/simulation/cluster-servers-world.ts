/**
 * Whole servers as nodes of a cluster: 3 or 5 masters of ours with a replica each, over a virtual clock, with their files on
 * disks in memory and all that they say over a network in memory, which comes apart and loses packets of the bus; machines
 * that are killed, lose their power and stand still, wall clocks that jump, disks that are slow or full, failovers that are
 * asked for, and slots that are moved while clients write, all from one seed. It must hold that
 *
 *   - who has voted in an epoch never tells of another vote in it, whatever restarts lie between;
 *   - no slot is claimed by two masters with one epoch that was voted for; what a node tells and keeps of epochs only grows;
 *   - a slot passes only to who claims it with a later epoch, unless an administrator says otherwise;
 *   - no acknowledged key is lost but by what asynchronous replication allows (cluster-keys.ts), and no write is done twice;
 *   - nobody ends by itself, and nobody is elected while it is loading;
 *   - once all is healed, every slot is served and everybody knows by whom, the slots that were left in the middle can be
 *     brought to an end, no key lies on two masters, and replicas have the data of their masters;
 *   - and then slots are moved and a failover is agreed to, while clients write, and nothing is lost at all.
 *
 * `course` answers what was broken, '' for nothing. That it would find something is shown by bugs that can be planted
 * (cluster-bugs.ts).
 */
import { sliceOf } from '../../src/base/slice.ts';
import type { Packet } from '../../src/cluster/bus/packet.ts';
import type { NodesFile } from '../../src/cluster/nodes-file.ts';
import { SLOTS, slotOf } from '../../src/cluster/slots.ts';
import type { ClusterState, Node } from '../../src/cluster/state.ts';
import { nodesFile, type Seat } from '../../src/server/local-cluster.ts';
import { createServer } from '../../src/server/server.ts';
import { disagreementOf, discontentOf } from './cluster-agreement.ts';
import { Asking, Unanswered } from './cluster-asking.ts';
import { type ClusterBug, plant, plantIntoMigrate } from './cluster-bugs.ts';
import { Keys } from './cluster-keys.ts';
import { Life, type LifeWatcher, type Way } from './cluster-life.ts';
import { ClusterPromises } from './cluster-promises.ts';
import { Broken } from './rules-world.ts';
import { ServersWorld } from './servers-world.ts';

const OUTSIDE = 'outside';
const PORT = 6379;
const BUS_PORT = 16379;
const NODE_TIMEOUT = 1500;
const VALIDITY_FACTOR = 3;
const REPL_PING = 1000;
const REPL_TIMEOUT = 5000;
/**
 * How old a key can be that an election loses: a replica finds out by its timer that it hears nothing, its data are too old
 * some time after that, and the election takes its time.
 */
const OLDEST = REPL_TIMEOUT + 1000 + REPL_PING + NODE_TIMEOUT * (VALIDITY_FACTOR + 1) + 2 * NODE_TIMEOUT;
const SETTINGS = {
  port: PORT,
  'protected-mode': false,
  save: '',
  appendonly: true,
  appendfsync: 'always' as const,
  'cluster-enabled': true,
  'cluster-node-timeout': NODE_TIMEOUT,
  'cluster-replica-validity-factor': VALIDITY_FACTOR,
  'repl-ping-replica-period': REPL_PING / 1000,
  'repl-timeout': REPL_TIMEOUT / 1000,
  'repl-diskless-sync-delay': 0,
  'enable-debug-command': true,
};
/** Slots that keys are written to, and moved with them. */
const TAGS = 12;
const WRITERS = 3;
const ADMINISTRATORS = 2;
/** The most milliseconds between two writes of a client, and two moves of an administrator. */
const WRITE_PAUSE = 120;
const MOVE_PAUSE = 1500;
const KEYS_AT_ONCE = 7;
const MIGRATE_TIMEOUT = 700;
/** Things that go wrong, and the milliseconds between two of them at most: as a rule, and in one case of four. */
export const MOST_FAULTS = 16;
const [USUAL_PAUSE, LONG_PAUSE] = [700, 4500];
/** Milliseconds within which everybody has to agree when the trouble is over. */
const PATIENCE = 60_000;
const LOOK_AGAIN = 250;
/** More milliseconds than a failover may take that was asked for. */
const ASK_AGAIN = 6000;
const DELAYS: readonly (readonly [number, number])[] = [
  [0.1, 1],
  [1, 20],
  [20, 200],
];
/** Of so many packets of the bus one breaks its connection, and is lost; 0 for none. */
const LOSSES = [0, 0, 100, 10];
const MOST_STANDSTILL = 4000;
const CALM_MOVES = 2;

export interface ClusterServersCourse {
  readonly broken: string;
  readonly trace: readonly string[];
  readonly lasted: number;
  readonly counts: Readonly<Record<string, number>>;
}

export interface ClusterServersOptions {
  readonly faults?: number;
  readonly bug?: ClusterBug;
  readonly traced?: boolean;
}

class ClusterServersWorld extends ServersWorld implements LifeWatcher {
  readonly counts = { failovers: 0, moves: 0, 'cut short': 0, adopted: 0, acknowledged: 0 };
  readonly keys: Keys;
  readonly promises = new ClusterPromises();
  private readonly options: ClusterServersOptions;
  private readonly names: readonly string[];
  private readonly masters: number;
  private readonly seats: Seat[];
  /** The last life of each node that had its data. */
  private readonly lives = new Map<string, Life>();
  private readonly tags: readonly { readonly name: string; readonly slot: number }[];
  private readonly slots: readonly number[];
  /** Slots that somebody administers, and those that were left in the middle of it. */
  private readonly busy = new Set<number>();
  private readonly open = new Set<number>();
  private readonly asking: Asking[] = [];
  private losses = 0;
  private troubled = true;
  private writing = true;
  private administering = true;
  private serial = 0;
  private lasting: Promise<void>[] = [];

  constructor(seed: number, options: ClusterServersOptions) {
    const masters = seed % 3 === 0 ? 5 : 3;
    const names = Array.from({ length: 2 * masters }, (_, i) => `10.0.0.${i + 1}`);
    super(seed, names, OUTSIDE, options.traced === true);
    this.options = options;
    this.names = names;
    this.masters = masters;
    this.seats = names.map((ip, i) => ({
      ...{ id: this.newId(), ip, port: PORT, busPort: BUS_PORT },
      master: i < masters ? null : i - masters,
    }));
    this.tags = Array.from({ length: TAGS }, (_, i) => ({ name: `t${i}`, slot: slotOf(sliceOf(`t${i}`)) }));
    const homes = Array.from({ length: masters }, (_, i) => Math.floor((i * SLOTS) / masters));
    this.slots = [...homes, ...this.tags.map(({ slot }) => slot)];
    this.keys = new Keys(this.lives, this.slots, OLDEST, () => this.now);
    for (const name of names) {
      const machine = this.machine(name);
      machine.onDisk = (step, path) => {
        if (path.includes('nodes.conf')) this.sufferStep(name, step, path);
      };
      machine.onLog = (line) => this.hold(() => heardOf(name, line));
    }
  }

  private get now(): number {
    return this.world.clock.monotonic() / 1000;
  }

  private newId(): string {
    return Array.from({ length: 5 }, () => this.random.bits32().toString(16).padStart(8, '0')).join('');
  }

  // Machines.

  protected async start(name: string): Promise<void> {
    const machine = this.machine(name);
    if (machine.process !== null) return;
    const process = machine.launch((surroundings) => {
      const { disk } = surroundings;
      if (disk.status('/data/nodes.conf') === undefined) {
        const file = disk.open('/data/nodes.conf', 'w');
        file.writeAll(Buffer.from(nodesFile(this.seats, this.names.indexOf(name)), 'latin1'));
        file.sync();
        file.close();
        disk.syncFolder('/data');
      }
      const coverage = this.masters === 5;
      const settings = { ...SETTINGS, bind: name, 'cluster-require-full-coverage': coverage };
      return createServer({ ...surroundings, persistent: true, settings });
    });
    const life = new Life(name, process);
    if (this.options.bug !== undefined) plant(life.shell, this.options.bug);
    life.watch(this.slots, this);
    await process.listening;
    if (machine.process === process) this.lives.set(name, life);
  }

  /** A sync that takes long is one after which the process stands still, and nothing of what it says leaves. */
  // What nodes do.

  mayClaim(): void {
    this.hold(() => this.keys.audit());
  }

  claims(life: Life, way: Way): void {
    const { configEpoch } = life.state.myself;
    this.world.note(`${life.name} claims its slots with epoch ${configEpoch}: ${way}`);
    if (way === 'taken' || way === 'moved' || way === 'alone') this.promises.tookAlone(life.name, configEpoch);
    if (way === 'elected' || way === 'agreed' || way === 'forced') this.counts.failovers++;
    this.hold(() => {
      if (life.loading) throw new Broken(`${life.name} becomes a master while it is loading`);
      const seat = life.process.server.engine.replication.figures()['master_host'];
      this.keys.claimed(life, way, this.lives.get(String(seat)));
    });
  }

  heardOwner({ name }: Life, slot: number, epoch: number, owner: Node): void {
    this.world.note(
      `${name} takes ${owner.ip} for the owner of slot ${slot}, of epoch ${owner.configEpoch}, not ${epoch}`,
    );
    this.hold(() => {
      if (owner.configEpoch <= epoch)
        throw new Broken(`${name} lets slot ${slot} go from an owner of epoch ${epoch} to one of ${owner.configEpoch}`);
    });
  }

  leaves({ name }: Life, packet: Packet, to: string): boolean {
    this.hold(() => {
      if (this.promises.left(name, packet, to)) this.voted(name, packet, to);
    });
    return this.losses === 0 || this.random.below(this.losses) > 0;
  }

  private voted(name: string, { header }: Packet, to: string): void {
    this.world.note(`${name} tells its vote for ${to} in epoch ${header.currentEpoch}`);
    if (!this.troubled || this.random.below(4) > 0) return;
    // Where it hurts most.
    this.world.clock.after(this.random.below(50), () => {
      this.stop(name, true);
      this.startSoon(name, 50 + this.random.below(500));
    });
  }

  written({ name }: Life, file: NodesFile): void {
    this.hold(() => this.promises.written(name, file));
  }

  // Clients.

  private newAsking(): Asking {
    const asking = new Asking(this.world, (name) => this.machine(name).process?.client(OUTSIDE));
    this.asking.push(asking);
    return asking;
  }

  private anybody(): string {
    return this.pick(this.names);
  }

  /** Writes one key after another, each of its own. */
  private async write(asking: Asking): Promise<void> {
    while (this.writing) {
      await asking.pause(this.random.below(WRITE_PAUSE));
      await this.writeKey(asking).catch((error: Error) => {
        if (!(error instanceof Unanswered)) this.fail(error);
      });
    }
  }

  /** False where nobody took it. */
  private async writeKey(asking: Asking, { name: tag, slot } = this.pick(this.tags)): Promise<boolean> {
    const name = `{${tag}}${++this.serial}`;
    const key = this.keys.begin(name, slot);
    const done = await asking.route(slot, ['RPUSH', name, 'x'], () => this.anybody());
    if (done === undefined) return false;
    if (done.answer !== 1) throw new Broken(`${done.name} has done the first write to ${name} ${done.answer} times`);
    this.counts.acknowledged++;
    this.hold(() => this.keys.acknowledged(key));
    return true;
  }

  // Administrators, who do as redis-cli does.

  private async administer(asking: Asking): Promise<void> {
    for (;;) {
      await asking.pause(this.random.below(MOVE_PAUSE));
      if (!this.administering) return;
      await this.moveAny(asking);
    }
  }

  /** One slot to another master; or to where it belongs, if it was left in the middle. */
  private async moveAny(asking: Asking): Promise<void> {
    const { slot } = this.pick(this.tags);
    if (this.busy.has(slot)) return;
    this.busy.add(slot);
    try {
      if (this.open.has(slot)) await this.mend(asking, slot);
      else await this.move(asking, slot);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.counts['cut short']++;
      this.open.add(slot);
      this.world.note(`slot ${slot} is left in the middle: ${error.message}`);
    } finally {
      this.busy.delete(slot);
    }
  }

  /** What one of the nodes knows of the others. */
  private view(): { readonly owners: readonly (Node | null)[]; readonly masters: readonly Node[] } {
    const up = this.names.filter((name) => this.running(name) && this.lives.has(name));
    if (up.length === 0) throw new Unanswered('nobody is there');
    const { owners, nodes } = this.lives.get(this.pick(up))!.state;
    return { owners, masters: [...nodes.values()].filter(({ isMaster, slots }) => isMaster && slots.size > 0) };
  }

  private async move(asking: Asking, slot: number): Promise<void> {
    const { owners, masters } = this.view();
    const source = owners[slot];
    const others = masters.filter((node) => node !== source);
    if (source === null || others.length === 0) return;
    const target = this.pick(others);
    this.world.note(`slot ${slot} is moved from ${source.ip} to ${target.ip}`);
    const [from, to] = [source.ip, target.ip];
    await this.order(asking, to, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', source.id);
    await this.order(asking, from, 'CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', target.id);
    await this.moveKeys(asking, slot, from, to);
    await this.order(asking, to, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', target.id);
    await this.order(asking, from, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', target.id);
    for (const { ip } of others)
      if (ip !== to) await asking.ask(ip, ['CLUSTER', 'SETSLOT', String(slot), 'NODE', target.id]).catch(() => {});
    this.counts.moves++;
  }

  /** Brings a slot to its owner that was left in the middle. */
  private async mend(asking: Asking, slot: number): Promise<void> {
    const { owners, masters } = this.view();
    const owner = owners[slot];
    if (owner === null) throw new Unanswered(`slot ${slot} has no owner`);
    this.world.note(`slot ${slot} is mended at ${owner.ip}`);
    const others = masters.filter((node) => node !== owner);
    // An owner that still gives the slot away takes no new keys.
    await this.order(asking, owner.ip, 'CLUSTER', 'SETSLOT', String(slot), 'STABLE');
    for (const { ip } of others) {
      if ((await this.order(asking, ip, 'CLUSTER', 'COUNTKEYSINSLOT', String(slot))) === 0) continue;
      await this.order(asking, ip, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', owner.id);
      await this.moveKeys(asking, slot, ip, owner.ip, 'REPLACE');
    }
    for (const { ip } of others) await this.order(asking, ip, 'CLUSTER', 'SETSLOT', String(slot), 'STABLE');
    // Whom that node did not take for a master may have keys of the slot, and was not asked.
    const known = new Set([owner, ...others].map(({ ip }) => ip));
    if (this.names.every((name) => known.has(name) || this.isReplica(name))) this.open.delete(slot);
  }

  private isReplica(name: string): boolean {
    return this.running(name) && this.lives.get(name)?.state.myself.isMaster === false;
  }

  private async moveKeys(asking: Asking, slot: number, from: string, to: string, ...options: string[]): Promise<void> {
    for (;;) {
      const answer = await this.order(asking, from, 'CLUSTER', 'GETKEYSINSLOT', String(slot), String(KEYS_AT_ONCE));
      const keys = answer as string[];
      if (keys.length === 0) return;
      const target = [to, String(PORT), '', '0', String(MIGRATE_TIMEOUT)];
      this.keys.moving(keys, this.lives.get(to)!);
      await this.order(asking, from, 'MIGRATE', ...target, ...options, 'KEYS', ...keys).finally(() => {
        this.hold(() => this.keys.moved(keys));
      });
    }
  }

  /** Rejects with Unanswered also where the node refuses. */
  private async order(asking: Asking, name: string, ...words: string[]): Promise<unknown> {
    const answer = await asking.ask(name, words);
    if (answer instanceof Error)
      throw new Unanswered(`${name} refuses ${words.slice(0, 4).join(' ')}: ${answer.message}`);
    return answer;
  }

  // What happens.

  protected async begin(): Promise<void> {
    for (const name of this.names) await this.world.run(this.start(name));
    await this.untilAgreed(this.world.clock.now() + PATIENCE, LOOK_AGAIN);
    for (let i = 0; i < WRITERS; i++) this.lasting.push(this.write(this.newAsking()));
    for (let i = 0; i < ADMINISTRATORS; i++)
      this.lasting.push(this.administer(this.newAsking()).catch((error: Error) => this.fail(error)));
    await this.pass(1000);
    this.changeNetwork();
  }

  protected goWrong(): void {
    const { random, names } = this;
    this.hold(() => this.keys.audit());
    const one = this.pick(names);
    const master = this.someMaster() ?? one;
    const crash = (name: string, power: boolean): void => {
      this.stop(name, power);
      this.startSoon(name, random.below(random.below(2) === 0 ? 500 : 6000));
    };
    const wrongs = [
      () => this.split(names.filter(() => random.below(2) === 0)),
      () => this.split([one]),
      () => this.split([master]),
      () => this.split([]),
      () => this.split([]),
      () => crash(one, true),
      () => crash(master, true),
      () => crash(master, false),
      () => this.standStill(one, random.below(MOST_STANDSTILL)),
      () => this.standStill(master, random.below(MOST_STANDSTILL)),
      () => this.jump(one),
      () => this.changeDisk(one),
      () => this.failOver(),
      () => this.failOver(),
      () => this.changeNetwork(),
      () => this.bumpEpochs(),
    ];
    wrongs[random.below(wrongs.length)]();
  }

  /** Two masters at once give themselves one and the same epoch, unless they have just heard of each other. */
  private bumpEpochs(): void {
    for (const name of [this.someMaster(), this.someMaster()])
      if (name !== undefined) this.order(this.asking[0], name, 'CLUSTER', 'BUMPEPOCH').catch(() => {});
  }

  private someMaster(): string | undefined {
    const masters = this.names.filter((name) => this.running(name) && this.isMaster(name));
    return masters.length === 0 ? undefined : this.pick(masters);
  }

  private isMaster(name: string): boolean {
    return this.lives.get(name)!.state.myself.slots.size > 0;
  }

  private changeNetwork(): void {
    this.world.wires.delay = this.pick(DELAYS);
    this.losses = this.pick(LOSSES);
    this.world.note(
      `the network takes ${this.world.wires.delay.join(' to ')} ms, and one of ${this.losses} packets is lost`,
    );
  }

  private failOver(form = this.pick(['', '', 'FORCE'])): void {
    const replicas = this.names.filter((name) => this.running(name) && this.lives.get(name)!.state.myself.isReplica);
    if (replicas.length === 0) return;
    const client = this.machine(this.pick(replicas)).process!.client(OUTSIDE);
    client.send('CLUSTER', 'FAILOVER', ...(form === '' ? [] : [form])).then(
      () => client.close(),
      () => {},
    );
  }

  protected async heal(): Promise<void> {
    const { world, names } = this;
    world.note('all is healed');
    this.troubled = false;
    this.administering = false;
    this.losses = 0;
    world.wires.delay = DELAYS[0];
    this.mendDisks();
    for (const name of names) this.goOn(name);
    this.split([]);
    for (const name of names) if (!this.running(name)) await world.run(this.start(name));
  }

  // What must hold.

  protected async agree(): Promise<void> {
    const asking = this.newAsking();
    await this.await('all nodes are well', () => discontentOf(this.states));
    await this.mendAll(asking);
    await this.untilAgreed(this.world.clock.now() + PATIENCE, LOOK_AGAIN);
    this.keys.audit();
    this.keys.strict = true;
    for (let i = 0; i < CALM_MOVES; i++) {
      await this.world.run(this.moveAny(asking));
      if (this.open.size > 0) throw new Broken('a slot can not be moved though all is well');
      await this.untilAgreed(this.world.clock.now() + PATIENCE, LOOK_AGAIN);
    }
    const before = this.counts.failovers;
    let asked = this.now;
    this.failOver('');
    await this.await('a failover is agreed to', () => {
      if (this.counts.failovers > before) return '';
      // Who has voted for a replica of the same master a moment ago votes for none of them yet: then one is asked again.
      if (this.now - asked > ASK_AGAIN) {
        asked = this.now;
        this.failOver('');
      }
      return 'it is not';
    });
    await this.untilAgreed(this.world.clock.now() + PATIENCE, LOOK_AGAIN);
    for (const tag of this.tags)
      if (!(await this.world.run(this.writeKey(asking, tag)))) throw new Broken(`slot ${tag.slot} takes no write`);
    this.writing = false;
    await this.world.run(Promise.all(this.lasting));
    await this.pass(1000);
    this.keys.audit();
    await this.compare(asking);
  }

  private async await(what: string, difference: () => string): Promise<void> {
    const end = this.now + PATIENCE;
    for (let differs = difference(); differs !== ''; differs = difference()) {
      if (this.now > end) throw new Broken(`it does not come to it that ${what}: ${differs}`);
      await this.pass(LOOK_AGAIN);
    }
  }

  /** As an administrator does who looks at all slots. */
  private async mendAll(asking: Asking): Promise<void> {
    for (const { slot } of this.tags) this.open.add(slot);
    await this.await('no slot is left in the middle', () => (this.busy.size > 0 ? 'somebody is at it' : ''));
    const end = this.now + PATIENCE;
    while (this.open.size > 0) {
      if (this.now > end) throw new Broken(`slots ${[...this.open].join(' ')} can not be mended`);
      const [slot] = this.open;
      await this.world.run(this.adoptAndMend(asking, slot).catch((error: Error) => this.unlessRefused(error)));
      await this.pass(10);
    }
  }

  /** As long as there is a slot that nobody claims, nodes that want all of them served refuse to move keys. */
  private async adoptAndMend(asking: Asking, slot: number): Promise<void> {
    for (const each of this.open) await this.adopt(asking, each);
    await this.mend(asking, slot);
  }

  /**
   * A slot that nobody claims goes to who has its keys: who had got it by SETSLOT, and has lost its power within a second,
   * need not know it.
   */
  private async adopt(asking: Asking, slot: number): Promise<void> {
    if (this.keys.ownersOf(slot).length > 0) return;
    const [{ name }] = this.names
      .map((each) => this.lives.get(each)!)
      .filter(({ state }) => state.myself.isMaster)
      .sort((a, b) => b.keysIn(slot) - a.keysIn(slot));
    this.world.note(`slot ${slot}, which nobody claims, goes to ${name}`);
    this.counts.adopted++;
    await this.order(asking, name, 'CLUSTER', 'DELSLOTS', String(slot)).catch((error: Error) =>
      this.unlessRefused(error),
    );
    await this.order(asking, name, 'CLUSTER', 'ADDSLOTS', String(slot));
    await this.order(asking, name, 'CLUSTER', 'BUMPEPOCH');
  }

  private unlessRefused(error: Error): void {
    if (!(error instanceof Unanswered)) throw error;
    this.world.note(error.message);
  }

  private get states(): ReadonlyMap<string, ClusterState> {
    return new Map(this.names.map((name) => [name, this.lives.get(name)!.state]));
  }

  protected disagreement(): string {
    const differs = disagreementOf(this.states);
    if (differs !== '') return differs;
    for (const name of this.names) {
      if (this.isMaster(name)) continue;
      const { engine } = this.machine(name).process!.server;
      if (engine.replication.figures()['master_link_status'] !== 'up') return `${name} has no link to its master`;
    }
    return '';
  }

  /** Keys lie with the owners of their slots and nowhere else, each written once; replicas have what their masters have. */
  private async compare(asking: Asking): Promise<void> {
    const digests = new Map<string, unknown>();
    const found = new Set<string>();
    const ask = (name: string, ...words: string[]): Promise<unknown> => this.world.run(asking.ask(name, words));
    for (const name of this.names) {
      digests.set(name, await ask(name, 'DEBUG', 'DIGEST'));
      if (!this.isMaster(name)) continue;
      const keys = (await ask(name, 'KEYS', '*')) as string[];
      for (const key of keys) {
        const known = this.keys.all.get(key);
        if (known === undefined || !this.lives.get(name)!.owns(known.slot))
          throw new Broken(`${key} lies at ${name}, which does not own its slot`);
        if (found.has(key)) throw new Broken(`${key} lies on two masters`);
        found.add(key);
      }
      const lengths = await this.world.run(
        asking.askAll(
          name,
          keys.map((key) => ['LLEN', key]),
        ),
      );
      const twice = lengths.findIndex((length) => length !== 1);
      if (twice >= 0) throw new Broken(`${keys[twice]} was written more than once`);
    }
    for (const { name, slot } of this.keys.required())
      if (!found.has(name)) throw new Broken(`${name} of slot ${slot} is lost`);
    for (const { name, state } of this.lives.values()) {
      const { master } = state.myself;
      if (master === null || digests.get(master.ip) === digests.get(name)) continue;
      // It may have gone to an orphaned master a moment ago.
      await this.untilAgreed(this.world.clock.now() + PATIENCE, LOOK_AGAIN);
      const ip = state.myself.master?.ip ?? name;
      if ((await ask(ip, 'DEBUG', 'DIGEST')) !== (await ask(name, 'DEBUG', 'DIGEST')))
        throw new Broken(`${name} has not the data of its master ${ip}`);
    }
  }
}

/** Nobody ends by itself. */
function heardOf(name: string, line: string): void {
  if (/Guru Meditation|Command '.*' failed/.test(line)) throw new Broken(`${name}: ${line.trim()}`);
}

export async function course(seed: number, options: ClusterServersOptions = {}): Promise<ClusterServersCourse> {
  const mend = options.bug === 'keys go before they have come' ? plantIntoMigrate() : () => {};
  const played = new ClusterServersWorld(seed, options);
  const { world, counts, keys, promises } = played;
  const broken = await played.play(options.faults ?? MOST_FAULTS, USUAL_PAUSE, LONG_PAUSE).finally(mend);
  return {
    broken,
    trace: world.trace,
    lasted: world.clock.monotonic() / 1000,
    counts: { ...counts, votes: promises.votes, ...keys.counts },
  };
}
