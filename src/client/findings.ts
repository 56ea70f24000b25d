/** What a server's own figures say about its health, and what is to be done: rules alone, of facts that were asked before. */

export interface KeySample {
  readonly database: number;
  /** One character a byte. */
  readonly key: string;
  readonly type: string;
  readonly bytes: number;
}

export interface SlowCommand {
  readonly name: string;
  readonly microseconds: number;
}

export interface LatencyEvent {
  readonly name: string;
  /** Milliseconds. */
  readonly worst: number;
}

/** What was asked; what the server would not tell is missing. */
export interface Facts {
  readonly info: ReadonlyMap<string, string>;
  readonly config: ReadonlyMap<string, string>;
  readonly slow: readonly SlowCommand[];
  readonly latency: readonly LatencyEvent[];
  readonly samples: readonly KeySample[];
  /** Whether the default user needs no password. */
  readonly open: boolean;
}

/** `risk`: data or service may be lost. `warning`: something is wrong. `note`: worth knowing. */
export type Level = 'risk' | 'warning' | 'note';

export interface Finding {
  readonly level: Level;
  readonly title: string;
  /** Sentences, as they are shown. */
  readonly says: string;
  readonly advice: string;
}

const MEBIBYTE = 1024 * 1024;
const LEVELS: readonly Level[] = ['risk', 'warning', 'note'];

/** Figures of INFO and settings by name, as numbers. */
class Figures {
  readonly facts: Facts;

  constructor(facts: Facts) {
    this.facts = facts;
  }

  text(name: string): string {
    return this.facts.info.get(name) ?? '';
  }

  /** 0 where it was not told. */
  number(name: string): number {
    return Number.parseFloat(this.text(name)) || 0;
  }

  /** Undefined where the server would not tell. */
  setting(name: string): string | undefined {
    return this.facts.config.get(name);
  }
}

type Rule = (figures: Figures) => readonly Finding[];

/** Findings, the gravest first. */
export function examine(facts: Facts): Finding[] {
  const figures = new Figures(facts);
  const found = RULES.flatMap((rule) => rule(figures));
  return found.sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}

function when(holds: boolean, level: Level, title: string, says: string, advice: string): readonly Finding[] {
  return holds ? [{ level, title, says, advice }] : [];
}

export function readable(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const amount = bytes / 1024 ** step;
  return `${step === 0 ? amount : amount.toFixed(1)} ${units[step]}`;
}

function share(part: number, whole: number): string {
  return `${Math.round((100 * part) / whole)} %`;
}

const memory: Rule = (figures) => {
  const limit = figures.number('maxmemory');
  const used = figures.number('used_memory');
  const system = figures.number('total_system_memory');
  const policy = figures.text('maxmemory_policy');
  if (limit === 0) {
    const fitting = Math.floor((system * 0.7) / MEBIBYTE);
    return when(
      true,
      'risk',
      'There is no limit for memory',
      `It holds ${readable(used)} now and may grow until the system ends it (${readable(system)} are there).`,
      `CONFIG SET maxmemory ${fitting}mb, and choose a maxmemory-policy: allkeys-lru for a cache, noeviction for a store.`,
    );
  }
  return [
    ...when(
      limit > system * 0.85 && system > 0,
      'risk',
      'The limit for memory leaves the system too little',
      `maxmemory is ${readable(limit)} of ${readable(system)}; saving, buffers of clients and replicas come on top.`,
      'Lower maxmemory to some 70 % of the memory, or give the machine more.',
    ),
    ...when(
      used > limit * 0.9,
      policy === 'noeviction' ? 'risk' : 'note',
      'Memory is nearly full',
      `${readable(used)} of ${readable(limit)} are used (${share(used, limit)}). ${
        policy === 'noeviction' ? 'Writes will be refused (OOM).' : `Keys are evicted (${policy}).`
      }`,
      'Raise maxmemory, let keys expire, or find out below which keys are large.',
    ),
  ];
};

