import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Beside } from '../support/beside.ts';
import { LONG } from '../support/long.ts';

let beside: Beside;

beforeAll(async () => {
  beside = await Beside.start();
});

afterAll(() => beside.stop());

const UNITS = ['m', 'km', 'ft', 'mi', 'KM'];

/** A position: anywhere, near a pole, the date line or the middle of the map, or in one town. */
function place(random: SeededRandom): [string, string] {
  const part = random.below(1_000_000) / 1_000_000;
  const other = random.below(1_000_000) / 1_000_000;
  const places: [number, number][] = [
    [part * 360 - 180, other * 170 - 85],
    [part * 360 - 180, 84 + other],
    [180 - part * 0.01, other * 2 - 1],
    [-180 + part * 0.01, other * 2 - 1],
    [13.4 + part * 0.1, 52.5 + other * 0.1],
    [part * 0.001, other * 0.001],
    [180, 85.05112878],
    [-180, -85.05112878],
    [0, 0],
  ];
  const [longitude, latitude] = places[random.below(places.length)];
  return [String(longitude), String(latitude)];
}

function shuffledOptions(random: SeededRandom): string[] {
  const options = [
    ['WITHDIST'],
    ['WITHCOORD'],
    ['WITHHASH'],
    ['ASC'],
    ['DESC'],
    ['COUNT', String(1 + random.below(9))],
  ];
  const chosen = options.filter(() => random.below(3) === 0);
  if (random.below(6) === 0) chosen.push(['COUNT', String(1 + random.below(5)), 'ANY']);
  return chosen.flat();
}

function extent(random: SeededRandom): string[] {
  const length = (): string => String(10 ** random.below(8) * (1 + random.below(9)));
  const unit = UNITS[random.below(UNITS.length)];
  return random.below(2) === 0 ? ['BYRADIUS', length(), unit] : ['BYBOX', length(), length(), unit];
}

