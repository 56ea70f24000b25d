/**
 * Client-side caching: who has read which key and is to be told when it changes (CLIENT TRACKING).
 *
 *   table:     key -> the ids of the sessions that have read it since they were last told
 *   broadcast: prefix -> sessions that hear of every key that begins with it, and the keys changed in this turn
 *
 * What concerns others goes out at once (to the receiver of a redirection in the middle of the replies of its EXEC, as
 * Redis does), what concerns the session whose command runs once that command has replied (`pending`), and broadcasts once a
 * turn. Changes take keys out of the table also while nobody tracks: who has read them may track again. Ids rather than
 * sessions are in the table: one that is gone is only noticed when its key changes, so that a closing session costs nothing.
 */
import type { Random } from '../base/random.ts';
import { compareBytes, Slice } from '../base/slice.ts';
import type { Clock, Timer } from '../base/time.ts';
import { ByteMap, type Named } from '../structures/byte-map.ts';
import { hashBytes } from '../structures/hash.ts';
import { GATE_TRACKED, GATE_TRACKING_FULL, type Gates } from './gates.ts';
import { findKeys } from './keys.ts';
import { unsilenced } from './pubsub.ts';
import type { ServerPort } from './server-port.ts';
import type { Session } from './session.ts';
import type { Registered } from './table.ts';
import { Tracker, type TrackingChoice } from './tracker.ts';

const RESP2_NULL = Buffer.from('$-1\r\n');
const CHANNEL = '__redis__:invalidate';
/** Keys that one command has to forget when the table is too large; each time it still is, so many more. */
const EFFORT = 100;
/** What remembering a key takes beside its name, and each session under it (measured over 300,000 keys). */
const KEY_BYTES = 320;
const ITEM_BYTES = 16;

interface Remembered extends Named {
  readonly ids: Set<number>;
  /** Its place in `order`. */
  at: number;
}

/** A key that was changed in this turn, and by whom last; null when it was no client. */
interface Change extends Named {
  by: Session | null;
}

/** Who hears of the keys that begin with a prefix. */
interface Audience extends Named {
  readonly sessions: Set<Session>;
  readonly changed: ByteMap<Change>;
}

/** The engine whose changes are told. */
interface TrackingHost {
  readonly memory: { readonly seed: Uint32Array };
  readonly clock: Clock;
  readonly random: Random;
  readonly gates: Gates;
  readonly server: ServerPort;
  readonly sessions: ReadonlyMap<number, Session>;
  readonly current: Session | null;
  readonly innermost: Session | null;
}

export class Tracking {
  /** Sessions that track. */
  sessions = 0;
  /** Pairs of a key and a session. */
  items = 0;
  private readonly engine: TrackingHost;
  private readonly table = new ByteMap<Remembered>();
  /** The table's entries in no order, to draw one at random. */
  private readonly order: Remembered[] = [];
  private readonly audiences = new ByteMap<Audience>();
  /** How many prefixes there are of each length. */
  private readonly lengths = new Map<number, number>();
  private readonly pending: { session: Session; key: Slice | null }[] = [];
  private readonly prefix = new Slice();
  private timer: Timer | null = null;
  private attempts = 0;
  /** Bytes of the keys in the table. */
  private keyBytes = 0;

  constructor(engine: TrackingHost) {
    this.engine = engine;
  }

  /** Keys that are remembered. */
  get keys(): number {
    return this.table.size;
  }

  /** What the table takes. */
  get bytes(): number {
    return this.keyBytes + this.table.size * KEY_BYTES + this.items * ITEM_BYTES;
  }

  get prefixes(): number {
    return this.audiences.size;
  }

  // Who tracks.

  /** Begins or changes a session's tracking; prefixes come to those it has. */
  enable(session: Session, choice: TrackingChoice, prefixes: readonly Slice[]): void {
    let tracker = session.tracking;
    if (tracker === null) {
      session.tracking = tracker = new Tracker();
      this.sessions++;
      this.engine.gates.set(GATE_TRACKED, 'clients', true);
      this.watchSize();
    }
    Object.assign(tracker, choice);
    tracker.broken = false;
    if (!choice.broadcast) return;
    for (const prefix of prefixes.length > 0 ? prefixes : [new Slice()]) this.listen(session, tracker, prefix);
  }