const eviction: Rule = (figures) => {
  const policy = figures.text('maxmemory_policy');
  const evicted = figures.number('evicted_keys');
  const { keys, expiring } = totals(figures);
  return [
    ...when(
      policy.startsWith('volatile-') && keys > 0 && expiring === 0,
      'risk',
      'Nothing can be evicted',
      `maxmemory-policy is ${policy}, which evicts keys with a time to live only, and none of ${keys} keys has one.`,
      'Set times to live, or CONFIG SET maxmemory-policy allkeys-lru.',
    ),
    ...when(
      evicted > 0,
      'warning',
      'Keys were evicted',
      `${evicted} keys were thrown out to make room since the start.`,
      'As it should be for a cache with a good hit rate; otherwise raise maxmemory.',
    ),
  ];
};

const hits: Rule = (figures) => {
  const [found, missed] = [figures.number('keyspace_hits'), figures.number('keyspace_misses')];
  const asked = found + missed;
  return when(
    asked >= 1000 && found < asked / 2,
    'note',
    'Most reads find nothing',
    `Of ${asked} reads ${share(found, asked)} found their key.`,
    'Look whether times to live are too short, names of keys are wrong, or evictions throw out what is needed.',
  );
};

const fragmentation: Rule = (figures) => {
  const [ratio, resident] = [figures.number('mem_fragmentation_ratio'), figures.number('used_memory_rss')];
  return when(
    ratio > 1.5 && resident > 256 * MEBIBYTE,
    'warning',
    'Memory is fragmented',
    `The process has ${readable(resident)}, ${ratio} times what the data need.`,
    'CONFIG SET activedefrag yes, or restart it at a quiet hour.',
  );
};

const saving: Rule = (figures) => {
  const [save, log] = [figures.setting('save'), figures.text('aof_enabled') === '1'];
  const refused = (name: string): boolean => figures.text(name) === 'err';
  const isReplica = figures.text('role') === 'slave';
  return [
    ...when(
      save === '' && !log,
      isReplica ? 'note' : 'risk',
      'Nothing is saved',
      'There are neither save points nor an append-only file: a restart loses all data.',
      'Right for a cache. Otherwise CONFIG SET appendonly yes, CONFIG SET save "3600 1 300 100 60 10000", and CONFIG REWRITE.',
    ),
    ...when(
      refused('rdb_last_bgsave_status'),
      'risk',
      'The last snapshot has failed',
      `${figures.number('rdb_changes_since_last_save')} changes are not in a snapshot; writes may be refused (MISCONF).`,
      'The log says why: most often the disk is full, or the folder (CONFIG GET dir) can not be written.',
    ),
    ...when(
      refused('aof_last_write_status') || refused('aof_last_bgrewrite_status'),
      'risk',
      'The append-only file can not be written',
      'Its last write, or its last rewrite, has failed.',
      'The log says why: most often the disk is full.',
    ),
    ...when(
      log && figures.setting('appendfsync') === 'no',
      'warning',
      'The append-only file is never synced',
      'A loss of power loses what the system had not written by itself, up to half a minute.',
      'CONFIG SET appendfsync everysec.',
    ),
    ...when(
      figures.number('aof_delayed_fsync') > 0,
      'warning',
      'The disk is slow',
      `Writes had to wait for it ${figures.number('aof_delayed_fsync')} times.`,
      'A faster disk, or one that nothing else uses; no-appendfsync-on-rewrite yes where that is the cause.',
    ),
  ];
};

const replica: Rule = (figures) => {
  if (figures.text('role') !== 'slave') return [];
  const master = `${figures.text('master_host')}:${figures.text('master_port')}`;
  return [
    ...when(
      figures.text('master_link_status') === 'down',
      'risk',
      'The link to the master is down',
      `${master} can't be followed, for ${figures.number('master_link_down_since_seconds')} s now: what is read here is old.`,
      'See whether the master is up, and masteruser, masterauth and TLS; the log tells what it tried.',
    ),
    ...when(
      figures.text('slave_read_only') === '0',
      'warning',
      'This replica takes writes',
      'They are lost with the next full synchronisation.',
      'CONFIG SET replica-read-only yes.',
    ),
  ];
};

/** `slave0:ip=10.0.0.2,port=6379,state=online,offset=1,lag=0`, as values by name. */
function replicasOf(figures: Figures): ReadonlyMap<string, string>[] {
  return Array.from({ length: figures.number('connected_slaves') }, (_, i) => pairsOf(figures.text(`slave${i}`)));
}

