/**
 * The end of a server: asked for by SHUTDOWN or a signal, held up by replicas that are behind, and preceded by what is saved.
 *
 *                      ┌───────────────────── failed, SHUTDOWN ABORT ──────────────────────┐
 *   running ──> asked ──> waiting ──> saving ──> ending ──> ended                          └──> running
 *               (signal)  (replicas,  (snapshot, log)  (connections close)
 *                          first base)
 *
 * A signal comes into force with the next turn, and once nothing is left half way; until then it can be taken back. While
 * replicas are waited for no client writes, which SHUTDOWN ABORT ends. Clients that sent SHUTDOWN wait as long.
 *
 * A log that was just turned on has no base yet, and a server must not end without one. redis-server refuses at once; its
 * child has written a small one within milliseconds, though, where a thread that has yet to start may take half a second
 * on a machine at load. So a base is waited for, for a moment, before the shutdown is refused in the same words.
 *
 * `abandoned` follows any state: the server can't keep what it has promised and ends at once.
 */
import { assert } from '../base/assert.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { Settings } from '../config/settings.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log, ShutdownAnswer, ShutdownRequest } from '../engine/server-port.ts';
import type { Session } from '../engine/session.ts';
import type { Persistence } from '../persistence/persistence.ts';

export interface ShutdownParts {
  readonly engine: Engine;
  readonly persistence: Persistence;
  readonly settings: Readonly<Settings>;
  readonly clock: Clock;
  readonly log: Log;
  /** Closes everything. */
  readonly stop: () => Promise<void>;
  /** Hears that the server has come to its end. */
  readonly onExit: (code: number) => void;
}

type State = 'running' | 'asked' | 'waiting' | 'saving' | 'ending' | 'ended' | 'abandoned';

const NEXT: Readonly<Record<State, readonly State[]>> = {
  running: ['asked', 'waiting', 'saving', 'ending', 'abandoned'],
  asked: ['running', 'waiting', 'saving', 'ending', 'abandoned'],
  waiting: ['running', 'saving', 'ending', 'abandoned'],
  saving: ['running', 'ending', 'abandoned'],
  ending: ['ended', 'abandoned'],
  ended: ['abandoned'],
  abandoned: [],
};

/** How long what holds a shutdown up (a cron that DEBUG has paused, a replica) is waited for before it is looked at again, ms. */
const LOOK_AGAIN = 100;
/** How long the first base of a log is waited for, ms. */
const FIRST_BASE = 2000;
const NOT_ENDED = 'Errors trying to shut down the server. Check the logs for more information.';
const NOT_ENDED_REPLY = 'ERR Errors trying to SHUTDOWN. Check logs.';

export class Shutdown {
  private readonly parts: ShutdownParts;
  private state: State = 'running';
  private timer: Timer | null = null;
  /** Told where the shutdown that a signal asked for does not come about. */
  private failed: (() => void) | null = null;
  /** Clients whose SHUTDOWN is under way. */
  private readonly sessions = new Set<Session>();
  /** Ends the pause that is the shutdown's own. */
  private release: (() => void) | null = null;
  /** When replicas, and the first base of the log, are no longer waited for, ms of the clock. */
  private deadline = 0;
  private baseDeadline = 0;

  constructor(parts: ShutdownParts) {
    this.parts = parts;
  }

  /** Milliseconds for which replicas may be waited for yet; null where none are. */
  get timeLeft(): number | null {
    return this.state === 'waiting' ? Math.max(0, this.deadline - this.parts.clock.now()) : null;
  }

  /** For a client. */
  byClient(request: ShutdownRequest, session: Session): ShutdownAnswer {
    if (this.over) return 'ending';
    if (this.state === 'running' || this.state === 'asked') {
      this.timer?.cancel();
      this.begin();
      if (!this.mustWait(request)) {
        if (this.saveNow(request)) return 'ending';
        this.giveUp(NOT_ENDED);
        return 'failed';
      }
      this.wait(request);
    }
    this.sessions.add(session);
    return 'waiting';
  }

  /** For a signal; `failed` is told where it does not come about. */
  bySignal(request: ShutdownRequest, failed: () => void): void {
    if (this.state !== 'running') return;
    this.go('asked');
    this.failed = failed;
    const begin = (): void => {
      const { engine, clock } = this.parts;
      // A script that is suspended half way is waited for, too.
      if (engine.keyspaces.cronPaused || engine.propagation.held) {
        this.timer = clock.after(LOOK_AGAIN, begin);
        return;
      }
      this.begin();
      if (this.mustWait(request)) this.wait(request);
      else void this.saveAside(request);
    };
    this.timer = this.parts.clock.after(0, begin);
  }

  /** SHUTDOWN ABORT; false where there is nothing to be taken back any more. */
  abort(): boolean {
    if (this.state !== 'asked' && this.state !== 'waiting') return false;
    this.timer?.cancel();
    this.giveUp();
    this.parts.log.notice('Shutdown manually aborted.');
    return true;
  }

