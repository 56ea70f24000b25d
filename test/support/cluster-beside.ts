/** A node of a cluster of ours beside a real one: both begin with the same nodes.conf, of two nodes of which one is not there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Beside } from './beside.ts';
import { Pipeline } from './pipeline.ts';

const OURS = 'a'.repeat(40);
const OTHERS = 'b'.repeat(40);
/** Where the other node was. */
export const OTHER = '127.0.0.1:1';
/** Before it is taken for down. */
const HOUR_MS = 3_600_000;
const PATIENCE_MS = 20_000;

/** The node serves the lower half of the slots and the other the upper; or, as a replica of that one, none, and it all. */
function nodesFile(isReplica: boolean): string {
  const [role, mine, theirs] = isReplica ? [`slave ${OTHERS}`, '', '0-16383'] : ['master -', ' 0-8191', '8192-16383'];
  return [
    `${OURS} 127.0.0.1:2@10002 myself,${role} 0 0 1 connected${mine}`,
    `${OTHERS} ${OTHER}@10001 master - 0 0 2 connected ${theirs}`,
    'vars currentEpoch 2 lastVoteEpoch 0',
    '',
  ].join('\n');
}

export class ClusterBeside {
  readonly both: Beside;
  private readonly admins: readonly Pipeline[];
  private readonly folder: string;

  private constructor(both: Beside, folder: string) {
    this.both = both;
    this.folder = folder;
    this.admins = [new Pipeline(both.server.port), new Pipeline(both.theirsPort)];
  }

  static async start(isReplica = false, settings: Readonly<Record<string, string>> = {}): Promise<ClusterBeside> {
    const folder = mkdtempSync(join(tmpdir(), 'cinnabar-cluster-'));
    const file = (side: string): string => {
      mkdirSync(join(folder, side));
      writeFileSync(join(folder, side, 'nodes.conf'), nodesFile(isReplica));
      return join(folder, side, 'nodes.conf');
    };
    const cluster = { ...settings, 'cluster-enabled': 'yes', 'cluster-node-timeout': String(HOUR_MS) };
    const own = { 'cluster-config-file': file('ours') };
    const both = await Beside.start(cluster, { ours: own, theirs: { 'cluster-config-file': file('theirs') } });
    const node = new ClusterBeside(both, folder);
    await node.until('ok');
    return node;
  }

  async stop(): Promise<void> {
    for (const admin of this.admins) admin.close();
    await this.both.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async cluster(...words: string[]): Promise<void> {
    for (const admin of this.admins) expect(await admin.send([['CLUSTER', ...words]])).toEqual(['OK']);
  }

  /** Waits until both are in that state. */
  async until(state: 'ok' | 'fail'): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (const admin of this.admins) {
      while (!String(await admin.call('CLUSTER', 'INFO')).includes(`cluster_state:${state}`)) {
        if (performance.now() > end) throw new Error(`a node does not come to be ${state}`);
        await new Promise((done) => setTimeout(done, 20));
      }
    }
  }

  /** A slot of ours goes to the other node. */
  migrating(slot: number): Promise<void> {
    return this.cluster('SETSLOT', String(slot), 'MIGRATING', OTHERS);
  }

  /** A slot of the other node's comes to us. */
  importing(slot: number): Promise<void> {
    return this.cluster('SETSLOT', String(slot), 'IMPORTING', OTHERS);
  }

  stable(slot: number): Promise<void> {
    return this.cluster('SETSLOT', String(slot), 'STABLE');
  }

  /** The slot, which has no keys here, is the other's or ours from now on. */
  assign(slot: number, to: 'other' | 'us'): Promise<void> {
    return this.cluster('SETSLOT', String(slot), 'NODE', to === 'other' ? OTHERS : OURS);
  }

  /** Nobody serves the slot any more. */
  async unassign(slot: number, state: 'ok' | 'fail'): Promise<void> {
    await this.cluster('DELSLOTS', String(slot));
    await this.until(state);
  }

  async add(slot: number): Promise<void> {
    await this.cluster('ADDSLOTS', String(slot));
    await this.until('ok');
  }
}
