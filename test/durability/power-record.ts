/**
 * The record of a server at work, for power.ts: three clients write numbered units, some of them transactions, scripts or
 * large, and note each acknowledgement in the server's own record of operations; meanwhile the log is rewritten, turned
 * off and on, or snapshots are saved.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { pause, until } from '../reliability/harness.ts';
import type { Pipeline } from '../support/pipeline.ts';
import type { Settings } from './loader.ts';
import { resp } from './mutation.ts';
import { type Operation, parseOperations } from './power-model.ts';
import { preload } from './preload.ts';
import { DurableServer, field } from './server.ts';
import { unit } from './units.ts';

export const CLIENTS = 3;
const BATCH = 4;

/** When an acknowledged write counts as safe. */
export type Safety = 'always' | 'synced' | 'saved' | 'on';

export interface Scenario {
  readonly name: string;
  readonly settings: Settings;
  readonly promise: Safety;
  /** Files that are there at the start. */
  readonly files?: ReadonlyMap<string, Buffer>;
  /** Units that each client writes, and milliseconds that it rests after each batch. */
  readonly units: number;
  readonly rest: number;
  /** What a server is told before it takes writes, and after every start, where it may have been told before. */
  readonly first?: readonly (readonly string[])[];
  /** What is set otherwise when a server is started on a state. */
  readonly restart?: Settings;
  /** What is done meanwhile, over and over. */
  readonly meanwhile: (recording: Recording) => Promise<void>;
}

const AOF = { appendonly: 'yes', 'auto-aof-rewrite-percentage': 0 };
const OLD_UNITS = 40;

async function rewrite(recording: Recording): Promise<void> {
  await recording.control.call('BGREWRITEAOF');
  await recording.idle('aof_rewrite_in_progress');
}

async function offAndOn(recording: Recording): Promise<void> {
  const { control } = recording;
  await control.call('CONFIG', 'SET', 'appendonly', 'yes');
  await recording.idle('aof_rewrite_scheduled');
  await recording.idle('aof_rewrite_in_progress');
  if ((await field(control, 'aof_last_bgrewrite_status')) === 'ok') recording.note({ op: 'mark', what: 'on' });
  await pause(60);
  recording.note({ op: 'mark', what: 'off' });
  await control.call('CONFIG', 'SET', 'appendonly', 'no');
}

async function save(recording: Recording): Promise<void> {
  const { control, random } = recording;
  const counts = [...recording.acknowledged];
  if (random.below(2) === 0) {
    if ((await control.call('SAVE')) !== 'OK') return;
  } else {
    await control.call('BGSAVE');
    await recording.idle('rdb_bgsave_in_progress');
    if ((await field(control, 'rdb_last_bgsave_status')) !== 'ok') return;
  }
  for (const [client, n] of counts.entries()) recording.note({ op: 'saved', client, n });
}

/** A log of before Redis 7: what clients would have written, in one file. */
function oldLog(): Map<string, Buffer> {
  const parts = [resp('SELECT', 0)];
  for (let n = 1; n <= OLD_UNITS; n++)
    for (let client = 0; client < CLIENTS; client++)
      for (const command of unit(client, n)) parts.push(resp(...command));
  return new Map([['appendonly.aof', Buffer.from(parts.join(''))]]);
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'always',
    settings: { ...AOF, appendfsync: 'always' },
    promise: 'always',
    units: 250,
    rest: 4,
    meanwhile: rewrite,
  },
  {
    name: 'always without a preamble',
    settings: { ...AOF, appendfsync: 'always', 'aof-use-rdb-preamble': 'no' },
    promise: 'always',
    units: 250,
    rest: 4,
    meanwhile: rewrite,
  },
  {
    name: 'everysec',
    settings: { ...AOF, appendfsync: 'everysec' },
    promise: 'synced',
    units: 300,
    rest: 60,
    meanwhile: rewrite,
  },
  {
    name: 'turned on',
    settings: { appendfsync: 'always' },
    promise: 'on',
    units: 250,
    rest: 4,
    restart: { appendonly: 'yes' },
    meanwhile: offAndOn,
  },
  { name: 'snapshots', settings: {}, promise: 'saved', units: 250, rest: 4, meanwhile: save },
  {
    name: 'old log',
    settings: { ...AOF, appendfsync: 'always' },
    promise: 'always',
    files: oldLog(),
    units: 150,
    rest: 4,
    meanwhile: rewrite,
  },
  {
    name: 'raft',
    settings: { 'raft-enabled': 'yes', 'raft-election-timeout': 5000, 'raft-log-size': '64kb' },
    promise: 'always',
    units: 250,
    rest: 4,
    first: [['RAFT', 'INIT']],
    restart: { 'raft-election-timeout': 200 },
    meanwhile: () => Promise.resolve(),
  },
];

