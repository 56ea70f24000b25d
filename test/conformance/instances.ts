/**
 * Runs files of the suites of several servers: five Sentinels and five servers (`sentinel/00-base`), or twenty nodes of a
 * cluster (`cluster/00-base`), which are killed, stopped and started again by a harness of its own.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchCopy } from './suite.ts';
import { type Counts, type RunOptions, runHarness, type UnitResult, withoutColours } from './unit.ts';

/** From the first port of the Sentinels to that of the servers. */
const PORTS_A_KIND = 1200;
const STARTUP_LOOKS = 1000;
const LOG_BYTES_KEPT = 512 * 1024;

export function isOfInstances(unit: string): boolean {
  return /^(sentinel|cluster)\//.test(unit);
}

/** Of one of the two suites. */
export function isOfSuite(unit: string, suite: string): boolean {
  return isOfInstances(unit) && unit.startsWith(`${suite}/`);
}

/** `units`: files of one suite, which run one after another with the same instances. */
export async function runInstances(options: RunOptions, units: readonly string[]): Promise<UnitResult[]> {
  const [[kind, first]] = units.map((unit) => unit.split('/')) as [[string, string]];
  const files = units.map((unit) => `${unit.slice(kind.length + 1)}.tcl`);
  const name = units.length === 1 ? `${kind}-${first}` : kind;
  const folder = scratchCopy(options.suite, name, options.server);
  adapt(join(folder, 'tests', 'instances.tcl'), options.basePort);
  const log = join(options.logFolder, `${name}.log`);
  const started = performance.now();
  const command = [`./runtest-${kind}`, ...files.flatMap((file) => ['--single', file]), '--dont-clean'];
  const timedOut = await runHarness(folder, command, log, options.limitSeconds * units.length);
  const seconds = (performance.now() - started) / 1000;
  collectLogs(join(folder, 'tests', kind, 'tmp'), join(options.logFolder, `${name}.instances.log`));
  if (!options.keepScratch) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  const read = readInstances(kind, readFileSync(log, 'latin1'));
  return units.map((unit) => ({
    ...(read.get(unit) ?? { ...noCounts(unit), exceptions: ['the harness did not come to it'] }),
    seconds: seconds / units.length,
    timedOut,
  }));
}

/**
 * The harness takes no ports as arguments: they stand in its source. So does how often it looks for an instance that it has
 * started, every 50 ms: one has more time here, on a machine that does other things as well.
 */
function adapt(file: string, base: number): void {
  const ports = { sentinel_base_port: base, redis_base_port: base + PORTS_A_KIND };
  let text = readFileSync(file, 'utf8');
  for (const [name, port] of Object.entries(ports))
    text = text.replace(new RegExp(`(set ::${name}) \\d+`), `$1 ${port}`);
  text = text.replaceAll(/(server_is_up \S+ \$port) 100\b/g, `$1 ${STARTUP_LOOKS}`);
  writeFileSync(file, text);
}

function noCounts(unit: string): Counts {
  return { unit, ok: 0, failed: [], exceptions: [], ignored: 0, skipped: 0 };
}

/**
 * Reads `time> name: OK` and `time> name: FAILED: reason` of each file; what went wrong outside of a check has a line of its
 * own. Within a check the harness may say that it waits for a process; how the check ends then stands in a line by itself.
 */
export function readInstances(kind: string, text: string): Map<string, Counts> {
  const results = new Map<string, Counts>();
  let result = noCounts('');
  for (const line of withoutColours(text).split('\n')) {
    const [, file] = /^Testing unit: (.*)\.tcl$/.exec(line) ?? [];
    const [, name, reason] = /^[\d:]+> (.*): FAILED: (.*)$/.exec(line) ?? [];
    if (file !== undefined) {
      result = noCounts(`${kind}/${file}`);
      results.set(result.unit, result);
    } else if (/^[\d:]+> .*OK$|^OK$/.test(line)) result.ok++;
    else if (name !== undefined) result.failed.push(`${name}: ${reason}`);
    else if (/FAILED|\[exception\]|Can't start|WARNING: Aborting|^>>>>>>>>/.test(line)) result.exceptions.push(line);
  }
  if (!/^(GOOD! No errors\.|WARNING \d+ test\(s\) failed\.)$/m.test(withoutColours(text)))
    result.exceptions.push('the harness did not reach its end');
  return results;
}

/** What the instances logged, and what they wrote to stderr, one after the other. */
function collectLogs(temporary: string, target: string): void {
  const found = existsSync(temporary) ? readdirSync(temporary).sort() : [];
  const parts = found.flatMap((instance) =>
    ['log.txt', 'err.txt'].flatMap((file) => {
      const path = join(temporary, instance, file);
      const text = existsSync(path) ? readFileSync(path, 'latin1').slice(-LOG_BYTES_KEPT) : '';
      return text === '' ? [] : [`== ${instance}/${file}\n${text}\n`];
    }),
  );
  writeFileSync(target, parts.join(''), 'latin1');
}
