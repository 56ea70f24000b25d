import { type Family, filling, flat, one, type Row, random } from './row.ts';

const WIDTH = 360;
const HEIGHT = 170;
const longitude = (i: number): string => ((random(2 * i, 1_000_000) / 1_000_000 - 0.5) * WIDTH).toFixed(5);
const latitude = (i: number): string => ((random(2 * i + 1, 1_000_000) / 1_000_000 - 0.5) * HEIGHT).toFixed(5);

function searches(large: number): Row[] {
  const from = (i: number): string[] => ['FROMLONLAT', longitude(i), latitude(i)];
  const near = (i: number): string => `place:${random(i, large)}`;
  return [
    one('GEOSEARCH of 10 km', (i) => ['GEOSEARCH', 'places', ...from(i), 'BYRADIUS', '10', 'km']),
    one('GEOSEARCH of 200 km, by distance', (i) => [
      ...['GEOSEARCH', 'places', ...from(i), 'BYRADIUS', '200', 'km', 'ASC', 'WITHDIST'],
    ]),
    one('GEOSEARCH of 1,000 km, the 10 nearest', (i) => [
      ...['GEOSEARCH', 'places', ...from(i), 'BYRADIUS', '1000', 'km', 'ASC', 'COUNT', '10'],
    ]),
    one('GEOSEARCH of a box', (i) => ['GEOSEARCH', 'places', ...from(i), 'BYBOX', '400', '400', 'km', 'WITHCOORD']),
    one('GEOSEARCH from a member', (i) => ['GEOSEARCH', 'places', 'FROMMEMBER', near(i), 'BYRADIUS', '100', 'km']),
    one('GEOSEARCH in 10', () => ['GEOSEARCH', 'few', 'FROMLONLAT', '15', '37', 'BYRADIUS', '200', 'km']),
    one('GEORADIUS', (i) => ['GEORADIUS', 'places', longitude(i), latitude(i), '200', 'km']),
    one('GEORADIUS_RO', (i) => ['GEORADIUS_RO', 'places', longitude(i), latitude(i), '200', 'km', 'WITHHASH']),
    one('GEORADIUSBYMEMBER', (i) => ['GEORADIUSBYMEMBER', 'places', near(i), '200', 'km']),
    one('GEORADIUSBYMEMBER_RO', (i) => ['GEORADIUSBYMEMBER_RO', 'places', near(i), '200', 'km', 'DESC']),
    one('GEOSEARCHSTORE', (i) => [
      'GEOSEARCHSTORE',
      'made',
      'places',
      ...from(i),
      'BYRADIUS',
      '500',
      'km',
      'STOREDIST',
    ]),
  ];
}

export const geo: Family = {
  name: 'geo',
  *data({ large }) {
    yield* filling(['GEOADD', 'places'], large, (i) => [longitude(i), latitude(i), `place:${i}`]);
    yield ['GEOADD', 'few', ...flat(10, (i) => [String(10 + i), String(35 + i / 2), `place:${i}`])];
  },
  rows({ large }) {
    return [
      one('GEOADD of what is there', (i) => ['GEOADD', 'places', longitude(i), latitude(i), `place:${i}`]),
      one('GEODIST of 10', () => ['GEODIST', 'few', 'place:1', 'place:7']),
      one('GEODIST in km', (i) => [
        'GEODIST',
        'places',
        `place:${random(i, large)}`,
        `place:${random(i + 7, large)}`,
        'km',
      ]),
      one('GEOPOS', () => ['GEOPOS', 'few', 'place:1']),
      one('GEOHASH of 3', () => ['GEOHASH', 'few', 'place:1', 'place:2', 'place:3']),
      ...searches(large),
    ];
  },
};
