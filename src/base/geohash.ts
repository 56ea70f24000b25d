/**
 * Cells of the earth: a longitude and a latitude, each halved `step` times, as numbers of their own; their bits taken in
 * turn (latitude the lowest) make the 52-bit number that GEOADD stores as a score.
 *
 *   latitude   0 1 1      score   1 0 0 1 1 1     = lon lat lon lat lon lat
 *   longitude  1 0 1
 *
 * Distances are on a sphere, by the haversine formula.
 */
import { bytesOf } from './slice.ts';
import { arcSine, cosine, sine } from './trigonometry.ts';

export const LONGITUDE_MAX = 180;
/** Where the square map of Mercator's projection ends. */
export const LATITUDE_MAX = 85.05112878;
export const STEP_MAX = 26;

const EARTH_RADIUS = 6372797.560856;
const RADIANS = Math.PI / 180;

/** How many columns and rows there are at each step. */
const SIDES = Float64Array.from({ length: STEP_MAX + 1 }, (_, step) => 2 ** step);

/** A cell by its column and row of 2^step. */
export class Cell {
  step = 0;
  longitude = 0;
  latitude = 0;

  like(other: Cell): this {
    this.step = other.step;
    this.longitude = other.longitude;
    this.latitude = other.latitude;
    return this;
  }

  /** The cell that a position lies in. */
  enclose(longitude: number, latitude: number, step: number, latitudeMax = LATITUDE_MAX): this {
    const scale = SIDES[step];
    this.step = step;
    this.longitude = Math.floor(((longitude + LONGITUDE_MAX) / (2 * LONGITUDE_MAX)) * scale);
    this.latitude = Math.floor(((latitude + latitudeMax) / (2 * latitudeMax)) * scale);
    return this;
  }

  /** The cell whose number is `score`, as 64-bit integer arithmetic reads a score that is none. */
  decode(score: number): this {
    let high = Math.floor(score / 2 ** 32);
    let low = score >>> 0;
    if (!(score >= 0 && score <= Number.MAX_SAFE_INTEGER)) {
      const bits = BigInt.asUintN(64, integerOf(score));
      high = Number(bits >> 32n);
      low = Number(bits & 0xffffffffn);
    }
    this.step = STEP_MAX;
    this.latitude = (gather(low) | (gather(high) << 16)) >>> 0;
    this.longitude = (gather(low >>> 1) | (gather(high >>> 1) << 16)) >>> 0;
    return this;
  }

  /** The cell's number, rounded where it passes 2^53 at the end of the map. */
  get score(): number {
    const low = (spread(this.latitude & 0xffff) | (spread(this.longitude & 0xffff) << 1)) >>> 0;
    const high = (spread(this.latitude >>> 16) | (spread(this.longitude >>> 16) << 1)) >>> 0;
    return high * 2 ** 32 + low;
  }

  /** Goes to a neighbour; beyond the last column or row is the first. */
  move(columns: number, rows: number): this {
    const mask = SIDES[this.step] - 1;
    if (columns !== 0) this.longitude = (this.longitude + columns) & mask;
    if (rows !== 0) this.latitude = (this.latitude + rows) & mask;
    return this;
  }

  get west(): number {
    return -LONGITUDE_MAX + (this.longitude / SIDES[this.step]) * (2 * LONGITUDE_MAX);
  }

  get east(): number {
    return -LONGITUDE_MAX + (((this.longitude + 1) >>> 0) / SIDES[this.step]) * (2 * LONGITUDE_MAX);
  }

  get south(): number {
    return -LATITUDE_MAX + (this.latitude / SIDES[this.step]) * (2 * LATITUDE_MAX);
  }

  get north(): number {
    return -LATITUDE_MAX + (((this.latitude + 1) >>> 0) / SIDES[this.step]) * (2 * LATITUDE_MAX);
  }

  /** Its middle, kept on the map. */
  get centerLongitude(): number {
    return within((this.west + this.east) / 2, LONGITUDE_MAX);
  }

  get centerLatitude(): number {
    return within((this.south + this.north) / 2, LATITUDE_MAX);
  }
}

function within(value: number, limit: number): number {
  return value > limit ? limit : value < -limit ? -limit : value;
}

/** A double as an unsigned 64-bit integer, with x86's results for what is out of range. */
function integerOf(score: number): bigint {
  if (score >= -(2 ** 63) && score < 2 ** 64) return BigInt(Math.trunc(score));
  return score > 0 ? 0n : 1n << 63n;
}

/** The 16 bits of `value` at the even places of a word. */
function spread(value: number): number {
  value = (value | (value << 8)) & 0x00ff00ff;
  value = (value | (value << 4)) & 0x0f0f0f0f;
  value = (value | (value << 2)) & 0x33333333;
  return (value | (value << 1)) & 0x55555555;
}

/** The bits at the even places of a word, together. */
function gather(value: number): number {
  value &= 0x55555555;
  value = (value | (value >>> 1)) & 0x33333333;
  value = (value | (value >>> 2)) & 0x0f0f0f0f;
  value = (value | (value >>> 4)) & 0x00ff00ff;
  return (value | (value >>> 8)) & 0xffff;
}

/** Metres between two latitudes on one meridian. */
export function latitudeDistance(latitude1: number, latitude2: number): number {
  return EARTH_RADIUS * Math.abs(latitude2 * RADIANS - latitude1 * RADIANS);
}

/** Metres between two positions. */
export function distance(longitude1: number, latitude1: number, longitude2: number, latitude2: number): number {
  const v = sine((longitude2 * RADIANS - longitude1 * RADIANS) / 2);
  if (v === 0) return latitudeDistance(latitude1, latitude2);
  const from = latitude1 * RADIANS;
  const to = latitude2 * RADIANS;
  const u = sine((to - from) / 2);
  return 2 * EARTH_RADIUS * arcSine(Math.sqrt(u * u + cosine(from) * cosine(to) * v * v));
}

/** The degrees that an arc of so many metres spans, on a circle of latitude. */
export function degreesOf(metres: number, latitude: number): number {
  return metres / EARTH_RADIUS / Math.cos(latitude * RADIANS) / RADIANS;
}

/** The same on a meridian. */
export function latitudeDegreesOf(metres: number): number {
  return metres / EARTH_RADIUS / RADIANS;
}

const ALPHABET = bytesOf('0123456789bcdefghjkmnpqrstuvwxyz');
const standard = new Cell();

export const GEOHASH_LENGTH = 11;

/** Writes the standard geohash of a position, GEOHASH_LENGTH characters; the last is always 0: there are 52 bits, not 55. */
export function writeGeohash(into: Uint8Array, longitude: number, latitude: number): void {
  const number = standard.enclose(longitude, latitude, STEP_MAX, 90).score;
  // Ten characters of five bits, but for the two lowest: five of each half.
  const high = Math.floor(number / 2 ** 27);
  const low = number >>> 2;
  for (let i = 0; i < 5; i++) {
    into[i] = ALPHABET[(high >>> (20 - i * 5)) & 31];
    into[i + 5] = ALPHABET[(low >>> (20 - i * 5)) & 31];
  }
  into[10] = ALPHABET[0];
}
