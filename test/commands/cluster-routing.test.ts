/** Where a node of a cluster sends its clients, beside a real node with the same slots. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Beside, lines } from '../support/beside.ts';
import { ClusterBeside, OTHER } from '../support/cluster-beside.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';

/** Slots of the keys below: ours are up to 8191. */
const BAR = 5061;
const FOO = 12182;

/** Commands whose keys are elsewhere, in several slots, or in places of their own. */
const COMMANDS = `
  GET foo
  GET bar
  SET bar 1
  MGET bar {bar}2
  MGET bar foo
  MGET foo bar
  MSET bar 1 foo 2
  DEL {foo}1 {foo}2
  PING
  ECHO foo
  DBSIZE
  KEYS *
  SCAN 0
  RANDOMKEY
  OBJECT ENCODING foo
  OBJECT ENCODING bar
  MEMORY USAGE foo
  GET
  NOSUCH foo
  SELECT 0
  SELECT 1
  SELECT x
  SWAPDB 0 1
  MOVE bar 1
  COPY bar {bar}2 DB 1
  COPY bar {bar}2
  COPY bar foo
  DEL bar {bar}2
  SORT foo
  SORT bar STORE foo
  SORT foo STORE bar
  SORT bar BY w_*
  SORT bar BY nosort
  SORT bar GET x_*
  SORT bar GET #
  SORT_RO bar BY w_*
  EVAL "return 1" 0
  EVAL "return 1" 1 foo
  EVAL "return 1" 2 bar foo
  EVAL "return 1" 2 foo bar
  EVAL "return 1" x foo
  EVAL_RO "return 1" 1 foo
  FCALL nosuch 1 foo
  FCALL nosuch 1 bar
  XREAD COUNT 1 STREAMS foo 0
  XREAD COUNT 1 STREAMS bar foo 0 0
  XREAD COUNT 1 STREAMS bar {bar}s 0 0
  XREADGROUP GROUP g c STREAMS foo >
  XGROUP CREATE foo g $ MKSTREAM
  XINFO STREAM foo
  ZUNIONSTORE bar 2 {bar}1 foo
  ZUNIONSTORE foo 2 bar {bar}1
  ZUNIONSTORE bar 2 {bar}1 {bar}2
  ZUNION 2 bar foo
  ZINTERCARD 1 foo
  LMPOP 1 foo LEFT
  LMPOP 2 bar foo LEFT
  BLMPOP 0 1 foo LEFT
  BLPOP bar foo 0
  BLPOP foo 0
  GEORADIUS bar 1 1 1 m STORE foo
  GEORADIUS foo 1 1 1 m
  GEOSEARCHSTORE bar foo FROMLONLAT 1 1 BYRADIUS 1 m
  RENAME bar foo
  SMOVE bar foo x
  RPOPLPUSH foo bar
  BITOP AND bar foo
  PFMERGE bar foo
  STRALGO LCS KEYS bar foo
  LCS bar foo
  WATCH foo
  WATCH bar foo
  WATCH bar
  UNWATCH
  TOUCH bar foo
  RESTORE foo 0 x
  RESTORE-ASKING foo 0 x
  DUMP foo
  MIGRATE 127.0.0.1 1 foo 0 1
  MIGRATE 127.0.0.1 1 "" 0 1 KEYS bar foo
  MIGRATE 127.0.0.1 1 "" 0 1 KEYS {foo}1 {foo}2
  MIGRATE 127.0.0.1 1 bar 0 1
  REPLICAOF NO ONE
  SLAVEOF 127.0.0.1 1
  FAILOVER
  ASKING
  GET foo
  READONLY
  GET foo
  READWRITE
  SSUBSCRIBE foo
  SPUBLISH foo m
  SPUBLISH bar m
  SUNSUBSCRIBE foo
  PUBLISH foo m
  PFDEBUG GETREG foo
  DEBUG OBJECT foo
  SUBSTR foo 0 1
  COMMAND GETKEYS GET foo
`;

