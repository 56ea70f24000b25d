import { describe, expect, test } from 'vitest';
import { Cell, distance, GEOHASH_LENGTH, STEP_MAX, writeGeohash } from '../../../src/base/geohash.ts';
import { SeededRandom } from '../../../src/base/random.ts';

describe('cells', () => {
  test('a score decodes to the cell that it came from, within which the position lies', () => {
    const random = new SeededRandom(1);
    for (let round = 0; round < 3000; round++) {
      const longitude = (random.below(0x7fffffff) / 0x7fffffff) * 360 - 180;
      const latitude = (random.below(0x7fffffff) / 0x7fffffff) * 170 - 85;
      const cell = new Cell().enclose(longitude, latitude, STEP_MAX);
      const again = new Cell().decode(cell.score);
      expect([again.longitude, again.latitude]).toEqual([cell.longitude, cell.latitude]);
      expect(longitude).toBeGreaterThanOrEqual(cell.west);
      expect(longitude).toBeLessThanOrEqual(cell.east);
      expect(latitude).toBeGreaterThanOrEqual(cell.south);
      expect(latitude).toBeLessThanOrEqual(cell.north);
    }
  });

  test('bits of latitude and longitude take turns', () => {
    const cell = new Cell().enclose(0, 0, 3);
    cell.longitude = 0b101;
    cell.latitude = 0b011;
    expect(cell.score).toBe(0b100111);
  });

  test('beyond the last column is the first', () => {
    const cell = new Cell().enclose(179, 84, 3).move(1, 1);
    expect([cell.longitude, cell.latitude]).toEqual([0, 0]);
    cell.move(-1, 0);
    expect([cell.longitude, cell.latitude]).toEqual([7, 0]);
  });

  test('scores that no position has', () => {
    expect(new Cell().decode(-1).latitude).toBe(0xffffffff);
    expect(new Cell().decode(Number.POSITIVE_INFINITY).latitude).toBe(0);
    expect(new Cell().decode(Number.NEGATIVE_INFINITY).longitude).toBe(0x80000000);
    expect(new Cell().decode(1.9).latitude).toBe(1);
  });
});

test('the well-known places of the documentation', () => {
  const palermo = new Cell().enclose(13.361389, 38.115556, STEP_MAX);
  const catania = new Cell().enclose(15.087269, 37.502669, STEP_MAX);
  expect(palermo.score).toBe(3479099956230698);
  const { centerLongitude: x, centerLatitude: y } = palermo;
  expect(distance(x, y, catania.centerLongitude, catania.centerLatitude)).toBeCloseTo(166274.1516, 4);
  const text = new Uint8Array(GEOHASH_LENGTH);
  writeGeohash(text, x, y);
  expect(Buffer.from(text).toString()).toBe('sqc8b49rny0');
});