  disable(session: Session): void {
    const tracker = session.tracking;
    if (tracker === null) return;
    session.tracking = null;
    for (const { name, hash } of tracker.prefixes) this.unlisten(session, name, hash);
    for (let i = this.pending.length - 1; i >= 0; i--)
      if (this.pending[i].session === session) this.pending.splice(i, 1);
    if (--this.sessions > 0) return;
    this.engine.gates.set(GATE_TRACKED, 'clients', false);
    this.watchSize();
  }

  private listen(session: Session, tracker: Tracker, prefix: Slice): void {
    const hash = hashBytes(this.engine.memory.seed, prefix);
    let audience = this.audiences.find(prefix, hash);
    if (!audience) {
      audience = { name: new Slice(prefix.copy()), hash, sessions: new Set(), changed: new ByteMap() };
      this.audiences.add(audience);
      this.lengths.set(prefix.length, (this.lengths.get(prefix.length) ?? 0) + 1);
    }
    audience.sessions.add(session);
    tracker.prefixes.add(audience);
  }

  private unlisten(session: Session, prefix: Slice, hash: number): void {
    const audience = this.audiences.find(prefix, hash);
    audience?.sessions.delete(session);
    if (audience?.sessions.size !== 0) return;
    this.audiences.remove(audience);
    const left = (this.lengths.get(prefix.length) ?? 0) - 1;
    if (left > 0) this.lengths.set(prefix.length, left);
    else this.lengths.delete(prefix.length);
  }

  // What is read.

  /** `session` has run a command that reads. */
  remember(session: Session, registered: Registered, args: readonly Slice[], argc: number): void {
    if (!session.tracking?.remembers) return;
    for (const { at } of findKeys(registered, args, argc) ?? []) {
      const key = args[at];
      const hash = hashBytes(this.engine.memory.seed, key);
      let entry = this.table.find(key, hash);
      if (entry === undefined) {
        entry = { name: new Slice(key.copy()), hash, ids: new Set(), at: this.order.length };
        this.table.add(entry);
        this.order.push(entry);
        this.keyBytes += key.length;
        this.watchTable();
      }
      if (entry.ids.has(session.id)) continue;
      entry.ids.add(session.id);
      this.items++;
    }
  }

  private forget(entry: Remembered): void {
    this.table.remove(entry);
    this.items -= entry.ids.size;
    this.keyBytes -= entry.name.length;
    const last = this.order.pop();
    if (last !== undefined && last !== entry) {
      this.order[entry.at] = last;
      last.at = entry.at;
    }
    if (this.order.length === 0) this.watchTable();
  }

  /** CLIENT CACHING holds for one command, or for the transaction that it begins. */
  commandDone(session: Session, registered: Registered | null): void {
    const { tracking } = session;
    if (tracking === null || !tracking.caching || session.transaction) return;
    if (registered?.parent?.command.name !== 'CLIENT') tracking.caching = false;
  }

  // What changes.

  /** A key has changed by the doing of `by`, or of no client; `hash` is the key's. */
  changed(key: Slice, hash: number, by: Session | null): void {
    // NOLOOP of broadcasts doesn't cover what a script of the same client changes.
    const writer = by === null ? null : this.engine.innermost;
    if (this.audiences.size > 0) this.noteForBroadcast(key, hash, writer);
    const entry = this.table.find(key, hash);
    if (entry !== undefined) this.invalidate(entry, by);
  }

  private invalidate(entry: Remembered, by: Session | null): void {
    this.forget(entry);
    for (const id of entry.ids) {
      const session = this.engine.sessions.get(id);
      const tracker = session?.tracking;
      if (!session || !tracker || tracker.broadcast || (tracker.noLoop && session === by)) continue;
      this.tell(session, entry.name);
    }
  }

  private noteForBroadcast(key: Slice, hash: number, by: Session | null): void {
    let name: Slice | null = null;
    for (const length of this.lengths.keys()) {
      if (length > key.length) continue;
      const prefix = this.prefix.set(key.buffer, key.start, length);
      const changed = this.audiences.find(prefix, hashBytes(this.engine.memory.seed, prefix))?.changed;
      if (changed === undefined) continue;
      const change = changed.find(key, hash);
      name ??= change?.name ?? new Slice(key.copy());
      if (change === undefined) changed.add({ name, hash, by });
      else change.by = by;
    }
    // A key may expire in a turn in which nobody else has anything to be told.
    this.timer ??= this.engine.clock.after(0, () => this.broadcast());
  }

