/**
 * What the server uses in all, as Redis counts it: the image, and the part of the heap that grows with what clients do.
 *
 * Each owner counts what it holds as it comes and goes, so that the sum is at hand at every write command. What changes
 * seldom and would have to be walked over (users, scripts, libraries) is measured now and then (`measure`). The runtime's
 * own share (code, compiled functions, free heap) is no part of it.
 */
import { SESSION_BYTES } from './footprint.ts';
import type { ReplicationPort } from './replication-port.ts';
import type { ScriptingPort } from './scripting-port.ts';
import type { ServerPort } from './server-port.ts';

/** What a server takes on the heap before its first client: commands, settings, registers (measured). */
export const SERVER_BYTES = 400 * 1024;

/** The engine whose parts are counted. */
interface Counted {
  readonly memory: { readonly used: number; readonly peak: number };
  readonly sessions: { readonly size: number };
  readonly pool: { readonly held: number };
  readonly pubsub: { readonly bytes: number };
  readonly watches: { readonly bytes: number };
  readonly blocking: { readonly bytes: number };
  readonly tracking: { readonly bytes: number };
  readonly acl: { readonly bytes: number };
  readonly scripting: ScriptingPort;
  readonly server: ServerPort;
  readonly replication: ReplicationPort;
}

export class UsedMemory {
  /** Whoever reads from connections counts here the bytes of buffers that incomplete commands wait in. */
  inputs: { readonly held: number } = { held: 0 };
  /** Bytes of the commands that MULTI has queued. */
  queued = 0;
  private readonly engine: Counted;
  private measured = 0;
  private most = 0;

  constructor(engine: Counted) {
    this.engine = engine;
  }

  /** What sessions hold: themselves, unread replies, incomplete commands, queued and waiting ones, watches, subscriptions. */
  get sessions(): number {
    const { sessions, pool, pubsub, watches, blocking } = this.engine;
    const buffers = pool.held + this.inputs.held + this.queued + blocking.bytes;
    return buffers + sessions.size * SESSION_BYTES + watches.bytes + pubsub.bytes;
  }

  /** What is in the heap beside sessions: the server itself, the tracking table, users, scripts and libraries. */
  private get registers(): number {
    return SERVER_BYTES + this.engine.tracking.bytes + this.measured;
  }

  /**
   * Bytes in buffers that count in `total` and are not bounded by maxmemory: what waits to be written to the log, and what
   * replicas are owed beyond the backlog.
   */
  get notBounded(): number {
    return this.engine.server.persistence.aofBuffer + this.engine.replication.unboundedBytes;
  }

  /** The backlog, which is kept whether a replica wants it or not. */
  private get backlog(): number {
    const { bufferBytes, unboundedBytes } = this.engine.replication;
    return bufferBytes - unboundedBytes;
  }

  /**
   * Bytes that maxmemory bounds, at the cost of a few additions: live blocks of the image, `sessions`, the tracking table,
   * users, scripts and libraries, the backlog, and the server's own constant share. The append-only file's buffer is left out, as
   * replicas' buffers are: evicting keys makes both longer.
   */
  get forMaxmemory(): number {
    return this.engine.memory.used + this.sessions + this.registers + this.backlog;
  }

  /** INFO's used_memory. */
  get total(): number {
    return this.forMaxmemory + this.notBounded;
  }

  /** What of `total` lies in V8's heap, and not in buffers outside of it. */
  get inHeap(): number {
    return this.engine.sessions.size * SESSION_BYTES + this.registers;
  }

  /** And what lies in buffers beside the image. */
  get inBuffers(): number {
    return this.total - this.engine.memory.used - this.inHeap;
  }

  /** The largest that `total` has been seen to be, and never less than the image has been. */
  get peak(): number {
    return Math.max(this.most, this.engine.memory.peak, this.total);
  }

  /** Once a tick of the cron, and before figures are told. */
  measure(): void {
    const { scripting, acl } = this.engine;
    const { scriptBytes, functionBytes, evalSandboxBytes, functionSandboxBytes } = scripting.figures();
    this.measured = scriptBytes + functionBytes + evalSandboxBytes + functionSandboxBytes + acl.bytes;
    this.most = Math.max(this.most, this.total);
  }
}
