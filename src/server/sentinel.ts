/**
 * A Sentinel: a server with other commands and without data, and the rules that watch over masters in a shell beside it.
 *
 *   SentinelDirectives ── the lines of sentinel.conf ──> createSentinel() ──> server: listeners, users, pub/sub
 *                                                                     └────> Shell: links, timer, file
 */
import type { Config } from '../config/config.ts';
import { type FatalConfigError, fatalAt, type Place } from '../config/file.ts';
import { rewriteConfig } from '../config/rewrite.ts';
import { portForPeers } from '../config/tls-options.ts';
import { aclLines } from '../engine/acl/file.ts';
import type { Configuration } from '../sentinel/configuration.ts';
import { SentinelLineError, SentinelLines, sentinelLines } from '../sentinel/file.ts';
import { attachShell, shellOf } from '../sentinel/owners.ts';
import { Shell } from '../sentinel/shell.ts';
import { SENTINEL_COMMANDS } from './commands.ts';
import { ServerDirectives } from './directives.ts';
import { silentLog } from './log.ts';
import { type CinnabarServer, createServer, type ServerOptions } from './server.ts';

export const SENTINEL_PORT = 26379;
/** Settings of data and of replication, which a Sentinel has not. */
const WITHOUT = new Set(['save']);

/** The lines of sentinel.conf that are no settings. */
export class SentinelDirectives extends ServerDirectives {
  private readonly lines: SentinelLines;
  private hasId = false;
  private readAll: SentinelStart | null = null;

  /** `id` is the Sentinel's where the file has none. */
  constructor(config: Config, id: string, runnable: (path: string) => boolean) {
    super(SENTINEL_COMMANDS, config);
    this.lines = new SentinelLines(id, runnable);
  }

  override sentinel(words: readonly string[], place: Place): string | undefined {
    this.hasId ||= words[0].toLowerCase() === 'myid';
    this.lines.add(words, place);
    return undefined;
  }

  /** What the lines come to, once all are read; throws FatalConfigError. */
  read(): SentinelStart {
    try {
      return (this.readAll ??= { configuration: this.lines.read(), fresh: !this.hasId });
    } catch (error) {
      throw error instanceof SentinelLineError ? refusedLine(error) : error;
    }
  }
}

function refusedLine({ place, message }: SentinelLineError): FatalConfigError {
  return fatalAt(place, message);
}

/** What a Sentinel starts with, and whether its id is news to the file. */
export interface SentinelStart {
  readonly configuration: Configuration;
  readonly fresh: boolean;
}

export interface SentinelOptions extends ServerOptions {
  readonly config: Config;
  readonly start: SentinelStart;
}

/** The settings that a Sentinel has other usual values of; before its file is read. */
export function sentinelDefaults(config: Config): void {
  config.force('port', [String(SENTINEL_PORT)]);
  config.force('protected-mode', ['no']);
}

/** `config.file` is where it keeps what it knows. */
export function createSentinel(options: SentinelOptions): CinnabarServer {
  const { config, log = silentLog(), onExit = () => {} } = options;
  config.force('appendonly', ['no']);
  config.force('cluster-enabled', ['no']);
  config.force('replicaof', ['no', 'one']);
  const server = createServer({
    ...options,
    table: SENTINEL_COMMANDS,
    mode: 'sentinel',
    persistent: false,
    onListening() {
      options.onListening?.();
      shellOf(engine).start();
    },
    onStop() {
      shellOf(engine).stop();
      options.onStop?.();
    },
  });
  const { engine } = server;
  const { settings } = config;
  const users = { name: 'user', lines: () => (settings.aclfile === '' ? aclLines(engine.acl) : []) };
  const { environment, links, fileNames } = engine.server;
  const shell = new Shell({
    ...environment,
    ...options.start,
    settings,
    log,
    port: portForPeers(settings),
    dialer: links,
    pubsub: engine.pubsub,
    folder: () => config.path,
    exit: onExit,
    write(configuration) {
      const extra = [users, { name: 'sentinel', lines: () => sentinelLines(configuration) }];
      rewriteConfig(config, `${config.file}-${fileNames.next()}.rewrite`, { extra, without: WITHOUT });
    },
  });
  attachShell(engine, shell);
  return server;
}
