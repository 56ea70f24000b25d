/** PSYNC, SYNC, REPLCONF, REPLICAOF, ROLE, WAIT, FAILOVER. */
import { parseInteger } from '../base/numbers.ts';
import { isWord } from '../base/slice.ts';
import { type Call, NOT_AN_INTEGER, SYNTAX_ERROR } from '../engine/call.ts';
import { type Command, command } from '../engine/command.ts';
import { after, block, bytes, integer, oneOf, optional, token } from '../engine/grammar.ts';
import { isAt } from './failover.ts';
import { replicationOf } from './owners.ts';
import { replconf } from './replconf.ts';
import type { Replication } from './replication.ts';

/** Where PSYNC and SYNC can't be answered: with whom is wrong what. */
function refusalToSync(c: Call, replication: Replication): string | null {
  const { follower, failover, master } = replication;
  if (failover.active) return "-NOMASTERLINK Can't SYNC while failing over";
  if (follower.following && !follower.connected) return "-NOMASTERLINK Can't SYNC while not connected with my master";
  if (c.reply.unsent > 0) return '-ERR SYNC and PSYNC are invalid with pending output';
  const { withoutData, withoutFunctions, eof } = master.infoOf(c.session);
  if ((withoutData || withoutFunctions) && !eof) return '-ERR Filtered replica requires EOF capability';
  return null;
}

/** PSYNC id offset FAILOVER: our master asks us to change places. An error for it, or null when we are the master now. */
function takeOver(c: Call, replication: Replication): string | null {
  const { follower, master } = replication;
  if (!follower.following) return "PSYNC FAILOVER can't be sent to a master.";
  if (!master.history.is(c.arg(1).keyword())) return 'PSYNC FAILOVER replid must match my replid.';
  c.engine.server.log.warning(`Failover request received for replid ${master.history.id}.`);
  replication.promote();
  c.engine.server.log.notice(`MASTER MODE enabled (failover request from '${c.session.describe()}')`);
  return null;
}

const psync = command({
  name: 'PSYNC',
  group: 'server',
  since: '2.8.0',
  complexity: '',
  summary: 'Asks for the stream of writes from an offset on, or for everything.',
  flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
  args: [bytes('replicationid'), integer('offset')],
  arity: -3,
  run(c) {
    const replication = replicationOf(c.engine);
    if (replication.master.replicas.of(c.session) !== undefined) return;
    if (c.argc > 3 && isWord(c.arg(3), 'FAILOVER')) {
      const error = takeOver(c, replication);
      if (error !== null) return c.reply.error(`ERR ${error}`);
    }
    const refusal = refusalToSync(c, replication);
    if (refusal !== null) return c.reply.error(refusal.slice(1));
    const offset = c.integer(2);
    if (offset === undefined) replication.master.misled(c.session);
    else replication.master.psync(c.session, c.arg(1).beginning(64), offset);
  },
});

const sync = command({
  name: 'SYNC',
  group: 'server',
  since: '1.0.0',
  complexity: '',
  summary: 'Asks for everything, and for the stream of writes behind it.',
  flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
  run(c) {
    const replication = replicationOf(c.engine);
    if (replication.master.replicas.of(c.session) !== undefined) return;
    const refusal = refusalToSync(c, replication);
    if (refusal !== null) c.reply.error(refusal.slice(1));
    else replication.master.sync(c.session);
  },
});

/** The error that refuses a wish to follow another master, or null when it has been done. */
function setMaster(c: Call, replication: Replication): string | null {
  if (c.engine.membership.joined) return 'REPLICAOF not allowed in cluster mode.';
  const { log } = c.engine.server;
  const { follower } = replication;
  if (replication.failover.active) return 'REPLICAOF not allowed while failing over.';
  if (isWord(c.arg(1), 'NO') && isWord(c.arg(2), 'ONE')) {
    if (follower.following) {
      replication.promote();
      log.notice(`MASTER MODE enabled (user request from '${c.session.describe()}')`);
    }
    return null;
  }
  if (c.session.role.type === 'replica') return 'Command is not valid when client is a replica.';
  const port = parseInteger(c.arg(2));
  if (!(port >= 0 && port <= 65535)) return 'Invalid master port';
  const host = c.arg(1).beginning(255);
  if (follower.following && follower.host.toLowerCase() === host.toLowerCase() && follower.port === port) {
    log.notice(
      'REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.',
    );
    c.reply.status('OK Already connected to specified master');
    return null;
  }
  replication.follow(host, port);
  log.notice(`REPLICAOF ${host}:${port} enabled (user request from '${c.session.describe()}')`);
  return null;
}

function replicaof(name: string, since: string, deprecated: Partial<Command>): Command {
  return command({
    name,
    group: 'server',
    since,
    complexity: 'O(1)',
    summary: 'Makes the server a replica of another one, or a master again.',
    flags: ['admin', 'noscript', 'stale', 'no_async_loading'],
    args: [
      oneOf(
        'args',
        block('host-port', bytes('host'), integer('port')),
        block('no-one', token('no', 'NO'), token('one', 'ONE')),
      ),
    ],
    ...deprecated,
    run(c) {
      const before = c.reply.pending;
      const error = setMaster(c, replicationOf(c.engine));
      if (error !== null) c.reply.error(`ERR ${error}`);
      else if (c.reply.pending === before) c.reply.ok();
    },
  });
}

