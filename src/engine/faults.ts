/**
 * Faults that an owner switches on to see how his clients bear them: `server.faults`.
 *
 *   resolve ── gates: permission, memory, pauses ── faults ── queued or run ── faults of the reply
 *                                                     ├ delay: held, and run later
 *                                                     ├ error: replied instead
 *                                                     ├ drop:  held for ever, and the connection is silent from then on
 *                                                     └ cut:   the connection ends
 *
 * They meet what clients send, and of that what would be queued or run: neither the commands within a transaction or a script
 * nor those of a master's stream. While none is on they cost nothing: the gate GATE_FAULTS is open.
 */
import type { Slice } from '../base/slice.ts';
import { narrow } from '../base/text.ts';
import type { Clock, Timer } from '../base/time.ts';
import { GATE_FAULTS, GATE_LOADING, GATE_READONLY, type Gates } from './gates.ts';
import type { HeldCommands } from './held.ts';
import type { Recorder } from './recorder.ts';
import { CommandNames, type SeenCommand, seen } from './seen.ts';
import type { Session } from './session.ts';
import type { CommandTable, Registered } from './table.ts';

/** What is on until it is ended; `using fault = server.faults.readonly()` ends it by itself. */
export interface FaultSwitch extends Disposable {
  /** Ends it. What is held by a delay is held until that is over; connections that are silent stay so. */
  dispose(): void;
}

export interface Fault extends FaultSwitch {
  /** Commands that have met it. */
  readonly met: number;
}

/** Which commands meet a fault. */
export interface FaultOptions {
  /** Asked of each command of the name: whether it meets the fault. What it throws is replied as an error. */
  readonly when?: (command: SeenCommand) => boolean;
  /** How many commands meet it, after which it is over; all, when absent. */
  readonly times?: number;
}

/** The part of an exchange that is lost: `request` before the command has run, `reply` after. */
export type LostPart = 'request' | 'reply';

/** Which connections are to be cut. */
export interface CutOptions {
  /** The one of this number (CLIENT ID), which may be a session without a socket. */
  readonly id?: number;
  /** Those of this name (CLIENT SETNAME). */
  readonly name?: string;
}

type Kind = 'delay' | 'error' | 'drop' | 'cut';

class CommandFault implements Fault {
  met = 0;
  readonly kind: Kind;
  readonly names: CommandNames;
  readonly when: (command: SeenCommand) => boolean;
  /** How many more meet it. */
  left: number;
  /** Of a delay, ms. */
  readonly delay: number;
  /** Of an error, its text. */
  readonly text: string;
  readonly part: LostPart;
  private readonly end: (fault: CommandFault) => void;

  constructor(
    kind: Kind,
    names: CommandNames,
    { when = () => true, times = Number.POSITIVE_INFINITY }: FaultOptions,
    { delay = 0, text = '', part = 'request' }: { delay?: number; text?: string; part?: LostPart },
    end: (fault: CommandFault) => void,
  ) {
    this.kind = kind;
    this.names = names;
    this.when = when;
    this.left = times;
    this.delay = delay;
    this.text = text;
    this.part = part;
    this.end = end;
  }

  dispose(): void {
    this.end(this);
  }

  [Symbol.dispose](): void {
    this.end(this);
  }
}

/** What a command is to meet: of several faults the delays together, and of the others the one that was switched on first. */
interface Meeting {
  delay: number;
  fault: CommandFault | null;
  /** What a predicate has thrown. */
  thrown: string | null;
}

const NOTHING: Meeting = { delay: 0, fault: null, thrown: null };

/** The engine whose commands meet them. */
interface Faulty {
  readonly clock: Clock;
  readonly gates: Gates;
  readonly held: HeldCommands;
  readonly table: CommandTable;
  readonly sessions: ReadonlyMap<number, Session>;
  readonly recorder: Recorder;
  refuse(session: Session, registered: Registered, args: readonly Slice[], argc: number, error: string): undefined;
  serveWaiters(): void;
}

export class Faults {
  private readonly engine: Faulty;
  private readonly on = new Set<CommandFault>();
  private readonly states = new Set<FaultSwitch>();
  private switched = 0;
  /** Sessions whose command is held by a delay, and what it meets when that is over. */
  private readonly delayed = new Map<Session, { readonly timer: Timer; readonly meeting: Meeting }>();
  /** Sessions whose command runs, and what its reply is to meet. */
  private readonly running = new Map<Session, Kind>();

  constructor(engine: Faulty) {
    this.engine = engine;
  }

  /**
   * Commands wait before they run, and what the same client has sent behind them waits as well, while others are served.
   * @param ms milliseconds of the server's clock, be it the machine's or a VirtualClock
   * @param commands `get`, `['get', 'mget']`, `config|set`, or `*` for all
   */
  delay(commands: string | readonly string[], ms: number, options: FaultOptions = {}): Fault {
    if (!(ms >= 0)) throw new RangeError(`A delay is a number of milliseconds, not ${ms}`);
    return this.add('delay', commands, options, { delay: ms });
  }

  /** Commands are not run but replied an error: `faults.error('set', "OOM command not allowed when used memory > 'maxmemory'.")`. */
  error(commands: string | readonly string[], text: string, options: FaultOptions = {}): Fault {
    return this.add('error', commands, options, { text: narrow(text) });
  }