/** What scripts may touch, by what they declare. */
const SCRIPTS = `
  EVAL "return redis.call('get','foo')" 0
  EVAL "return redis.pcall('get','foo')" 0
  EVAL "return redis.call('get','bar')" 0
  EVAL "return redis.call('mget','bar','foo')" 0
  EVAL "redis.call('get','bar'); return redis.call('get','{bar}2')" 0
  EVAL "redis.call('get','bar'); return redis.call('get','b')" 0
  EVAL "return redis.call('ping')" 0
  EVAL "return redis.call('nosuch')" 1 bar
  EVAL "#!lua\nredis.call('get','bar'); return redis.call('get','b')" 0
  EVAL "#!lua\nredis.call('get','bar'); return redis.call('get','{bar}2')" 0
  EVAL "#!lua\nreturn redis.call('get','b')" 1 bar
  EVAL "#!lua\nreturn redis.call('get','foo')" 1 bar
  EVAL "#!lua flags=allow-cross-slot-keys\nredis.call('get','bar'); return redis.call('get','b')" 0
  EVAL "#!lua flags=allow-cross-slot-keys\nredis.call('get','bar'); return redis.call('get','foo')" 0
  EVAL "#!lua flags=allow-cross-slot-keys\nreturn 1" 2 bar b
  EVAL "#!lua flags=no-cluster\nreturn 1" 0
  EVAL "#!lua flags=no-cluster\nreturn 1" 1 foo
  EVAL "#!lua\nreturn redis.call('publish','foo','m')" 0
  EVAL "#!lua\nreturn redis.call('spublish','foo','m')" 0
  EVAL "#!lua\nredis.call('spublish','bar','m'); return redis.call('spublish','b','m')" 0
  EVAL "return redis.call('sort','bar','by','w_*')" 1 bar
  EVAL "return redis.call('select','1')" 0
  EVAL "return redis.call('asking')" 0
  EVAL "return redis.call('readonly')" 0
  EVAL "return redis.call('keys','*')" 0
  FUNCTION LOAD "#!lua name=lib\nredis.register_function('f', function(k, a) return redis.call(unpack(a)) end)\nredis.register_function{function_name='nc', callback=function() return 1 end, flags={'no-cluster'}}\nredis.register_function{function_name='x', callback=function(k, a) redis.call('get', a[1]); return redis.call('get', a[2]) end, flags={'allow-cross-slot-keys'}}\nredis.register_function{function_name='y', callback=function(k, a) redis.call('get', a[1]); return redis.call('get', a[2]) end}"
  FCALL f 1 bar get bar
  FCALL f 1 bar get b
  FCALL f 0 get b
  FCALL f 0 get foo
  FCALL f 1 foo get foo
  FCALL nc 0
  FCALL x 0 bar b
  FCALL x 1 bar b foo
  FCALL y 0 bar b
  FCALL y 0 bar {bar}2
  MULTI
  FCALL f 0 get bar
  FCALL f 0 get b
  EXEC
  MULTI
  FCALL f 0 get b
  GET bar
  EXEC
  FUNCTION DELETE lib
`;

const TRANSACTIONS = `
  MULTI
  SET bar 1
  GET {bar}2
  EXEC
  MULTI
  SET bar 1
  SET b 2
  EXEC
  MULTI
  SET bar 1
  GET foo
  SET bar 2
  EXEC
  GET bar
  MULTI
  MGET bar foo
  EXEC
  MULTI
  PING
  EXEC
  EXEC
  MULTI
  GET foo
  GET foo
  DISCARD
  WATCH bar
  MULTI
  SET bar 3
  SET b 3
  EXEC
  SET bar 4
  MULTI
  GET bar
  EXEC
`;

/** With BAR going away, and FOO coming. {bar}1 and {foo}1 are here, the others are not. */
const OPEN = `
  GET {bar}1
  GET {bar}2
  SET {bar}2 x
  MGET {bar}1 {bar}1
  MGET {bar}1 {bar}2
  MGET {bar}2 {bar}3
  MGET {bar}2 b
  DEL {bar}2
  SSUBSCRIBE bar
  SPUBLISH bar m
  SUNSUBSCRIBE bar
  MIGRATE 127.0.0.1 1 {bar}2 0 1
  MIGRATE 127.0.0.1 1 "" 0 1 KEYS {bar}2 {bar}3
  EVAL "return 1" 1 {bar}1
  EVAL "return 1" 1 {bar}2
  EVAL "return redis.call('get','{bar}1')" 1 {bar}1
  EVAL "return redis.call('get','{bar}2')" 1 {bar}1
  EVAL "return redis.call('get','{bar}2')" 0
  MULTI
  GET {bar}1
  GET {bar}2
  EXEC
  MULTI
  GET {bar}1
  GET {bar}1
  EXEC
  ASKING
  GET {bar}2
  GET {foo}1
  ASKING
  GET {foo}1
  GET {foo}1
  ASKING
  GET {foo}2
  ASKING
  PING
  GET {foo}1
  ASKING
  NOSUCH
  GET {foo}1
  ASKING
  GET
  GET {foo}1
  ASKING
  ASKING
  GET {foo}1
  ASKING
  MGET {foo}1 {foo}1
  ASKING
  MGET {foo}1 {foo}2
  ASKING
  MGET {foo}2 {foo}2
  ASKING
  MGET {foo}2 {foo}3
  ASKING
  MGET {foo}1 bar
  ASKING
  MULTI
  GET {foo}1
  GET {foo}1
  EXEC
  GET {foo}1
  ASKING
  MULTI
  GET {foo}1
  GET {foo}2
  EXEC
  GET {foo}1
  ASKING
  MULTI
  DISCARD
  GET {foo}1
  MULTI
  ASKING
  GET {foo}1
  EXEC
  GET {foo}1
  MULTI
  ASKING
  EXEC
  GET {foo}1
  ASKING
  EVAL "return redis.call('get','{foo}1')" 1 {foo}1
  EVAL "return redis.call('get','{foo}1')" 1 {foo}1
  ASKING
  EVAL "return redis.call('get','{foo}2')" 0
  ASKING
  EVAL "return redis.call('mget','{foo}1','{foo}2')" 0
  EVAL "return redis.call('get','{foo}1')" 0
  RESTORE-ASKING {foo}1 0 x
  MIGRATE 127.0.0.1 1 {foo}2 0 1
  SPUBLISH foo m
  ASKING
  SPUBLISH foo m
  ASKING
  RESET
  GET {foo}1
  DBSIZE
`;