const role = command({
  name: 'ROLE',
  group: 'server',
  since: '2.8.12',
  complexity: 'O(1)',
  summary: 'Tells the part that the server has in replication.',
  flags: ['noscript', 'loading', 'stale', 'fast'],
  categories: ['admin', 'dangerous'],
  run(c) {
    replicationOf(c.engine).role(c.reply);
  },
});

const NO_WAIT_HERE =
  'ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.';

const wait = command({
  name: 'WAIT',
  group: 'generic',
  since: '3.0.0',
  complexity: 'O(1)',
  summary: 'Waits until replicas have what this client wrote.',
  flags: ['noscript'],
  categories: ['connection'],
  tips: ['request_policy:all_shards', 'response_policy:agg_min'],
  args: [integer('numreplicas'), integer('timeout')],
  run(c) {
    const replication = replicationOf(c.engine);
    if (replication.isReplica) return c.reply.error(NO_WAIT_HERE);
    const wanted = c.integer(1);
    if (wanted === undefined) return;
    const timeout = c.integerOr(2, 'ERR timeout is not an integer or out of range');
    if (timeout === undefined) return;
    if (timeout < 0) return c.reply.error('ERR timeout is negative');
    const { session } = c;
    const count = replication.acknowledged(session);
    if (count >= wanted || c.denyBlocking) return c.reply.int(count);
    c.block({
      type: -1,
      keys: [],
      timeout,
      onTimeout: (session) => session.reply.int(replication.acknowledged(session)),
    });
    replication.wait(session, wanted);
  },
});

interface FailoverWords {
  target: { host: string; port: number } | null;
  timeout: number;
  force: boolean;
  abort: boolean;
}

/** The options of FAILOVER; an error's text when they make no sense. */
function failoverWords(c: Call): FailoverWords | string {
  const words: FailoverWords = { target: null, timeout: 0, force: false, abort: false };
  for (let i = 1; i < c.argc; i++) {
    const is = (word: string, more: number): boolean => isWord(c.arg(i), word) && i + more < c.argc;
    if (is('TIMEOUT', 1) && words.timeout === 0) {
      words.timeout = parseInteger(c.arg(++i));
      if (Number.isNaN(words.timeout)) return NOT_AN_INTEGER;
      if (words.timeout <= 0) return 'ERR FAILOVER timeout must be greater than 0';
    } else if (is('ABORT', 0) && !words.abort) {
      words.abort = true;
    } else if (is('TO', 2) && words.target === null) {
      const port = parseInteger(c.arg(i + 2));
      if (Number.isNaN(port)) return NOT_AN_INTEGER;
      words.target = { host: c.arg(i + 1).beginning(255), port };
      i += 2;
    } else if (is('FORCE', 0) && !words.force) {
      words.force = true;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return words.abort && c.argc > 2 ? SYNTAX_ERROR : words;
}

/** Why a failover can't begin; null when it has. */
function beginFailover({ target, timeout, force }: FailoverWords, replication: Replication): string | null {
  const { failover, master } = replication;
  if (failover.active) return 'FAILOVER already in progress.';
  if (replication.isReplica) return 'FAILOVER is not valid when server is a replica.';
  if (master.replicas.count === 0) return 'FAILOVER requires connected replicas.';
  if (force && (timeout === 0 || target === null))
    return 'FAILOVER with force option requires both a timeout and target HOST and IP.';
  if (target !== null) {
    const replica = master.replicas.all.find((each) => isAt(each, target));
    if (replica === undefined) return 'FAILOVER target HOST and PORT is not a replica.';
    if (replica.phase !== 'online') return 'FAILOVER target replica is not online.';
  }
  failover.begin({ target, timeout, force });
  return null;
}

const failover = command({
  name: 'FAILOVER',
  group: 'server',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Hands the part of the master over to one of its replicas.',
  flags: ['admin', 'noscript', 'stale'],
  args: [
    optional(after('TO', block('target', bytes('host'), integer('port'), optional(token('force', 'FORCE'))))),
    optional(token('abort', 'ABORT')),
    optional(after('TIMEOUT', integer('milliseconds'))),
  ],
  run(c) {
    const replication = replicationOf(c.engine);
    if (c.engine.membership.joined)
      return c.reply.error('ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.');
    const words = failoverWords(c);
    if (typeof words === 'string') return c.reply.error(words);
    if (words.abort) {
      if (!replication.failover.active) return c.reply.error('ERR No failover in progress.');
      replication.failover.abort('Failover manually aborted');
      return c.reply.ok();
    }
    const error = beginFailover(words, replication);
    if (error !== null) c.reply.error(`ERR ${error}`);
    else c.reply.ok();
  },
});

export const replicationCommands: readonly Command[] = [
  psync,
  sync,
  replconf,
  replicaof('REPLICAOF', '5.0.0', {}),
  replicaof('SLAVEOF', '1.0.0', { deprecatedSince: '5.0.0', replacedBy: '`REPLICAOF`', docFlags: ['deprecated'] }),
  role,
  wait,
  failover,
];