/** What a client had before it wrote anything. */
export function startOf(scenario: Scenario): number {
  return scenario.files === undefined ? 0 : OLD_UNITS;
}

export class Recording {
  readonly acknowledged: number[];
  readonly random: Random;
  readonly control: Pipeline;
  private readonly server: DurableServer;
  private readonly scenario: Scenario;
  private readonly ops: number;

  constructor(server: DurableServer, scenario: Scenario, ops: number, seed: number) {
    this.server = server;
    this.control = server.connect();
    this.scenario = scenario;
    this.ops = ops;
    this.random = new SeededRandom(seed);
    this.acknowledged = Array.from({ length: CLIENTS }, () => startOf(scenario));
  }

  note(operation: Operation): void {
    writeSync(this.ops, `${JSON.stringify(operation)}\n`);
  }

  async idle(name: string): Promise<void> {
    await until(async () => (await field(this.control, name)) === '0', `${name} is 0`);
  }

  private async client(client: number): Promise<void> {
    const pipeline = this.server.connect();
    const { units, rest } = this.scenario;
    const random = new SeededRandom(client, units);
    for (let n = this.acknowledged[client] + 1; n <= units; ) {
      const count = Math.min(units + 1 - n, 1 + random.below(BATCH));
      const commands = Array.from({ length: count }, (_, i) => unit(client, n + i)).flat();
      this.note({ op: 'issued', client, n: n + count - 1 });
      const bad = (await pipeline.send(commands)).find((reply) => reply instanceof Error);
      if (bad !== undefined) throw new Error(`${this.scenario.name}: a write was refused: ${bad}`);
      n += count;
      this.acknowledged[client] = n - 1;
      this.note({ op: 'ack', client, n: n - 1 });
      await pause(rest);
    }
    pipeline.close();
  }

  async run(): Promise<void> {
    for (const command of this.scenario.first ?? []) await this.control.call(...command);
    // Only a member of a group has such a field.
    await until(async () => (await field(this.control, 'raft_serving')) !== '0', 'it serves');
    let over = false;
    const writing = Promise.all(this.acknowledged.map((_, client) => this.client(client))).finally(() => {
      over = true;
    });
    const beside = (async () => {
      while (!over) {
        await pause(30 + this.random.below(60));
        await this.scenario.meanwhile(this);
      }
    })();
    await Promise.all([writing, beside]);
  }
}

/** Plays a scenario in `folder`; the operations on it in their order. */
export async function record(folder: string, scenario: Scenario, seed: number): Promise<Operation[]> {
  const tools = dirname(folder);
  const ops = join(tools, 'operations');
  rmSync(ops, { force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of scenario.files ?? []) writeFileSync(join(folder, name), bytes);
  const noted = openSync(ops, 'a');
  const options = Object.entries({ save: '', ...scenario.settings }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  const env = { NODE_OPTIONS: preload(tools, 'interpose'), CINNABAR_OPS: ops };
  const server = await DurableServer.start(folder, { options, env });
  try {
    await new Recording(server, scenario, noted, seed).run();
  } finally {
    await server.kill();
    closeSync(noted);
  }
  return parseOperations(readFileSync(ops));
}
