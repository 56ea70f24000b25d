/** Starts a server as a program: configuration, log, the process itself, signals, listeners; in Redis's order and words. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import { RealDisk } from '../base/disk.ts';
import { RealIds } from '../base/ids.ts';
import { RealPrograms } from '../base/programs.ts';
import { systemError } from '../base/system-error.ts';
import { narrow, widen } from '../base/text.ts';
import { REDIS_VERSION, VERSION } from '../base/version.ts';
import { Config } from '../config/config.ts';
import { ConfigReader, FatalConfigError, fatal, readCommandLine, UnreadableConfigError } from '../config/file.ts';
import type { Settings } from '../config/settings.ts';
import type { ServerMode } from '../engine/server-port.ts';
import { PROMPT } from '../memory/collect.ts';
import { damagedSnapshot } from '../persistence/loading.ts';
import { greet } from './banner.ts';
import { isSentinel, sentinelArguments } from './cli.ts';
import { ALL_COMMANDS } from './commands.ts';
import { ServerDirectives } from './directives.ts';
import { type LogOptions, ServerLog, tryLogFile } from './log.ts';
import { ModuleError } from './modules/declared.ts';
import {
  DEFAULT_PID_FILE,
  isDaemonChild,
  type OomRole,
  OomScore,
  removePidFile,
  setProcessTitle,
  startDaemon,
  writePidFile,
} from './process.ts';
import { createSentinel, SentinelDirectives, sentinelDefaults } from './sentinel.ts';
import { type CinnabarServer, createServer, type ServerOptions } from './server.ts';
import { isClustered } from './services.ts';
import { Signals } from './signals.ts';
import { Supervisor } from './supervised.ts';
import { memoryOvercommit, openFilesLimit } from './system.ts';
import { checkSupported } from './unsupported.ts';
import { UsersError } from './users.ts';

/** Descriptors that the server needs beside its clients, as many as Redis reserves. */
const RESERVED_FILES = 32;

const USUAL_LOG: LogOptions = { file: '', level: 'notice', format: 'redis' };

function logFor(config: Config): ServerLog {
  const { logfile, loglevel, logFormat } = config.settings;
  // A relative log file lies where `dir` was when the log was opened: here.
  const file = logfile === '' ? '' : resolve(config.path, logfile);
  if (file !== '') {
    try {
      tryLogFile(config.disk, file);
    } catch (error) {
      throw fatal(`Can't open the log file: ${systemError(error)}`);
    }
  }
  const log = new ServerLog({ file, level: loglevel, format: logFormat });
  config.follow(['loglevel', 'log-format'], (s) => {
    log.level = s.loglevel;
    log.format = s.logFormat;
  });
  return log;
}

function announce(log: ServerLog, args: readonly string[]): void {
  log.warning('oO0OoO0OoO0Oo Cinnabar is starting oO0OoO0OoO0Oo');
  log.warning(
    `Redis version=${REDIS_VERSION}, bits=64, commit=00000000, modified=0, pid=${process.pid}, just started (Cinnabar ${VERSION}, Node ${process.versions.node})`,
  );
  if (args.length === 0)
    log.warning(
      'Warning: no config file specified, using the default config. In order to specify a config file use cinnabar /path/to/redis.conf',
    );
  else log.warning('Configuration loaded');
}

/** Keeps maxclients within what the system lets the process open. */
function limitClients(config: Config, log: ServerLog): void {
  const most = openFilesLimit() - RESERVED_FILES;
  const { maxclients } = config.settings;
  if (maxclients > most) {
    log.warning(
      `You requested maxclients of ${maxclients} requiring at least ${maxclients + RESERVED_FILES} max file descriptors.`,
    );
    log.warning(
      `Current maximum open files is ${most + RESERVED_FILES}. maxclients has been reduced to ${most} to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.`,
    );
    config.force('maxclients', [String(Math.max(1, most))]);
  }
  config.on('maxclients', (settings) =>
    settings.maxclients > most
      ? `The operating system is not able to handle the specified number of clients, try with ${most}`
      : undefined,
  );
}

