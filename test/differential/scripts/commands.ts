/** Calls of redis.call and its kin for generated programs: mostly well-formed, on a handful of keys, never random. */
import type { SeededRandom } from '../../../src/base/random.ts';

/**
 * By letter: k a key, v a value, n a number, f a field, s a score, S anything at all. Commands whose replies depend on
 * time, on chance or on the order of a hash table are left out.
 */
const COMMANDS: readonly string[] = [
  'GET k',
  'SET k v',
  'SET k v NX',
  'SET k v XX GET',
  'SETNX k v',
  'GETSET k v',
  'GETDEL k',
  'APPEND k v',
  'STRLEN k',
  'SETRANGE k n v',
  'GETRANGE k n n',
  'INCR k',
  'INCRBY k n',
  'DECRBY k n',
  'INCRBYFLOAT k s',
  'MSET k v k v',
  'MGET k k k',
  'SETBIT k n 1',
  'BITCOUNT k',
  'BITPOS k 1',
  'DEL k k',
  'UNLINK k',
  'EXISTS k k k',
  'TYPE k',
  'RENAME k k',
  'COPY k k',
  'PERSIST k',
  'OBJECT ENCODING k',
  'LPUSH k v v',
  'RPUSH k v',
  'RPUSHX k v',
  'LPOP k',
  'RPOP k n',
  'LLEN k',
  'LRANGE k 0 -1',
  'LRANGE k n n',
  'LINDEX k n',
  'LSET k n v',
  'LREM k n v',
  'LTRIM k n n',
  'LINSERT k BEFORE v v',
  'LMOVE k k LEFT RIGHT',
  'BLPOP k 0',
  'HSET k f v',
  'HSET k f v f v',
  'HGET k f',
  'HMGET k f f',
  'HGETALL k',
  'HKEYS k',
  'HLEN k',
  'HDEL k f',
  'HINCRBY k f n',
  'HINCRBYFLOAT k f s',
  'HEXISTS k f',
  'SADD k n n',
  'SREM k n',
  'SCARD k',
  'SISMEMBER k n',
  'SMISMEMBER k n n',
  'ZADD k s f',
  'ZADD k s f s f',
  'ZADD k XX CH s f',
  'ZADD k INCR s f',
  'ZSCORE k f',
  'ZMSCORE k f f',
  'ZRANK k f',
  'ZCARD k',
  'ZCOUNT k -inf s',
  'ZRANGE k 0 -1 WITHSCORES',
  'ZRANGE k 0 -1',
  'ZRANGEBYSCORE k s s WITHSCORES',
  'ZREVRANGE k 0 n',
  'ZREM k f',
  'ZREMRANGEBYSCORE k s s',
  'ZINCRBY k s f',
  'ZPOPMIN k',
  'ZUNIONSTORE k 2 k k',
  'XADD k 1-1 f v',
  'XADD k 5-n f v f v',
  'XLEN k',
  'XRANGE k - +',
  'XREAD COUNT 2 STREAMS k 0',
  'PFADD k v v',
  'PFCOUNT k',
  'GEOADD k 13.4 52.5 f',
  'GEODIST k f f km',
  'GEOPOS k f',
  'SORT k ALPHA',
  'EXPIRE k 1000',
  'ECHO v',
  'PING',
  'PING v',
  'SELECT 0',
  'TYPE',
  'NOSUCH k',
  'GET',
  'SET k v PX v',
  'EVAL v 0',
  'SUBSCRIBE v',
  'MULTI',
  'S',
  'S S',
  'SET k S',
  'HSET k S S',
];
const KEYS = ["'k1'", "'k2'", "'k3'", '"\\0k\\255"'];
const FIELDS = ["'a'", "'b'", "'__proto__'", "'constructor'", '1', "''"];
const NUMBERS = ['0', '1', '2', '3', '-1', '7', '100', "'5'", '1.5', '-0'];
const SCORES = ['0', '1', '1.5', "'2'", '-3.25', '1e20', "'inf'", "'(1'", '3.0e-5', '0.1'];
const VALUES = ["'x'", "'10'", '42', "'hello world'", '3.7', '"\\0\\255z"', "''", "'3.0e3'", '1e15', '2^53', '-0.1'];

export class Commands {
  private readonly random: SeededRandom;
  private readonly anything: () => string;

  constructor(random: SeededRandom, anything: () => string) {
    this.random = random;
    this.anything = anything;
  }

  private pick(list: readonly string[]): string {
    return list[this.random.below(list.length)];
  }

  /** An expression that calls a command, or another function of the redis table. */
  call(): string {
    const roll = this.random.below(40);
    if (roll === 0) return `redis.sha1hex(${this.anything()})`;
    if (roll === 1) return `redis.error_reply(${this.anything()})`;
    if (roll === 2) return `redis.status_reply(${this.anything()})`;
    if (roll === 3) return `redis.setresp(${this.pick(['2', '3', '3', '4', this.anything()])})`;
    if (roll === 4) return `redis.acl_check_cmd('GET', ${this.pick(KEYS)})`;
    const args = this.pick(COMMANDS)
      .split(' ')
      .map((word) => this.argument(word));
    return `redis.${this.random.below(3) === 0 ? 'pcall' : 'call'}(${args.join(', ')})`;
  }

  private argument(word: string): string {
    if (this.random.below(60) === 0) return this.anything();
    switch (word) {
      case 'k':
        return this.pick(KEYS);
      case 'v':
        return this.random.below(5) === 0 ? this.anything() : this.pick(VALUES);
      case 'n':
        return this.pick(NUMBERS);
      case 'f':
        return this.pick(FIELDS);
      case 's':
        return this.pick(SCORES);
      case 'S':
        return this.anything();
      default:
        return `'${word}'`;
    }
  }
}
