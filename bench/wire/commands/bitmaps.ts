import { type Family, flat, one, random, several } from './row.ts';

const MEGABYTE = 1 << 20;
const TEN_KB = 10_240;

const randomBytes = (count: number, seed: number): string => {
  let text = '';
  for (let i = 0; i < count; i++) text += String.fromCharCode(random(seed * count + i, 256));
  return text;
};

export const bitmaps: Family = {
  name: 'bitmaps',
  *data() {
    yield ['SET', 'zeros', '\0'.repeat(MEGABYTE - 1) + '\x01'];
    yield ['SET', 'ones', '\xff'.repeat(MEGABYTE - 1) + '\xfe'];
    yield ['SET', 'small', '\0\0\0\0\x00\x20abc'];
    for (const name of ['a', 'b', 'c']) yield ['SET', name, randomBytes(TEN_KB, name.charCodeAt(0))];
    yield ['SET', 'random', randomBytes(MEGABYTE, 7)];
    yield ['SET', 'fields', '\0'.repeat(100)];
    for (const name of ['few', 'other']) yield ['PFADD', name, ...flat(10, (i) => [`${name}${i}`])];
    for (const name of ['many', 'more'])
      for (let from = 0; from < 20_000; from += 1000)
        yield ['PFADD', name, ...flat(1000, (i) => [`${name}${from + i}`])];
  },
  rows() {
    const bit = (i: number): string => String(random(i, MEGABYTE * 8));
    return [
      one('SETBIT', () => ['SETBIT', 'fields', '7', '0']),
      one('SETBIT in 1 MB', (i) => ['SETBIT', 'random', bit(i), String(i & 1)]),
      one('GETBIT', () => ['GETBIT', 'fields', '7']),
      one('GETBIT in 1 MB', (i) => ['GETBIT', 'random', bit(i)]),
      one('BITCOUNT of 9 bytes', () => ['BITCOUNT', 'small']),
      one('BITCOUNT of 10 KB', () => ['BITCOUNT', 'a']),
      one('BITCOUNT of 1 MB', () => ['BITCOUNT', 'random']),
      one('BITCOUNT of 1,001 bits', () => ['BITCOUNT', 'random', '1003', '2003', 'BIT']),
      one('BITPOS in 9 bytes', () => ['BITPOS', 'small', '1']),
      one('BITPOS of a 1 in 1 MB', () => ['BITPOS', 'zeros', '1']),
      one('BITPOS of a 0 in 1 MB', () => ['BITPOS', 'ones', '0']),
      one('BITPOS from a bit on', () => ['BITPOS', 'zeros', '1', '80003', '-1', 'BIT']),
      one('BITOP AND of 3 of 10 KB', () => ['BITOP', 'AND', 'made', 'a', 'b', 'c']),
      one('BITOP XOR of 2 of 10 KB', () => ['BITOP', 'XOR', 'made', 'a', 'b']),
      one('BITOP NOT of 10 KB', () => ['BITOP', 'NOT', 'made', 'a']),
      one('BITOP OR of 1 MB and 10 KB', () => ['BITOP', 'OR', 'large', 'random', 'a']),
      one('BITFIELD GET', () => ['BITFIELD', 'fields', 'GET', 'u8', '8']),
      one('BITFIELD SET', () => ['BITFIELD', 'fields', 'SET', 'i16', '#3', '-1000']),
      one('BITFIELD INCRBY', () => ['BITFIELD', 'fields', 'INCRBY', 'u12', '100', '1']),
      one('BITFIELD of 10', () => [
        'BITFIELD',
        'fields',
        ...flat(5, (i) => ['GET', 'u4', `#${i}`, 'INCRBY', 'i5', `#${i}`, '1']),
      ]),
      one('BITFIELD_RO of 10', () => ['BITFIELD_RO', 'fields', ...flat(10, (i) => ['GET', 'u7', String(i * 11)])]),
      one('PFADD to a few', (i) => ['PFADD', 'few', `few${i % 10}`]),
      one('PFADD to many', (i) => ['PFADD', 'many', `many${random(i, 20_000)}`]),
      one('PFADD of 100 to many', (i) => [
        'PFADD',
        'many',
        ...flat(100, (k) => [`many${random(i * 100 + k, 20_000)}`]),
      ]),
      one('PFCOUNT, known', () => ['PFCOUNT', 'many']),
      several('PFADD, PFCOUNT of a few', (i) => [
        ['PFADD', 'few', `new${i}`],
        ['PFCOUNT', 'few'],
      ]),
      one('PFCOUNT of 3', () => ['PFCOUNT', 'many', 'more', 'few']),
      one('PFMERGE of 3', () => ['PFMERGE', 'merged', 'many', 'more', 'few']),
      one('PFDEBUG ENCODING', () => ['PFDEBUG', 'ENCODING', 'few']),
    ];
  },
};