  /** Data was dropped as a whole: everyone who tracks is told to forget all. */
  flushed(): void {
    if (this.sessions > 0)
      for (const session of this.engine.sessions.values()) if (session.tracking !== null) this.tell(session, null);
    this.table.clear();
    this.order.length = 0;
    this.items = 0;
    this.keyBytes = 0;
    this.watchTable();
  }

  private watchTable(): void {
    this.engine.gates.set(GATE_TRACKED, 'table', this.table.size > 0);
    this.watchSize();
  }

  /** Lets commands see to it that the table is cut down (`limit`) while it is too large and somebody tracks. */
  watchSize(): void {
    this.engine.gates.set(GATE_TRACKING_FULL, 'table', this.sessions > 0 && this.table.size > this.most);
  }

  /** Keys that may be remembered. */
  private get most(): number {
    const { trackingTableMaxKeys } = this.engine.server.settings;
    return trackingTableMaxKeys === 0 ? Number.POSITIVE_INFINITY : trackingTableMaxKeys;
  }

  /** Forgets keys at random, and says so, while there are more than `tracking-table-max-keys`. */
  limit(): void {
    const { most } = this;
    if (this.table.size <= most) {
      this.attempts = 0;
      this.watchSize();
      return;
    }
    let effort = EFFORT * ++this.attempts;
    while (this.table.size > most && effort-- > 0)
      this.invalidate(this.order[this.engine.random.below(this.order.length)], null);
    if (this.table.size <= most) this.attempts = 0;
    this.watchSize();
  }

  // Messages.

  /** Tells now or, where it would fall into the middle of a reply, after it. */
  private tell(session: Session, key: Slice | null): void {
    if (session === this.engine.current) this.pending.push({ session, key });
    else this.send(session, key === null ? null : [key]);
  }

  /** The command that ran has replied. */
  tellPending(): void {
    if (this.pending.length === 0) return;
    for (const { session, key } of this.pending.splice(0)) this.send(session, key === null ? null : [key]);
  }

  /** Tells of the keys that changed since the last time, prefix by prefix; once a turn. */
  broadcast(): void {
    if (this.timer === null) return;
    this.timer.cancel();
    this.timer = null;
    for (const { changed, sessions } of [...this.audiences].sort(byName)) {
      if (changed.size === 0) continue;
      const changes = [...changed].sort(byName);
      const keys = changes.map(({ name }) => name);
      for (const session of sessions) {
        const foreign = session.tracking?.noLoop
          ? changes.filter(({ by }) => by !== session).map(({ name }) => name)
          : keys;
        if (foreign.length > 0) this.send(session, foreign);
      }
      changed.clear();
    }
  }

  /** Sends the names of keys, or null for all, to a session or to the one that is told in its place. */
  private send(session: Session, keys: readonly Slice[] | null): void {
    const { tracking } = session;
    if (tracking === null) return;
    if (tracking.redirect === 0) {
      if (session.resp >= 3) unsilenced(session, () => push(session, keys, 3));
      return;
    }
    const receiver = this.engine.sessions.get(tracking.redirect);
    if (receiver === undefined) {
      tracking.broken = true;
      if (session.resp >= 3) unsilenced(session, () => pushBroken(session, tracking.redirect));
    } else if (receiver.resp >= 3 || receiver.subscriptions > 0) {
      unsilenced(receiver, () => push(receiver, keys, session.resp));
    }
  }
}

function byName(a: Named, b: Named): number {
  return compareBytes(a.name, b.name);
}

/** A RESP2 client hears it as a message of a channel. To one of RESP3 null has the form of the tracker's protocol. */
function push({ reply }: Session, keys: readonly Slice[] | null, trackersResp: number): void {
  if (reply.resp >= 3) {
    reply.push(2);
    reply.bulkText('invalidate');
  } else {
    reply.array(3);
    reply.bulkText('message');
    reply.bulkText(CHANNEL);
  }
  if (keys === null) {
    if (trackersResp >= 3) reply.null();
    else reply.raw(RESP2_NULL, 0, RESP2_NULL.length);
    return;
  }
  reply.array(keys.length);
  for (const key of keys) reply.bulk(key);
}

function pushBroken({ reply }: Session, id: number): void {
  reply.push(2);
  reply.bulkText('tracking-redir-broken');
  reply.int(id);
}
