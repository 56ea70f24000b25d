/** Commands on a key `k` by the type of its value, with arguments that reach its edges; `other` and `fresh` may be there too. */
import type { Random } from '../../src/base/random.ts';
import type { Kind } from './payloads.ts';

/** What `#`, `?`, `%`, `@` in the commands below stand for. */
const NUMBERS = ['0', '1', '2', '3', '-1', '-2', '5', '100', '-100'];
const ELEMENTS = ['a', 'b', 'f', 'g', 'el3', '1', '-300', '70000', '5000000000', 'a-longer-element', '12345'];
const SCORES = ['-inf', '+inf', '0', '1', '2.5', '(1', '-3', '3000000'];
const IDS = ['0', '1-1', '2-0', '2-1', '3-1', '9-9', '18446744073709551615-18446744073709551615', '1'];

const ANY = `TYPE k|OBJECT ENCODING k|MEMORY USAGE k|MEMORY USAGE k SAMPLES 0|COPY k other REPLACE|EXPIRE k 1000|RENAME k fresh|DUMP k
|DEBUG OBJECT k|DEBUG DIGEST-VALUE k|DEBUG DIGEST|SORT k ALPHA|SORT k BY nosort|OBJECT FREQ k|TOUCH k|PERSIST k`;

const BY_KIND: Readonly<Record<Kind, string>> = {
  string: `GET k|STRLEN k|GETRANGE k # #|APPEND k ?|SETRANGE k 7 ?|INCR k|INCRBYFLOAT k 1.5|BITCOUNT k|SETBIT k 20 1|GETBIT k 9|BITPOS k 0
|BITFIELD k GET u8 0 INCRBY i5 3 7|GETEX k PERSIST|LCS k k|PFCOUNT k|GETDEL k|BITOP NOT other k`,
  hyperloglog: `PFCOUNT k|PFCOUNT k other|PFADD k ? ?|PFADD other ?|PFMERGE other k|PFMERGE k other|PFDEBUG GETREG k|PFDEBUG DECODE k
|PFDEBUG ENCODING k|PFDEBUG TODENSE k|GET k|APPEND k ?|SETRANGE k 12 ?|PFADD k`,
  list: `LRANGE k 0 -1|LRANGE k # #|LINDEX k #|LPOS k ?|LPOS k ? RANK -1 COUNT 0|LINSERT k BEFORE ? x|LINSERT k AFTER ? 77|LREM k # ?
|LSET k # y|LSET k # 800000|LPUSH k p q 12|RPUSH k 300000|LPOP k|RPOP k 2|LTRIM k # #|LMOVE k other LEFT RIGHT|LMOVE k k RIGHT LEFT
|LMPOP 1 k LEFT COUNT 3|RPOPLPUSH other k|LLEN k|DEBUG LISTPACK k|SORT k`,
  set: `SMEMBERS k|SCARD k|SISMEMBER k ?|SMISMEMBER k ? ?|SADD k ? 8|SADD k 6000000000 zz|SREM k ?|SPOP k|SPOP k 2|SRANDMEMBER k #
|SRANDMEMBER k -20|SMOVE k other ?|SUNION k other|SINTER k other|SDIFF k other|SINTERCARD 2 k other|SSCAN k 0 COUNT 100|SUNIONSTORE other k
|SINTERSTORE k k other`,
  zset: `ZRANGE k 0 -1 WITHSCORES|ZRANGE k # # REV|ZRANGEBYSCORE k % % WITHSCORES|ZRANGEBYLEX k - +|ZREVRANGEBYLEX k [b [a|ZCOUNT k % %
|ZLEXCOUNT k - +|ZADD k 7 ?|ZADD k GT INCR 3 ?|ZINCRBY k 1.25 ?|ZREM k ?|ZPOPMIN k|ZPOPMAX k 2|ZRANK k ?|ZREVRANK k ?|ZSCORE k ?
|ZRANDMEMBER k # WITHSCORES|ZRANDMEMBER k -9|ZREMRANGEBYRANK k # #|ZREMRANGEBYSCORE k % %|ZREMRANGEBYLEX k [a [f|ZSCAN k 0
|ZUNIONSTORE other 2 k other|ZINTER 2 k other|ZDIFF 2 k other|ZRANGESTORE other k 0 -1|ZCARD k|ZMSCORE k ? ?|ZADD k 9 a-member-that-is-far-longer-than-sixty-four-bytes-so-that-it-becomes-a-skiplist`,
  hash: `HGETALL k|HGET k ?|HMGET k ? ?|HSET k ? ?|HSET k nf -5|HDEL k ?|HINCRBY k ? 3|HINCRBYFLOAT k ? 0.5|HLEN k|HSTRLEN k ?|HKEYS k|HVALS k
|HEXISTS k ?|HRANDFIELD k # WITHVALUES|HRANDFIELD k -9|HSCAN k 0|HSETNX k ? q|DEBUG LISTPACK k
|HSET k big a-value-that-is-far-longer-than-sixty-four-bytes-so-that-the-hash-becomes-a-table-of-its-own`,
  stream: `XRANGE k - +|XRANGE k @ @ COUNT 2|XREVRANGE k + -|XREVRANGE k @ @|XLEN k|XADD k * n 1|XADD k NOMKSTREAM MAXLEN ~ 2 * n 1|XADD k MAXLEN = 1 * a b
|XDEL k @|XTRIM k MAXLEN #|XTRIM k MINID @|XREAD COUNT 3 STREAMS k @|XGROUP CREATE k new @|XGROUP DESTROY k g|XGROUP SETID k g @
|XGROUP CREATECONSUMER k g carol|XGROUP DELCONSUMER k g alice|XREADGROUP GROUP g alice COUNT 2 STREAMS k >|XREADGROUP GROUP g bob STREAMS k 0
|XACK k g @ @|XPENDING k g|XPENDING k g - + 10|XPENDING k g IDLE 1 - + 10 alice|XCLAIM k g carol 0 @ @|XCLAIM k g carol 0 @ FORCE JUSTID|XAUTOCLAIM k g carol 0 0
|XAUTOCLAIM k g bob 0 @ COUNT 1 JUSTID|XINFO STREAM k|XINFO STREAM k FULL COUNT 0|XINFO GROUPS k|XINFO CONSUMERS k g|XSETID k @|DEBUG STREAM k`,
};

const POOLS: Readonly<Record<string, readonly string[]>> = { '#': NUMBERS, '?': ELEMENTS, '%': SCORES, '@': IDS };

const split = (commands: string): string[][] => commands.split('|').map((command) => command.trim().split(/\s+/));
const GENERIC = split(ANY);
const TYPED = new Map(Object.entries(BY_KIND).map(([kind, commands]) => [kind, split(commands)]));

/** Up to `count` commands for a value of this kind. */
export function traffic(random: Random, kind: Kind, count: number): string[][] {
  const own = TYPED.get(kind)!;
  return Array.from({ length: count }, () => {
    const from = random.below(5) === 0 ? GENERIC : own;
    return from[random.below(from.length)].map((word) => {
      const pool = POOLS[word];
      return pool === undefined ? word : pool[random.below(pool.length)];
    });
  });
}
