/**
 * Bytes that no client should send, or that a hostile one would: after any of them the server answers the next client,
 * at once. CINNABAR_FUZZ sets the number of inputs, CINNABAR_FUZZ_SEED where they begin, CINNABAR_WIRE_PORT the server.
 */
import { connect } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { CinnabarServer } from '../../src/server/server.ts';
import { freePort } from '../support/ports.ts';

const FOREIGN = Number(process.env['CINNABAR_WIRE_PORT'] ?? 0);
const INPUTS = Number(process.env['CINNABAR_FUZZ'] ?? 3000);
const SEED = Number(process.env['CINNABAR_FUZZ_SEED'] ?? 1);
const AT_ONCE = 16;

const COMMANDS = (
  'GET SET SETRANGE GETRANGE APPEND INCR INCRBY INCRBYFLOAT DECR MSET MSETNX SETEX PSETEX GETEX GETDEL STRLEN SUBSTR LCS ' +
  'LPUSH RPUSH LPOP RPOP LRANGE LINSERT LSET LREM LTRIM LMOVE RPOPLPUSH LPOS LMPOP BLPOP BRPOP BLMOVE BLMPOP LINDEX LLEN ' +
  'SADD SREM SPOP SRANDMEMBER SMEMBERS SINTER SUNION SDIFF SINTERSTORE SUNIONSTORE SDIFFSTORE SINTERCARD SMOVE SSCAN SCARD ' +
  'HSET HGET HDEL HINCRBY HINCRBYFLOAT HGETALL HMGET HRANDFIELD HSCAN HSETNX HSTRLEN HKEYS HVALS HLEN HMSET ' +
  'ZADD ZREM ZRANGE ZRANGEBYSCORE ZRANGEBYLEX ZREVRANGE ZRANGESTORE ZUNION ZINTER ZDIFF ZUNIONSTORE ZINTERSTORE ZINTERCARD ' +
  'ZINCRBY ZRANK ZREVRANK ZCOUNT ZLEXCOUNT ZPOPMIN ZPOPMAX ZMPOP ZRANDMEMBER ZSCAN ZSCORE ZMSCORE ZREMRANGEBYSCORE BZPOPMIN ' +
  'DEL UNLINK EXISTS EXPIRE PEXPIRE EXPIREAT PERSIST TTL PTTL TYPE RENAME RENAMENX COPY MOVE KEYS SCAN RANDOMKEY SORT SORT_RO ' +
  'OBJECT TOUCH DBSIZE SELECT ECHO PING HELLO AUTH RESET QUIT MULTI EXEC DISCARD WATCH UNWATCH SUBSCRIBE PSUBSCRIBE PUBLISH ' +
  'CLIENT COMMAND CONFIG INFO TIME LOLWUT SLOWLOG MEMORY MONITOR FLUSHDB SWAPDB NOSUCH'
).split(' ');

const WORDS = (
  'k k1 k2 list set hash zset 0 1 -1 2 10 100 -100 1.5 -0 inf -inf nan 1e400 9223372036854775807 -9223372036854775808 ' +
  '9223372036854775808 18446744073709551616 00 +1 0x10 ( [a (b [ - + * ? [^a-z] \\ WITHSCORES LIMIT BY GET STORE ASC ALPHA ' +
  'COUNT MATCH TYPE NX XX GT LT CH INCR EX PX EXAT KEEPTTL LEFT RIGHT BEFORE AFTER WEIGHTS AGGREGATE SUM REV BYSCORE BYLEX ' +
  'WITHVALUES HELP ENCODING LIST ID INFO SETNAME ON OFF DB REPLACE IDX MINMATCHLEN WITHMATCHLEN RANK MAXLEN DOCS GETKEYS'
).split(' ');

/** Arguments with which a command would do what it should, but which the test can't have done. */
const FORBIDDEN = /^(config|client)$/i;
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  CONFIG: ['GET', 'HELP', 'NOSUCH'],
  CLIENT: ['ID', 'LIST', 'INFO', 'GETNAME', 'SETNAME', 'REPLY', 'NO-EVICT', 'UNBLOCK', 'HELP', 'TRACKING', 'NOSUCH'],
};

function word(random: SeededRandom): string {
  const kind = random.below(10);
  if (kind < 7) return WORDS[random.below(WORDS.length)];
  if (kind === 7) return 'x'.repeat(random.below(300));
  const length = random.below(12);
  return Array.from({ length }, () => String.fromCharCode(random.below(256))).join('');
}

function oneCommand(random: SeededRandom): string {
  const name = COMMANDS[random.below(COMMANDS.length)];
  const args = [name];
  if (FORBIDDEN.test(name)) args.push(HARMLESS[name][random.below(HARMLESS[name].length)]);
  const count = random.below(7);
  for (let i = 0; i < count; i++) args.push(word(random));
  if (random.below(12) === 0) return `${args.join(' ')}\r\n`;
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}

function input(random: SeededRandom): Buffer {
  let text = '';
  const count = 1 + random.below(6);
  for (let i = 0; i < count; i++) text += oneCommand(random);
  const bytes = Buffer.from(text, 'latin1');
  const harm = random.below(4);
  if (harm === 0) for (let i = 0; i < 3; i++) bytes[random.below(bytes.length)] = random.below(256);
  if (harm === 1) return bytes.subarray(0, random.below(bytes.length));
  if (harm === 2 && random.below(10) === 0) {
    const lengths = ['*2147483647\r\n', '*1\r\n$536870912\r\n', '*-5\r\n', '$5\r\n', '*1\r\n$-1\r\n', '"', "'\n", '\0'];
    return Buffer.concat([bytes, Buffer.from(lengths[random.below(lengths.length)], 'latin1')]);
  }
  return bytes;
}

/** Sends it, ends our side, and waits until the server has ended its own. */
function send(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end after ${JSON.stringify(bytes.toString('latin1'))}`));
    }, 10_000);
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    };
    socket.on('error', finish);
    socket.on('end', finish);
    socket.on('data', (chunk: Buffer) => {
      if (!chunk.includes('-ERR internal error')) return;
      reject(new Error(`an internal error after ${JSON.stringify(bytes.toString('latin1'))}`));
    });
    socket.end(bytes);
  });
}

let server: CinnabarServer | null = null;
let port = FOREIGN;

beforeAll(async () => {
  if (FOREIGN !== 0) return;
  const { createServer } = await import('../../src/server/server.ts');
  port = await freePort();
  server = createServer({ settings: { port, bind: '127.0.0.1', save: '' } });
  await server.listen();
});

afterAll(async () => {
  await server?.close();
});

test(`${INPUTS} hostile inputs from seed ${SEED}`, { timeout: 60_000 + INPUTS * 5 }, async () => {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < INPUTS) await send(port, input(new SeededRandom(SEED + next++)));
  };
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  delay.disable();
  // Server and clients share this process's loop, so this is an upper bound of the server's own stalls.
  console.log(`longest turn: ${(delay.max / 1e6).toFixed(1)} ms`);
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('data', (chunk: Buffer) => {
      resolve(chunk.toString('latin1'));
      socket.destroy();
    });
    socket.on('error', reject);
    socket.write('PING\r\n');
  });
  expect(answer).toBe('+PONG\r\n');
});
