/** One life of a node of the simulated cluster, from its start to its end, and what it decides meanwhile. */
import type { Slice } from '../../src/base/slice.ts';
import type { Packet } from '../../src/cluster/bus/packet.ts';
import type { Input } from '../../src/cluster/messages.ts';
import type { NodesFile } from '../../src/cluster/nodes-file.ts';
import { shellOf } from '../../src/cluster/owners.ts';
import type { Shell } from '../../src/cluster/shell.ts';
import type { ClusterState, Connection, Node } from '../../src/cluster/state.ts';
import type { Database } from '../../src/keyspace/database.ts';
import { NULL } from '../../src/memory/address.ts';
import type { Process } from './world.ts';

/**
 * How a node has come to what it claims:
 *
 *   elected   the master was down            forced   by FAILOVER FORCE, with votes      moved   a slot has come to it
 *   agreed    the master has waited for it   taken    by FAILOVER TAKEOVER, without      alone   it gave itself an epoch
 */
export type Way = 'elected' | 'agreed' | 'forced' | 'taken' | 'moved' | 'alone';

/** Who is told what a node does. */
export interface LifeWatcher {
  /** In this step a node may come to claim more than before. */
  mayClaim(life: Life): void;
  /** It has. */
  claims(life: Life, way: Way): void;
  /** It holds another for the owner of a slot than one of that epoch, because of what others say. */
  heardOwner(life: Life, slot: number, epoch: number, owner: Node): void;
  /** False where the packet is lost, and its connection with it. */
  leaves(life: Life, packet: Packet, to: string): boolean;
  written(life: Life, file: NodesFile): void;
}

export class Life {
  readonly name: string;
  readonly process: Process;
  readonly shell: Shell;
  private readonly db: Database;

  constructor(name: string, process: Process) {
    const { engine } = process.server;
    this.name = name;
    this.process = process;
    this.shell = shellOf(engine)!;
    [this.db] = engine.keyspaces.databases;
  }

  get state(): ClusterState {
    return this.shell.state;
  }

  /** Whether it claims the slot. */
  owns(slot: number): boolean {
    return this.state.myself.slots.has(slot);
  }

  has(key: Slice): boolean {
    return this.db.peek(key, this.db.hash(key)) !== NULL;
  }

  keysIn(slot: number): number {
    return this.db.countSlot(slot);
  }

  get loading(): boolean {
    return this.process.server.engine.server.persistence.loading;
  }

  /** Tells `watcher` of everything from now on; `slots` are those whose owners matter. */
  watch(slots: readonly number[], watcher: LifeWatcher): void {
    const { rules, connections, parts } = this.shell;
    const { write } = parts;
    Object.assign(parts, {
      write: (file: NodesFile, sync: boolean): void => {
        write(file, sync);
        watcher.written(this, file);
      },
    });
    const send = connections.send.bind(connections);
    connections.send = (connection: Connection, packet: Packet): void => {
      if (!connection.open || watcher.leaves(this, packet, connection.ip)) send(connection, packet);
      else connections.kill(connection, 'broken');
    };
    const step = rules.step.bind(rules);
    rules.step = (now, input) => {
      if (this.mayClaim(input)) watcher.mayClaim(this);
      const before = this.standing(slots);
      const outputs = step(now, input);
      this.compare(before, slots, input, watcher);
      return outputs;
    };
  }

  /** Votes win, an administrator gives a slot or asks for a failover. */
  private mayClaim(input: Input): boolean {
    if (input.kind === 'command') return input.command.name === 'setslot' || input.command.name === 'failover';
    return this.state.election.asked && (input.kind !== 'packet' || input.packet.body.type === 'auth-ack');
  }

  private standing(slots: readonly number[]): Standing {
    const { myself, owners, unclaimed, manual, election } = this.state;
    return {
      isMaster: myself.isMaster,
      configEpoch: myself.configEpoch,
      size: myself.slots.size,
      owners: slots.map((slot) => owners[slot]?.configEpoch ?? 0),
      names: slots.map((slot) => (unclaimed.has(slot) ? '' : (owners[slot]?.id ?? ''))),
      isManual: manual.end !== 0,
      agreed: manual.masterOffset !== -1,
      asked: election.asked,
    };
  }

  private compare(before: Standing, slots: readonly number[], input: Input, watcher: LifeWatcher): void {
    const { myself, owners } = this.state;
    // Who takes slots for itself was elected, whatever epoch its master has given itself meanwhile: `claims` is told of that.
    if (input.kind === 'packet')
      slots.forEach((slot, i) => {
        const owner = owners[slot];
        if (owner !== null && owner !== myself && before.names[i] !== '' && owner.id !== before.names[i])
          watcher.heardOwner(this, slot, before.owners[i], owner);
      });
    if (!myself.isMaster || myself.slots.size === 0) return;
    if (!before.isMaster) watcher.claims(this, wayOf(before));
    else if (input.kind === 'command' && myself.slots.size > before.size) watcher.claims(this, 'moved');
    else if (myself.configEpoch !== before.configEpoch) watcher.claims(this, 'alone');
  }
}

/** What a node is and believes before a step. */
interface Standing {
  readonly isMaster: boolean;
  readonly configEpoch: number;
  readonly size: number;
  /** Of the owners of the slots that matter: config epochs; and IDs, '' where nobody claims them. */
  readonly owners: readonly number[];
  readonly names: readonly string[];
  readonly isManual: boolean;
  readonly agreed: boolean;
  readonly asked: boolean;
}

/** How a replica has become a master. */
function wayOf({ isManual, agreed, asked }: Standing): Way {
  if (!isManual) return asked ? 'elected' : 'taken';
  return agreed ? 'agreed' : 'forced';
}
