/** The port at which servers of one cluster, or of one group, meet: opened at every address of `bind`. */
import type { Environment } from '../base/environment.ts';
import type { Listener } from '../base/network.ts';
import { codeOf } from '../base/system-error.ts';
import type { Config } from '../config/config.ts';
import type { TlsContextOptions } from '../config/tls-options.ts';
import type { Log } from '../engine/server-port.ts';
import { Acceptor, type Guest } from '../links/acceptor.ts';
import { fastWiresOf } from '../net/fast-wires.ts';
import { listenAtAll } from '../net/listeners.ts';
import { ListenError } from '../net/transport.ts';

export interface BusPortParts {
  readonly config: Config;
  readonly environment: Environment;
  readonly log: Log;
  /** With what handshakes of TLS are answered. */
  readonly serverTls: () => TlsContextOptions | null;
}

export class BusPort {
  /** 0 until it is listened at. */
  port = 0;
  private readonly parts: BusPortParts;
  private readonly acceptor: Acceptor;
  private listeners: readonly Listener[] = [];

  constructor(parts: BusPortParts) {
    this.parts = parts;
    const { environment, serverTls, log } = parts;
    const { network } = environment;
    this.acceptor = new Acceptor({ network, fast: fastWiresOf(network), tls: serverTls, log });
  }

  /** `port` 0: one that is free. `fleeting` as Place has it. False where it can't be had; the log has been told why. */
  async open(port: number, welcome: (guest: Guest) => void, fleeting = false): Promise<boolean> {
    const { config, environment, log } = this.parts;
    const { settings } = config;
    const { tcpBacklog: backlog } = settings;
    const opened = await listenAtAll(
      { addresses: settings.bind, port, network: environment.network, log },
      (endpoint) =>
        this.acceptor
          .listen({ ...endpoint, backlog, fleeting }, () => settings.tlsCluster, welcome)
          .catch((error) => {
            throw new ListenError(codeOf(error));
          }),
    );
    if (typeof opened === 'string') return false;
    this.listeners = opened;
    this.port = opened[0]?.port ?? port;
    return true;
  }

  close(): void {
    for (const listener of this.listeners) listener.close();
    this.listeners = [];
  }
}