const DOWN = `
  GET bar
  SET bar 1
  GET foo
  MGET bar foo
  MGET bar b
  GET b
  PING
  DBSIZE
  FLUSHALL
  PUBLISH bar m
  SPUBLISH bar m
  SSUBSCRIBE bar
  SUNSUBSCRIBE bar
  EVAL "return 1" 0
  EVAL "return 1" 1 bar
  EVAL "return redis.call('get','bar')" 0
  EVAL "return redis.call('set','bar',1)" 0
  EVAL "return redis.call('spublish','bar',1)" 0
  EVAL_RO "return redis.call('get','bar')" 1 bar
  EVAL "#!lua\nreturn 1" 1 bar
  EVAL "#!lua flags=no-writes\nreturn 1" 1 bar
  MULTI
  GET bar
  EXEC
  MULTI
  SET bar 1
  EXEC
  BLPOP bar 0.01
`;

const REPLICA = `
  GET bar
  SET bar 1
  MGET bar {bar}2
  MGET bar foo
  PING
  KEYS *
  READONLY
  GET bar
  SET bar 1
  MGET bar {bar}2
  MGET bar foo
  EVAL "return 1" 1 bar
  EVAL "return redis.call('get','bar')" 1 bar
  EVAL "return redis.call('get','bar')" 0
  EVAL "return redis.call('set','bar',1)" 1 bar
  EVAL "#!lua\nreturn 1" 1 bar
  EVAL "#!lua flags=no-writes\nreturn redis.call('get','bar')" 1 bar
  EVAL_RO "return redis.call('get','bar')" 1 bar
  MULTI
  GET bar
  EXEC
  MULTI
  GET bar
  SET bar 1
  EXEC
  BLPOP bar 0.01
  XREAD BLOCK 1 STREAMS bar 0
  READWRITE
  GET bar
  EVAL "return redis.call('get','bar')" 0
  SSUBSCRIBE bar
  SPUBLISH bar m
  SUNSUBSCRIBE bar
  READONLY
  RESET
  GET bar
  ASKING
  GET bar
`;

