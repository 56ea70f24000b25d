/**
 * The tables beside the runner: what the real server passes, what we pass, and what is left out and why.
 *
 *   baseline-7.0.15.tsv   unit  ok  ignored  seconds     the real server's counts
 *   expected.tsv          unit  ok                       what we pass; only ever raised
 *   not-applicable.txt    name or /regex  # reason       never applies to us
 *   waiting.tsv           unit  name  capability         applies once that capability exists
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HERE = import.meta.dirname;

function rows(file: string): string[][] {
  return readFileSync(join(HERE, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split('\t'));
}

/** Tests that the real server passes, by unit, in the suite's own order. */
export function baseline(): Map<string, number> {
  return new Map(
    rows('baseline-7.0.15.tsv')
      .filter(([unit]) => unit !== 'unit')
      .map(([unit, ok]) => [unit!, Number(ok)]),
  );
}

/** Tests that we must pass, by unit. */
export function expected(): Map<string, number> {
  return new Map(rows('expected.tsv').map(([unit, ok]) => [unit!, Number(ok)]));
}

/** Units in which chance, or time, decides how many checks are made: on record are those that always are. */
export const DRAWN: ReadonlySet<string> = new Set([
  ...['integration/psync2', 'integration/psync2-reg'],
  'cluster/03-failover-loop',
]);

/** Raises the record where a unit passed more than before; it is never lowered here. */
export function raiseExpected(passed: Map<string, number>): void {
  const record = expected();
  for (const [unit, ok] of passed) if (!DRAWN.has(unit)) record.set(unit, Math.max(ok, record.get(unit) ?? 0));
  const order = [...baseline().keys()];
  const lines = [...record].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)).map((row) => row.join('\t'));
  writeFileSync(
    join(HERE, 'expected.tsv'),
    `# unit\ttests that pass; raised by --update, never lowered\n${lines.join('\n')}\n`,
  );
}

/** Lines for the harness's --skipfile: exact names, or patterns that start with '/'. */
export function skipLines(unit: string, withWaiting: boolean): string[] {
  const never = rows('not-applicable.txt').map(([name]) => name!.trimEnd());
  const waiting = rows('waiting.tsv').filter(([waitingUnit]) => waitingUnit === unit);
  return withWaiting ? never : [...never, ...waiting.map(([, name]) => name!)];
}