/** What is to be done when the server becomes a replica, or a master. */
function followProcess(config: Config, log: ServerLog, mode: ServerMode): (isReplica: boolean) => void {
  setProcessTitle(config.settings, config.file, mode);
  config.on(['proc-title-template', 'port', 'tls-port', 'bind'], (settings) => {
    setProcessTitle(settings, config.file, mode);
    return undefined;
  });
  const oom = new OomScore((path) => readFileSync(path, 'latin1'));
  let role: OomRole = 'master';
  oom.apply(config.settings, role);
  config.on(['oom-score-adj', 'oom-score-adj-values'], (settings) => oom.apply(settings, role));
  return (isReplica) => {
    role = isReplica ? 'replica' : 'master';
    log.role = isReplica ? 'S' : 'M';
    const error = oom.apply(config.settings, role);
    if (error !== undefined) log.warning(error);
  };
}

function failed(error: unknown, early: ServerLog): never {
  if (error instanceof FatalConfigError) process.stderr.write(error.message);
  else if (error instanceof UnreadableConfigError) early.warning(error.message);
  else throw error;
  process.exit(1);
}

/** How the program was called, as in tools.ts. */
interface Invocation {
  readonly names: readonly string[];
  readonly args: readonly string[];
}

/** Tells what is wrong with the snapshot at a path, beyond what the log says. */
type Examine = (path: string) => Promise<void>;

/** What is to be started: its kind, the lines of its configuration that are no settings, and how it is made of all that. */
interface Plan {
  readonly directives: ServerDirectives;
  /** Known once the configuration is read. */
  mode(): ServerMode;
  create(options: PlannedOptions): CinnabarServer;
}

type PlannedOptions = ServerOptions & { readonly config: Config; readonly log: ServerLog };

function serverPlan(config: Config): Plan {
  return {
    directives: new ServerDirectives(ALL_COMMANDS, config),
    mode: () => (isClustered(config.settings) ? 'cluster' : 'standalone'),
    create: createServer,
  };
}

function sentinelPlan(config: Config): Plan {
  sentinelDefaults(config);
  const id = new RealIds().secret(20).toString('hex');
  const programs = new RealPrograms();
  const directives = new SentinelDirectives(config, id, (path) => programs.runnable(config.path, path));
  return {
    directives,
    mode: () => 'sentinel',
    create: (options) => createSentinel({ ...options, start: directives.read() }),
  };
}

/** A Sentinel that can't keep what it has promised must not begin. */
function checkSentinelFile({ file, disk }: Config, log: ServerLog): void {
  let refused = file === '' ? 'Sentinel needs config file on disk to save state. Exiting...' : undefined;
  try {
    if (refused === undefined) disk.open(file, 'a').close();
  } catch (error) {
    refused = `Sentinel config file ${file} is not writable: ${systemError(error)}. Exiting...`;
  }
  if (refused === undefined) return;
  log.warning(refused);
  process.exit(1);
}

/** Runs the server that the command line describes, until it is told to end. */
export function start({ names, args }: Invocation, examine: Examine): void {
  const disk = new RealDisk();
  const config = new Config(disk);
  const sentinel = isSentinel(names, args);
  const plan = sentinel ? sentinelPlan(config) : serverPlan(config);
  const given = readCommandLine((sentinel ? sentinelArguments(args) : args).map(narrow));
  const sources = given.file === '' ? given : { ...given, file: resolve(disk.folder, given.file) };
  // Before there is a configuration there is no log of its own.
  const early = new ServerLog(USUAL_LOG);
  if (sentinel) early.role = 'X';
  try {
    if (sources.input) early.warning('Reading config from stdin');
    // Kept for a daemon, which reads it as well.
    let input: string | undefined;
    const readInput = (): string => (input = readFileSync(0, 'latin1'));
    new ConfigReader(config, plan.directives, readInput).read(sources);
    if (plan.directives instanceof SentinelDirectives) plan.directives.read();
    config.file = sources.file;
    const log = logFor(config);
    if (sentinel) {
      log.role = 'X';
      checkSentinelFile(config, log);
    }
    const supervisor = supervisorFor(config, log);
    const background = config.settings.daemonize && supervisor.by === 'no';
    if (background && !isDaemonChild()) {
      startDaemon(input);
      return;
    }
    announce(log, args);
    if (background && config.settings.pidfile === '') config.force('pidfile', [DEFAULT_PID_FILE]);
    run(config, plan, log, supervisor, examine);
  } catch (error) {
    failed(error, early);
  }
}