describe('beside the real server', () => {
  test('positions, distances and geohashes', async () => {
    const random = new SeededRandom(1);
    await beside.same([['FLUSHALL']]);
    for (let round = 0; round < (LONG ? 40 : 10); round++) {
      const commands: string[][] = [];
      for (let i = 0; i < 20; i++) commands.push(['GEOADD', 'g', ...place(random), `m${random.below(100)}`]);
      for (let i = 0; i < 20; i++) {
        const members = [`m${random.below(110)}`, `m${random.below(110)}`];
        commands.push(['GEOPOS', 'g', ...members], ['GEOHASH', 'g', ...members], ['ZSCORE', 'g', members[0]]);
        commands.push(['GEODIST', 'g', ...members, UNITS[random.below(UNITS.length)]], ['GEODIST', 'g', ...members]);
      }
      await beside.same(commands);
    }
  });

  test('searches', async () => {
    const random = new SeededRandom(2);
    for (let round = 0; round < (LONG ? 60 : 12); round++) {
      const commands: string[][] = [
        ['FLUSHALL'],
        ['CONFIG', 'SET', 'zset-max-listpack-entries', round % 2 === 0 ? '128' : '4'],
      ];
      for (let i = random.below(60); i >= 0; i--) commands.push(['GEOADD', 'g', ...place(random), `m${i}`]);
      for (let i = 0; i < 60; i++) {
        const origin =
          random.below(2) === 0 ? ['FROMLONLAT', ...place(random)] : ['FROMMEMBER', `m${random.below(20)}`];
        commands.push(['GEOSEARCH', 'g', ...origin, ...extent(random), ...shuffledOptions(random)]);
        const radius = [String(10 ** random.below(8)), UNITS[random.below(UNITS.length)]];
        commands.push(['GEORADIUS', 'g', ...place(random), ...radius, ...shuffledOptions(random)]);
        commands.push(['GEORADIUSBYMEMBER_RO', 'g', 'm0', ...radius, ...shuffledOptions(random)]);
      }
      await beside.same(commands);
    }
  });

  test('what is stored', async () => {
    const random = new SeededRandom(3);
    for (let round = 0; round < 40; round++) {
      const commands: string[][] = [['FLUSHALL']];
      for (let i = random.below(40); i >= 0; i--) commands.push(['GEOADD', 'g', ...place(random), `m${i}`]);
      for (let i = 0; i < 20; i++) {
        const count = random.below(3) === 0 ? ['COUNT', '3'] : [];
        commands.push(['GEOSEARCHSTORE', 'd', 'g', 'FROMMEMBER', 'm0', ...extent(random), ...count]);
        commands.push(['ZRANGE', 'd', '0', '-1', 'WITHSCORES'], ['OBJECT', 'ENCODING', 'd']);
        commands.push(['GEORADIUS', 'g', ...place(random), '500', 'km', 'STORE', 'e', ...count]);
        commands.push(['ZRANGE', 'e', '0', '-1', 'WITHSCORES'], ['EXISTS', 'e']);
      }
      await beside.same(commands);
    }
  });

  test('options and errors', () =>
    beside.same(`
      FLUSHALL
      RPUSH l x
      ZADD odd -1 a 1.5 b inf c -inf d 9007199254740993 e 1e19 f
      GEOPOS odd a b c d e f none
      GEOHASH odd a b c d e f none
      GEODIST odd a b
      GEODIST odd a b km x
      GEODIST odd a b parsec
      GEOSEARCH odd FROMLONLAT 0 0 BYRADIUS 100000 km WITHHASH ASC
      GEOSEARCH odd FROMMEMBER c BYRADIUS 100000 km WITHHASH WITHCOORD
      GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
      GEOADD g 13.361389 38.115556 Palermo
      GEOADD g CH 13 38 Palermo
      GEOADD g NX 13.5 38 Palermo 14 38 New
      GEOADD g XX CH 13.5 38 Palermo 14 38 Other
      GEOADD g NX XX 1 1 a
      GEOADD none XX 1 1 a
      GEOADD g NX CH CH
      GEOADD g 1 1
      GEOADD g 1 1 a 2
      GEOADD g x 1 a
      GEOADD g 1 y a
      GEOADD g 181 1 a
      GEOADD g 1 86 a
      GEOADD g 1 1e300 a
      GEOADD g inf 0.0078125 a
      GEOADD l 1 1 a
      GEOPOS g
      GEOPOS none a b
      GEOPOS l a
      GEOHASH g
      GEOHASH none a
      GEODIST none a b
      GEODIST none a b nope
      GEODIST l a b
      GEODIST g Palermo nobody
      GEORADIUS g 15 37 200 km
      GEORADIUS g 15 37 200 parsec
      GEORADIUS g 15 37 -1 km
      GEORADIUS g 15 37 x km
      GEORADIUS g 215 37 1 km
      GEORADIUS g 15 37 200 km COUNT 0
      GEORADIUS g 15 37 200 km COUNT x
      GEORADIUS g 15 37 200 km COUNT
      GEORADIUS g 15 37 200 km ANY
      GEORADIUS g 15 37 200 km STORE
      GEORADIUS g 15 37 200 km STORE d WITHDIST
      GEORADIUS g 15 37 200 km STORE d STOREDIST e
      EXISTS d e
      GEORADIUS g 15 37 1 m STORE e
      EXISTS e
      GEORADIUS g 15 37 200 km NOPE
      GEORADIUS none 15 37 200 km
      GEORADIUS none 15 37 x km
      GEORADIUS none 15 37 200 km STORE d
      GEORADIUS l 15 37 200 km
      GEORADIUS_RO g 15 37 200 km STORE d
      GEORADIUSBYMEMBER g nobody 200 km
      GEORADIUSBYMEMBER none nobody x parsec
      GEORADIUSBYMEMBER none nobody x parsec NOPE
      GEORADIUSBYMEMBER g Palermo 200 km WITHDIST
      GEOSEARCH g FROMMEMBER Palermo
      GEOSEARCH g FROMMEMBER Palermo ASC DESC ASC
      GEOSEARCH g BYRADIUS 1 km ASC DESC ASC
      geosearch g BYRADIUS 1 km ASC DESC ASC
      GEOSEARCH g FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 1 km
      GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 km BYBOX 1 1 km
      GEOSEARCH g FROMMEMBER Palermo BYBOX -1 1 km
      GEOSEARCH g FROMMEMBER Palermo BYBOX x 1 km
      GEOSEARCH g FROMMEMBER Palermo BYBOX 1 x km
      GEOSEARCH g FROMMEMBER Palermo BYBOX 1 1 parsec
      GEOSEARCH g FROMMEMBER Palermo BYRADIUS inf km
      GEOSEARCH g FROMMEMBER Palermo BYRADIUS 0 km
      GEOSEARCH g FROMMEMBER nobody BYRADIUS 1 km
      GEOSEARCH none FROMMEMBER nobody BYRADIUS 1 km
      GEOSEARCH g FROMLONLAT 13 38 BYRADIUS 1 km STOREDIST
      GEOSEARCHSTORE d g FROMLONLAT 13 38 BYRADIUS 1 km WITHDIST
      GEOSEARCHSTORE d g FROMLONLAT 13 38 BYRADIUS 1 km STORE x
      GEOSEARCHSTORE d none FROMLONLAT 13 38 BYRADIUS 1 km
      GEOSEARCHSTORE d l FROMLONLAT 13 38 BYRADIUS 1 km
      GEOSEARCHSTORE g g FROMLONLAT 14 38 BYRADIUS 100 km
      ZRANGE g 0 -1
      COMMAND GETKEYSANDFLAGS GEORADIUS g 15 37 200 km STORE d STOREDIST e
      COMMAND GETKEYSANDFLAGS GEORADIUSBYMEMBER g m 200 km STOREDIST e
      COMMAND GETKEYSANDFLAGS GEORADIUSBYMEMBER g m 200 km
      COMMAND GETKEYSANDFLAGS GEOSEARCHSTORE d g FROMMEMBER m BYRADIUS 1 km
    `));
});

