/** What replication reads of the settings. */
import type { Settings } from '../config/settings.ts';

export type ReplicationSettings = Readonly<
  Pick<
    Settings,
    | 'clientOutputBufferLimit'
    | 'replBacklogSize'
    | 'save'
    | 'replDisableTcpNodelay'
    | 'propagationErrorBehavior'
    | 'replBacklogTtl'
    | 'replSyncBufferToMaxmemory'
    | 'maxmemory'
    | 'replDisklessSync'
    | 'replDisklessSyncDelay'
    | 'replDisklessSyncMaxReplicas'
    | 'replDisklessLoad'
    | 'replPingReplicaPeriod'
    | 'replTimeout'
    | 'minReplicasToWrite'
    | 'minReplicasMaxLag'
    | 'masteruser'
    | 'masterauth'
    | 'replicaServeStaleData'
    | 'replicaReadOnly'
    | 'replicaAnnounceIp'
    | 'replicaAnnouncePort'
    | 'replicaAnnounced'
    | 'replicaPriority'
    | 'replicaLazyFlush'
    | 'tlsReplication'
    | 'bindSourceAddr'
    | 'tcpKeepalive'
    | 'port'
    | 'tlsPort'
  >
>;