/** A daemon's parent has found nobody. */
function supervisorFor({ settings, path }: Config, log: ServerLog): Supervisor {
  return new Supervisor({
    supervised: isDaemonChild() ? 'no' : settings.supervised,
    environment: process.env,
    programs: new RealPrograms(),
    pid: process.pid,
    folder: path,
    log,
    standStill: () => process.kill(process.pid, 'SIGSTOP'),
  });
}

/** The server, or the end of the program when the users that it is given make no sense. */
function createOrExit(plan: Plan, options: PlannedOptions): CinnabarServer {
  try {
    return plan.create(options);
  } catch (error) {
    if (!(error instanceof UsersError || error instanceof ModuleError)) throw error;
    for (const line of error.message.split('\n')) options.log.warning(line);
    process.exit(1);
  }
}

function run(config: Config, plan: Plan, log: ServerLog, supervisor: Supervisor, examine: Examine): void {
  const { settings } = config;
  const { directives } = plan;
  const mode = plan.mode();
  const unsupported = checkSupported(settings, process.platform);
  if (unsupported !== undefined) {
    log.warning(unsupported);
    process.exit(1);
  }
  if (mode !== 'sentinel') log.role = 'M';
  log.notice('monotonic clock: POSIX clock_gettime');
  const pidFile = settings.pidfile === '' ? '' : resolve(config.path, settings.pidfile);
  limitClients(config, log);
  const onRole = followProcess(config, log, mode);
  const server = createOrExit(plan, {
    config,
    log,
    onRole,
    supervisedBy: () => supervisor.by,
    users: directives.users,
    modules: directives.modules,
    persistent: true,
    collector: PROMPT,
    onListening() {
      if (!server.listens) {
        log.warning('Configured to not listen anywhere, exiting.');
        process.exit(1);
      }
      // Not before: who can't listen leaves the file to the server that does.
      if (pidFile !== '') writePidFile(pidFile, log);
      greet(log, settings, { version: VERSION, mode, isTerminal: isatty(1) });
    },
    onStop() {
      supervisor.stopping();
      if (pidFile !== '') removePidFile(pidFile, log);
      if (settings.unixsocket !== '') log.notice('Removing the unix socket file.');
    },
    onExit: (code) => process.exit(code),
  });
  directives.apply(server.engine.table);
  obeySignals(server, settings, log);
  process.on('uncaughtException', (error) => {
    log.warning(`=== BUG REPORT: ${error.stack ?? error.message}`);
    process.exit(1);
  });
  server.listen().then(
    () => {
      if (mode !== 'sentinel') ready(log, settings);
      supervisor.ready();
    },
    (error) => void notLoaded(error, examine).finally(() => process.exit(1)),
  );
}

function obeySignals(server: CinnabarServer, settings: Readonly<Settings>, log: ServerLog): void {
  const signals = new Signals(log, settings, {
    insist: () => server.dropUnfinished(),
    stop(words) {
      const given = (word: string) => words.has(word);
      const request = { save: given('save'), noSave: given('nosave'), now: given('now'), force: given('force') };
      server.shutdownBySignal(request, () => signals.forget());
    },
  });
  signals.install();
}

/** The server can't start; the log has told why. */
async function notLoaded(error: unknown, examine: Examine): Promise<void> {
  const snapshot = damagedSnapshot(error);
  if (snapshot !== undefined) await examine(widen(snapshot));
}

function ready(log: ServerLog, { unixsocket }: Readonly<Settings>): void {
  const { warning } = memoryOvercommit();
  if (warning) log.warning(`WARNING ${warning}`);
  log.notice('Ready to accept connections');
  if (unixsocket !== '') log.notice(`The server is now ready to accept connections at ${unixsocket}`);
}
