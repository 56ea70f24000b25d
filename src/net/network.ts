/** The network of a server: NetServer with its settings followed and its clock ticking. */

import type { Duplex } from 'node:stream';
import { BEATS_A_SECOND, type Beat } from '../base/beat.ts';
import type { Environment } from '../base/environment.ts';
import type { Timer } from '../base/time.ts';
import type { Config, Listener } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import type { Session } from '../engine/session.ts';
import type { NetLog } from './parts.ts';
import { NetServer, transportFor } from './server.ts';
import type { Transport } from './transport.ts';

/** Settings for which contexts are made anew. */
const TLS_SETTINGS = [
  'tls-cert-file',
  'tls-key-file',
  'tls-key-file-pass',
  'tls-client-cert-file',
  'tls-client-key-file',
  'tls-client-key-file-pass',
  'tls-dh-params-file',
  'tls-ca-cert-file',
  'tls-ca-cert-dir',
  'tls-protocols',
  'tls-ciphers',
  'tls-ciphersuites',
  'tls-prefer-server-ciphers',
  'tls-session-caching',
  'tls-session-cache-size',
  'tls-session-cache-timeout',
  'tls-replication',
  'tls-cluster',
] as const;

export class Network extends NetServer<Session> {
  private readonly beat: Beat;
  private readsThen = -1;
  private readonly transport: Transport;
  private timer: Pick<Timer, 'cancel'> | null = null;
  private listening = false;

  constructor(engine: Engine, config: Config, environment: Environment, beat: Beat, log: NetLog) {
    const { clock, network, disk } = environment;
    const { settings } = config;
    const transport = transportFor({ environment, settings, counters: engine.stats, log });
    const folder = (): string => config.path;
    super({ host: engine, settings, counters: engine.stats, log, clock, transport, network, disk, folder });
    this.beat = beat;
    this.transport = transport;
    const { listeners } = this;
    type Change = () => ReturnType<Listener>;
    const whenOpen = (change: Change): Change => {
      return () => (this.listening ? change() : undefined);
    };
    config.on(
      'port',
      whenOpen(() => listeners.portChanged()),
    );
    config.on(
      'bind',
      whenOpen(() => listeners.bindChanged()),
    );
    config.on(
      TLS_SETTINGS,
      whenOpen(() => listeners.tlsChanged()),
    );
    config.on(
      'tls-auth-clients',
      whenOpen(() => listeners.tlsAuthChanged()),
    );
    config.on(
      'tls-port',
      whenOpen(() => listeners.tlsPortChanged()),
    );
  }

  /** Opens all listeners; rejects with the reason, already logged, when one can't be had. */
  async listen(anyPort = false): Promise<void> {
    const failed = await this.listeners.listen(anyPort);
    if (failed !== undefined) throw new Error(failed);
    this.listening = true;
    this.start();
  }

  override adopt(stream: Duplex): void {
    this.start();
    super.adopt(stream);
  }

  async close(): Promise<void> {
    this.listening = false;
    this.timer?.cancel();
    this.timer = null;
    this.stop();
    await this.transport.close?.();
  }

  private start(): void {
    if (this.timer === null) this.ticking();
  }

  /** Where nothing was read since the last time, once a second is enough, unless something comes. */
  private ticking(): void {
    const { totalReads } = this.counters;
    const beats = totalReads === this.readsThen ? BEATS_A_SECOND : 1;
    this.readsThen = totalReads;
    this.timer = this.beat.next(() => {
      this.tick(beats);
      this.ticking();
    }, beats);
  }
}
