/**
 * The rules of the cluster as one machine, without sockets, timers, files, clocks or randomness of their own: `step` takes
 * what has happened and says what is to be done. messages.ts has both, state.ts what is known in between, rules/ the rules.
 */
import { verifies } from '../base/assert.ts';
import type { Input, Output } from './messages.ts';
import type { NodesFile } from './nodes-file.ts';
import { pointEngineAtMaster } from './rules/changes.ts';
import { obey } from './rules/commands.ts';
import { goOn } from './rules/election.ts';
import { updateHealth } from './rules/health.ts';
import { resolved } from './rules/hosts.ts';
import { broadcast, connectionLost, sendTo } from './rules/links.ts';
import { checkManual, checkManualTimeout } from './rules/manual.ts';
import { connected, receive } from './rules/packets.ts';
import { restoredState } from './rules/restored.ts';
import { compareWithData } from './rules/slot-commands.ts';
import { Turn, type World } from './rules/turn.ts';
import { calmUntil, tellOfMyself, type Watch, watch } from './rules/watch.ts';
import { type ClusterState, verify } from './state.ts';

const NOTHING: readonly Output[] = [];

/** Such as follows a heartbeat that brings no news. */
function isUsual({ kind }: Output): boolean {
  return kind === 'send' || kind === 'deliver' || kind === 'log';
}

export class Cluster {
  readonly state: ClusterState;
  private readonly turn: Turn;
  private readonly memory: Watch;
  private readonly verified = verifies();
  private begun = false;
  /** Before that the timer has nothing to do; as `step` has its time. */
  calm = 0;

  /** Starts from what was kept, or from `newNode`. `now` as `step` has it. */
  constructor(file: NodesFile, world: World, now: number) {
    this.state = restoredState(file, now);
    this.turn = new Turn(this.state, world, now);
    this.memory = { lastRandomPing: now, announcedIp: '' };
  }

  /**
   * `now` in milliseconds since 1970, as they were when the process began and by a clock that never goes back since: others'
   * clocks are compared with it only loosely.
   */
  step(now: number, input: Input): readonly Output[] {
    const { turn } = this;
    turn.begin(now);
    if (input.kind === 'tick' && now < this.calm) return NOTHING;
    if (!this.begun) this.begin();
    this.take(input);
    if (turn.failoverIsDue) {
      turn.failoverIsDue = false;
      // Votes for one that is over may come before the tick that finds that out: its master's clients write again.
      checkManualTimeout(turn);
      checkManual(turn);
      goOn(turn);
    }
    if (turn.stateIsStale) updateHealth(turn);
    if (this.verified) verify(this.state);
    const outputs = turn.end();
    if (input.kind === 'tick') this.calm = calmUntil(turn, this.memory);
    else if (!outputs.every(isUsual)) this.calm = 0;
    return outputs;
  }

  /** The engine of a replica learns whom it follows. */
  private begin(): void {
    this.begun = true;
    const { turn } = this;
    turn.commit();
    turn.stateIsStale = true;
    pointEngineAtMaster(turn);
  }

  private take(input: Input): void {
    const { turn } = this;
    switch (input.kind) {
      case 'tick':
        watch(turn, this.memory);
        break;
      case 'settings':
        tellOfMyself(turn, this.memory);
        break;
      case 'accepted':
        // Whose it is shows with the first packet.
        break;
      case 'connected':
        connected(turn, input.connection);
        break;
      case 'lost':
        connectionLost(turn, input.connection, input.reason);
        break;
      case 'packet':
        receive(turn, input.connection, input.packet);
        break;
      case 'persisted':
        turn.persisted(input.version);
        break;
      case 'persist-failed':
        turn.persistFailed(input.version, input.reason);
        break;
      case 'resolved':
        resolved(turn, input.host, input.ips);
        break;
      case 'loaded':
        compareWithData(turn);
        break;
      case 'publish':
        this.publish(input);
        break;
      case 'command':
        turn.answer(input.asker, obey(turn, input.command));
        break;
    }
  }

  /** To everybody, or, where the channel has a slot, to those who serve it with us. */
  private publish({ sharded, channel, message }: Input & { readonly kind: 'publish' }): void {
    const { turn, state } = this;
    if (!sharded) {
      broadcast(turn, { type: 'publish', channel, message });
      return;
    }
    const { shard } = state.myself;
    for (const node of [shard, ...shard.replicas])
      if (node !== state.myself) sendTo(turn, node, { type: 'publishshard', channel, message });
  }
}
