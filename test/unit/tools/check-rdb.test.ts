/**
 * check-rdb beside redis-check-rdb: the same file in, the same bytes out, and the same exit code. The files are made from the
 * format: what is sound, everything that a value can have wrong, and random damage.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { checkRdb } from '../../../src/tools/check-rdb.ts';
import { LONG } from '../../support/long.ts';
import { oracle } from '../../support/oracle.ts';
import {
  double,
  file,
  intset,
  key,
  latin,
  size,
  str,
  text,
  u16,
  u32,
  ziplist,
  zipmap,
} from '../../support/rdb-format.ts';
import { drawSeed } from '../../support/seed.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-check-rdb-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  readonly output: string;
  readonly code: number;
}

/** Process IDs and times differ. */
function plain(output: string): string {
  return output.replaceAll(/^\d+:C .*? # /gm, 'PID:C TIME # ');
}

/** Null where redis-check-rdb does not come to an end. */
async function theirs(...args: string[]): Promise<Result | null> {
  const child = spawn(oracle('redis-check-rdb'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1');
    });
  const late = setTimeout(() => child.kill('SIGKILL'), 4000);
  const code = await new Promise<number | null>((done) => child.once('close', done));
  clearTimeout(late);
  // What it could not get memory for depends on the machine.
  const lines = output.split('\n').filter((line) => !line.includes('failed allocating'));
  return code === null ? null : { output: plain(lines.join('\n')), code };
}

function ours(...args: string[]): Result {
  let output = '';
  const add = (more: string): void => {
    output += more;
  };
  const code = checkRdb('redis-check-rdb', args, add, add);
  return { output: plain(output), code };
}

async function same(name: string, bytes: Buffer): Promise<Result> {
  const path = join(folder, 'checked.rdb');
  writeFileSync(path, bytes);
  const mine = ours(path);
  const real = await theirs(path);
  if (real !== null) expect(mine, name).toEqual(real);
  return mine;
}

// What streams are made of.

const ID = Buffer.from('00000000000000010000000000000000', 'hex');
const TIME = Buffer.alloc(8);

/** A listpack of numbers from 0 to 127, with its count. */
function numbers(count: number, ...values: number[]): Buffer {
  const body = Buffer.concat(values.map((value) => Buffer.of(value, 1)));
  return Buffer.concat([u32(body.length + 7), u16(count), body, Buffer.of(255)]);
}

function listpack(...values: string[]): Buffer {
  const body = Buffer.concat(
    values.map((value) => Buffer.concat([Buffer.of(0x80 | value.length), latin(value), Buffer.of(value.length + 1)])),
  );
  return Buffer.concat([u32(body.length + 7), u16(values.length), body, Buffer.of(255)]);
}

/** One entry without fields: live, deleted, fields, end of the master entry; flags, ID, number of elements. */
const NODE = numbers(8, 1, 0, 0, 0, 2, 0, 0, 3);
const COUNTERS = Buffer.concat([size(1), Buffer.alloc(7)]);
const stream = (...parts: Buffer[]): Buffer => key(19, 'stream', size(1), str(ID), str(NODE), COUNTERS, ...parts);
const group = (...parts: Buffer[]): Buffer => stream(size(1), str('group'), Buffer.of(1, 0, 1), ...parts);
const PENDING = Buffer.concat([ID, TIME, size(1)]);

const AUX = Buffer.concat([Buffer.of(250), str('redis-ver'), str('7.0.15')]);
const EXPIRED = Buffer.concat([Buffer.of(252), Buffer.from('0100000000000000', 'hex')]);
const LATER = Buffer.concat([Buffer.of(253), u32(2_000_000_000)]);

/** Of every kind of record and every form of value. */
const RICH: readonly Buffer[] = [
  AUX,
  Buffer.concat([Buffer.of(245), str('#!lua name=lib\nredis.register_function("f", function() end)')]),
  Buffer.concat([Buffer.of(251), size(20), size(2)]),
  key(0, 'string', str('value')),
  Buffer.concat([EXPIRED, key(0, 'int', Buffer.of(0xc1, 0x39, 0x30))]),
  Buffer.concat([LATER, Buffer.of(248), size(5), key(0, 'lzf', Buffer.of(0xc3, 5, 59, 0, 97, 0xe0, 49, 0))]),
  Buffer.concat([Buffer.of(249, 7), key(1, 'list', size(2), str('a'), str('b'))]),
  key(2, 'set', size(2), str('a'), str('b')),
  key(3, 'zset', size(2), str('a'), str('1.5'), str('b'), Buffer.of(254)),
  key(4, 'hash', size(1), str('f'), str('v')),
  key(5, 'zset2', size(1), str('a'), double(2)),
  key(9, 'zipmap', str(zipmap(['f', 'v']))),
  key(10, 'ziplist', str(ziplist(['a', '1', '70000', text(100)]))),
  key(11, 'intset', str(intset([1n, 2n, 300n], 2))),
  key(12, 'zset-ziplist', str(ziplist(['a', '1']))),
  key(13, 'hash-ziplist', str(ziplist(['f', 'v']))),
  key(14, 'quicklist', size(2), str(ziplist(['a'])), str(ziplist(['b', 'c']))),
  key(15, 'stream', size(1), str(ID), str(NODE), Buffer.of(1, 1, 0, 0)),
  key(16, 'hash-listpack', str(listpack('f', 'v'))),
  key(17, 'zset-listpack', str(listpack('a', '1'))),
  key(18, 'quicklist-2', size(2), size(1), str('plain'), size(2), str(listpack('a', 'b'))),
  group(size(1), PENDING, size(1), str('alice'), TIME, size(1), ID),
];

const MODULE = Buffer.of(0x81, 1, 2, 3, 4, 5, 6, 7, 8);

/** What is wrong, and a record that has it. */
const WRONG: readonly (readonly [name: string, record: Buffer])[] = [
  ['an unknown type', Buffer.of(100)],
  ['a type of later versions', key(20, 'set', str(listpack('a')))],
  ['an unknown form of a string', key(0, 'k', Buffer.of(0xff))],
  ['an unknown length', key(0, 'k', Buffer.of(0x82))],
  ['the largest length', key(2, 'k', Buffer.of(0x81, ...Buffer.alloc(8, 255)))],
  ['a length beyond all memory', key(0, 'k', Buffer.of(0x81, 0, 128, ...Buffer.alloc(6)))],
  ['LZF that is none', key(0, 'k', Buffer.of(0xc3, 2, 5, 32, 1))],
  ['too many members', key(2, 'k', Buffer.of(0x81, 0, 128, ...Buffer.alloc(6)))],
  ['too many scores', key(5, 'k', Buffer.of(0x81, 0, 128, ...Buffer.alloc(6)))],
  ['too many fields', key(4, 'k', Buffer.of(0x81, 0, 128, ...Buffer.alloc(6)))],
  ['an integer twice', key(2, 'k', size(2), str('1'), str('1'))],
  ['a member twice', key(2, 'k', size(2), str('a'), str('a'))],
  ['NaN', key(5, 'k', size(1), str('a'), double(Number.NaN))],
  ['a score that is no number', key(3, 'k', size(1), str('a'), str('zz'))],
  ['a scored member twice', key(5, 'k', size(2), str('a'), double(1), str('a'), double(2))],
  ['a field twice', key(4, 'k', size(2), str('a'), str('1'), str('a'), str('2'))],
  [
    'a field twice in many',
    key(4, 'k', size(600), ...Array.from({ length: 600 }, () => Buffer.concat([str('a'), str('b')]))),
  ],
  ['an empty set', key(2, 'k', size(0))],
  ['an empty listpack', key(16, 'k', str(listpack()))],
  ['half a pair', key(16, 'k', str(listpack('a')))],
  ['an unknown kind of node', key(18, 'k', size(1), size(7), str('x'))],
  ['an empty node', key(18, 'k', size(1), size(2), str(''))],
  ['a node that is no listpack', key(18, 'k', size(1), size(2), str('xxxxxxxx'))],
  ['a node that is no ziplist', key(14, 'k', size(1), str('xxxxxxxxxxxx'))],
  ['no zipmap', key(9, 'k', str('\x01\x01a'))],
  ['a zipmap with a field twice', key(9, 'k', str(zipmap(['a', 'b', 'a', 'c'])))],
  ['no list', key(10, 'k', str('xxx'))],
  ['no intset', key(11, 'k', str('xxx'))],
  ['an intset out of order', key(11, 'k', str(intset([2n, 1n], 2)))],
  ['no sorted set', key(12, 'k', str('xxx'))],
  ['no sorted set in a listpack', key(17, 'k', str('xxx'))],
  ['no hash', key(13, 'k', str('xxx'))],
  ['no hash in a listpack', key(16, 'k', str('xxx'))],
  ['a hash with a field twice', key(16, 'k', str(listpack('a', 'b', 'a', 'c')))],
  ['an old module', key(6, 'k', MODULE)],
  ['half the name of a module', key(7, 'k', MODULE.subarray(0, 4))],
  ['a module with half a string', key(7, 'k', MODULE, Buffer.of(5, 9, 97))],
  ['a module with half an integer', key(7, 'k', MODULE, Buffer.of(2))],
  ['a module with half a float', key(7, 'k', MODULE, Buffer.of(3, 1))],
  ['a module with half a double', key(7, 'k', MODULE, Buffer.of(4, 1))],
  ['AUX data of a module without its mark', Buffer.concat([Buffer.of(247), MODULE, Buffer.of(1, 2)])],
  ['a library without its text', Buffer.of(245, 60)],
  ['an early library without its engine', Buffer.concat([Buffer.of(246), str('lib')])],
  ['a key of a node that is no ID', key(19, 'k', size(1), str('abc'))],
  ['a node without elements', key(19, 'k', size(1), str(ID), str(numbers(0)))],
  ['a node twice', key(19, 'k', size(2), str(ID), str(NODE), str(ID), str(NODE))],
  ['entries without nodes', key(19, 'k', size(0), COUNTERS)],
  ['a group twice', stream(size(2), str('g'), Buffer.of(0, 0, 0, 0, 0), str('g'), Buffer.of(0, 0, 0, 0, 0))],
  ['pending twice', group(size(2), PENDING, PENDING)],
  ['a consumer twice', group(size(0), size(2), str('c'), TIME, size(0), str('c'), TIME, size(0))],
  ['of a consumer, but not pending', group(size(0), size(1), str('c'), TIME, size(1), ID)],
  ['of two consumers', group(size(1), PENDING, size(1), str('c'), TIME, size(2), ID, ID)],
  ['pending for nobody', group(size(1), PENDING, size(0))],
];

describe('the same as redis-check-rdb', () => {
  test('on the command line', async () => {
    expect(ours()).toEqual(await theirs());
    expect(ours('a', 'b')).toEqual(await theirs('a', 'b'));
    expect(ours('-v')).toEqual(await theirs('-v'));
    expect(ours('--version')).toEqual(await theirs('--version'));
    expect(ours(join(folder, 'nothing'))).toEqual(await theirs(join(folder, 'nothing')));
    expect(ours(folder)).toEqual(await theirs(folder));
  });

  for (const version of [1, 4, 5, 9, 10])
    test(`on every form of value in version ${version}`, async () => {
      expect((await same('sound', file(version, ...RICH))).code).toBe(0);
    });

  test('on what a file says of itself', async () => {
    const sound = file(10, ...RICH);
    const unsummed = Buffer.from(sound).fill(0, sound.length - 8);
    const missummed = Buffer.from(sound).fill(1, sound.length - 8);
    await same('no sum', unsummed);
    await same('a wrong sum', missummed);
    await same('nothing', Buffer.alloc(0));
    await same('another kind of file', latin('*1\r\n$4\r\nPING\r\n'));
    for (const version of ['0000', '0011'.replace('11', '99'), 'abcd'])
      await same(version, latin(`REDIS${version}\xff`));
    await same('text with a zero', file(10, Buffer.concat([Buffer.of(250), str('a\0b'), str('c\0d')])));
    await same('long text', file(10, Buffer.concat([Buffer.of(250), str('name'), str(text(5000))])));
    await same(
      'AUX data of a module',
      file(10, Buffer.concat([Buffer.of(247), MODULE, Buffer.of(2, 2, 2, 1, 5, 1, 97, 0)])),
    );
    await same('a value of a module', file(10, key(7, 'k', MODULE, Buffer.of(2, 5, 5, 1, 97, 3, 0, 0, 0, 0, 0))));
    await same(
      'an early library',
      file(10, Buffer.concat([Buffer.of(246), str('lib'), str('LUA'), size(0), str('code')])),
    );
  });

  for (const [name, record] of WRONG)
    test(`on ${name}`, async () => {
      expect((await same(name, file(10, AUX, record))).code).toBe(1);
    });

  test('wherever a file ends', async () => {
    const sound = file(10, ...RICH);
    for (let length = 0; length < sound.length; length += LONG ? 7 : 61)
      await same(`cut to ${length}`, sound.subarray(0, length));
  });

  const seed = drawSeed();
  test('on random damage', async () => {
    const random = new SeededRandom(seed);
    const sound = file(10, ...RICH);
    sound.fill(0, sound.length - 8);
    const odd = [0, 1, 2, 11, 16, 18, 19, 64, 127, 128, 192, 195, 254, 255];
    for (let round = 0; round < (LONG ? 120 : 20); round++) {
      const bytes = Buffer.from(sound);
      for (let i = 0; i <= random.below(3); i++)
        bytes[9 + random.below(bytes.length - 17)] =
          random.below(2) === 0 ? random.below(256) : odd[random.below(odd.length)];
      await same(`round ${round}: ${bytes.toString('base64')}`, bytes);
    }
  });
});

test('versions that redis-server 7.0 does not know are checked as well', () => {
  const records = [key(20, 'set', str(listpack('a', 'b'))), Buffer.of(244, 1, 1, 1), key(0, 'k', str('v'))];
  for (const version of [11, 12]) {
    const path = join(folder, 'later.rdb');
    writeFileSync(path, file(version, ...records));
    expect(ours(path)).toMatchObject({ code: 0, output: expect.stringContaining('[info] 2 keys read') });
  }
});

test('data of a module that ends too early is an end of the file', () => {
  const path = join(folder, 'module.rdb');
  const bytes = file(10, key(7, 'k', MODULE, Buffer.of(2, 5)));
  writeFileSync(path, bytes.subarray(0, bytes.length - 9));
  expect(ours(path)).toMatchObject({ code: 1, output: expect.stringContaining('Unexpected EOF reading RDB file') });
});
