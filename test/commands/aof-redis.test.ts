/** The append-only file beside redis-server 7.0.15: the same commands in it, and what one wrote the other loads. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { commandsOf, LogServer } from '../support/log-server.ts';
import { Pipeline } from '../support/pipeline.ts';
import { drawSeed } from '../support/seed.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-aof-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LIBRARY = "#!lua name=lib\nredis.register_function('f', function(k) return redis.call('INCR', k[1]) end)";

/** Commands whose effect depends on time or chance, or that touch the data in more than one step. */
const COMMANDS: string[][] = [
  ...`
    SET k v EX 100 GET
    SET k2 v PXAT 33177117420000 NX
    SET k v EXAT 33177117420 XX GET
    SET k v KEEPTTL GET
    SET k v PX 100000 XX
    SETEX k 100 v
    PSETEX k 100000 v
    GETEX k PXAT 33177117420000
    GETEX k PX 100000
    GETEX k PERSIST
    EXPIRE k 1000 NX
    EXPIREAT k 33177117420
    EXPIRE k -1
    SETNX k 1
    GETSET k 2
    GETDEL k
    APPEND k abc
    SETRANGE k 3 xyz
    SETBIT bits 7 1
    BITFIELD bits SET u8 0 5 INCRBY i5 100 1
    BITOP NOT nbits bits
    INCRBYFLOAT f 1.5
    HINCRBYFLOAT h f 1.5
    HSET h a 1 b 2
    MSET m1 1 m2 2
    MSETNX m3 1 m4 2
    RPUSH l a b c d e f
    LMPOP 1 l LEFT COUNT 2
    BLPOP l 0
    BLMOVE l l2 LEFT RIGHT 0
    RPOPLPUSH l l2
    LINSERT l BEFORE zz x
    COPY l2 l3
    RENAME l3 l4
    SORT l2 ALPHA STORE sorted
    SADD s a
    SPOP s
    SADD s a
    SPOP s 5
    SADD s a b c
    SINTERSTORE d s s
    SMOVE s s2 a
    ZADD z 1 a 2 b 3 c
    ZPOPMIN z
    ZMPOP 1 z MAX
    BZPOPMIN z 0
    ZADD z GT CH 5 q
    ZINCRBY z 1.5 q
    GEOADD geo 13.361389 38.115556 p
    GEOSEARCHSTORE near geo FROMMEMBER p BYRADIUS 10 km
    PFADD hll a b c
    PFCOUNT hll
    PFMERGE hll2 hll
    XADD x 1-1 a b
    XADD x MAXLEN ~ 100 2-* a b
    XGROUP CREATE x g 0
    XREADGROUP GROUP g other NOACK COUNT 1 STREAMS x >
    XACK x g 1-1
    XSETID x 9-1
    XTRIM x MAXLEN = 1
    SELECT 3
    SET there 1
    MOVE there 0
    SWAPDB 1 2
    SELECT 0
    PUBLISH channel message
    MULTI
    SET q 1
    GET q
    PUBLISH channel message
    EXEC
    MULTI
    INCR q
    SELECT 5
    INCR r
    SELECT 0
    EXEC
    SET p v
    pexpireat p 33177117420000 nx
    CONFIG SET lazyfree-lazy-user-del yes
    GETDEL p
    CONFIG SET lazyfree-lazy-user-del no
    DEBUG SET-ACTIVE-EXPIRE 0
    SADD gone1 a
    SADD gone2 a
    ZADD gone3 1 a
    SET gone4 a
    PEXPIRE gone1 5
    PEXPIRE gone2 5
    PEXPIRE gone3 5
    PEXPIRE gone4 5
    DEBUG SLEEP 0.02
    SADD there1 a
    SUNIONSTORE gone1 there1
    SMOVE nosuch gone2 a
    ZRANGESTORE gone3 nosuch 0 -1
    BITOP AND gone4 nosuch
    SCRIPT LOAD return
    UNLINK q
    FLUSHDB
    FLUSHDB ASYNC
    FLUSHALL
    FLUSHALL
  `
    .split('\n')
    .map((line) => line.trim().split(' '))
    .filter(([name]) => name !== ''),
  [
    'EVAL',
    'redis.call("SET","a","1") redis.call("GET","a") redis.call("PUBLISH","x","y") return redis.call("INCR","a")',
    '0',
  ],
  [
    'EVAL',
    'redis.set_repl(redis.REPL_AOF) redis.call("SET","a","1") redis.set_repl(redis.REPL_NONE) redis.call("SET","b","1")',
    '0',
  ],
  ['FUNCTION', 'LOAD', LIBRARY],
  ['FCALL', 'f', '1', 'n'],
  ['FUNCTION', 'DELETE', 'lib'],
];

