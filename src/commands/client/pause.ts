/** CLIENT PAUSE and UNPAUSE: commands of clients are held for a time, and run in their order when it is over. */
import { isWord, Slice } from '../../base/slice.ts';
import type { Timer } from '../../base/time.ts';
import { command } from '../../engine/command.ts';
import type { Engine } from '../../engine/engine.ts';
import { GATE_PAUSED_ALL, GATE_PAUSED_WRITE } from '../../engine/gates.ts';
import { integer, oneOf, optional, token } from '../../engine/grammar.ts';
import type { Session } from '../../engine/session.ts';

/** The pauses of one server: that of CLIENT PAUSE, and those of the server's own works. */
class Pause {
  private readonly engine: Engine;
  private readonly held = new Map<Session, Slice[]>();
  /** Pauses of the server's own, which clients can't end: whether each holds everything. */
  private readonly own = new Set<{ readonly all: boolean }>();
  private timer: Timer | null = null;
  private until = 0;
  private all = false;

  constructor(engine: Engine) {
    this.engine = engine;
    engine.gatekeeper.hold = (session, _, args, argc) => this.hold(session, args, argc);
    engine.gatekeeper.letGo = (session) => this.letGo(session);
  }

  /** Pauses until `until`, in ms of the server's clock. A pause in force is only ever made longer and stricter. */
  begin(until: number, all: boolean): void {
    const { engine } = this;
    this.all ||= all;
    if (until > this.until) this.until = until;
    this.timer?.cancel();
    this.timer = engine.clock.after(Math.max(0, this.until - engine.clock.now()), () => this.end());
    this.follow();
  }

  /** Ends the pause; the commands held run as soon as the one at hand is done, and are held again if there is a new one. */
  end(): void {
    this.timer?.cancel();
    this.timer = null;
    this.until = 0;
    this.all = false;
    this.follow();
  }

  /** Pauses until the function that it returns is called. */
  beginOwn(all: boolean): () => void {
    const pause = { all };
    this.own.add(pause);
    this.follow();
    return () => {
      this.own.delete(pause);
      this.follow();
    };
  }

  private follow(): void {
    const { engine } = this;
    const paused = this.timer !== null || this.own.size > 0;
    const all = this.all || [...this.own].some((pause) => pause.all);
    engine.gates.set(GATE_PAUSED_ALL, 'pause', paused && all);
    engine.gates.set(GATE_PAUSED_WRITE, 'pause', paused);
    // Replicas must not see keys go while nothing may be written.
    engine.keyspaces.keepExpired('pause', paused);
    if (this.held.size > 0 && !(paused && all)) engine.clock.after(0, () => this.release());
  }

  private release(): void {
    const { engine } = this;
    engine.enter();
    for (const [session, args] of [...this.held]) {
      if (!this.held.delete(session)) continue;
      session.postponed = false;
      engine.blocking.count--;
      if (engine.execute(session, args, args.length)) session.port.resume();
    }
  }

  private letGo(session: Session): void {
    if (this.held.delete(session)) this.engine.blocking.count--;
  }

  private hold(session: Session, args: readonly Slice[], argc: number): boolean {
    const kept: Slice[] = [];
    for (let i = 0; i < argc; i++) kept.push(new Slice(args[i].copy()));
    this.held.set(session, kept);
    session.postponed = true;
    this.engine.blocking.count++;
    return true;
  }
}

const pauses = new WeakMap<Engine, Pause>();

function pauseOf(engine: Engine): Pause {
  let found = pauses.get(engine);
  if (!found) pauses.set(engine, (found = new Pause(engine)));
  return found;
}

/** Holds the commands of all clients until the function that it returns is called. */
export function holdCommands(engine: Engine): () => void {
  return pauseOf(engine).beginOwn(true);
}

/** The same for commands that may write. */
export function holdWrites(engine: Engine): () => void {
  return pauseOf(engine).beginOwn(false);
}

export const pause = command({
  name: 'PAUSE',
  group: 'connection',
  since: '2.9.50',
  complexity: 'O(1)',
  summary: 'Holds the commands of clients, or only those that write, for a time.',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['connection'],
  history: [['6.2.0', 'Takes WRITE and ALL.']],
  args: [integer('timeout'), optional(oneOf('mode', token('write', 'WRITE'), token('all', 'ALL')), { since: '6.2.0' })],
  run(c) {
    let all = true;
    if (c.argc === 4) {
      if (isWord(c.arg(3), 'WRITE')) {
        all = false;
      } else if (!isWord(c.arg(3), 'ALL')) {
        c.reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL');
        return;
      }
    }
    const timeout = c.integerOr(2, 'ERR timeout is not an integer or out of range');
    if (timeout === undefined) return;
    if (timeout < 0) {
      c.reply.error('ERR timeout is negative');
      return;
    }
    pauseOf(c.engine).begin(c.engine.clock.now() + timeout, all);
    c.reply.ok();
  },
});

export const unpause = command({
  name: 'UNPAUSE',
  group: 'connection',
  since: '6.2.0',
  complexity: 'O(N) in the clients held',
  summary: 'Ends a pause.',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['connection'],
  run(c) {
    pauses.get(c.engine)?.end();
    c.reply.ok();
  },
});