test('stored distances are the real ones, or next to them in the last digit', async () => {
  const random = new SeededRandom(4);
  let equal = 0;
  let all = 0;
  for (let round = 0; round < 30; round++) {
    const commands: string[][] = [['FLUSHALL']];
    for (let i = 0; i < 50; i++) commands.push(['GEOADD', 'g', ...place(random), `m${i}`]);
    commands.push(['GEOSEARCHSTORE', 'd', 'g', 'FROMMEMBER', 'm0', 'BYRADIUS', '30000', 'km', 'STOREDIST']);
    commands.push(['ZRANGE', 'd', '0', '-1', 'WITHSCORES']);
    const [ours, theirs] = await Promise.all([beside.ours.send(commands), beside.theirs.send(commands)]);
    const scores = (answers: readonly unknown[]): Map<string, number> => {
      const flat = answers.at(-1) as string[];
      return new Map(flat.flatMap((word, i) => (i % 2 === 0 ? [[word, Number(flat[i + 1])] as const] : [])));
    };
    const [a, b] = [scores(ours), scores(theirs)];
    expect([...a.keys()].sort()).toEqual([...b.keys()].sort());
    for (const [member, score] of a) {
      const real = b.get(member)!;
      expect(Math.abs(score - real)).toBeLessThanOrEqual(real * 2 ** -51);
      all++;
      if (score === real) equal++;
    }
  }
  expect(equal).toBeGreaterThan(all * 0.98);
});

test('what is propagated', async () => {
  await beside.ours.send([['FLUSHALL']]);
  expect(await beside.propagated('GEOADD g CH 13.361389 38.115556 a')).toEqual(['zadd g CH 3479099956230698 a']);
  expect(await beside.propagated('GEOADD g CH 13.361389 38.115556 a')).toEqual([]);
  const search = 'GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1 km';
  expect(await beside.propagated(search)).toEqual([search]);
});
