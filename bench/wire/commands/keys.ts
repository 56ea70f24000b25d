import { crc64 } from '../../../src/base/crc.ts';
import { type Family, filling, flat, one, type Row, random, several, times, type Words } from './row.ts';

const RDB_VERSION = 10;
const RDB_STRING = 0;
const RDB_LIST = 1;
const RDB_HASH = 4;
const RDB_INTSET = 11;
const RDB_HASH_LISTPACK = 16;

/** A length or a string as a snapshot has it: of less than 16,384. */
const rdbLength = (length: number): string =>
  length < 64 ? String.fromCharCode(length) : String.fromCharCode(0x40 | (length >>> 8), length & 0xff);
const rdbString = (text: string): string => rdbLength(text.length) + text;

/** What DUMP says of a value of this type, whose bytes are these. */
function payload(type: number, value: string): string {
  const bytes = Buffer.alloc(1 + value.length + 10);
  bytes[0] = type;
  bytes.write(value, 1, 'latin1');
  bytes.writeUInt16LE(RDB_VERSION, 1 + value.length);
  bytes.writeBigUInt64LE(crc64(bytes, 0, 3 + value.length), 3 + value.length);
  return bytes.toString('latin1');
}

const SOME = 100;
const STRING = payload(RDB_STRING, rdbString('value'));
const HASH = payload(
  RDB_HASH,
  rdbLength(SOME) + flat(SOME, (i) => [rdbString(`field:${i}`), rdbString(`value:${i}`)]).join(''),
);
/** A listpack of texts of less than 64 bytes. */
function listpack(texts: readonly string[]): string {
  const entries = texts.map(
    (text) => `${String.fromCharCode(0x80 | text.length)}${text}${String.fromCharCode(text.length + 1)}`,
  );
  const head = Buffer.alloc(6);
  head.writeUInt32LE(entries.join('').length + 7);
  head.writeUInt16LE(texts.length, 4);
  return `${head.toString('latin1')}${entries.join('')}\xff`;
}

function intset(values: readonly number[]): string {
  const bytes = Buffer.alloc(8 + 2 * values.length);
  bytes.writeUInt32LE(2);
  bytes.writeUInt32LE(values.length, 4);
  for (const [i, value] of values.entries()) bytes.writeInt16LE(value, 8 + 2 * i);
  return bytes.toString('latin1');
}

const PACKED_HASH = payload(RDB_HASH_LISTPACK, rdbString(listpack(flat(SOME, (i) => [`field:${i}`, `value:${i}`]))));
const INTEGERS = payload(RDB_INTSET, rdbString(intset(times(SOME, (i) => i * 3))));
const LIST = payload(RDB_LIST, rdbLength(1000) + flat(1000, (i) => [rdbString(`element:${i}`)]).join(''));

/** Databases of their own: of many keys, and of one. */
const MANY = 1;
const ONE = 2;

function expiries(): Row[] {
  return [
    one('EXPIRE', () => ['EXPIRE', 'string', '10000']),
    one('PEXPIRE', () => ['PEXPIRE', 'string', '10000000']),
    one('EXPIREAT', () => ['EXPIREAT', 'string', '9999999999']),
    one('PEXPIREAT GT', () => ['PEXPIREAT', 'string', '9999999999000', 'GT']),
    several('EXPIRE, PERSIST', () => [
      ['EXPIRE', 'kept', '10000'],
      ['PERSIST', 'kept'],
    ]),
    one('TTL', () => ['TTL', 'expiring']),
    one('PTTL', () => ['PTTL', 'expiring']),
    one('EXPIRETIME', () => ['EXPIRETIME', 'expiring']),
    one('PEXPIRETIME', () => ['PEXPIRETIME', 'expiring']),
  ];
}

function whole(large: number): Row[] {
  return [
    one('RANDOMKEY of 1', () => ['RANDOMKEY'], { database: ONE }),
    one('RANDOMKEY of many', () => ['RANDOMKEY'], { database: MANY }),
    one('DBSIZE', () => ['DBSIZE'], { database: MANY }),
    one('KEYS of 1', () => ['KEYS', '*'], { database: ONE }),
    one('KEYS of many, none matches', () => ['KEYS', 'x*'], { database: MANY }),
    one('KEYS of many, a tenth matches', () => ['KEYS', 'key:*7'], { database: MANY }),
    one('SCAN', () => ['SCAN', '0'], { database: MANY }),
    one('SCAN of 1,000', (i) => ['SCAN', String(random(i, large)), 'COUNT', '1000'], { database: MANY }),
    one('SCAN MATCH', () => ['SCAN', '0', 'MATCH', '*77*', 'COUNT', '100'], { database: MANY }),
    one('SCAN TYPE', () => ['SCAN', '0', 'TYPE', 'string', 'COUNT', '100'], { database: MANY }),
    one('EXISTS of 100 of many', (i) => ['EXISTS', ...flat(100, (k) => [`key:${random(i * 100 + k, large)}`])], {
      database: MANY,
    }),
    several(
      'MOVE there and back',
      () => [
        ['MOVE', 'moved', '3'],
        ['SELECT', '3'],
        ['MOVE', 'moved', '0'],
        ['SELECT', '0'],
      ],
      { database: 0 },
    ),
    several('SWAPDB', () => [
      ['SWAPDB', '4', '5'],
      ['SWAPDB', '4', '5'],
    ]),
    several('SET of 3, FLUSHDB', () => [...times(3, (i): Words => ['SET', `flushed:${i}`, 'v']), ['FLUSHDB']], {
      database: 6,
    }),
  ];
}

