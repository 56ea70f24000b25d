/**
 * The records of an append-only file, played again: a session of its own that no limit, permission or figure concerns.
 *
 * Between MULTI and EXEC commands wait, so that a transaction of which the file holds only the beginning leaves no trace. One
 * that is too large to be kept is only looked at on its way to EXEC, and then asked for 'again'. A script that runs long
 * suspends itself as it does for a client, and a long library waits until it is compiled; until then the session is held.
 */
import type { Slice } from '../../base/slice.ts';
import { flagBit } from '../../engine/derive.ts';
import { tellDivergence } from '../../engine/divergence.ts';
import type { Engine } from '../../engine/engine.ts';
import { NULL_PORT } from '../../engine/null-port.ts';
import { REPLAY } from '../../engine/roles.ts';
import { Session } from '../../engine/session.ts';
import type { Registered } from '../../engine/table.ts';
import type { LoadLog } from '../parts.ts';
import { KeptCommands } from './kept-commands.ts';

const BLOCKING = flagBit('blocking');

/** As many bytes of a transaction are kept. */
const TRANSACTION_BYTES = 1 << 20;

/** What became of a record; with 'again' those of the transaction that began last are to be played once more. */
export type Played = 'done' | 'began' | 'again' | 'unknown' | 'unfit';

export class Replayer {
  private readonly engine: Engine;
  private readonly log: LoadLog;
  private readonly session: Session;
  /** Nothing may be put off: all is to be done when the call returns. */
  private readonly atOnce: boolean;
  /** The commands since MULTI, as far as they are kept. */
  private readonly kept = new KeptCommands();
  /** Between MULTI and EXEC. */
  private within = false;
  private tooLarge = false;
  /** All up to EXEC are kept, and some are yet to be played. */
  private whole = false;
  /** A whole transaction comes a second time. */
  private again = false;
  /** The command that an error is of, and the one that the log names: of those in a transaction EXEC. */
  private failing: Registered | null = null;
  private shown: Registered | null = null;

  constructor(engine: Engine, log: LoadLog, atOnce: boolean) {
    this.engine = engine;
    this.log = log;
    this.atOnce = atOnce;
    const session = new Session(engine, 0, NULL_PORT, engine.pool, engine.clock.now(), REPLAY);
    session.user = null;
    session.reply.end();
    session.reply.errors = this;
    this.session = session;
  }

  /** Whether a transaction has begun and has not been played to its end. */
  get midway(): boolean {
    return this.within || this.whole || this.again;
  }

  /** Whether the last command has not ended: nothing may be played before it has. */
  get busy(): boolean {
    return this.session.postponed || this.session.waiter !== null;
  }

  play(args: readonly Slice[], argc: number): Played {
    const registered = this.engine.table.named(args, argc);
    if (registered === undefined) return 'unknown';
    const { arity } = registered;
    if (registered.run === null || (arity > 0 ? arity !== argc : argc < -arity)) return 'unfit';
    if (this.within || this.again) return this.playWithin(registered, args, argc);
    if (registered.command.name === 'MULTI') {
      this.kept.clear();
      this.within = true;
      this.tooLarge = false;
      return 'began';
    }
    this.shown = registered;
    this.run(registered, args, argc, this.atOnce || registered.has(BLOCKING));
    return 'done';
  }

  private playWithin(registered: Registered, args: readonly Slice[], argc: number): Played {
    const ends = registered.command.name === 'EXEC';
    if (!this.within) {
      if (ends) this.again = false;
      else this.runWithin(registered, args, argc);
      return 'done';
    }
    if (!ends) {
      this.keep(registered, args, argc);
      return 'done';
    }
    this.shown = registered;
    this.within = false;
    if (this.tooLarge) this.again = true;
    else this.whole = true;
    return this.tooLarge ? 'again' : 'done';
  }

  private keep(registered: Registered, args: readonly Slice[], argc: number): void {
    if (this.tooLarge) return;
    let bytes = this.kept.size;
    for (let i = 0; i < argc; i++) bytes += args[i].length;
    this.tooLarge = bytes > TRANSACTION_BYTES;
    if (!this.tooLarge) this.kept.add(registered, args, argc);
  }

  /** Plays what has been kept of a whole transaction; false where `pause`, asked after each command, said so. */
  proceed(pause: () => boolean): boolean {
    if (!this.whole) return true;
    const { kept } = this;
    for (let registered = kept.read(); registered !== null; registered = kept.read()) {
      this.runWithin(registered, kept.args, kept.argc);
      if (pause()) return false;
    }
    this.whole = false;
    return true;
  }

  private runWithin(registered: Registered, args: readonly Slice[], argc: number): void {
    this.run(registered, args, argc, true);
    this.engine.stats.commands++;
  }

  private run(registered: Registered, args: readonly Slice[], argc: number, denyBlocking: boolean): void {
    this.failing = registered;
    this.engine.replay(this.session, registered, args, argc, denyBlocking);
  }

  /** A command that was done without an error before has one now. */
  errorReplied(text: string, counted: boolean): void {
    const { engine } = this;
    engine.stats.errorReplied(text, counted);
    if (counted && this.failing !== null) this.failing.failed++;
    tellDivergence(engine, this.log, {
      from: 'server',
      to: 'AOF-loading-client',
      error: text,
      command: this.shown?.name ?? null,
      fatal: engine.server.settings.propagationErrorBehavior === 'panic',
    });
  }

  /** Takes the session out of wherever commands may have put it. */
  end(): void {
    this.engine.release(this.session);
    this.session.reply.clear();
    this.session.closed = true;
  }
}