export function pairsOf(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(',').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

const MOST_LAG = 10;

const master: Rule = (figures) => {
  if (figures.text('role') !== 'master') return [];
  const replicas = replicasOf(figures);
  const behind = replicas.filter((each) => each.get('state') !== 'online' || Number(each.get('lag')) > MOST_LAG);
  const [full, partial] = [figures.number('sync_full'), figures.number('sync_partial_err')];
  return [
    ...when(
      replicas.length === 0 && figures.text('cluster_enabled') !== '1',
      'note',
      'There is no replica',
      'With this machine the service is gone, and what was not saved.',
      'Start another server with --replicaof, and Sentinels to fail over.',
    ),
    ...when(
      behind.length > 0,
      'warning',
      'Replicas are behind',
      `${behind.map((each) => `${each.get('ip')}:${each.get('port')} (${each.get('state')}, ${each.get('lag')} s)`).join(', ')}.`,
      'See their logs, and the network between.',
    ),
    ...when(
      replicas.length > 0 && figures.setting('min-replicas-to-write') === '0',
      'note',
      'Writes are acknowledged whether replicas have them or not',
      'A master that is cut off goes on taking writes, which are lost after a failover.',
      'CONFIG SET min-replicas-to-write 1 bounds that to min-replicas-max-lag seconds.',
    ),
    ...when(
      full > 2 && partial > 0,
      'warning',
      'Replicas had to begin anew',
      `${full} full synchronisations; ${partial} times the backlog did not reach back far enough.`,
      'CONFIG SET repl-backlog-size to what is written in the longest interruption.',
    ),
  ];
};

const clients: Rule = (figures) => {
  const [connected, most] = [figures.number('connected_clients'), figures.number('maxclients')];
  const rejected = figures.number('rejected_connections');
  return [
    ...when(
      rejected > 0,
      'risk',
      'Connections were refused',
      `${rejected} clients found all of ${most} places taken since the start.`,
      'Look for a leak (CLIENT LIST: many of one address, idle for long), then raise maxclients; timeout 300 ends idle ones.',
    ),
    ...when(
      most > 0 && connected > most * 0.8,
      'warning',
      'Nearly as many clients as are allowed',
      `${connected} of ${most}.`,
      'As above, before the first is refused.',
    ),
  ];
};

const exposure: Rule = (figures) => {
  const bind = figures.setting('bind');
  const beyond = bind?.split(' ').some((address) => !/^-?(127\.|::1$|localhost$)/.test(address));
  return when(
    figures.facts.open && figures.setting('protected-mode') === 'no' && (beyond === true || bind === ''),
    'risk',
    'Everybody who reaches the port can do everything',
    `The default user needs no password, protected-mode is off, and it listens at ${bind || 'all addresses'}.`,
    'CONFIG SET requirepass, or users with ACL SETUSER; or bind 127.0.0.1.',
  );
};

const COSTLY: Readonly<Record<string, string>> = {
  keys: 'SCAN does the same in small steps',
  smembers: 'SSCAN reads a large set in steps',
  hgetall: 'HSCAN reads a large hash in steps, HMGET only what is needed',
  lrange: 'ask for fewer elements at once',
  zrange: 'ask for fewer elements at once',
  del: 'UNLINK gives large values back in the background',
  flushall: 'FLUSHALL ASYNC does it in the background',
  flushdb: 'FLUSHDB ASYNC does it in the background',
  sort: 'sort in the client, or keep a sorted set',
  eval: 'let scripts do less at a time',
  evalsha: 'let scripts do less at a time',
  save: 'BGSAVE saves in the background',
};

const slow: Rule = ({ facts }) => {
  const worst = new Map<string, { count: number; longest: number }>();
  for (const { name, microseconds } of facts.slow) {
    const { count, longest } = worst.get(name) ?? { count: 0, longest: 0 };
    worst.set(name, { count: count + 1, longest: Math.max(longest, microseconds) });
  }
  const sorted = [...worst].sort(([, a], [, b]) => b.longest - a.longest).slice(0, 5);
  const listed = sorted.map(([name, { count, longest }]) => {
    return `${name.toUpperCase()} (${count} times, up to ${(longest / 1000).toFixed(1)} ms)`;
  });
  const advice = sorted.flatMap(([name]) => (name in COSTLY ? [`${name.toUpperCase()}: ${COSTLY[name]}`] : []));
  return when(
    sorted.length > 0,
    'warning',
    'Slow commands',
    `While one runs all others wait. The slow log has ${listed.join(', ')}.`,
    advice.length > 0 ? `${advice.join('; ')}.` : 'SLOWLOG GET shows them with their arguments.',
  );
};

const keysCommand: Rule = (figures) => {
  const calls = Number(pairsOf(figures.text('cmdstat_keys')).get('calls') ?? 0);
  return when(
    calls > 0 && totals(figures).keys > 10_000,
    'warning',
    'KEYS is used',
    `${calls} times since the start; it looks at all ${totals(figures).keys} keys each time, and everybody waits.`,
    'SCAN does the same in small steps.',
  );
};

const latency: Rule = ({ facts }) => {
  const bad = facts.latency.filter(({ worst }) => worst >= 10);
  return [
    ...when(
      bad.length > 0,
      'warning',
      'Moments of slowness',
      `${bad.map(({ name, worst }) => `${name} up to ${worst} ms`).join(', ')}.`,
      'LATENCY DOCTOR explains the kinds; LATENCY RESET begins anew.',
    ),
    ...when(
      facts.config.get('latency-monitor-threshold') === '0',
      'note',
      'Nobody watches the latency',
      'Slow moments of the server itself (disk, expiry, saving) are not recorded.',
      'CONFIG SET latency-monitor-threshold 100.',
    ),
  ];
};

const ERRORS: Readonly<Record<string, string>> = {
  OOM: 'memory was full',
  MISCONF: 'snapshots fail',
  READONLY: 'clients write to a replica',
  NOREPLICAS: 'too few replicas were there',
  CLUSTERDOWN: 'the cluster was down',
  LOADING: 'data were being loaded',
  BUSY: 'a script ran for too long',
};

const errors: Rule = (figures) => {
  const told = Object.entries(ERRORS).flatMap(([code, why]) => {
    const count = Number(pairsOf(figures.text(`errorstat_${code}`)).get('count') ?? 0);
    return count > 0 ? [`${code} ${count} times (${why})`] : [];
  });
  return when(
    told.length > 0,
    'warning',
    'Clients were refused',
    `${told.join(', ')}.`,
    'INFO errorstats counts all kinds.',
  );
};

const LARGE = MEBIBYTE;
const VERY_LARGE = 100 * MEBIBYTE;

const bigKeys: Rule = ({ facts }) => {
  const large = facts.samples.filter(({ bytes }) => bytes >= LARGE).sort((a, b) => b.bytes - a.bytes);
  const shown = large.slice(0, 5).map(({ key, type, bytes, database }) => {
    return `${JSON.stringify(key.slice(0, 60))} (${type}, ${readable(bytes)}${database === 0 ? '' : `, database ${database}`})`;
  });
  return when(
    large.length > 0,
    large.some(({ bytes }) => bytes >= VERY_LARGE) ? 'warning' : 'note',
    'Large keys',
    `Of ${facts.samples.length} that were looked at ${large.length} take more than ${readable(LARGE)}: ${shown.join(', ')}.`,
    'Commands on all of such a key stop everybody else: read it in steps, split it, and UNLINK it instead of DEL.',
  );
};

function totals(figures: Figures): { readonly keys: number; readonly expiring: number } {
  let [keys, expiring] = [0, 0];
  for (const [name, text] of figures.facts.info) {
    if (!/^db\d+$/.test(name)) continue;
    const pairs = pairsOf(text);
    keys += Number(pairs.get('keys'));
    expiring += Number(pairs.get('expires'));
  }
  return { keys, expiring };
}

const RULES: readonly Rule[] = [
  memory,
  eviction,
  saving,
  replica,
  master,
  clients,
  exposure,
  slow,
  keysCommand,
  latency,
  errors,
  bigKeys,
  fragmentation,
  hits,
];

/** One line about the server. */
export function summary(facts: Facts): string {
  const figures = new Figures(facts);
  const { keys } = totals(figures);
  const days = (figures.number('uptime_in_seconds') / 86_400).toFixed(1);
  const role = figures.text('role') === 'slave' ? 'replica' : figures.text('role');
  return `Redis ${figures.text('redis_version')}, ${role}, up for ${days} days, ${keys} keys, ${readable(figures.number('used_memory'))} in memory`;
}