  /** A write has failed half way: ends without saving, once the replies of this turn are out. */
  failHalfWay(): void {
    if (this.over) return;
    this.timer?.cancel();
    this.go('ending');
    this.parts.log.warning('A write has failed half way, so the data can no longer be trusted. Exiting.');
    // The clients' replies, this error among them, go out with the turn that is under way.
    this.parts.clock.after(0, () => void this.stop(1));
  }

  /** The server can't keep what replies of this turn promise: none of them is sent, and it ends. */
  abandon(): void {
    if (this.state === 'abandoned') return;
    this.timer?.cancel();
    this.go('abandoned');
    for (const session of this.parts.engine.sessions.values()) {
      session.reply.abandon();
      session.close();
    }
    this.parts.onExit(1);
    void this.parts.stop();
  }

  private get over(): boolean {
    return this.state === 'ending' || this.state === 'ended' || this.state === 'abandoned';
  }

  private go(next: State): void {
    assert(NEXT[this.state].includes(next), `a shutdown does not go from ${this.state} to ${next}`);
    this.state = next;
  }

  private begin(): void {
    this.timer = null;
    this.parts.log.warning('User requested shutdown...');
  }

  // What is waited for.

  private mustWait(request: ShutdownRequest): boolean {
    const { clock, settings } = this.parts;
    const now = clock.now();
    this.deadline = now + (request.now ? 0 : settings.shutdownTimeout * 1000);
    this.baseDeadline = now + (request.now || request.force ? 0 : FIRST_BASE);
    return this.waits;
  }

  /** Whether there is something to wait for, and time. */
  private get waits(): boolean {
    const now = this.parts.clock.now();
    if (now < this.deadline && this.behind() > 0) return true;
    return now < this.baseDeadline && this.parts.persistence.aof.writesFirstBase;
  }

  private behind(): number {
    return this.parts.engine.replication.lags().filter(({ bytes }) => bytes !== 0).length;
  }

  private wait(request: ShutdownRequest): void {
    const { clock, engine, log } = this.parts;
    this.go('waiting');
    this.release = engine.pause.holdWrites();
    if (this.behind() > 0) log.notice('Waiting for replicas before shutting down.');
    const look = (): void => {
      if (this.waits) {
        this.timer = clock.after(LOOK_AGAIN, look);
        return;
      }
      this.timer = null;
      void this.saveAside(request);
    };
    this.timer = clock.after(LOOK_AGAIN, look);
  }

  private tellLags(): void {
    const { engine, log } = this.parts;
    const lags = engine.replication.lags();
    for (const { name, bytes, seconds, state } of lags) {
      if (bytes === 0) continue;
      log.warning(`Lagging replica ${name} reported offset ${bytes} behind master, lag=${seconds}, state=${state}.`);
    }
    if (lags.length > 0)
      log.notice(`${lags.length - this.behind()} of ${lags.length} replicas are in sync when shutting down.`);
  }

  // What is saved.

  /** While everything waits: of a client that gets its answer at once. */
  private saveNow(request: ShutdownRequest): boolean {
    const { snapshots, aof } = this.parts.persistence;
    this.go('saving');
    this.tellLags();
    snapshots.endJob();
    if (!aof.finish(request.force)) return false;
    if (this.saves(request) && !snapshots.saveAtExit() && !request.force) return false;
    this.end();
    return true;
  }

  /** By a thread, while clients are held, so that a further signal is heard. */
  private async saveAside(request: ShutdownRequest): Promise<void> {
    const { engine, persistence } = this.parts;
    const { snapshots, aof } = persistence;
    this.go('saving');
    this.tellLags();
    snapshots.endJob();
    const held = this.release;
    this.release = engine.pause.holdAll();
    held?.();
    const good = aof.finish(request.force) && (!this.saves(request) || (await snapshots.saveAsideAtExit()));
    if (this.state !== 'saving') return;
    if (good || request.force) this.end();
    else this.giveUp(NOT_ENDED);
  }

  /** Whether the end is preceded by a snapshot: what is half loaded is not saved over what it was loaded from. */
  private saves(request: ShutdownRequest): boolean {
    const { persistence, engine } = this.parts;
    if (engine.server.mode === 'sentinel') return false;
    return !persistence.loading && (request.save || (persistence.savesAtExit && !request.noSave));
  }

  // Both ends of it.

  private giveUp(reason?: string): void {
    const { engine, log } = this.parts;
    this.go('running');
    if (reason !== undefined) log.warning(reason);
    this.release?.();
    this.release = null;
    this.failed?.();
    this.failed = null;
    const sessions = [...this.sessions];
    this.sessions.clear();
    for (const session of sessions) {
      if (session.waiter === null) continue;
      session.reply.error(NOT_ENDED_REPLY);
      engine.interruptWait(session, true);
    }
  }

  private end(): void {
    const { persistence, log, engine } = this.parts;
    const name = engine.server.mode === 'sentinel' ? 'Sentinel' : 'Redis';
    this.go('ending');
    persistence.aof.close();
    persistence.loads.cancelled = true;
    void this.stop(0, () => log.warning(`${name} is now ready to exit, bye bye...`));
  }

  private async stop(code: number, farewell?: () => void): Promise<void> {
    await this.parts.stop();
    if (this.state !== 'ending') return;
    this.go('ended');
    farewell?.();
    this.parts.onExit(code);
  }
}
