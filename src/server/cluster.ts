/**
 * A node of a cluster: beside the server the shell around the cluster's rules, its bus, and nodes.conf.
 *
 *   begin    nodes.conf is read; the engine knows the slots, and whom it follows       before anything is listened at
 *   listen   the bus has its port                                                      before anything is loaded
 *   start    it takes part in the cluster                                              once the data are there
 */

import type { Beat } from '../base/beat.ts';
import type { Environment } from '../base/environment.ts';
import { PORT_MAX } from '../base/network.ts';
import { Effects } from '../cluster/effects.ts';
import { BUS_PORT_INCREMENT, clientPort, preferredHost } from '../cluster/endpoints.ts';
import type { ClusterSettings } from '../cluster/messages.ts';
import { NodesStore } from '../cluster/nodes-store.ts';
import { attachShell } from '../cluster/owners.ts';
import { Shell } from '../cluster/shell.ts';
import type { Node } from '../cluster/state.ts';
import type { Config } from '../config/config.ts';
import type { OptionName, Settings } from '../config/settings.ts';
import type { TlsContextOptions } from '../config/tls-options.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log } from '../engine/server-port.ts';
import { BusPort } from './bus-port.ts';

/** What these say is in `myself`. */
const ANNOUNCED: readonly OptionName[] = [
  'port',
  'tls-port',
  'tls-cluster',
  'cluster-announce-ip',
  'cluster-announce-hostname',
  'cluster-announce-port',
  'cluster-announce-tls-port',
  'cluster-announce-bus-port',
  'cluster-replica-no-failover',
];

export interface ClusterParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly environment: Environment;
  readonly beat: Beat;
  readonly log: Log;
  /** With what handshakes of TLS are answered. */
  readonly serverTls: () => TlsContextOptions | null;
  /** Nobody in the cluster can know better than nodes.conf. */
  readonly isNew: boolean;
}

export class ClusterNode {
  private readonly parts: ClusterParts;
  private readonly store: NodesStore;
  private readonly effects: Effects;
  private readonly bus: BusPort;
  private shell: Shell | null = null;

  constructor(parts: ClusterParts) {
    this.parts = parts;
    const { engine, config, environment, log } = parts;
    const { clock, disk } = environment;
    this.effects = new Effects(engine);
    this.store = new NodesStore({
      ...{ clock, disk, log },
      fileNames: engine.server.fileNames,
      folder: config.path,
      name: config.settings.clusterConfigFile,
      newId: () => this.newId(),
    });
    this.bus = new BusPort(parts);
  }

  /** Throws NodesStoreError where nodes.conf can't be had. */
  begin(): void {
    const { engine, config, environment, beat, log } = this.parts;
    const { settings } = config;
    const file = this.store.open();
    const shell: Shell = new Shell({
      ...environment,
      beat,
      file,
      isNew: this.parts.isNew,
      settings: clusterSettings(settings, () => this.bus.port),
      busSettings: settings,
      dialer: engine.server.links,
      engine: this.effects,
      log,
      newId: () => this.newId(),
      write: (nodes, sync) => this.store.write(nodes, sync),
      change: (change) => this.effects.carryOut(change, shell.now),
    });
    this.shell = shell;
    attachShell(engine, shell);
    const { state } = shell;
    engine.membership.join({
      map: state,
      endpoint(node, secure) {
        const known = state.nodes.get(node.id);
        return known === undefined ? '' : endpointText(known, settings, secure);
      },
      publish: (sharded, channel, message) => shell.publish(channel, message, sharded),
      get traffic() {
        const { count: connections, bytes } = shell.connections;
        return { connections, bytes };
      },
      endLinks: (id, direction) => shell.endLinks(id, direction),
      dropPackets: (type) => shell.dropPackets(type),
    });
    config.on(ANNOUNCED, () => {
      shell.readSettings();
      return undefined;
    });
    shell.begin();
  }

  /** Opens the port of the bus; `anyPort`: at one that is free. Rejects with the reason, which the log has. */
  async listen(anyPort: boolean): Promise<void> {
    const { settings } = this.parts.config;
    const port = anyPort && settings.clusterPort === 0 ? 0 : busPortOf(settings);
    if (port > PORT_MAX) this.refuse(TOO_HIGH);
    if (!(await this.bus.open(port, (guest) => this.shell!.welcome(guest))))
      this.refuse(`Failed listening on port ${port} (cluster), aborting.`);
  }

  /** The data are there. Throws where they are none of a node's. */
  start(): void {
    const { engine } = this.parts;
    const { myself } = this.shell!.state;
    const [, ...others] = engine.keyspaces.databases;
    if (myself.isMaster && others.some((db) => db.size > 0))
      this.refuse("You can't have keys in a DB different than DB 0 when in Cluster mode. Exiting.");
    this.shell!.start();
  }

  stop(): void {
    this.bus.close();
    this.shell?.stop();
    this.effects.stop();
    this.store.close();
  }

  private refuse(reason: string): never {
    this.parts.log.warning(reason);
    throw new Error(reason);
  }

  private newId(): string {
    return this.parts.environment.ids.secret(20).toString('hex');
  }
}

const TOO_HIGH =
  'Redis port number too high. Cluster communication port is 10,000 port numbers higher than your Redis port. ' +
  'Your Redis port number must be 55535 or less.';

function busPortOf(settings: Readonly<Settings>): number {
  const { clusterPort, tlsCluster, tlsPort, port } = settings;
  return clusterPort !== 0 ? clusterPort : (tlsCluster ? tlsPort : port) + BUS_PORT_INCREMENT;
}

function endpointText(node: Node, settings: Readonly<Settings>, secure: boolean): string {
  const plain = settings.tlsCluster && !secure;
  return `${preferredHost(node, settings.clusterPreferredEndpointType)}:${clientPort(node, plain)}`;
}

/** The settings as the rules see them; `bound` is the port of the bus that is listened at. */
function clusterSettings(settings: Readonly<Settings>, bound: () => number): ClusterSettings {
  return {
    get nodeTimeout() {
      return settings.clusterNodeTimeout;
    },
    get replicaValidityFactor() {
      return settings.clusterReplicaValidityFactor;
    },
    get replPingPeriod() {
      return settings.replPingReplicaPeriod * 1000;
    },
    get migrationBarrier() {
      return settings.clusterMigrationBarrier;
    },
    get allowReplicaMigration() {
      return settings.clusterAllowReplicaMigration;
    },
    get requireFullCoverage() {
      return settings.clusterRequireFullCoverage;
    },
    get replicaNoFailover() {
      return settings.clusterReplicaNoFailover;
    },
    get announceIp() {
      return settings.clusterAnnounceIp;
    },
    get port() {
      const { clusterAnnouncePort, clusterAnnounceTlsPort, tlsCluster, tlsPort, port } = settings;
      return tlsCluster ? clusterAnnounceTlsPort || tlsPort : clusterAnnouncePort || port;
    },
    get plainPort() {
      const { clusterAnnouncePort, tlsCluster, port } = settings;
      return tlsCluster ? clusterAnnouncePort || port : 0;
    },
    get busPort() {
      return settings.clusterAnnounceBusPort || bound() || busPortOf(settings);
    },
    get hostname() {
      return settings.clusterAnnounceHostname;
    },
  };
}
