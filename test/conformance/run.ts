/**
 * The official test suite of Redis 7.0.15, run against dist/main.js.
 *
 *   npm run test:conformance                          the units of expected.tsv
 *   npm run test:conformance -- unit/type/string ...  these units; type/string and string do as well
 *   npm run test:conformance -- sentinel              the files of the Sentinel suite, or of that of Cluster
 *     --all           every unit of the suite
 *     --real WHICH    in those two Debian's own: servers, sentinels, or odd (every second instance of both)
 *     --together      those files one after another with the same servers, as the suite itself plays them
 *     --update        raise expected.tsv to what passed
 *     --waiting       run the tests of waiting.tsv too
 *     --only NAME     only the test of this name, or of this /pattern (repeatable)
 *     --server PATH   another server, such as redis-server itself, with nothing skipped unless --skip is given
 *     --jobs N        units at a time (2)      --limit S     seconds a unit may take (600)
 *     --baseport P    first port (21111)       --keep        leave the scratch copies
 *
 * Exits with 1 when a unit passes fewer tests than expected.tsv records, or fails any where that number is not fixed.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MAIN, startCinnabar } from '../support/server-process.ts';
import { isOfInstances, isOfSuite, runInstances } from './instances.ts';
import { baseline, DRAWN, expected, raiseExpected, skipLines } from './records.ts';
import { ensureSuite, foreignServer, mixedServer, ownServer, REAL_INSTANCES, type ServerUnderTest } from './suite.ts';
import { killAll, runUnit, type UnitResult } from './unit.ts';

const LOGS = join(import.meta.dirname, '.logs');
/** Ports that one unit may use; the next worker's begin after them. */
const PORTS_A_WORKER = 3000;
const FAILED_NAMES_SHOWN = 40;
const SUITES_OF_INSTANCES = ['sentinel', 'cluster'];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: 'boolean', default: false },
    update: { type: 'boolean', default: false },
    waiting: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    together: { type: 'boolean', default: false },
    skip: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    server: { type: 'string' },
    real: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    limit: { type: 'string', default: '600' },
    baseport: { type: 'string', default: '21111' },
  },
});

/** The units that were asked for, by their full names. */
function chosenUnits(known: string[]): string[] {
  if (flags.all) return known;
  if (positionals.length === 0) return [...expected().keys()];
  return positionals.flatMap((asked) => {
    if (SUITES_OF_INSTANCES.includes(asked)) return known.filter((unit) => isOfSuite(unit, asked));
    const unit = known.find((name) => [name, `unit/${name}`].includes(asked) || name.endsWith(`/${asked}`));
    if (unit === undefined) throw new Error(`no such unit: ${asked}`);
    return unit;
  });
}

/** What is played by one harness after another. */
function batches(units: readonly string[]): [string, ...string[]][] {
  if (!flags.together) return units.map((unit) => [unit]);
  const suites = SUITES_OF_INSTANCES.map((suite) => units.filter((unit) => isOfSuite(unit, suite)));
  const others = units.filter((unit) => !isOfInstances(unit)).map((unit) => [unit]);
  return [...suites, ...others].filter((batch): batch is [string, ...string[]] => batch.length > 0);
}

/** A server that dies at its start costs the harness two minutes a time: look at it once before. */
async function assertServerStarts(): Promise<void> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build`);
  const server = await startCinnabar();
  await server.stop();
}

function serverUnderTest(): ServerUnderTest {
  if (flags.server !== undefined) return foreignServer(resolve(flags.server));
  const ours = ownServer(MAIN);
  if (flags.real === undefined) return ours;
  const real = REAL_INSTANCES.find((name) => name === flags.real);
  if (real === undefined) throw new Error(`--real is one of ${REAL_INSTANCES.join(', ')}`);
  return mixedServer(ours, real);
}

function reportUnit(result: UnitResult, real: number, record: number | undefined): void {
  const { unit, ok, failed, exceptions, ignored, skipped, seconds, timedOut } = result;
  const counts = `${ok} ok of ${real}, ${failed.length} err, ${exceptions.length} exception`;
  const rest = `${ignored} ignored, ${skipped} skipped, ${seconds.toFixed(1)} s`;
  const below = record !== undefined && ok < record ? `   BELOW THE RECORD OF ${record}` : '';
  console.log(`${unit.padEnd(24)} ${counts}, ${rest}${timedOut ? '   TIMED OUT' : ''}${below}`);
  for (const name of failed.slice(0, FAILED_NAMES_SHOWN)) console.log(`    - ${name.slice(0, 160)}`);
  if (failed.length > FAILED_NAMES_SHOWN) console.log(`    ... and ${failed.length - FAILED_NAMES_SHOWN} more`);
  for (const text of exceptions) console.log(`    ! ${text.slice(0, 300)}`);
}

async function main(): Promise<number> {
  const real = baseline();
  const record = flags.server === undefined && flags.only.length === 0 ? expected() : new Map<string, number>();
  const queue = batches(chosenUnits([...real.keys()]));
  const suite = ensureSuite();
  if (flags.server === undefined) await assertServerStarts();
  const server = serverUnderTest();
  mkdirSync(LOGS, { recursive: true });

  const results: UnitResult[] = [];
  const work = async (worker: number): Promise<void> => {
    for (let units = queue.shift(); units !== undefined; units = queue.shift()) {
      const options = {
        suite,
        server,
        only: flags.only,
        basePort: Number(flags.baseport) + worker * PORTS_A_WORKER,
        limitSeconds: Number(flags.limit),
        logFolder: LOGS,
        keepScratch: flags.keep,
      };
      const [unit] = units;
      const skip = flags.server === undefined || flags.skip ? skipLines(unit, flags.waiting) : [];
      const played = isOfInstances(unit)
        ? await runInstances(options, units)
        : [await runUnit({ ...options, unit, skip })];
      results.push(...played);
      for (const result of played) reportUnit(result, real.get(result.unit) ?? 0, record.get(result.unit));
    }
  };
  await Promise.all(Array.from({ length: Number(flags.jobs) }, (_, worker) => work(worker)));

  const sum = (count: (result: UnitResult) => number): number => results.reduce((total, r) => total + count(r), 0);
  const bad = `${sum((r) => r.failed.length)} err, ${sum((r) => r.exceptions.length)} exception`;
  const left = `${sum((r) => r.ignored)} ignored, ${sum((r) => r.skipped)} skipped`;
  console.log(`TOTAL ${results.length} units: ${sum((r) => r.ok)} ok, ${bad}, ${left}; logs in test/conformance/.logs`);
  const below = results.filter(({ unit, ok, failed, exceptions }) => {
    const wrong = DRAWN.has(unit) && failed.length + exceptions.length > 0;
    return wrong || ok < (record.get(unit) ?? 0);
  });
  if (flags.update) raiseExpected(new Map(results.map(({ unit, ok }) => [unit, ok])));
  return below.length > 0 ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    killAll();
    process.exit(130);
  });
}
process.exitCode = await main();
