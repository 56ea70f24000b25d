/** Runs redis-benchmark, without blocking: a server waits where nobody reads what it logs. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What it says of one test. Latencies are in milliseconds. */
export interface BenchmarkRow {
  readonly name: string;
  readonly perSecond: number;
  readonly average: number;
  readonly least: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly longest: number;
}

/** A name may hold whatever a command does, the figures behind it are seven; a single request may take no time at all. */
const ROW = /^"(.*)"((?:,"(?:[0-9.]+|inf)"){7})$/;

/** Its tests on 127.0.0.1, in their order; of 50 connections where `args` say nothing else. Throws where there was none. */
export async function redisBenchmark(...args: readonly (string | number)[]): Promise<BenchmarkRow[]> {
  const { stdout } = await promisify(execFile)('redis-benchmark', ['--csv', ...args].map(String), {
    encoding: 'latin1',
  });
  const rows = stdout.split('\n').flatMap((line) => {
    const [, name, figures] = ROW.exec(line) ?? [];
    if (name === undefined) return [];
    const [perSecond, average, least, p50, p95, p99, longest] = figures.slice(2, -1).split('","').map(Number);
    return [{ name, perSecond, average, least, p50, p95, p99, longest }];
  });
  if (rows.length === 0) throw new Error(`redis-benchmark ${args.join(' ')} has measured nothing: ${stdout}`);
  return rows;
}

/** Requests a second of its last test. */
export async function requestsPerSecond(...args: readonly (string | number)[]): Promise<number> {
  return (await redisBenchmark(...args)).at(-1)!.perSecond;
}
