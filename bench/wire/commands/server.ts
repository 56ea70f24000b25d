import { type Family, filling, flat, one, type Row, random, several, times, type Words } from './row.ts';

const CLIENTS = 50;

const configuration: readonly Row[] = [
  one('CONFIG GET of one', () => ['CONFIG', 'GET', 'maxmemory']),
  one('CONFIG GET of a pattern', () => ['CONFIG', 'GET', 'max*']),
  one('CONFIG GET of all', () => ['CONFIG', 'GET', '*']),
  one('CONFIG SET', () => ['CONFIG', 'SET', 'slowlog-max-len', '128']),
  one('CONFIG RESETSTAT', () => ['CONFIG', 'RESETSTAT']),
  one('COMMAND', () => ['COMMAND']),
  one('COMMAND COUNT', () => ['COMMAND', 'COUNT']),
  one('COMMAND LIST', () => ['COMMAND', 'LIST']),
  one('COMMAND LIST of a category', () => ['COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'hash']),
  one('COMMAND INFO of 2', () => ['COMMAND', 'INFO', 'get', 'config|set']),
  one('COMMAND DOCS', () => ['COMMAND', 'DOCS']),
  one('COMMAND DOCS of 2', () => ['COMMAND', 'DOCS', 'get', 'zadd']),
  one('COMMAND GETKEYS', () => ['COMMAND', 'GETKEYS', 'ZUNIONSTORE', 'to', '2', 'a', 'b']),
  one('COMMAND GETKEYSANDFLAGS', () => ['COMMAND', 'GETKEYSANDFLAGS', 'MSET', 'a', '1', 'b', '2']),
];

const figures: readonly Row[] = [
  one('INFO', () => ['INFO']),
  one('INFO ALL', () => ['INFO', 'ALL']),
  one('INFO SERVER', () => ['INFO', 'SERVER']),
  one('INFO CLIENTS', () => ['INFO', 'CLIENTS'], { idle: CLIENTS }),
  one('INFO MEMORY', () => ['INFO', 'MEMORY']),
  one('INFO STATS', () => ['INFO', 'STATS']),
  one('INFO KEYSPACE', () => ['INFO', 'KEYSPACE']),
  one('MEMORY USAGE of a string', () => ['MEMORY', 'USAGE', 'string']),
  one('MEMORY USAGE of a hash', () => ['MEMORY', 'USAGE', 'hash']),
  one('MEMORY STATS', () => ['MEMORY', 'STATS']),
  one('MEMORY DOCTOR', () => ['MEMORY', 'DOCTOR']),
  one('LATENCY LATEST', () => ['LATENCY', 'LATEST']),
  one('LATENCY HISTORY', () => ['LATENCY', 'HISTORY', 'command']),
  one('LATENCY HISTOGRAM of 2', () => ['LATENCY', 'HISTOGRAM', 'get', 'set']),
  one('SLOWLOG GET', () => ['SLOWLOG', 'GET', '10']),
  one('SLOWLOG LEN', () => ['SLOWLOG', 'LEN']),
  one('TIME', () => ['TIME']),
  one('ROLE', () => ['ROLE']),
  one('LASTSAVE', () => ['LASTSAVE']),
  one('MODULE LIST', () => ['MODULE', 'LIST']),
  one('LOLWUT', () => ['LOLWUT', 'VERSION', '9']),
  one('WAIT', () => ['WAIT', '0', '0']),
  one('REPLICAOF NO ONE', () => ['REPLICAOF', 'NO', 'ONE']),
  one('SLAVEOF NO ONE', () => ['SLAVEOF', 'NO', 'ONE']),
  one('DEBUG OBJECT', () => ['DEBUG', 'OBJECT', 'string']),
  one('DEBUG SLEEP', () => ['DEBUG', 'SLEEP', '0']),
  one('DEBUG DIGEST', () => ['DEBUG', 'DIGEST']),
  one('DEBUG DIGEST-VALUE of a hash', () => ['DEBUG', 'DIGEST-VALUE', 'hash']),
];

const clients: readonly Row[] = [
  one('PING', () => ['PING']),
  one('PING, inline', () => ['PING', 'hello']),
  one('ECHO', () => ['ECHO', 'hello']),
  one('SELECT', () => ['SELECT', '0']),
  one('AUTH', () => ['AUTH', 'default', 'anything']),
  one('HELLO', () => ['HELLO', '2']),
  one('RESET', () => ['RESET']),
  one('CLIENT ID', () => ['CLIENT', 'ID']),
  one('CLIENT INFO', () => ['CLIENT', 'INFO']),
  one('CLIENT LIST of 1', () => ['CLIENT', 'LIST', 'ID', '1']),
  one('CLIENT LIST of 50', () => ['CLIENT', 'LIST'], { idle: CLIENTS }),
  one('CLIENT SETNAME', () => ['CLIENT', 'SETNAME', 'name']),
  one('CLIENT GETNAME', () => ['CLIENT', 'GETNAME']),
  one('CLIENT NO-EVICT', () => ['CLIENT', 'NO-EVICT', 'OFF']),
  one('CLIENT KILL of nobody', () => ['CLIENT', 'KILL', 'ID', '999999999']),
  several('CLIENT TRACKING ON, OFF', () => [
    ['CLIENT', 'TRACKING', 'ON'],
    ['GET', 'string'],
    ['CLIENT', 'TRACKING', 'OFF'],
  ]),
  one('CLIENT TRACKINGINFO', () => ['CLIENT', 'TRACKINGINFO']),
  one('CLIENT UNPAUSE', () => ['CLIENT', 'UNPAUSE']),
];

const users: readonly Row[] = [
  one('ACL WHOAMI', () => ['ACL', 'WHOAMI']),
  one('ACL LIST', () => ['ACL', 'LIST']),
  one('ACL USERS', () => ['ACL', 'USERS']),
  one('ACL CAT', () => ['ACL', 'CAT']),
  one('ACL CAT of one', () => ['ACL', 'CAT', 'hash']),
  one('ACL GETUSER', () => ['ACL', 'GETUSER', 'anna']),
  one('ACL SETUSER', () => ['ACL', 'SETUSER', 'anna', '~more:*']),
  several('ACL SETUSER, DELUSER', () => [
    ['ACL', 'SETUSER', 'ben', 'on', '+@all'],
    ['ACL', 'DELUSER', 'ben'],
  ]),
  one('ACL DRYRUN', () => ['ACL', 'DRYRUN', 'anna', 'GET', 'key']),
  one('ACL GENPASS', () => ['ACL', 'GENPASS']),
  one('ACL LOG', () => ['ACL', 'LOG']),
];

const transactions: readonly Row[] = [
  several('MULTI of 3, EXEC', () => [
    ['MULTI'],
    ['SET', 'string', 'value'],
    ['GET', 'string'],
    ['INCR', 'number'],
    ['EXEC'],
  ]),
  several('MULTI, DISCARD', () => [['MULTI'], ['GET', 'string'], ['DISCARD']]),
  several('WATCH, UNWATCH', () => [['WATCH', 'string', 'number'], ['UNWATCH']]),
  several('WATCH, MULTI, EXEC', () => [['WATCH', 'string'], ['MULTI'], ['SET', 'string', 'value'], ['EXEC']]),
];

const channels: readonly Row[] = [
  one('PUBLISH to nobody', () => ['PUBLISH', 'channel', 'message']),
  one('SPUBLISH to nobody', () => ['SPUBLISH', 'channel', 'message']),
  several('SUBSCRIBE, UNSUBSCRIBE', () => [
    ['SUBSCRIBE', 'a', 'b'],
    ['UNSUBSCRIBE', 'a', 'b'],
  ]),
  several('PSUBSCRIBE, PUNSUBSCRIBE', () => [
    ['PSUBSCRIBE', 'a*'],
    ['PUNSUBSCRIBE', 'a*'],
  ]),
  several('SSUBSCRIBE, SUNSUBSCRIBE', () => [
    ['SSUBSCRIBE', 'a'],
    ['SUNSUBSCRIBE', 'a'],
  ]),
  one('PUBSUB CHANNELS', () => ['PUBSUB', 'CHANNELS']),
  one('PUBSUB NUMSUB', () => ['PUBSUB', 'NUMSUB', 'a', 'b']),
];

export const server: Family = {
  name: 'server',
  *data({ medium }) {
    yield ['MSET', 'string', 'value', 'number', '1'];
    yield* filling(['HSET', 'hash'], medium, (i) => [`field:${i}`, `value:${i}`]);
    yield* filling(['RPUSH', 'list'], medium, (i) => [`element:${i}`]);
    yield* filling(['SADD', 'set'], medium, (i) => [`member:${i}`]);
    yield* filling(['ZADD', 'zset'], medium, (i) => [String(random(i, medium) / 8), `member:${i}`]);
    yield* filling(['MSET'], medium, (i) => [`key:${i}`, `value:${i}`]);
    // Ten slow commands on both servers, and none of those that come by chance.
    yield ['CONFIG', 'SET', 'slowlog-log-slower-than', '0'];
    yield ['SLOWLOG', 'RESET'];
    yield* times(10, (i): Words => ['GET', `key:${i}`]);
    yield ['CONFIG', 'SET', 'slowlog-log-slower-than', '-1'];
    yield ['ACL', 'SETUSER', 'anna', 'on', '>secret', '~key*', '&*', '+@all', '-@dangerous', '(+set ~other*)'];
  },
  rows: () => [...figures, ...configuration, ...clients, ...users, ...transactions, ...channels],
};

const LIBRARY = `#!lua name=lib
redis.register_function('one', function() return 1 end)
redis.register_function{function_name='get', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}`;
const GET = "return redis.call('GET', KEYS[1])";
const LOOP = 'local sum = 0 for i = 1, 1000 do sum = sum + i % 7 end return sum';
/** By which EVALSHA knows GET. */
const GET_SHA = 'd3c21d0c2b9ca22f82737626a27bcaf5d288f99f';

export const scripts: Family = {
  name: 'scripts',
  *data() {
    yield ['SET', 'string', 'value'];
    yield ['FUNCTION', 'LOAD', 'REPLACE', LIBRARY];
    yield ['SCRIPT', 'LOAD', GET];
  },
  rows() {
    const ten = "for i = 1, 10 do redis.call('SET', KEYS[1], i) end";
    return [
      one('EVAL', () => ['EVAL', 'return 1', '0']),
      one('EVAL of a GET', () => ['EVAL', GET, '1', 'string']),
      one('EVAL of a loop of 1,000', () => ['EVAL', LOOP, '0']),
      one('EVAL of 10 SETs', () => ['EVAL', ten, '1', 'string']),
      one('EVAL of a new script', (i) => ['EVAL', `return ${i}`, '0']),
      one('EVAL_RO of a GET', () => ['EVAL_RO', GET, '1', 'string']),
      one('EVALSHA of a GET', () => ['EVALSHA', GET_SHA, '1', 'string']),
      one('EVALSHA_RO of a GET', () => ['EVALSHA_RO', GET_SHA, '1', 'string']),
      one('FCALL', () => ['FCALL', 'one', '0']),
      one('FCALL_RO of a GET', () => ['FCALL_RO', 'get', '1', 'string']),
      one('FUNCTION LIST', () => ['FUNCTION', 'LIST']),
      one('FUNCTION DUMP', () => ['FUNCTION', 'DUMP']),
      one('FUNCTION LOAD', () => ['FUNCTION', 'LOAD', 'REPLACE', LIBRARY]),
      one('FUNCTION LOAD of another text', (i) => ['FUNCTION', 'LOAD', 'REPLACE', `${LIBRARY} -- ${i}`]),
      one('SCRIPT EXISTS', () => ['SCRIPT', 'EXISTS', GET_SHA, 'absent']),
      one('SCRIPT LOAD', () => ['SCRIPT', 'LOAD', GET]),
    ];
  },
};

const SLOTS = 16_384;

export const cluster: Family = {
  name: 'cluster',
  settings: { 'cluster-enabled': 'yes' },
  first: {
    words: ['CLUSTER', 'ADDSLOTSRANGE', '0', String(SLOTS - 1)],
    asked: ['CLUSTER', 'INFO'],
    holds: 'cluster_state:ok',
  },
  *data({ medium }) {
    yield* times(medium, (i): Words => ['SET', `{tag}:${i}`, 'value']);
  },
  rows() {
    return [
      one('CLUSTER INFO', () => ['CLUSTER', 'INFO']),
      one('CLUSTER NODES', () => ['CLUSTER', 'NODES']),
      one('CLUSTER SLOTS', () => ['CLUSTER', 'SLOTS']),
      one('CLUSTER SHARDS', () => ['CLUSTER', 'SHARDS']),
      one('CLUSTER MYID', () => ['CLUSTER', 'MYID']),
      one('CLUSTER KEYSLOT', () => ['CLUSTER', 'KEYSLOT', 'a key of some length']),
      one('CLUSTER COUNTKEYSINSLOT', () => ['CLUSTER', 'COUNTKEYSINSLOT', '8338']),
      one('CLUSTER GETKEYSINSLOT', () => ['CLUSTER', 'GETKEYSINSLOT', '8338', '100']),
      one('ASKING', () => ['ASKING']),
      one('READONLY', () => ['READONLY']),
      one('READWRITE', () => ['READWRITE']),
      one('MGET of 10 of a slot', (i) => ['MGET', ...flat(10, (k) => [`{tag}:${random(i * 10 + k, 1000)}`])]),
    ];
  },
};
