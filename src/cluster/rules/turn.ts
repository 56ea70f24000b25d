/** One step of the rules: what is known, what time it is, and what is to be done about it. */
import { assert } from '../../base/assert.ts';
import type { Random } from '../../base/random.ts';
import { Versions } from '../../base/versions.ts';
import type { Packet } from '../bus/packet.ts';
import type { Answer, Asker, ClusterSettings, EngineView, Level, Output, PersistNeed } from '../messages.ts';
import type { ClusterState, Connection } from '../state.ts';
import { savedState } from './saved.ts';

/** What the rules are given once and for all. */
export interface World {
  readonly random: Random;
  readonly settings: ClusterSettings;
  readonly engine: EngineView;
  /** Draws an ID for a node, 40 hexadecimal digits. */
  newId(): string;
}

export class Turn {
  readonly state: ClusterState;
  readonly world: World;
  now: number;
  /** The state of the cluster, or the elections, are to be looked at when the step is over. */
  stateIsStale = false;
  failoverIsDue = false;
  /** Slots that our shard no longer serves. */
  readonly lostSlots: number[] = [];
  private outputs: Output[] = [];
  private changed = false;
  private binds = false;
  private syncs = false;
  private readonly versions = new Versions();
  /** The last version that binds us, and the last that must be synced for that. */
  private binding = 0;
  private synced = 0;
  /** Slots that we gave up, and with which version, as long as that is not synced. */
  private readonly givenUp = new Map<number, number>();

  constructor(state: ClusterState, world: World, now: number) {
    this.state = state;
    this.world = world;
    this.now = now;
  }

  get settings(): ClusterSettings {
    return this.world.settings;
  }

  begin(now: number): void {
    assert(now >= this.now && now > 0, 'the clock of the rules never goes back');
    this.now = now;
  }

  /**
   * What the step has come to. Packets carry our epochs, votes and slots, and answers promise them: none leaves before they
   * are durable.
   */
  end(): readonly Output[] {
    const { versions } = this;
    const outputs: Output[] = [];
    if (this.changed) {
      const version = versions.next();
      if (this.binds) this.binding = version;
      if (this.syncs) this.synced = version;
      outputs.push({ kind: 'persist', version, file: savedState(this.state), need: this.need });
    }
    const bound = this.binding > versions.durable ? this.binding : 0;
    for (const output of this.outputs) {
      if (output.kind === 'send') outputs.push({ ...output, after: bound });
      else if (output.kind === 'answer') outputs.push({ ...output, after: this.changed ? versions.last : bound });
      else outputs.push(output);
    }
    if (this.lostSlots.length > 0) outputs.push({ kind: 'slots-lost', slots: this.lostSlots.splice(0) });
    this.changed = false;
    this.binds = false;
    this.syncs = false;
    this.outputs = [];
    return outputs;
  }

  private get need(): PersistNeed {
    const { durable } = this.versions;
    if (this.synced > durable) return 'synced';
    return this.binding > durable ? 'soon' : 'when needed';
  }

  output(output: Output): void {
    this.outputs.push(output);
  }

  log(level: Level, text: string): void {
    this.output({ kind: 'log', level, text });
  }

  answer(asker: Asker, answer: Answer): void {
    this.output({ kind: 'answer', asker, answer, after: 0 });
  }

  send(connection: Connection, packet: Packet): void {
    const { sent } = this.state;
    sent.set(packet.body.type, (sent.get(packet.body.type) ?? 0) + 1);
    this.output({ kind: 'send', connection, packet, after: 0 });
  }

  /** Something that a restart should find has changed. */
  persist(): void {
    this.changed = true;
  }

  /** Our slots, or what becomes of them, have changed: a restart must find that before anybody hears of it. */
  keep(): void {
    this.changed = true;
    this.binds = true;
  }

  /** Our own epochs, vote or role have changed: a loss of power must leave that as well. */
  commit(): void {
    this.keep();
    this.syncs = true;
  }

  /** A slot went to a node whose claim is later than ours: were it forgotten by a loss of power, that node would tell us. */
  giveUp(slot: number): void {
    this.keep();
    this.givenUp.set(slot, this.versions.last + 1);
  }

  /**
   * Keys of a slot are to come to us. Had we forgotten by then that we gave it up, they would seem to have been left over, and
   * would be dropped as soon as its owner is heard.
   */
  takeBack(slot: number): void {
    if (this.givenUp.has(slot)) this.commit();
    else this.keep();
  }

  /** A command has found all as it is to be: its answer promises that as well, though nothing is to be written twice. */
  confirm(): void {
    if (!this.owesNothing) this.keep();
  }

  persisted(version: number): void {
    const { synced, versions, givenUp } = this;
    if (synced > versions.durable && version >= synced)
      for (const [slot, since] of givenUp) if (since <= version) givenUp.delete(slot);
    versions.written(version);
  }

  persistFailed(version: number, reason: string): void {
    this.log('warning', `Can't update cluster config file: ${reason}`);
    this.versions.failed(version, this.now);
  }

  /** All that was to be kept is on the disk. */
  get owesNothing(): boolean {
    return this.versions.durable === this.versions.last;
  }

  /** Tries again what could not be written, in time. */
  retryPersist(): void {
    if (this.versions.isRetryDue(this.now)) this.persist();
  }
}
