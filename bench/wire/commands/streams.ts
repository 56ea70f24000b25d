import { type Family, flat, one, type Row, random, several, times, type Words } from './row.ts';

const FIRST = 1_000_000;
const id = (i: number): string => `${FIRST + i}-1`;

function groups(medium: number): Row[] {
  const read = (count: string, after: string): Words => [
    ...['XREADGROUP', 'GROUP', 'readers', 'anna', 'COUNT', count, 'STREAMS', 'medium', after],
  ];
  const again: Words = ['XGROUP', 'SETID', 'queue', 'workers', '0'];
  const work = (count: string, ...more: string[]): Words => [
    ...['XREADGROUP', 'GROUP', 'workers', 'anna', 'COUNT', count, ...more, 'STREAMS', 'queue', '>'],
  ];
  return [
    several('XREADGROUP of 1, XACK', () => [again, work('1'), ['XACK', 'queue', 'workers', id(0)]]),
    several('XREADGROUP of 10, XACK of 10', () => [
      again,
      work('10'),
      ['XACK', 'queue', 'workers', ...flat(10, (i) => [id(i)])],
    ]),
    several('XREADGROUP of 10 NOACK', () => [again, work('10', 'NOACK')]),
    one('XREADGROUP of 10 that were read', () => read('10', '0')),
    one('XREADGROUP of nothing', () => ['XREADGROUP', 'GROUP', 'ended', 'anna', 'STREAMS', 'medium', '>']),
    one('XPENDING', () => ['XPENDING', 'medium', 'readers']),
    one('XPENDING of 10', () => ['XPENDING', 'medium', 'readers', '-', '+', '10']),
    one('XPENDING of 10 of a consumer', () => ['XPENDING', 'medium', 'readers', 'IDLE', '0', '-', '+', '10', 'anna']),
    one('XCLAIM', (i) => ['XCLAIM', 'medium', 'readers', i % 2 === 0 ? 'ben' : 'anna', '0', id(medium / 2)]),
    one('XCLAIM of 10 JUSTID', () => [
      'XCLAIM',
      'medium',
      'readers',
      'anna',
      '0',
      ...flat(10, (i) => [id(i)]),
      'JUSTID',
    ]),
    one('XAUTOCLAIM of 10', () => ['XAUTOCLAIM', 'medium', 'readers', 'anna', '0', '0', 'COUNT', '10']),
    several('XGROUP CREATE, DESTROY', () => [
      ['XGROUP', 'CREATE', 'medium', 'temporary', '$'],
      ['XGROUP', 'DESTROY', 'medium', 'temporary'],
    ]),
    several('XGROUP CREATECONSUMER, DELCONSUMER', () => [
      ['XGROUP', 'CREATECONSUMER', 'medium', 'readers', 'carla'],
      ['XGROUP', 'DELCONSUMER', 'medium', 'readers', 'carla'],
    ]),
  ];
}

export const streams: Family = {
  name: 'streams',
  *data({ large, medium }) {
    for (let i = 0; i < large; i++) yield ['XADD', 'large', id(i), 'sensor', String(i % 10), 'value', String(i)];
    for (const name of ['medium', 'queue'])
      for (let i = 0; i < medium; i++) yield ['XADD', name, id(i), 'sensor', String(i % 10), 'value', String(i)];
    yield* times(10, (i) => ['XADD', 'small', id(i), 'a', '1']);
    yield ['XGROUP', 'CREATE', 'medium', 'readers', '0'];
    yield ['XGROUP', 'CREATE', 'medium', 'ended', '$'];
    yield ['XGROUP', 'CREATE', 'queue', 'workers', '0'];
    yield ['XREADGROUP', 'GROUP', 'readers', 'anna', 'COUNT', String(medium), 'STREAMS', 'medium', '>'];
    yield ['XADD', 'capped', '1-1', 'a', '1'];
  },
  rows({ large, medium }) {
    const at = (i: number): number => random(i, large - 100);
    return [
      one('XADD MAXLEN', () => ['XADD', 'capped', 'MAXLEN', '1000', '*', 'sensor', '7', 'value', '21.5']),
      one('XADD MAXLEN ~', () => ['XADD', 'trimmed', 'MAXLEN', '~', '1000', '*', 'sensor', '7', 'value', '21.5']),
      several('XADD of 2, XDEL, DEL', () => [
        ['XADD', 'log', '5-5', 'sensor', '7'],
        ['XADD', 'log', '5-6', 'sensor', '7'],
        ['XDEL', 'log', '5-5'],
        ['DEL', 'log'],
      ]),
      several('XADD of 10, XTRIM', () => [
        ...times(10, () => ['XADD', 'cut', '*', 'sensor', '7']),
        ['XTRIM', 'cut', 'MAXLEN', '100'],
      ]),
      one('XSETID', () => ['XSETID', 'small', '9999999-1']),
      one('XLEN', () => ['XLEN', 'small']),
      one('XRANGE of 10', (i) => ['XRANGE', 'large', id(at(i)), '+', 'COUNT', '10']),
      one('XRANGE of 100', (i) => ['XRANGE', 'large', id(at(i)), id(at(i) + 99)]),
      one('XRANGE of 1', (i) => ['XRANGE', 'large', id(at(i)), id(at(i))]),
      one('XREVRANGE of 10', (i) => ['XREVRANGE', 'large', id(at(i)), '-', 'COUNT', '10']),
      one('XREAD of 10', (i) => ['XREAD', 'COUNT', '10', 'STREAMS', 'large', id(at(i))]),
      one('XREAD of nothing', () => ['XREAD', 'STREAMS', 'large', '$']),
      one('XREAD of 3 streams', () => ['XREAD', 'COUNT', '1', 'STREAMS', 'small', 'medium', 'large', '0', '0', '0']),
      ...groups(medium),
      one('XINFO STREAM', () => ['XINFO', 'STREAM', 'small']),
      one('XINFO STREAM FULL', () => ['XINFO', 'STREAM', 'medium', 'FULL']),
      one('XINFO GROUPS', () => ['XINFO', 'GROUPS', 'medium']),
      one('XINFO CONSUMERS', () => ['XINFO', 'CONSUMERS', 'medium', 'readers']),
    ];
  },
};
