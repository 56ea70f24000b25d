/**
 * Records of what clients have called: `server.record()`. Like MONITOR it hears of each command once it has run, with those
 * within transactions and scripts, and besides of what was refused. While nobody records, commands are not looked at.
 */
import { Fifo } from '../base/fifo.ts';
import type { Slice } from '../base/slice.ts';
import { widen } from '../base/text.ts';
import type { Clock } from '../base/time.ts';
import type { Chunk } from '../protocol/chunk.ts';
import { ReplyError } from '../protocol/reply-error.ts';
import { type ParsedReply, ReplyParser } from '../protocol/reply-parser.ts';
import { GATE_RECORDED, type Gates } from './gates.ts';
import { isSecret, REDACTED } from './redact.ts';
import { MODULE, SCRIPT } from './roles.ts';
import { CommandNames, type SeenCommand, seen } from './seen.ts';
import type { ServerPort } from './server-port.ts';
import type { Session } from './session.ts';
import type { CommandTable, Registered } from './table.ts';

/** A command that was called. Passwords are `(redacted)`, as for MONITOR. */
export interface RecordedCommand extends SeenCommand {
  /** Name and arguments as text (UTF-8; bytes that are none become U+FFFD): `['set', 'k', 'v']`. */
  readonly words: readonly string[];
  /** When it had run, by the server's clock: unix ms. */
  readonly time: number;
  /** What it ran in: EXEC, scripts and commands of modules run others. */
  readonly within: 'transaction' | 'script' | 'module' | null;
  /** `refused`: an error was replied instead of running it; `lost`: a fault has taken it. */
  readonly outcome: 'ran' | 'refused' | 'lost';
  /**
   * With `replies`, in the client's protocol, strings as Buffers; an error as a ReplyError. Absent where it waits, was not
   * replied to, or its wait was ended from outside.
   */
  readonly reply?: ParsedReply;
}

export interface RecordOptions {
  /** Which commands, as for faults: `get`, `['get', 'set']`, `config|set`; all, when absent. */
  readonly commands?: string | readonly string[];
  /** Asked of each: whether it is recorded. */
  readonly when?: (command: SeenCommand) => boolean;
  /** Whether replies are kept, too. */
  readonly replies?: boolean;
  /** Bytes that it may keep, of names, arguments and replies with 200 for each command; the oldest go. 64 MiB, when absent. */
  readonly maxBytes?: number;
}

/** What has been called since it was begun; `using calls = server.record()` ends it by itself. */
export interface Recording extends Disposable {
  /** Those that are kept, the oldest first. */
  readonly commands: readonly RecordedCommand[];
  /** The same as text: `[['set', 'k', 'v'], ['get', 'k']]`. */
  readonly words: readonly (readonly string[])[];
  /** How many were forgotten for want of room. */
  readonly dropped: number;
  /** Forgets what was recorded, and goes on. */
  clear(): void;
  /** Records nothing more; what was recorded stays. */
  stop(): void;
}

const MAX_BYTES = 64 * 1024 * 1024;
/** What a command is counted for beside its bytes. */
const OVERHEAD = 200;

class Entry implements RecordedCommand {
  readonly name: string;
  readonly args: readonly Buffer[];
  readonly clientId: number;
  readonly clientName: string;
  readonly db: number;
  readonly time: number;
  readonly within: RecordedCommand['within'];
  readonly outcome: RecordedCommand['outcome'];
  reply?: ParsedReply;
  /** What it is counted for, its reply included. */
  bytes = OVERHEAD;
  /** Whether its record has it still. */
  kept = true;

  constructor(
    { name, args, clientId, clientName, db }: SeenCommand,
    { time, within, outcome }: Pick<RecordedCommand, 'time' | 'within' | 'outcome'>,
  ) {
    this.name = name;
    this.args = args;
    this.clientId = clientId;
    this.clientName = clientName;
    this.db = db;
    this.time = time;
    this.within = within;
    this.outcome = outcome;
    for (const { length } of args) this.bytes += length;
  }

  get words(): readonly string[] {
    return [...this.name.split('|'), ...this.args.map((arg) => arg.toString())];
  }
}

class Record implements Recording {
  dropped = 0;
  readonly replies: boolean;
  private readonly names: CommandNames;
  private readonly when: (command: SeenCommand) => boolean;
  private readonly maxBytes: number;
  private readonly end: (record: Record) => void;
  private readonly entries = new Fifo<Entry>();
  private bytes = 0;

  constructor(
    names: CommandNames,
    { when = () => true, replies = false, maxBytes = MAX_BYTES }: RecordOptions,
    end: (record: Record) => void,
  ) {
    this.names = names;
    this.when = when;
    this.replies = replies;
    this.maxBytes = maxBytes;
    this.end = end;
  }

  get commands(): readonly RecordedCommand[] {
    return this.entries.all();
  }

  get words(): readonly (readonly string[])[] {
    return this.commands.map(({ words }) => words);
  }

  /** Whether it wants a command; one whose predicate throws it does. */
  wants(registered: Registered | null, command: SeenCommand): boolean {
    if (!this.names.has(registered)) return false;
    try {
      return this.when(command);
    } catch {
      return true;
    }
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    this.bytes += entry.bytes;
    this.forgetOldest();
  }

  /** A command has its reply, of so many bytes; it may have been forgotten while it waited. */
  replied(entry: Entry, reply: ParsedReply, bytes: number): void {
    entry.reply = reply;
    entry.bytes += bytes;
    if (!entry.kept) return;
    this.bytes += bytes;
    this.forgetOldest();
  }

