import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Beside } from '../support/beside.ts';

let beside: Beside;

beforeAll(async () => {
  beside = await Beside.start();
});

afterAll(() => beside.stop());

const OFFSETS = [
  '0',
  '1',
  '7',
  '8',
  '9',
  '63',
  '64',
  '100',
  '1023',
  '-1',
  'x',
  '01',
  '4294967295',
  '4294967296',
  '#1',
  '',
];
const POSITIONS = ['0', '1', '2', '7', '8', '15', '-1', '-2', '-8', '-9', '1000', '-1000', 'x', '1.5'];
const EDGES = ['9223372036854775807', '-9223372036854775808', '-9223372036854775807', '9223372036854775808'];
const KEYS = ['a', 'b', 'c', 'n', 'list', 'none'];

/** Random words, one from each of the lists. */
function words(random: SeededRandom, ...lists: readonly (readonly string[])[]): string[] {
  return lists.map((list) => list[random.below(list.length)]).filter((word) => word !== '-');
}

async function fill(): Promise<void> {
  await beside.same([
    ['FLUSHALL'],
    ['SET', 'a', 'foobar'],
    ['SET', 'b', '\x00\xff\xf0\x00'],
    ['SET', 'c', '\xff'.repeat(300)],
    ['SET', 'n', '12345'],
    ['RPUSH', 'list', 'x'],
    ['SET', 'empty', ''],
  ]);
}

