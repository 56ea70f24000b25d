/**
 * FAILOVER: this master hands its part over to a replica, and nothing that it has acknowledged is lost.
 *
 *   none ─> waiting-for-sync ─> failover-in-progress ─> none     (a replica from then on)
 *              writes wait;         the replica is asked to
 *              a replica catches    become the master, and we
 *              up with the stream   go on with it partially
 *
 * Whoever takes over has all of the stream when it does, unless FORCE and the time-out say otherwise. When it refuses,
 * or the time is up, this server goes on as the master.
 *
 * Invariant: writes are held from the first state on until `none`.
 */
import type { Log } from '../engine/server-port.ts';
import type { Replica } from './replicas.ts';

export type FailoverState = 'no-failover' | 'waiting-for-sync' | 'failover-in-progress';

export interface FailoverRequest {
  /** Who is to take over; null for whoever catches up first. */
  readonly target: { readonly host: string; readonly port: number } | null;
  /** ms; 0 for none. */
  readonly timeout: number;
  /** When the time is up the target takes over as it is. */
  readonly force: boolean;
}

export interface FailoverParts {
  readonly log: Log;
  readonly now: () => number;
  readonly offset: () => number;
  readonly replicas: () => readonly Replica[];
  /** Holds the clients' writes until what it returns is called. */
  readonly holdWrites: () => () => void;
  /** Follows the target, and asks it to be the master. */
  readonly handOver: (host: string, port: number) => void;
  /** Is the master again. */
  readonly takeBack: () => void;
}

export class Failover {
  state: FailoverState = 'no-failover';
  private readonly parts: FailoverParts;
  private request: FailoverRequest = { target: null, timeout: 0, force: false };
  private until = 0;
  private release: () => void = () => {};

  constructor(parts: FailoverParts) {
    this.parts = parts;
  }

  get active(): boolean {
    return this.state !== 'no-failover';
  }

  begin(request: FailoverRequest): void {
    const { log, now, holdWrites } = this.parts;
    const { target, timeout } = request;
    this.request = request;
    this.until = timeout > 0 ? now() + timeout : 0;
    this.state = 'waiting-for-sync';
    log.notice(target ? `FAILOVER requested to ${target.host}:${target.port}.` : 'FAILOVER requested.');
    this.release = holdWrites();
  }

  /** At the end of a turn, and with time: whether somebody has caught up, or the time is up. */
  check(): void {
    if (this.state !== 'waiting-for-sync') return;
    const { log, now, offset, replicas } = this.parts;
    const { target, force } = this.request;
    if (this.until > 0 && now() >= this.until) {
      if (target === null || !force) {
        this.abort('Replica never caught up before timeout');
        return;
      }
      log.notice(`Failover to ${target.host}:${target.port} time out exceeded, failing over.`);
      this.handOver(target.host, target.port);
      return;
    }
    const ready = replicas().find(
      (replica) =>
        replica.phase === 'online' && replica.acked === offset() && (target === null || isAt(replica, target)),
    );
    if (ready === undefined) return;
    log.notice(`Failover target ${ready.name} is synced, failing over.`);
    this.handOver(ready.ip, ready.info.port);
  }

  private handOver(host: string, port: number): void {
    this.request = { ...this.request, target: { host, port } };
    this.state = 'failover-in-progress';
    this.parts.handOver(host, port);
  }

  /** The target has taken over, and we go on as its replica. */
  done(): void {
    if (this.active) this.clear();
  }

  abort(reason: string): void {
    const { target } = this.request;
    const to = target ? ` to ${target.host}:${target.port}` : '';
    this.parts.log.notice(`Aborting failover${to} while ${this.state} due to: ${reason}`);
    const wasHandedOver = this.state === 'failover-in-progress';
    this.clear();
    if (wasHandedOver) this.parts.takeBack();
  }

  private clear(): void {
    this.state = 'no-failover';
    this.release();
    this.release = () => {};
  }
}

/** Whether a replica is the one that is named. */
export function isAt({ ip, info }: Replica, { host, port }: { readonly host: string; readonly port: number }): boolean {
  return ip.toLowerCase() === host.toLowerCase() && info.port === port;
}