/** Times that are now are not equal on both sides. */
const masked = (command: string): string => command.replace(/\b1[789]\d{11}\b/g, 'NOW');

async function redisOf(...settings: string[]): Promise<[ServerProcess, Pipeline]> {
  const redis = await startRedis('--enable-debug-command', 'yes', '--appendonly', 'yes', ...settings);
  return [redis, new Pipeline(redis.port)];
}

test('the same commands leave the same log', async () => {
  const ours = await LogServer.start(folder, { appendfsync: 'no' });
  const [redis, theirs] = await redisOf('--appendfsync', 'no');
  try {
    const name = join('appendonlydir', 'appendonly.aof.1.incr.aof');
    let seen = 0;
    for (const command of COMMANDS) {
      const replies = await Promise.all([ours.client.send([command]), theirs.send([command])]);
      const logs = [join(folder, name), join(redis.folder, name)].map((file) =>
        commandsOf(file).slice(seen).map(masked),
      );
      expect(logs[0], `${command.join(' ')} -> ${String(replies[0])}`).toEqual(logs[1]);
      seen += logs[0].length;
    }
    const bytes = [folder, redis.folder].map((where) => readFileSync(join(where, name), 'latin1').length);
    expect(bytes[0]).toBe(bytes[1]);
  } finally {
    theirs.close();
    await redis.stop();
    await ours.stop();
  }
});

/** Keys of every type and encoding, changed over and over. */
function traffic(seed: number): string[][] {
  const random = new SeededRandom(seed);
  const text = (): string => 'ab\0cÿ"'.repeat(random.below(30)) + random.below(1000);
  const far = String(Date.now() + 3_600_000);
  const commands: string[][] = [['FUNCTION', 'LOAD', LIBRARY]];
  for (const db of ['0', '9']) {
    commands.push(['SELECT', db]);
    for (let i = 0; i < 400; i++) {
      const n = String(random.below(12));
      commands.push(
        ['SET', `s${n}`, text(), ...(random.below(2) ? ['PXAT', far] : [])],
        ['RPUSH', `l${n}`, text(), String(random.below(1e9))],
        ['SADD', random.below(2) ? `i${n}` : `t${n}`, random.below(2) ? text() : String(random.below(1e6))],
        ['HSET', `h${n}`, text(), text()],
        ['ZADD', `z${n}`, String(random.below(1e6) / 7), text()],
        ['XADD', `x${n}`, '*', 'f', text()],
      );
      if (random.below(10) === 0)
        commands.push(['DEL', `l${n}`, `h${n}`], ['SPOP', `t${n}`], ['EXPIRE', `z${n}`, '5000']);
    }
    commands.push(
      ['XGROUP', 'CREATE', 'x1', 'g', '0'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '9', 'STREAMS', 'x1', '>'],
    );
    commands.push(['MULTI'], ['INCR', 'counter'], ['LPUSH', 'counted', 'x'], ['EXEC'], ['FCALL', 'f', '1', 'n']);
  }
  return commands;
}

test.each(['yes', 'no'])("ours is loaded by redis-server, and redis-server's by us (preamble %s)", async (preamble) => {
  const seed = drawSeed();
  const shared = { 'aof-use-rdb-preamble': preamble, appendfsync: 'always' };
  const options = Object.entries(shared).flatMap(([name, value]) => [`--${name}`, value]);
  const ours = await LogServer.start(folder, shared);
  await ours.client.send(traffic(seed));
  await ours.rewrite();
  await ours.client.send(traffic(seed + 1));
  const digest = await ours.digest();
  const functions = await ours.client.call('FUNCTION', 'LIST', 'WITHCODE');
  await ours.stop();

  const [redis, theirs] = await redisOf('--dir', folder, ...options);
  let back: unknown;
  try {
    expect(await theirs.call('DEBUG', 'DIGEST'), `seed ${seed}`).toEqual(digest);
    expect(await theirs.call('FUNCTION', 'LIST', 'WITHCODE')).toEqual(functions);
    await theirs.call('BGREWRITEAOF');
    while (!String(await theirs.call('INFO', 'persistence')).includes('aof_rewrite_in_progress:0'));
    await theirs.send(traffic(seed + 2));
    back = await theirs.call('DEBUG', 'DIGEST');
  } finally {
    theirs.close();
    await redis.stop();
  }
  const again = await LogServer.start(folder, shared);
  expect(await again.digest(), `seed ${seed}`).toEqual(back);
  await again.stop();
});