  /**
   * A request or its reply is lost, and whatever follows on its connection: as through a network that drops all packets, the
   * connection is silent until the client gives it up. Of a lost `reply` the command has been run.
   */
  drop(commands: string | readonly string[], part: LostPart, options: FaultOptions = {}): Fault {
    return this.add('drop', commands, options, { part });
  }

  /** The connection ends where a command should run (`request`), or where it has run and should be replied to (`reply`). */
  cutAt(commands: string | readonly string[], part: LostPart, options: FaultOptions = {}): Fault {
    return this.add('cut', commands, options, { part });
  }

  /** Ends connections at once, all clients' but those of sessions without a socket unless it is said which; returns how many. */
  cut({ id, name }: CutOptions = {}): number {
    const cut = [...this.engine.sessions.values()].filter((session) => {
      if (id !== undefined && session.id !== id) return false;
      if (name !== undefined && session.name !== name) return false;
      return (
        session.role.type === 'normal' && (session.role.name !== 'local' || id !== undefined || name !== undefined)
      );
    });
    for (const session of cut) session.close();
    return cut.length;
  }

  /** Writes are refused as by a replica: `READONLY You can't write against a read only replica.` */
  readonly(): FaultSwitch {
    return this.state(GATE_READONLY);
  }

  /** What Redis refuses while it loads its data is refused: `LOADING Redis is loading the dataset in memory`. */
  loading(): FaultSwitch {
    return this.state(GATE_LOADING);
  }

  /** Ends all of them. */
  clear(): void {
    for (const fault of [...this.on, ...this.states]) fault.dispose();
  }

  /** Whether a command goes on to be queued or run; otherwise it has been answered, is held, or its session ends. */
  lets(session: Session, registered: Registered, args: readonly Slice[], argc: number): boolean {
    const due = this.delayed.get(session);
    this.delayed.delete(session);
    const meeting = due?.meeting ?? this.meet(session, registered, args, argc);
    const { delay, fault, thrown } = meeting;
    if (delay > 0 && due === undefined) {
      const timer = this.engine.clock.after(delay, () => this.engine.held.free(session));
      this.delayed.set(session, { timer, meeting });
      this.engine.held.hold(session, args, argc);
      this.follow();
      return false;
    }
    if (due !== undefined) this.follow();
    if (thrown !== null)
      this.engine.refuse(session, registered, args, argc, `ERR the predicate of a fault threw: ${thrown}`);
    if (thrown !== null || fault === null) return thrown === null;
    if (fault.kind === 'error') this.engine.refuse(session, registered, args, argc, fault.text);
    if (fault.kind === 'error') return false;
    if (fault.part === 'reply') {
      session.reply.suppressed = true;
      session.replySkip = 'fault';
      this.running.set(session, fault.kind);
      return true;
    }
    this.engine.recorder.lost(session, registered, args, argc);
    this.lose(session, fault.kind, args, argc);
    return false;
  }

  /** A command has run whose reply is lost. */
  ran(session: Session): void {
    const kind = this.running.get(session);
    this.running.delete(session);
    if (kind !== undefined) this.lose(session, kind, [], 0);
  }

  /** A command that was held has been judged again, be it by a state that has come up meanwhile. */
  passed(session: Session): void {
    this.delayed.get(session)?.timer.cancel();
    if (this.delayed.delete(session)) this.follow();
  }

  /** A session is gone. */
  forget(session: Session): void {
    this.running.delete(session);
    this.passed(session);
  }

  private lose(session: Session, kind: Kind, args: readonly Slice[], argc: number): void {
    session.reply.suppressed = true;
    if (kind === 'drop') {
      this.engine.held.hold(session, args, argc);
      return;
    }
    session.closing = true;
    queueMicrotask(() => {
      if (!session.closed) session.close();
    });
  }

  private meet(session: Session, registered: Registered, args: readonly Slice[], argc: number): Meeting {
    let meeting = NOTHING;
    let command: SeenCommand | null = null;
    for (const fault of this.on) {
      if (!fault.names.has(registered)) continue;
      command ??= seen(registered, args, argc, session, session);
      try {
        if (!fault.when(command)) continue;
      } catch (error) {
        return { ...NOTHING, thrown: narrow(reasonOf(error)) };
      }
      const { delay, fault: first } = meeting;
      if (fault.kind !== 'delay' && first !== null) continue;
      fault.met++;
      if (--fault.left <= 0) fault.dispose();
      meeting = { ...NOTHING, delay: delay + fault.delay, fault: fault.kind === 'delay' ? first : fault };
    }
    return meeting;
  }

  private add(
    kind: Kind,
    commands: string | readonly string[],
    options: FaultOptions,
    effect: { delay?: number; text?: string; part?: LostPart },
  ): Fault {
    const fault = new CommandFault(kind, new CommandNames(commands, this.engine.table), options, effect, (ended) => {
      this.on.delete(ended);
      this.follow();
    });
    if (fault.left > 0) this.on.add(fault);
    this.follow();
    return fault;
  }

  private state(gate: number): FaultSwitch {
    const { engine, states } = this;
    const reason = `fault ${++this.switched}`;
    const dispose = (): void => {
      if (!states.delete(fault)) return;
      engine.gates.set(gate, reason, false);
      // While data are loaded nobody is served who waits for a key.
      engine.serveWaiters();
    };
    const fault = { dispose, [Symbol.dispose]: dispose };
    states.add(fault);
    engine.gates.set(gate, reason, true);
    return fault;
  }

  private follow(): void {
    this.engine.gates.set(GATE_FAULTS, 'faults', this.on.size + this.delayed.size > 0);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
