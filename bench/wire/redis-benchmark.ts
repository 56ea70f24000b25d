/** Runs redis-benchmark, without blocking: a server waits where nobody reads what it logs. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A row has a name, which may hold whatever a command does, and seven figures; a single request may take no time at all. */
const ROW = /^".*","([0-9.]+|inf)"(?:,"(?:[0-9.]+|inf)"){6}$/;

/** Requests a second of its last test on 127.0.0.1; of 50 connections where `args` say nothing else. Throws where there was none. */
export async function requestsPerSecond(...args: readonly (string | number)[]): Promise<number> {
  const { stdout } = await promisify(execFile)('redis-benchmark', ['--csv', ...args].map(String), {
    encoding: 'latin1',
  });
  const rates = stdout.split('\n').flatMap((line) => ROW.exec(line)?.[1] ?? []);
  if (rates.length === 0) throw new Error(`redis-benchmark ${args.join(' ')} has measured nothing: ${stdout}`);
  return Number(rates.at(-1));
}
