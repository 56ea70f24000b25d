/**
 * What sessions take, and the limit on it (maxmemory-clients).
 *
 * Only while there is a limit is anything kept: each session is measured at the end of a turn in which it had part, so
 * that the sum is right without walking over all of them, and it lies in a bucket by the power of two of its size. Over the
 * limit the largest are closed, bucket by bucket.
 */
import type { Memory } from '../memory/memory.ts';
import { SESSION_BYTES } from './footprint.ts';
import type { ServerPort } from './server-port.ts';
import type { Session } from './session.ts';

/** So much taken and given back by sessions is worth a collection. */
const COLLECT_FROM = 16 * 1024 * 1024;
/** Less at one time is what every client takes, from buffers that are used again. */
const COUNTED_FROM = 32 * 1024;

const BUCKETS = 19;
/** All below this share the first bucket. */
const SMALLEST_LOG = 15;
/** No limit is taken to be less than this. */
const LEAST_LIMIT = 128 * 1024;

/** Bytes that the server holds on behalf of a session. */
export function memoryOf(session: Session): number {
  const { port, reply, transaction, waiter, tracking } = session;
  let bytes = SESSION_BYTES + port.queryBytes + port.queryFree + port.argumentBytes;
  bytes += reply.firstCapacity + reply.moreBytes;
  bytes += session.subscribedBytes + session.watchedBytes;
  if (transaction !== null) bytes += transaction.bytes;
  if (waiter !== null) bytes += waiter.bytes;
  if (tracking !== null) bytes += tracking.prefixBytes;
  return bytes;
}

function bucketOf(bytes: number): number {
  const log = Math.floor(Math.log2(bytes));
  return Math.min(BUCKETS - 1, Math.max(0, log - SMALLEST_LOG));
}

/** The engine whose sessions are measured. */
interface ClientsHost {
  readonly sessions: ReadonlyMap<number, Session>;
  readonly memory: Memory;
  readonly server: ServerPort;
  readonly stats: { evictedClients: number };
}

export class ClientMemory {
  /** Whether there is a limit. */
  active = false;
  private readonly engine: ClientsHost;
  private limit = Number.POSITIVE_INFINITY;
  private total = 0;
  /** Bytes that sessions took or gave back since the last collection. */
  private turnover = 0;
  private readonly measured = new Map<Session, number>();
  /** Sessions that may be closed, the small ones first. */
  private readonly buckets: Set<Session>[] = Array.from({ length: BUCKETS }, () => new Set());

  constructor(engine: ClientsHost) {
    this.engine = engine;
  }

  /** The settings have changed: `clients` is in bytes, below zero in percent of `data`; 0 is no limit. */
  follow(clients: number, data: number): void {
    const bytes = clients < 0 ? Math.floor((data * -clients) / 100) : clients;
    this.limit = bytes === 0 ? Number.POSITIVE_INFINITY : Math.max(bytes, LEAST_LIMIT);
    this.active = bytes > 0;
    if (this.active) {
      for (const session of this.engine.sessions.values()) this.measure(session);
    } else {
      for (const bucket of this.buckets) bucket.clear();
      this.measured.clear();
      this.total = 0;
    }
  }

  measure(session: Session, midway = false): void {
    if (session.closed || !session.role.evictable) return;
    const before = this.measured.get(session) ?? 0;
    const bytes = memoryOf(session) - (midway ? session.reply.firstCapacity : 0);
    this.measured.set(session, bytes);
    this.total += bytes - before;
    if (bytes > before) this.turnedOver(bytes - before);
    this.buckets[bucketOf(before)].delete(session);
    if (!session.noEvict) this.buckets[bucketOf(bytes)].add(session);
  }

  /** A session ends: what it held is garbage. */
  released(session: Session): void {
    this.turnedOver(memoryOf(session));
  }

  /** V8 by itself lets several times of what sessions hold pile up as garbage, much of it outside of its heap. */
  private turnedOver(bytes: number): void {
    if (bytes >= COUNTED_FROM) this.turnover += bytes;
  }

  prepare(): void {
    if (this.turnover < COLLECT_FROM) return;
    this.turnover = 0;
    this.engine.memory.collector.now();
  }

  /** A session is gone. */
  remove(session: Session): void {
    const bytes = this.measured.get(session);
    if (bytes === undefined) return;
    this.measured.delete(session);
    this.total -= bytes;
    this.buckets[bucketOf(bytes)].delete(session);
  }

  /** Closes the largest sessions until the limit is kept. */
  settle(): void {
    if (this.total < this.limit) return;
    for (let i = BUCKETS - 1; i >= 0; i--) {
      for (const session of this.buckets[i]) {
        this.evict(session);
        if (this.total < this.limit) return;
      }
    }
    this.engine.server.log.warning('Over client maxmemory after evicting all evictable clients');
  }

  private evict(session: Session): void {
    this.engine.server.log.notice(`Evicting client: ${session.describe()}`);
    this.engine.stats.evictedClients++;
    session.close();
    this.remove(session);
  }

  /** One line a bucket: its range, what its sessions take, how many they are. */
  describe(): string {
    let text = 'Bucket         Tot Mem       Clients\n';
    for (const [i, bucket] of this.buckets.entries()) {
      let bytes = 0;
      for (const session of bucket) bytes += this.measured.get(session) ?? 0;
      const label = i === BUCKETS - 1 ? `${2 ** (i + SMALLEST_LOG)}+` : `<${2 ** (i + SMALLEST_LOG + 1)}`;
      text += `${label.padEnd(14)} ${String(bytes).padEnd(13)} ${bucket.size}\n`;
    }
    return text;
  }
}
