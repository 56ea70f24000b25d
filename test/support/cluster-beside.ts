/** A server of ours that is told where slots are by a table, beside a real node of a cluster with the same slots. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { GATE_READONLY } from '../../src/engine/gates.ts';
import { Beside } from './beside.ts';
import { Pipeline } from './pipeline.ts';
import { SlotTable } from './slot-table.ts';

const HOUR_MS = 3_600_000;
/** A node that starts serves no keys for two seconds; twice that for a machine that is busy. */
const PATIENCE_MS = 15_000;

export class ClusterBeside {
  readonly both: Beside;
  readonly table: SlotTable;
  private readonly admin: Pipeline;
  private readonly folder: string;

  private constructor(both: Beside, table: SlotTable, folder: string) {
    this.both = both;
    this.table = table;
    this.folder = folder;
    this.admin = new Pipeline(both.theirsPort);
    const { membership, gates } = both.server.engine;
    membership.join(table);
    gates.set(GATE_READONLY, 'replica', table.myself.master !== null);
  }

  static async start(isReplica = false, settings: Readonly<Record<string, string>> = {}): Promise<ClusterBeside> {
    const table = new SlotTable(isReplica);
    const folder = mkdtempSync(join(tmpdir(), 'cinnabar-cluster-'));
    const file = join(folder, 'nodes.conf');
    writeFileSync(file, table.file);
    const cluster = { 'cluster-enabled': 'yes', 'cluster-config-file': file, 'cluster-node-timeout': String(HOUR_MS) };
    const node = new ClusterBeside(await Beside.start({ ...settings, ...cluster }), table, folder);
    await node.theirsIs('ok');
    return node;
  }

  async stop(): Promise<void> {
    this.admin.close();
    await this.both.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async theirs(...words: string[]): Promise<void> {
    expect(await this.admin.send([['CLUSTER', ...words]])).toEqual(['OK']);
  }

  private async theirsIs(state: 'ok' | 'fail'): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const [info] = await this.admin.send([['CLUSTER', 'INFO']]);
      if (String(info).includes(`cluster_state:${state}`)) return;
      if (performance.now() > end) throw new Error(`redis-server does not come to be ${state}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** A slot of ours goes to the other node. */
  async migrating(slot: number): Promise<void> {
    const { table } = this;
    table.migrating.set(slot, table.other);
    await this.theirs('SETSLOT', String(slot), 'MIGRATING', table.other.id);
  }

  /** A slot of the other node's comes to us. */
  async importing(slot: number): Promise<void> {
    const { table } = this;
    table.importing.set(slot, table.other);
    await this.theirs('SETSLOT', String(slot), 'IMPORTING', table.other.id);
  }

  async stable(slot: number): Promise<void> {
    this.table.migrating.delete(slot);
    this.table.importing.delete(slot);
    await this.theirs('SETSLOT', String(slot), 'STABLE');
  }

  /** The slot, which has no keys here, is the other's or ours from now on. */
  async assign(slot: number, to: 'other' | 'us'): Promise<void> {
    const { table, both } = this;
    const node = to === 'other' ? table.other : table.myself;
    table.owners[slot] = node;
    table.migrating.delete(slot);
    table.importing.delete(slot);
    await this.theirs('SETSLOT', String(slot), 'NODE', node.id);
    const { membership } = both.server.engine;
    if (to === 'other') membership.endSubscriptions([slot]);
    this.follow();
  }

  /** Nobody serves the slot any more. */
  async unassign(slot: number, state: 'ok' | 'fail'): Promise<void> {
    const { table } = this;
    table.owners[slot] = null;
    table.ok = state === 'ok';
    await this.theirs('DELSLOTS', String(slot));
    await this.theirsIs(state);
    this.follow();
  }

  async add(slot: number): Promise<void> {
    const { table } = this;
    table.owners[slot] = table.myself;
    table.ok = true;
    await this.theirs('ADDSLOTS', String(slot));
    await this.theirsIs('ok');
    this.follow();
  }

  private follow(): void {
    const { engine } = this.both.server;
    engine.enter();
    engine.membership.redirectWaiters();
    engine.beforeWrite();
  }
}
