/** What the server does to its own process: title, PID file, background, the kernel's OOM score. */
import { rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { systemError } from '../base/system-error.ts';
import { narrow, widen } from '../base/text.ts';
import type { Settings } from '../config/settings.ts';
import type { Log, ServerMode } from '../engine/server-port.ts';

/** Set in the process that a daemon's parent has started. */
const DAEMON = 'CINNABAR_DAEMON';
export const DEFAULT_PID_FILE = '/var/run/redis.pid';

export function isDaemonChild(): boolean {
  return process.env[DAEMON] === '1';
}

/**
 * Node can't fork: the program is started again, detached, and this process goes. `input` is what was read from the
 * standard input, which the new process wants to read as well.
 */
export function startDaemon(input: string | undefined): void {
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    env: { ...process.env, [DAEMON]: '1' },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'ignore'],
  });
  child.unref();
  if (child.stdin && input !== undefined) child.stdin.end(Buffer.from(input, 'latin1'), () => process.exit(0));
  else child.once('spawn', () => process.exit(0));
}

/** Best effort, as in Redis: a PID file that can't be written is no reason not to serve. */
export function writePidFile(path: string, log: Log): void {
  try {
    writeFileSync(widen(path), `${process.pid}\n`);
  } catch (error) {
    log.warning(`Failed to write PID file: ${systemError(error)}`);
  }
}

export function removePidFile(path: string, log: Log): void {
  log.notice('Removing the pid file.');
  rmSync(widen(path), { force: true });
}

/** The name under which the process was started: ours, unless somebody has given it another than Node's. */
function startedAs(): string {
  return basename(process.argv0).startsWith('node') ? 'cinnabar' : narrow(process.argv0);
}

/** The title that proc-title-template describes. */
export function processTitle(settings: Readonly<Settings>, configFile: string, mode: ServerMode): string {
  const { port, tlsPort, bind, unixsocket } = settings;
  const host = bind.length > 0 ? bind[0] : '*';
  const anyPort = port !== 0 ? port : tlsPort;
  const fields: Readonly<Record<string, string>> = {
    title: startedAs(),
    'listen-addr': anyPort !== 0 ? `${host}:${anyPort}` : unixsocket,
    'server-mode': mode === 'standalone' ? '' : `[${mode}]`,
    port: String(port),
    'tls-port': String(tlsPort),
    unixsocket,
    'config-file': configFile,
  };
  return settings.procTitleTemplate.replace(/\{([a-z-]+)\}/g, (_, field: string) => fields[field] ?? '').trimEnd();
}

export function setProcessTitle(settings: Readonly<Settings>, configFile: string, mode: ServerMode): void {
  if (settings.setProcTitle) process.title = widen(processTitle(settings, configFile, mode));
}

/** A position in oom-score-adj-values. */
export type OomRole = 'master' | 'replica' | 'child';
const ROLES: readonly OomRole[] = ['master', 'replica', 'child'];

/** Linux only: writes oom_score_adj as the settings ask; an error's text when the kernel refuses. */
export class OomScore {
  private readonly path = '/proc/self/oom_score_adj';
  private readonly read: (path: string) => string;
  /** What it was before we touched it; null while it is not ours. */
  private base: number | null = null;

  constructor(read: (path: string) => string) {
    this.read = read;
  }

  apply(settings: Readonly<Settings>, role: OomRole = 'master'): string | undefined {
    if (process.platform !== 'linux') return undefined;
    const mode = settings.oomScoreAdj;
    if (mode === 'no' && this.base === null) return undefined;
    try {
      const base = this.base ?? Number(this.read(this.path));
      const wanted = settings.oomScoreAdjValues[ROLES.indexOf(role)];
      const score = mode === 'no' ? base : mode === 'absolute' ? wanted : base + wanted;
      this.base = mode === 'no' ? null : base;
      writeFileSync(this.path, String(Math.max(-1000, Math.min(1000, score))));
      return undefined;
    } catch {
      return 'Failed to apply new oom_score_adj configuration, check server logs.';
    }
  }
}