  private forgetOldest(): void {
    while (this.bytes > this.maxBytes) {
      const oldest = this.entries.shift();
      if (oldest === undefined) break;
      oldest.kept = false;
      this.bytes -= oldest.bytes;
      this.dropped++;
    }
  }

  clear(): void {
    for (const entry of this.entries.takeAll()) entry.kept = false;
    this.bytes = 0;
  }

  stop(): void {
    this.end(this);
  }

  [Symbol.dispose](): void {
    this.end(this);
  }
}

/** The engine whose commands are recorded. */
interface Recorded {
  readonly clock: Clock;
  readonly gates: Gates;
  readonly table: CommandTable;
  readonly server: ServerPort;
  readonly current: Session | null;
}

/** What is seen of a call. */
interface RanCommand {
  readonly session: Session;
  readonly registered: Registered;
  readonly args: readonly Slice[];
  readonly argc: number;
  readonly resuming: boolean;
  /** Where its reply begins. */
  readonly markChunk: Chunk | null;
  readonly markAt: number;
}

/** A command that waits, and the record that is to have its reply. */
interface Unanswered {
  readonly record: Record;
  readonly entry: Entry;
}

export class Recorder {
  private readonly engine: Recorded;
  private readonly records = new Set<Record>();
  private readonly unanswered = new Map<Session, readonly Unanswered[]>();

  constructor(engine: Recorded) {
    this.engine = engine;
  }

  /** Begins a record. */
  begin(options: RecordOptions = {}): Recording {
    const { gates, table } = this.engine;
    const record = new Record(new CommandNames(options.commands ?? '*', table), options, (ended) => {
      this.records.delete(ended);
      gates.set(GATE_RECORDED, 'records', this.records.size > 0);
    });
    this.records.add(record);
    gates.set(GATE_RECORDED, 'records', true);
    return record;
  }

  /** A command has run, or has begun to wait, or has run again after it had waited. */
  ran({ session, registered, args, argc, resuming, markChunk, markAt }: RanCommand): void {
    if (resuming && session.waiter !== null) {
      this.answered(session, markChunk, markAt);
      return;
    }
    const kept = this.keep(session, registered, args, argc, 'ran');
    if (session.waiter !== null) this.unanswered.set(session, kept);
    else for (const { record, entry } of kept) answer(record, entry, session, markChunk, markAt);
  }

  /** The time of a command that waited was up, and it has been replied to. */
  timedOut(session: Session, markChunk: Chunk | null, markAt: number): void {
    this.answered(session, markChunk, markAt);
  }

  /** An error was replied instead of running a command, which may be none that there is. */
  refused(session: Session, registered: Registered | null, args: readonly Slice[], argc: number, error: string): void {
    for (const { record, entry } of this.keep(session, registered, args, argc, 'refused')) {
      record.replied(entry, new ReplyError(widen(error)), error.length);
    }
  }

  /** A command has been lost before it ran. */
  lost(session: Session, registered: Registered, args: readonly Slice[], argc: number): void {
    this.keep(session, registered, args, argc, 'lost');
  }

  /** A session is gone. */
  forget(session: Session): void {
    this.unanswered.delete(session);
  }

  private answered(session: Session, markChunk: Chunk | null, markAt: number): void {
    const kept = this.unanswered.get(session) ?? [];
    this.unanswered.delete(session);
    for (const { record, entry } of kept) answer(record, entry, session, markChunk, markAt);
  }

  private keep(
    session: Session,
    registered: Registered | null,
    args: readonly Slice[],
    argc: number,
    outcome: RecordedCommand['outcome'],
  ): readonly Unanswered[] {
    if (this.records.size === 0) return [];
    const { current, clock, server } = this.engine;
    const client = current ?? session;
    const command = seen(registered, args, argc, session, client);
    if (registered !== null) hideSecrets(command, registered, args, server);
    const within = withinOf(session);
    const facts = { time: clock.now(), within, outcome } as const;
    const kept: Unanswered[] = [];
    for (const record of this.records) {
      if (!record.wants(registered, command)) continue;
      const entry = new Entry(command, facts);
      record.add(entry);
      kept.push({ record, entry });
    }
    return kept;
  }
}

function withinOf({ role, executing }: Session): RecordedCommand['within'] {
  if (role === SCRIPT) return 'script';
  if (role === MODULE) return 'module';
  return executing === null ? null : 'transaction';
}

function hideSecrets(
  { args: words }: SeenCommand & { args: readonly Buffer[] },
  registered: Registered,
  args: readonly Slice[],
  { config }: ServerPort,
): void {
  const first = args.length - words.length;
  for (let i = 0; i < words.length; i++)
    if (isSecret(registered, args, first + i, config)) (words as Buffer[])[i] = Buffer.from(REDACTED);
}

/** Puts the reply that begins at the mark beside its command. */
function answer(record: Record, entry: Entry, { reply }: Session, markChunk: Chunk | null, markAt: number): void {
  const bytes = record.replies ? reply.since(markChunk, markAt) : null;
  if (bytes === null || bytes.length === 0) return;
  const all: ParsedReply[] = [];
  const asked: ParsedReply[] = [];
  const parser = new ReplyParser({
    begins: () => true,
    complete: (value, _position, push) => {
      all.push(value);
      if (!push) asked.push(value);
    },
  });
  parser.read(bytes);
  // What comes unasked belongs to no command, unless it is how a command is answered (SUBSCRIBE in RESP3).
  const values = asked.length > 0 ? asked : all;
  record.replied(entry, values.length === 1 ? values[0] : values, bytes.length);
}