function copies(): Row[] {
  return [
    several('RENAME there and back', () => [
      ['RENAME', 'renamed', 'other name'],
      ['RENAME', 'other name', 'renamed'],
    ]),
    several('RENAMENX there and back', () => [
      ['RENAMENX', 'renamed', 'other name'],
      ['RENAMENX', 'other name', 'renamed'],
    ]),
    one('COPY', () => ['COPY', 'string', 'copied', 'REPLACE']),
    one('COPY of a hash of 1,000', () => ['COPY', 'hash', 'copied', 'REPLACE']),
    one('DUMP of a string', () => ['DUMP', 'string']),
    one('DUMP of a hash of 1,000', () => ['DUMP', 'hash']),
    one('DUMP of a list of 1,000', () => ['DUMP', 'list']),
    one('DUMP of a long list', () => ['DUMP', 'longlist']),
    one('DUMP of a sorted set of 1,000', () => ['DUMP', 'zset']),
    one('RESTORE of a string', () => ['RESTORE', 'restored', '0', STRING, 'REPLACE']),
    one('RESTORE of a hash of 100', () => ['RESTORE', 'restored', '0', HASH, 'REPLACE']),
    one('RESTORE of a packed hash of 100', () => ['RESTORE', 'restored', '0', PACKED_HASH, 'REPLACE']),
    one('RESTORE of 100 integers', () => ['RESTORE', 'restored', '0', INTEGERS, 'REPLACE']),
    one('RESTORE of a list of 1,000', () => ['RESTORE', 'restored', '0', LIST, 'REPLACE']),
    one('RESTORE-ASKING of a string', () => ['RESTORE-ASKING', 'restored', '0', STRING, 'REPLACE']),
    one('OBJECT ENCODING', () => ['OBJECT', 'ENCODING', 'string']),
    one('OBJECT IDLETIME', () => ['OBJECT', 'IDLETIME', 'string']),
    one('OBJECT REFCOUNT', () => ['OBJECT', 'REFCOUNT', 'string']),
    one('TYPE', () => ['TYPE', 'string']),
    one('TOUCH of 3', () => ['TOUCH', 'string', 'hash', 'absent']),
    one('EXISTS of 3', () => ['EXISTS', 'string', 'hash', 'absent']),
    several('SET, DEL', () => [
      ['SET', 'gone', 'value'],
      ['DEL', 'gone'],
    ]),
    several('SET, UNLINK', () => [
      ['SET', 'gone', 'value'],
      ['UNLINK', 'gone'],
    ]),
    several('RPUSH of 100, DEL', () => [
      ['RPUSH', 'gone', ...flat(100, (i) => [`element:${i}`])],
      ['DEL', 'gone'],
    ]),
  ];
}

export const keys: Family = {
  name: 'keys',
  *data({ large, medium }) {
    yield ['MSET', 'string', 'value', 'kept', 'value', 'moved', 'value', 'renamed', 'value'];
    yield ['SET', 'expiring', 'value', 'EX', '100000'];
    yield* filling(['HSET', 'hash'], medium, (i) => [`field:${i}`, `value:${i}`]);
    yield* filling(['RPUSH', 'list'], medium, (i) => [`element:${i}`]);
    yield* filling(['ZADD', 'zset'], medium, (i) => [String(i), `member:${i}`]);
    yield* filling(['RPUSH', 'longlist'], large, (i) => [`element:${i}`]);
    yield ['SELECT', String(ONE)];
    yield ['SET', 'key', 'value'];
    yield ['SELECT', String(MANY)];
    yield* filling(['MSET'], large, (i) => [`key:${i}`, `value:${i}`]);
    yield ['SELECT', '0'];
  },
  rows: ({ large }) => [...copies(), ...expiries(), ...whole(large)],
};

/** What empties the server can stand beside nothing else. */
export const flushes: Family = {
  name: 'flush',
  *data() {},
  rows: () => [
    several('SET of 3, FLUSHALL', () => [...times(3, (i): Words => ['SET', `flushed:${i}`, 'v']), ['FLUSHALL']]),
    several('SET of 3, FLUSHALL ASYNC', () => [
      ...times(3, (i): Words => ['SET', `flushed:${i}`, 'v']),
      ['FLUSHALL', 'ASYNC'],
    ]),
  ],
};