describe('a master', () => {
  let cluster: ClusterBeside;

  beforeAll(async () => {
    cluster = await ClusterBeside.start();
  });

  afterAll(() => cluster.stop());

  beforeEach(() => cluster.both.same('FLUSHALL'));

  const escaped = (text: string): string[][] =>
    lines(text).map((words) => words.map((word) => word.replaceAll('\\n', '\n')));

  test('commands by themselves', () => cluster.both.same(COMMANDS));

  test('scripts and functions', () => cluster.both.same(escaped(SCRIPTS)));

  test('transactions', () => cluster.both.same(TRANSACTIONS));

  test('slots that are being moved', async () => {
    const { both } = cluster;
    await cluster.importing(FOO);
    await both.same('SET {bar}1 1\nASKING\nSET {foo}1 1\nPEXPIRE {bar}1 100000');
    await cluster.migrating(BAR);
    await both.same(escaped(OPEN));
    // What is past its time is not there.
    await both.same('DEBUG SET-ACTIVE-EXPIRE 0\nPEXPIRE {bar}1 1');
    await new Promise((done) => setTimeout(done, 10));
    await both.same('GET {bar}1\nDEBUG SET-ACTIVE-EXPIRE 1');
    await cluster.stable(BAR);
    await cluster.stable(FOO);
    await both.same('GET {bar}1\nGET {foo}1\nASKING\nGET {foo}1');
  });

  test('a cluster that is down', async () => {
    const { both } = cluster;
    await cluster.unassign(3300, 'fail');
    try {
      for (const reads of ['no', 'yes']) {
        for (const pubsub of ['yes', 'no']) {
          await both.same(`CONFIG SET cluster-allow-reads-when-down ${reads}`);
          await both.same(`CONFIG SET cluster-allow-pubsubshard-when-down ${pubsub}`);
          await both.same(escaped(DOWN));
        }
      }
    } finally {
      await both.same(
        'CONFIG SET cluster-allow-reads-when-down no\nCONFIG SET cluster-allow-pubsubshard-when-down yes',
      );
      await cluster.add(3300);
    }
  });

  test('a slot that nobody serves', async () => {
    const { both } = cluster;
    await both.same('CONFIG SET cluster-require-full-coverage no');
    await cluster.unassign(3300, 'ok');
    await both.same('GET b\nMGET b bar\nMGET bar b\nEVAL "return 1" 1 b\nSSUBSCRIBE b\nGET bar\nMULTI\nGET b\nEXEC');
    await both.same(`EVAL "return redis.call('get','b')" 0`);
    await both.same('CONFIG SET cluster-require-full-coverage yes');
    await cluster.add(3300);
  });

  test('clients that wait are told where their slot has gone', async () => {
    const { both } = cluster;
    const waiting = [
      ['BLPOP', 'bar', '{bar}2', '0'],
      ['BZPOPMIN', 'bar', '0'],
      ['XREAD', 'BLOCK', '0', 'STREAMS', 'bar', '$'],
      ['BLMOVE', 'bar', '{bar}2', 'LEFT', 'LEFT', '0'],
      ['BLPOP', 'b', '0'],
    ];
    const clients = waiting.map(() => [new Pipeline(both.server.port), new Pipeline(both.theirsPort)]);
    const answers = waiting.map((command, i) => clients[i].map((client) => client.send([command])));
    const all = (i: number): Promise<unknown[]> =>
      Promise.all(answers[i].map(async (answer) => String((await answer)[0])));
    await both.ours.send([['PING']]);
    await blocked(both, waiting.length);
    await cluster.assign(BAR, 'other');
    for (let i = 0; i < 4; i++) {
      const moved = `ReplyError: MOVED ${BAR} ${OTHER}`;
      expect(await all(i)).toEqual([moved, moved]);
    }
    await cluster.unassign(1, 'fail');
    const down = 'ReplyError: CLUSTERDOWN The cluster is down';
    expect(await all(4)).toEqual([down, down]);
    await cluster.add(1);
    await cluster.assign(BAR, 'us');
    await both.same('INFO nosuch\nBLPOP bar 0.01');
    for (const client of clients.flat()) client.close();
  });

  test('subscriptions end with their slot', async () => {
    const { both } = cluster;
    const clients = [new Pipeline(both.server.port), new Pipeline(both.theirsPort)];
    for (const client of clients) {
      for (const channel of ['bar', '{bar}2', 'b']) await client.send([['SSUBSCRIBE', channel]]);
      await client.send([['SUBSCRIBE', 'bar']]);
    }
    await cluster.assign(BAR, 'other');
    for (const client of clients) {
      // The first four of what comes: two that nobody has asked for, and two replies.
      const told = (await client.send([['PING'], ['SUNSUBSCRIBE', 'b'], ['PING'], ['PING']])) as Answer[][];
      expect(told.slice(0, 2).map((words) => words[1])).toEqual(expect.arrayContaining(['bar', '{bar}2']));
      expect(told.map((words) => [words[0], words[2]])).toEqual([
        ['sunsubscribe', 2],
        ['sunsubscribe', 1],
        ['pong', undefined],
        ['sunsubscribe', 0],
      ]);
    }
    await cluster.assign(BAR, 'us');
    for (const client of clients) client.close();
  });
});

/** So many clients wait at both. */
async function blocked({ ours, theirs }: Beside, count: number): Promise<void> {
  for (const admin of [ours, theirs])
    while (!String((await admin.send([['INFO', 'clients']]))[0]).includes(`blocked_clients:${count}\r`));
}

describe('a replica', () => {
  test('reads for clients that want it', async () => {
    const cluster = await ClusterBeside.start(true);
    await cluster.both.same(lines(REPLICA).map((words) => words.map((word) => word.replaceAll('\\n', '\n'))));
    await cluster.stop();
  });
});
