/** Runs one unit of the suite in its own scratch copy, and reads the harness's output. */
import { spawn } from 'node:child_process';
import {
  closeSync,
  createWriteStream,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type ServerUnderTest, scratchCopy } from './suite.ts';

/** What holds for all units of a run. */
export interface RunOptions {
  suite: string;
  server: ServerUnderTest;
  /** Names or /patterns of the only tests to run; empty for all. */
  only: string[];
  basePort: number;
  limitSeconds: number;
  logFolder: string;
  keepScratch: boolean;
}

export interface UnitOptions extends RunOptions {
  unit: string;
  skip: string[];
}

export interface UnitResult {
  unit: string;
  ok: number;
  failed: string[];
  exceptions: string[];
  ignored: number;
  skipped: number;
  seconds: number;
  timedOut: boolean;
}

/** Process groups that are running now, so that an interrupted run takes its servers along. */
const running = new Set<number>();

/** Kills every unit that is still running, with all of its servers. */
export function killAll(): void {
  for (const pid of running) killGroup(pid);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended by itself.
  }
}

/** Runs one unit to its end or to its limit. */
export async function runUnit(options: UnitOptions): Promise<UnitResult> {
  const name = options.unit.replaceAll('/', '-');
  const folder = scratchCopy(options.suite, name, options.server);
  const skipFile = join(folder, 'skip.txt');
  writeFileSync(skipFile, options.skip.join('\n'));
  const log = join(options.logFolder, `${name}.log`);
  const started = performance.now();
  // The skip file goes before any other list: the harness replaces its list when it reads the file.
  const args = ['--single', options.unit, '--clients', '1', '--durable', '--dont-clean'];
  const { basePort } = options;
  args.push('--baseport', String(basePort), '--portcount', '2900', '--timeout', '300', '--skipfile', skipFile);
  for (const name of options.only) args.push('--only', name);
  const timedOut = await runHarness(folder, ['./runtest', ...args], log, options.limitSeconds);
  const seconds = (performance.now() - started) / 1000;
  const result = readOutput(options.unit, readFileSync(log, 'latin1'));
  collectServerErrors(folder, join(options.logFolder, `${name}.stderr.log`));
  if (!options.keepScratch) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  return { ...result, seconds, timedOut };
}

/** Runs one of the suite's programs to its end; true where its time was up. */
export function runHarness(folder: string, command: string[], log: string, limitSeconds: number): Promise<boolean> {
  const output = openSync(log, 'w');
  const child = spawn(command[0]!, command.slice(1), {
    cwd: folder,
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, TERM: 'dumb' },
  });
  closeSync(output);
  const pid = child.pid;
  return new Promise((resolve, reject) => {
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      if (pid !== undefined) killGroup(pid);
    }, limitSeconds * 1000);
    if (pid !== undefined) running.add(pid);
    child.on('error', reject);
    child.on('exit', () => {
      clearTimeout(limit);
      if (pid !== undefined) {
        running.delete(pid);
        // Servers that the harness lost sight of are still in its group.
        killGroup(pid);
      }
      resolve(timedOut);
    });
  });
}

export type Counts = Omit<UnitResult, 'seconds' | 'timedOut'>;

export function withoutColours(text: string): string {
  return text.replaceAll(/\x1b\[[0-9;]*m/g, '');
}

/** Reads `[status]: data` lines; an error's further lines and the summary at the end carry no status. */
export function readOutput(unit: string, text: string): Counts {
  const result: Counts = { unit, ok: 0, failed: [], exceptions: [], ignored: 0, skipped: 0 };
  for (const line of withoutColours(text).split('\n')) {
    const [, status, data] = /^\[(\w+)\]: (.*)$/.exec(line) ?? [];
    if (status === 'ok') result.ok++;
    else if (status === 'err') result.failed.push(data!.replace(/ in tests\/\S+\.tcl$/, ''));
    else if (status === 'exception' || status === 'TIMEOUT') result.exceptions.push(data!);
    else if (status === 'ignore') result.ignored++;
    else if (status === 'skip') result.skipped++;
  }
  // An error outside of a test ends the client; the harness then says so without a status.
  if (!/^\s+The End$/m.test(text)) result.exceptions.push('the harness did not reach its end');
  return result;
}

/** Keeps what the servers wrote to stderr, the first place to look when one died. */
function collectServerErrors(folder: string, target: string): void {
  rmSync(target, { force: true });
  const temporary = join(folder, 'tests', 'tmp');
  const found = existsSync(temporary) ? readdirSync(temporary).filter((name) => name.startsWith('server.')) : [];
  const files = found.map((name) => join(temporary, name, 'stderr'));
  const written = files.filter((file) => existsSync(file) && statSync(file).size > 0);
  if (written.length === 0) return;
  const stream = createWriteStream(target);
  for (const file of written) stream.write(`== ${file}\n${readFileSync(file, 'latin1').slice(0, 65536)}\n`);
  stream.end();
}
