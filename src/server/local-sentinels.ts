/**
 * A master, its replicas and the Sentinels that watch them in one process, for tests and for a first look. Nothing of it is kept:
 * the files of the Sentinels lie in memory.
 */
import { environmentWith } from '../base/environment.ts';
import { Config } from '../config/config.ts';
import { ConfigReader } from '../config/file.ts';
import { shellOf } from '../sentinel/owners.ts';
import { type ClusterOptions, HOST, hasItsData, opened, placeOf, portsOf } from './local-options.ts';
import { createSentinel, SentinelDirectives, sentinelDefaults } from './sentinel.ts';
import { type CinnabarServer, createServer } from './server.ts';

const FILE = 'sentinel.conf';
/** How long a failover that did not come to an end keeps the next from beginning, as a multiple of `downAfter`. */
const FAILOVER_TIMES = 10;

/** Of the environment what is not given is the machine's, but for the disk. */
export interface SentinelsOptions extends Omit<ClusterOptions, 'masters' | 'raft' | 'folder'> {
  /** Of the master; 1 when absent. */
  readonly replicas?: number;
  /** 3 when absent. */
  readonly sentinels?: number;
  /** What the Sentinels call the master; 'mymaster' when absent. */
  readonly name?: string;
  /** How many Sentinels must find the master down; most of them when absent. */
  readonly quorum?: number;
  /** Milliseconds of silence after which a server is down; 1000 when absent. */
  readonly downAfter?: number;
  /** Of the master; replicas and Sentinels have those behind it. Any that are free when absent. */
  readonly port?: number;
  /** Settings of the master and the replicas. */
  readonly settings?: ClusterOptions['settings'];
}

export interface CinnabarSentinels {
  /** What the Sentinels call the master. */
  readonly name: string;
  /** As they began: the master, then its replicas. */
  readonly servers: readonly CinnabarServer[];
  readonly sentinels: readonly CinnabarServer[];
  /** Where clients find the Sentinels. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Whether every replica has its master's data, and every Sentinel knows all servers and all other Sentinels. */
  readonly isReady: boolean;
  close(): Promise<void>;
}

/**
 * Resolves when it is ready, or, where a clock is handed in, when all listen: it is ready some moments of that clock later.
 * Rejects where a port can't be had.
 */
export async function createSentinels(options: SentinelsOptions = {}): Promise<CinnabarSentinels> {
  const { replicas = 1, sentinels: watchers = 3, name = 'mymaster', quorum, downAfter, ...shared } = options;
  if (!(replicas >= 0 && watchers >= 1)) throw new RangeError('there are 0 replicas or more, and 1 Sentinel or more');
  const count = 1 + replicas;
  const ports = await portsOf(options, environmentWith(options), count + watchers, 0);
  const lines = [
    `sentinel monitor ${name} ${HOST} ${ports[0]} ${quorum ?? Math.floor(watchers / 2) + 1}`,
    `sentinel down-after-milliseconds ${name} ${downAfter ?? 1000}`,
    `sentinel failover-timeout ${name} ${(downAfter ?? 1000) * FAILOVER_TIMES}`,
  ];
  const password = shared.settings?.requirepass;
  if (password !== undefined) lines.push(`sentinel auth-pass ${name} ${JSON.stringify(password)}`);
  const servers = ports.slice(0, count).map((port, i) => serverAt(shared, port, i === 0 ? null : ports[0]));
  const sentinels = ports.slice(count).map((port) => sentinelAt(shared, port, lines));
  // A Sentinel asks a master for its replicas when it begins, and then only every ten seconds: they are to be there.
  const served = await opened(options, servers, ports, () => servers.every(({ engine }) => hasItsData(engine)));
  const watching = await opened(options, sentinels, ports.slice(count), () =>
    sentinels.every((sentinel) => knows(sentinel, name, replicas, watchers - 1)),
  ).catch(async (error) => {
    await served.close();
    throw error;
  });
  return {
    ...{ name, servers, sentinels },
    addresses: watching.addresses,
    get isReady() {
      return served.isReady && watching.isReady;
    },
    async close() {
      await Promise.all([served.close(), watching.close()]);
    },
  };
}

function serverAt(options: ClusterOptions, port: number, master: number | null): CinnabarServer {
  const { options: place } = placeOf(options, port);
  const { requirepass } = place.settings;
  return createServer({
    ...place,
    settings: {
      'repl-diskless-sync-delay': 0,
      ...(requirepass !== undefined && { masterauth: requirepass }),
      ...place.settings,
      ...(master !== null && { replicaof: [HOST, String(master)] }),
    },
  });
}

function sentinelAt(
  { settings: _, commands: _commands, modules: _modules, ...options }: ClusterOptions,
  port: number,
  lines: readonly string[],
): CinnabarServer {
  const { disk, folder, options: place } = placeOf(options, port);
  const { settings: _settings, ...rest } = place;
  const file = `${folder}/${FILE}`;
  const own = [`port ${port}`, `bind ${HOST}`, `dir ${folder}`];
  disk.open(file, 'w').writeAll(Buffer.from([...own, ...lines, ''].join('\n')));
  const config = new Config(disk);
  sentinelDefaults(config);
  const { ids, programs } = environmentWith(options);
  const directives = new SentinelDirectives(
    config,
    ids.secret(20).toString('hex'),
    (path) => programs?.runnable(folder, path) ?? false,
  );
  new ConfigReader(config, directives).read({ file, input: false, lines: '' });
  config.file = file;
  return createSentinel({ ...rest, config, start: directives.read() });
}

function knows({ engine }: CinnabarServer, name: string, replicas: number, others: number): boolean {
  const master = shellOf(engine).state.masters.get(name);
  return master !== undefined && master.replicas.size === replicas && master.sentinels.size === others;
}
