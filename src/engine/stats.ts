/** Counters of one server, as INFO stats names them; all since start or CONFIG RESETSTAT. */
import type { ErrorListener } from '../protocol/reply.ts';
import { Rates } from './rates.ts';

/** The longest code of an error; a text that begins with none counts as ERR. */
const CODE_MAX = 30;
/** Distinct error codes that are counted one by one; a script could make up any number of them. */
const ERROR_CODES_MAX = 1024;

export class Stats implements ErrorListener {
  connections = 0;
  rejectedConnections = 0;
  commands = 0;
  netInput = 0;
  netOutput = 0;
  /** What of these came from a master, and went to replicas. */
  netReplInput = 0;
  netReplOutput = 0;
  expired = 0;
  expiredStalePercent = 0;
  expiredTimeCapReached = 0;
  expireCycleMilliseconds = 0;
  evicted = 0;
  evictionExceededMicros = 0;
  evictionExceededSince = 0;
  evictedClients = 0;
  keyspaceHits = 0;
  keyspaceMisses = 0;
  errorReplies = 0;
  unexpectedErrorReplies = 0;
  totalReads = 0;
  totalWrites = 0;
  ioThreadedReads = 0;
  ioThreadedWrites = 0;
  /** I/O threads that are at work now. */
  ioThreads = 0;
  outputLimitDisconnections = 0;
  queryLimitDisconnections = 0;
  /** How often each error code has been replied. */
  readonly errors = new Map<string, number>();
  /** Writes since the last save. */
  dirty = 0;
  readonly rates = new Rates();

  errorReplied(text: string, counted = true): void {
    if (!counted) return;
    this.errorReplies++;
    const end = text.slice(0, CODE_MAX + 1).indexOf(' ');
    const code = end < 0 ? 'ERR' : text.slice(0, end);
    const seen = this.errors.get(code);
    if (seen !== undefined) this.errors.set(code, seen + 1);
    // A part of a text would keep the whole of it.
    else if (this.errors.size < ERROR_CODES_MAX) this.errors.set(code.split('').join(''), 1);
  }

  reset(): void {
    this.connections = 0;
    this.rejectedConnections = 0;
    this.commands = 0;
    this.netInput = 0;
    this.netOutput = 0;
    this.netReplInput = 0;
    this.netReplOutput = 0;
    this.expired = 0;
    this.expiredStalePercent = 0;
    this.expiredTimeCapReached = 0;
    this.expireCycleMilliseconds = 0;
    this.evicted = 0;
    this.evictionExceededMicros = 0;
    this.evictionExceededSince = 0;
    this.evictedClients = 0;
    this.keyspaceHits = 0;
    this.keyspaceMisses = 0;
    this.errorReplies = 0;
    this.unexpectedErrorReplies = 0;
    this.totalReads = 0;
    this.totalWrites = 0;
    this.ioThreadedReads = 0;
    this.ioThreadedWrites = 0;
    this.outputLimitDisconnections = 0;
    this.queryLimitDisconnections = 0;
    this.errors.clear();
    this.rates.reset();
  }
}