describe('beside the real server', () => {
  test('SETBIT and GETBIT', async () => {
    await fill();
    await beside.same(`
      SETBIT s 4294967296 1
      SETBIT s -1 1
      SETBIT s 7 2
      SETBIT s 7 x
      SETBIT s x 1
      SETBIT list 0 1
      SETBIT s 7 1
      OBJECT ENCODING s
      SETBIT n 0 0
      OBJECT ENCODING n
      GET n
      GETBIT n 3
      GETBIT s 7
      GETBIT s 100
      GETBIT none 5
      GETBIT list 5
      GETBIT s 4294967296
      SETBIT s 4294967295 1
      STRLEN s
      GETBIT s 4294967295
      BITCOUNT s
      BITPOS s 1 1
      DEL s
    `);
    const random = new SeededRandom(1);
    const offsets = OFFSETS.filter((offset) => offset !== '4294967295');
    for (let i = 0; i < 300; i++) {
      await beside.same([
        words(random, ['SETBIT'], KEYS, offsets, ['0', '1', '0', '1', '2']),
        words(random, ['GETBIT'], KEYS, offsets),
        words(random, ['GET'], ['a', 'b', 'c', 'n']),
      ]);
    }
  });

  test('BITCOUNT and BITPOS', async () => {
    await fill();
    const random = new SeededRandom(2);
    const ends = [...POSITIONS, ...EDGES];
    const commands: string[][] = [];
    for (let i = 0; i < 4000; i++) {
      const key = random.below(10) === 0 ? 'empty' : KEYS[random.below(KEYS.length)];
      const unit = words(random, ['BIT', 'bit', 'BYTE', '-', '-', 'x']);
      const range = words(random, ends, ends).slice(0, random.below(3));
      commands.push(['BITCOUNT', key, ...range, ...unit]);
      commands.push(['BITPOS', key, ...words(random, ['0', '1', '0', '1', '2', 'x']), ...range, ...unit]);
    }
    await beside.same(commands);
  });

  test('long runs, at every alignment', async () => {
    await beside.same('FLUSHALL');
    const random = new SeededRandom(3);
    for (let i = 0; i < 60; i++) {
      const length = random.below(3000);
      const filler = random.below(2) === 0 ? '\x00' : '\xff';
      const bits = Array.from({ length }, () =>
        random.below(40) === 0 ? String.fromCharCode(random.below(256)) : filler,
      );
      const [from, to] = [random.below(length * 8 + 1), random.below(length * 8 + 1)].map(String);
      await beside.same([
        ['SET', 'k', bits.join('')],
        ['BITCOUNT', 'k'],
        ['BITCOUNT', 'k', from, to, 'BIT'],
        ['BITPOS', 'k', '0'],
        ['BITPOS', 'k', '1'],
        ['BITPOS', 'k', '0', from, to, 'BIT'],
        ['BITPOS', 'k', '1', from, to, 'BIT'],
      ]);
    }
  });

  test('BITOP', async () => {
    await fill();
    await beside.same(`
      BITOP NOT d a b
      BITOP NOPE d a
      BITOP AND d list
      BITOP AND d none
      SETBIT d 5 1
      EXPIRE d 1000
      BITOP OR d a
      TTL d
      OBJECT ENCODING d
      BITOP AND d none
      EXISTS d
      BITOP NOT a a
      BITOP XOR a a a
      GET a
    `);
    const random = new SeededRandom(4);
    for (let i = 0; i < 80; i++) {
      const keys = Array.from({ length: 1 + random.below(5) }, (_, at) => `k${at}`);
      const commands: string[][] = keys.map((key) => [
        'SET',
        key,
        Array.from({ length: random.below(1200) }, () => String.fromCharCode(random.below(256))).join(''),
      ]);
      for (const operation of ['and', 'OR', 'xor'])
        commands.push(
          ['BITOP', operation, 'd', ...keys],
          ['GET', 'd'],
          ['BITOP', operation, 'd', ...keys, 'none'],
          ['GET', 'd'],
        );
      commands.push(['BITOP', 'NOT', 'd', keys[0]], ['GET', 'd'], ['DEL', ...keys, 'd']);
      await beside.same(commands);
    }
  });

  test('BITFIELD', async () => {
    await fill();
    await beside.same(`
      BITFIELD f
      BITFIELD list
      BITFIELD list GET u8 0
      BITFIELD_RO list SET u8 0 1
      BITFIELD_RO none GET u8 0 GET i64 3
      BITFIELD n GET u8 0 GET i13 5 GET u63 100
      OBJECT ENCODING n
      BITFIELD n SET u8 0 49
      OBJECT ENCODING n
      BITFIELD f SET u64 0 1
      BITFIELD f SET i65 0 1
      BITFIELD f GET u0 0
      BITFIELD f GET q8 0
      BITFIELD f OVERFLOW NOPE
      BITFIELD f OVERFLOW SAT SET i8 0 -9223372036854775808 GET i8 0
      BITFIELD f OVERFLOW SAT SET i8 0 9223372036854775807 SET u8 0 -1 INCRBY u8 0 -300 GET u8 0
      BITFIELD f OVERFLOW FAIL INCRBY u2 100 1 INCRBY u2 100 3 OVERFLOW WRAP INCRBY u2 100 3
      BITFIELD f SET u8 #4611686018427387904 7
      BITFIELD f SET u8 #9223372036854775807 7
      BITFIELD f SET u8 #1 7 GET u8 8
      GET f
    `);
    const random = new SeededRandom(5);
    const amounts = [
      '0',
      '1',
      '-1',
      '2',
      '100',
      '-128',
      '255',
      '4503599627370496',
      '-9007199254740993',
      '1e3',
      ...EDGES,
    ];
    for (let round = 0; round < 60; round++) {
      const commands: string[][] = [['DEL', 'f']];
      for (let i = 0; i < 20; i++) {
        const command = [random.below(12) === 0 ? 'BITFIELD_RO' : 'BITFIELD', random.below(30) === 0 ? 'n' : 'f'];
        for (let j = random.below(4); j >= 0; j--) {
          const type = (random.below(2) === 0 ? 'i' : 'u') + (1 + random.below(random.below(20) === 0 ? 70 : 63));
          const offset = (random.below(4) === 0 ? '#' : '') + random.below(40);
          const overflow = ['WRAP', 'SAT', 'FAIL'][random.below(3)];
          if (random.below(2) === 0) command.push('OVERFLOW', overflow);
          const kind = random.below(3);
          if (kind === 0) command.push('GET', type, offset);
          else command.push(kind === 1 ? 'SET' : 'INCRBY', type, offset, ...words(random, amounts));
        }
        commands.push(command, ['GET', 'f']);
      }
      await beside.same(commands);
    }
  });

  test('the keys of commands', () =>
    beside.same(`
      COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0
      COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 SET u8 0 1
      COMMAND GETKEYSANDFLAGS BITFIELD k OVERFLOW SAT GET u8 0
      COMMAND GETKEYSANDFLAGS BITFIELD k NOPE
      COMMAND GETKEYSANDFLAGS BITOP AND a b c
    `));
});

test('what is propagated', async () => {
  await beside.ours.send([['FLUSHALL']]);
  expect(await beside.propagated('SETBIT k 3 1')).toEqual(['SETBIT k 3 1']);
  expect(await beside.propagated('SETBIT k 3 1')).toEqual([]);
  expect(await beside.propagated('BITFIELD k GET u8 0')).toEqual([]);
  expect(await beside.propagated('BITFIELD k SET u8 0 16')).toEqual([]);
  expect(await beside.propagated('BITFIELD k SET u8 0 17')).toEqual(['BITFIELD k SET u8 0 17']);
  expect(await beside.propagated('BITFIELD k SET u8 64 0')).toEqual(['BITFIELD k SET u8 64 0']);
});
