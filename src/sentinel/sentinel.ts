/**
 * The rules of Sentinel as one machine, without sockets, timers, files, clocks or randomness of their own: `step` takes what
 * has happened and says what is to be done. messages.ts has both, state.ts what is known in between, rules/ the rules.
 */
import { verifies } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import type { Configuration } from './configuration.ts';
import type { Input, Output } from './messages.ts';
import { defaultPeriods } from './periods.ts';
import { obey } from './rules/commands.ts';
import { pingReply } from './rules/down.ts';
import { goOn } from './rules/failover.ts';
import { heardHello } from './rules/greetings.ts';
import { resolved } from './rules/hosts.ts';
import { connectionLost } from './rules/links.ts';
import { joinTwins, restoreMasters } from './rules/masters.ts';
import { infoReply } from './rules/refresh.ts';
import { runScripts, scriptEnded, scriptStarted } from './rules/scripts.ts';
import { Turn } from './rules/turn.ts';
import { verifyState } from './rules/verify.ts';
import { heardVerdict } from './rules/votes.ts';
import { askInfo, watchMaster } from './rules/watch.ts';
import type { Instance, SentinelState } from './state.ts';

export class Sentinel {
  readonly state: SentinelState;
  private readonly turn: Turn;
  private readonly checksAll = verifies();
  private begun = false;

  /**
   * Starts from what was kept, which the first `step` announces (+monitor). Hosts must be IP addresses unless
   * resolve-hostnames is set. `port` is the one that we listen at; `now` as `step` has it.
   */
  constructor(configuration: Configuration, port: number, random: Random, now: number) {
    this.state = initialState(configuration, port, now);
    this.turn = new Turn(this.state, random, now);
    restoreMasters(this.turn, configuration);
  }

  /**
   * `now` in milliseconds, greater than 0, of a clock that never goes back: what the wall clock does is no matter, and a
   * process or machine that stood still comes to TILT.
   */
  step(now: number, input: Input): readonly Output[] {
    const { turn } = this;
    turn.begin(now);
    if (!this.begun) this.begin();
    this.take(input);
    if (this.checksAll) verifyState(this.state);
    return turn.end();
  }

  private begin(): void {
    this.begun = true;
    for (const master of this.state.masters.values())
      this.turn.tell('warning', '+monitor', master, ` quorum ${master.settings.quorum}`);
  }

  private take(input: Input): void {
    const { turn } = this;
    switch (input.kind) {
      case 'tick':
        this.tick();
        break;
      case 'connected':
        input.connection.localIp = input.localIp;
        break;
      case 'lost':
        connectionLost(turn, input.connection, input.reason);
        break;
      case 'reply':
        this.reply(input);
        break;
      case 'hello':
        if (input.connection !== null) input.connection.link.lastHeard = turn.now;
        heardHello(turn, input.text);
        break;
      case 'resolved':
        resolved(turn, input.host, input.ips);
        joinTwins(turn, input.host);
        break;
      case 'persisted':
        turn.persisted(input.version);
        this.goOnWithElections();
        break;
      case 'persist-failed':
        turn.persistFailed(input.version, input.reason);
        break;
      case 'script-started':
        scriptStarted(turn, input.script, input.pid);
        break;
      case 'script-ended':
        scriptEnded(turn, input.script, input.exitCode, input.signal);
        break;
      case 'command':
        obey(turn, input.asker, input.command);
        break;
    }
  }

  private tick(): void {
    const { turn, state } = this;
    this.checkTilt();
    turn.retryPersist();
    for (const master of state.masters.values()) watchMaster(turn, master);
    runScripts(turn);
  }

  /** In TILT nothing is concluded from what we see: we were not there for a while, or our sense of time is wrong. */
  private checkTilt(): void {
    const { turn, state } = this;
    const { now } = turn;
    const late = now - state.lastTick > state.periods['tilt-trigger'];
    state.lastTick = now;
    if (late) {
      state.tilt = true;
      state.tiltSince = now;
      turn.event('warning', '+tilt', null, '#tilt mode entered');
    } else if (state.tilt && now - state.tiltSince >= state.periods['tilt-period']) {
      state.tilt = false;
      turn.event('warning', '-tilt', null, '#tilt mode exited');
    }
  }

  private reply({ connection, request, reply }: Input & { kind: 'reply' }): void {
    const { turn } = this;
    const { instance, purpose } = request;
    const { link } = connection;
    if (link.cmd !== connection) return;
    link.pending -= request.commands.length;
    if (instance.forgotten) return;
    switch (purpose) {
      case 'ping':
        pingReply(turn, instance, reply);
        break;
      case 'info':
        if (instance.role !== 'sentinel') infoReply(turn, instance, reply);
        break;
      case 'is-master-down-by-addr':
        if (instance.role === 'sentinel') heardVerdict(turn, instance, reply);
        this.goOnWithElections();
        break;
      case 'slaveof':
        if (isAwaited(instance)) askInfo(turn, instance);
        break;
      case 'hello':
      case 'script-kill':
        break;
    }
  }

  /** A vote, somebody's or our own, may be the one that was missing. */
  private goOnWithElections(): void {
    if (this.state.tilt) return;
    for (const master of this.state.masters.values())
      if (master.failover?.state === 'wait-start') goOn(this.turn, master);
  }
}

/** Whether a failover goes on as soon as the INFO of a replica says that it has done what it was told. */
function isAwaited(instance: Instance): boolean {
  if (instance.role !== 'slave') return false;
  return instance.reconfiguration === 'sent' || instance.master.failover?.promoted === instance;
}

function initialState(configuration: Configuration, port: number, now: number): SentinelState {
  return {
    myid: configuration.myid,
    port,
    currentEpoch: configuration.currentEpoch,
    announceIp: configuration.announceIp,
    announcePort: configuration.announcePort,
    resolveHostnames: configuration.resolveHostnames,
    announceHostnames: configuration.announceHostnames,
    denyScriptsReconfig: configuration.denyScriptsReconfig,
    sentinelUser: configuration.sentinelUser,
    sentinelPass: configuration.sentinelPass,
    masters: new Map(),
    hosts: new Map(),
    periods: defaultPeriods(),
    tilt: false,
    tiltSince: 0,
    lastTick: now,
    scripts: [],
    simulatedFailures: new Set(),
  };
}
