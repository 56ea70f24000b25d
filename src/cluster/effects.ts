/**
 * What the rules of the cluster do to the engine: whom it follows, what data it forgets, what it holds back, what it hands to
 * subscribers. What happens between commands enters the engine as anything from outside does, and ends its turn.
 */
import { Slice } from '../base/slice.ts';
import type { Timer } from '../base/time.ts';
import type { Engine } from '../engine/engine.ts';
import { TO_ALL } from '../engine/propagation.ts';
import { UnowedTurn } from '../engine/unowed-turn.ts';
import type { EngineChange, EngineView } from './messages.ts';

export class Effects implements EngineView {
  private readonly engine: Engine;
  /** Ends the pause of a manual failover. */
  private resume: () => void = () => {};
  private pauseTimer: Timer | null = null;
  private readonly turn: UnowedTurn;

  constructor(engine: Engine) {
    this.engine = engine;
    this.turn = new UnowedTurn(engine);
  }

  replicationOffset(): number {
    return this.engine.replication.dataOffset;
  }

  dataAge(): number {
    return this.engine.replication.dataAge;
  }

  isStreaming(): boolean {
    return this.engine.replication.isStreaming;
  }

  keysIn(slot: number): number {
    return this.engine.membership.countKeys(slot);
  }

  isEmpty(): boolean {
    return this.engine.membership.isEmpty;
  }

  /** `now`: the time of the rules. */
  carryOut(change: EngineChange, now: number): void {
    const { engine } = this;
    // A subcommand of CLUSTER has its turn.
    if (engine.outermost === null) this.turn.begin();
    const { membership, replication } = engine;
    switch (change.kind) {
      case 'replicate':
        replication.follow(change.ip, change.port);
        break;
      case 'become-master':
        replication.promote();
        break;
      case 'empty':
        this.empty();
        break;
      case 'slots-lost':
        membership.endSubscriptions(change.slots);
        membership.redirectWaiters();
        break;
      case 'drop-keys':
        membership.dropKeys(change.slots);
        break;
      case 'state':
        membership.redirectWaiters();
        break;
      case 'pause':
        this.pause(change.until - now);
        break;
      case 'unpause':
        this.unpause();
        break;
      case 'deliver':
        this.deliver(change);
        break;
      case 'module':
        // There are no modules.
        break;
    }
  }

  /** Ends what it holds. */
  stop(): void {
    this.unpause();
  }

  private empty(): void {
    const { engine } = this;
    for (const db of engine.keyspaces.databases) {
      engine.watches.touchAll(db, null);
      engine.stats.dirty += db.clear(false);
      engine.blocking.signalAll(db);
    }
    engine.tracking.flushed();
    if (engine.propagation.active) engine.propagation.effect(0, ['FLUSHALL'], TO_ALL);
  }

  private pause(milliseconds: number): void {
    this.unpause();
    const { clock, pause } = this.engine;
    this.resume = pause.holdWrites();
    this.pauseTimer = clock.after(milliseconds, () => this.unpause());
  }

  private unpause(): void {
    this.pauseTimer?.cancel();
    this.pauseTimer = null;
    this.resume();
    this.resume = () => {};
  }

  private deliver({ sharded, channel, message }: Extract<EngineChange, { kind: 'deliver' }>): void {
    const { pubsub } = this.engine;
    if (sharded) pubsub.publishShard(new Slice(channel), new Slice(message));
    else pubsub.publish(new Slice(channel), new Slice(message));
  }
}
