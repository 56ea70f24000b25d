/** What of the state outlives a restart. */
import { sameAddress } from '../address.ts';
import type { Configuration, MasterConfiguration } from '../configuration.ts';
import { currentAddress } from '../fields.ts';
import type { Master, SentinelState } from '../state.ts';

/** A copy that later steps don't change. */
export function savedState(state: SentinelState): Configuration {
  return {
    myid: state.myid,
    currentEpoch: state.currentEpoch,
    announceIp: state.announceIp,
    announcePort: state.announcePort,
    resolveHostnames: state.resolveHostnames,
    announceHostnames: state.announceHostnames,
    denyScriptsReconfig: state.denyScriptsReconfig,
    sentinelUser: state.sentinelUser,
    sentinelPass: state.sentinelPass,
    masters: [...state.masters.values()].map(savedMaster),
  };
}

/** While a failover has got so far that the promoted replica is the master, the old master stands in that one's place. */
function savedMaster(master: Master): MasterConfiguration {
  const current = currentAddress(master);
  const addresses = [...master.replicas.values()].map(({ address }) =>
    sameAddress(address, current) ? master.address : address,
  );
  return {
    name: master.name,
    host: current.host,
    port: current.port,
    settings: { ...master.settings, renamedCommands: new Map(master.settings.renamedCommands) },
    configEpoch: master.configEpoch,
    leaderEpoch: master.leaderEpoch,
    replicas: addresses.map(({ host, port }) => ({ host, port })),
    sentinels: [...master.sentinels.values()].map(({ address, runid }) => ({
      host: address.host,
      port: address.port,
      runid,
    })),
  };
}
