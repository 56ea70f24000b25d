/** Bugs that can be planted into whole nodes of a cluster, to see that the simulation finds them. */
import type { Packet } from '../../src/cluster/bus/packet.ts';
import type { NodesFile } from '../../src/cluster/nodes-file.ts';
import type { Shell } from '../../src/cluster/shell.ts';
import { slotsIn } from '../../src/cluster/slots.ts';
import type { Node } from '../../src/cluster/state.ts';
import { Links } from '../../src/commands/persistence/migration.ts';

export const CLUSTER_BUGS = [
  'votes are told early',
  'collisions stay',
  'old claims count',
  'keys go before they have come',
] as const;
export type ClusterBug = (typeof CLUSTER_BUGS)[number] | 'none';

/** Milliseconds after which nodes.conf is written that should have been at once. */
const LATE_WRITE = 100;

/** What is wrong with one node. */
export function plant(shell: Shell, bug: ClusterBug): void {
  if (bug === 'votes are told early') writeLate(shell);
  if (bug === 'collisions stay') changePackets(shell, unlessColliding);
  if (bug === 'old claims count') believeAll(shell);
}

function writeLate({ parts }: Shell): void {
  const { write, clock } = parts;
  Object.assign(parts, {
    write: (file: NodesFile, sync: boolean) => void clock.after(LATE_WRITE, () => write(file, sync)),
  });
}

function changePackets(shell: Shell, change: (shell: Shell, packet: Packet) => Packet): void {
  const { rules } = shell;
  const step = rules.step.bind(rules);
  rules.step = (now, input) =>
    step(now, input.kind === 'packet' ? { ...input, packet: change(shell, input.packet) } : input);
}

/** Who has our epoch seems to have the one before. */
function unlessColliding({ state }: Shell, packet: Packet): Packet {
  const { header } = packet;
  const { myself } = state;
  if (!myself.isMaster || header.master !== '' || header.configEpoch !== myself.configEpoch) return packet;
  return { ...packet, header: { ...header, configEpoch: header.configEpoch - 1 } };
}

/** Whatever a master claims, the owners that are known seem to have earlier epochs. */
function believeAll(shell: Shell): void {
  const { rules } = shell;
  const step = rules.step.bind(rules);
  rules.step = (now, input) => {
    if (input.kind !== 'packet' || input.packet.header.master !== '') return step(now, input);
    const { sender, configEpoch, slots } = input.packet.header;
    const epochs = new Map<Node, number>();
    for (const slot of slotsIn(slots)) {
      const owner = rules.state.owners[slot];
      if (owner === null || owner.id === sender || owner.configEpoch < configEpoch || epochs.has(owner)) continue;
      epochs.set(owner, owner.configEpoch);
      owner.configEpoch = configEpoch - 1;
    }
    const outputs = step(now, input);
    for (const [owner, epoch] of epochs) owner.configEpoch = Math.max(owner.configEpoch, epoch);
    return outputs;
  };
}

/** MIGRATE of all servers takes keys for arrived when it sends them; call what this answers to have it right again. */
export function plantIntoMigrate(): () => void {
  const { run } = Links.prototype;
  Links.prototype.run = function (migration, requests, over) {
    const all = [...requests()];
    const nobody = (): void => {};
    run.call(this, migration, () => all, nobody);
    queueMicrotask(() => over({ acknowledged: all.map(() => true), error: null }));
  };
  return () => {
    Links.prototype.run = run;
  };
}
