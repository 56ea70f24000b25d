/**
 * What every command takes of the server's processor, beside redis-server in one run:
 *
 *   npm run bench:commands [-- --only sort,zsets,CONFIG | --repeat N | --milliseconds N | --smoke]
 *
 * `--only` names families (commands/families.ts) or words of which a row's name has one. One connection sends batches of a
 * row's steps and waits for the end of each. Two servers serve a family and take turns, A B A B, after those
 * that do not count, until what a step costs has settled; a turn lasts until the server has used `--milliseconds` of its processor. Of the turns the least counts.
 * Rows are printed by their ratio, ours over Redis's, at the end.
 */
import { Pipeline } from '../../test/support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { Driver, encodeBatch, threadSecondsOf } from './commands/driver.ts';
import { FAMILIES, SETTINGS, SMOKE_SIZES, USUAL_SIZES } from './commands/families.ts';
import { begin, type Family, type Row, type Sizes, times, type Words } from './commands/row.ts';
import { Options, sleep } from './options.ts';

/** Different steps that a row is sent. */
const STEPS = 1024;
const MOST_AT_ONCE = 64;
/** A batch takes redis-server about so long: 64 steps that cost little, one that costs much. */
const BATCH_SECONDS = 0.0005;
/** Steps by which their cost is estimated. */
const TRIED = 8;
/** V8 has compiled all it will once the least of so many turns is about what was the least before them. */
const LATEST = 6;
const FASTER = 0.95;
const SLOWER = 1.1;
const FILLED_AT_ONCE = 1000;
/** From this ratio on a row is named at the end. */
const SLOW = 1.5;

interface Plan {
  readonly only: readonly string[];
  readonly repeat: number;
  /** Processor seconds of a turn. */
  readonly turn: number;
  /** The most turns that a row is given to settle. */
  readonly warming: number;
  readonly sizes: Sizes;
}

interface Figure {
  readonly family: string;
  readonly name: string;
  /** Least microseconds a step. */
  readonly redis: number;
  readonly ours: number;
}

interface Batches {
  readonly steps: number;
  readonly bytes: readonly Buffer[];
}

/** The servers of a family, and a connection to each for its rows. */
class Bench {
  private readonly plan: Plan;
  private readonly servers: readonly [ServerProcess, ServerProcess];

  constructor(plan: Plan, servers: readonly [ServerProcess, ServerProcess]) {
    this.plan = plan;
    this.servers = servers;
  }

  /** Makes the family's data on both servers. */
  async fill(family: Family): Promise<void> {
    for (const { port } of this.servers) {
      const pipeline = new Pipeline(port);
      await begin(
        family,
        (words) => pipeline.call(...words),
        () => sleep(100),
      );
      let batch: Words[] = [];
      const send = async (): Promise<void> => {
        const failed = (await pipeline.send(batch)).find((answer) => answer instanceof Error);
        if (failed !== undefined) throw failed;
        batch = [];
      };
      for (const words of family.data(this.plan.sizes)) if (batch.push(words) === FILLED_AT_ONCE) await send();
      await send();
      pipeline.close();
    }
  }

  async measure(family: Family, row: Row): Promise<Figure> {
    for (const server of this.servers) await prove(server, row);
    const idle = this.servers.flatMap(({ port }) => times(row.idle ?? 0, () => new Pipeline(port)));
    await Promise.all(idle.map((each) => each.call('PING')));
    const drivers = this.servers.map(({ port }) => new Driver(port));
    try {
      for (const driver of drivers) await driver.run(encodeBatch([['SELECT', String(row.database ?? 0)]]));
      const batches = await this.batchesOf(row, drivers[0]);
      const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      for (const [k, driver] of drivers.entries()) await this.warm(driver, this.servers[k].pid, batches);
      for (let turn = 0; turn < this.plan.repeat; turn++)
        for (const [k, driver] of drivers.entries())
          least[k] = Math.min(least[k], await this.turn(driver, this.servers[k].pid, batches));
      return { family: family.name, name: row.name, redis: least[0], ours: least[1] };
    } finally {
      for (const each of [...drivers, ...idle]) each.close();
    }
  }

  /** The steps of a row in batches, of which redis-server says how large they are to be. */
  private async batchesOf(row: Row, redis: Driver): Promise<Batches> {
    const { pid } = this.servers[0];
    const tried = encodeBatch(times(TRIED, (i) => row.step(i)).flat());
    const before = threadSecondsOf(pid);
    await redis.run(tried);
    const each = Math.max((threadSecondsOf(pid) - before) / TRIED, 1e-9);
    const steps = Math.max(1, Math.min(MOST_AT_ONCE, Math.round(BATCH_SECONDS / each)));
    const count = Math.ceil(Math.min(STEPS, steps * MOST_AT_ONCE) / steps);
    const bytes = times(count, (k) => encodeBatch(times(steps, (i) => row.step(k * steps + i)).flat()));
    return { steps, bytes };
  }

