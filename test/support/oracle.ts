/**
 * Programs that tests compare with, or look with. Where one is missing, whoever asks for it leaves the test that runs, or the
 * suite whose beforeAll runs, as skipped; the report counts them (left-out.ts).
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export type OracleProgram =
  | 'redis-server'
  | 'redis-cli'
  | 'redis-benchmark'
  | 'redis-check-rdb'
  | 'redis-check-aof'
  | 'prometheus-redis-exporter'
  | 'openssl'
  | 'flock'
  | 'chromium';

/** Under this name on globalThis: how to leave the test or suite that runs; set by runner.ts, another module's instance. */
export const LEAVE = Symbol.for('cinnabar.leave');

type Global = { [LEAVE]?: (why: string) => never };

export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The program's name; called before each start of it. */
export function oracle(program: OracleProgram): string {
  if (hasProgram(program)) return program;
  const why = `${program} is not installed`;
  (globalThis as Global)[LEAVE]?.(why);
  throw new Error(why);
}