  /** Turns that do not count, in which code is compiled. */
  private async warm(driver: Driver, pid: number, batches: Batches): Promise<void> {
    const turns: number[] = [];
    while (turns.length < this.plan.warming && !settled(turns)) turns.push(await this.turn(driver, pid, batches));
  }

  /** Microseconds of the processor a step. */
  private async turn(driver: Driver, pid: number, { steps, bytes }: Batches): Promise<number> {
    const before = threadSecondsOf(pid);
    let used = 0;
    let sent = 0;
    // The clock is read the less often the more batches there have been.
    for (let next = 1; used < this.plan.turn; next = Math.ceil(sent / 4)) {
      for (let i = 0; i < next; i++) await driver.run(bytes[sent++ % bytes.length]);
      used = threadSecondsOf(pid) - before;
    }
    return (used * 1e6) / (sent * steps);
  }
}

/** Whether the latest turns have become neither faster than those before them nor, while code is compiled anew, slower. */
function settled(turns: readonly number[]): boolean {
  const change = Math.min(...turns.slice(-LATEST)) / Math.min(...turns.slice(0, -LATEST));
  return change > FASTER && change < SLOWER;
}

/** Throws where a row's commands are refused: what is measured is no error. */
async function prove(server: ServerProcess, row: Row): Promise<void> {
  const pipeline = new Pipeline(server.port);
  const answers = await pipeline.send([['SELECT', String(row.database ?? 0)], ...row.step(0)]);
  pipeline.close();
  const failed = answers.find((answer) => answer instanceof Error);
  if (failed !== undefined) throw new Error(`${row.name}: ${String(failed)}`);
}

function chosen(family: Family, { only, sizes }: Plan): readonly Row[] {
  const rows = family.rows(sizes);
  if (only.length === 0 || only.includes(family.name)) return rows;
  return rows.filter(({ name }) => name.split(/[ ,]+/).some((word) => only.includes(word)));
}

async function measureFamily(plan: Plan, family: Family, rows: readonly Row[]): Promise<Figure[]> {
  const settings = { ...SETTINGS, ...family.settings };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const redis = await startRedis(...options);
  try {
    const ours = await startCinnabar(...options);
    try {
      const bench = new Bench(plan, [redis, ours]);
      await bench.fill(family);
      const figures: Figure[] = [];
      // What servers do by themselves after so many keys is over when the first row is measured again.
      await bench.measure(family, rows[0]);
      for (const row of rows) {
        const figure = await bench.measure(family, row);
        console.error(shown(figure));
        figures.push(figure);
      }
      return figures;
    } finally {
      await ours.stop();
    }
  } finally {
    await redis.stop();
  }
}

const ratioOf = ({ redis, ours }: Figure): number => ours / redis;

function shown(figure: Figure): string {
  const microseconds = (value: number): string => value.toFixed(value < 100 ? 2 : 0).padStart(9);
  const cells = [microseconds(figure.redis), microseconds(figure.ours), ratioOf(figure).toFixed(2).padStart(6)];
  return `${figure.family.padEnd(9)}${figure.name.padEnd(42)}${cells.join(' ')}`;
}

function print(figures: readonly Figure[]): void {
  const sorted = figures.toSorted((a, b) => ratioOf(b) - ratioOf(a));
  console.log(`${'us of the processor a step'.padEnd(51)}    redis      ours  ratio`);
  for (const figure of sorted) console.log(shown(figure));
  const mean = Math.exp(sorted.reduce((sum, figure) => sum + Math.log(ratioOf(figure)), 0) / sorted.length);
  const slow = sorted.filter((figure) => ratioOf(figure) > SLOW);
  console.log(`geometric mean of ${sorted.length} rows ${mean.toFixed(3)}; over ${SLOW}: ${slow.length}`);
  for (const figure of slow) console.log(`  ${ratioOf(figure).toFixed(2)}  ${figure.name}`);
}

const given = new Options('npm run bench:commands --', ['only', 'repeat', 'milliseconds']);
const plan: Plan = {
  only: given.list('only', []),
  repeat: given.number('repeat', 3, 1),
  turn: given.number('milliseconds', 50, 2) / 1000,
  warming: given.smoke ? 5 : 40,
  sizes: given.smoke ? SMOKE_SIZES : USUAL_SIZES,
};
const figures: Figure[] = [];
for (const family of FAMILIES) {
  const rows = chosen(family, plan);
  if (rows.length > 0) figures.push(...(await measureFamily(plan, family, rows)));
}
if (figures.length > 0) print(figures);
else console.error(`no row is of ${plan.only.join(', ')}; families are ${FAMILIES.map(({ name }) => name).join(', ')}`);
