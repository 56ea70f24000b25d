/** What the geo commands share: positions, units and distances as arguments and replies. */

import { formatFixed, formatTrimmed } from '../../base/fixed.ts';
import { LATITUDE_MAX, LONGITUDE_MAX } from '../../base/geohash.ts';
import { parseDouble, writeInteger } from '../../base/numbers.ts';
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Argument, oneOf, token } from '../../engine/grammar.ts';
import type { Reply } from '../../protocol/reply.ts';

export const unitArgument: Argument = oneOf(
  'unit',
  token('m', 'M'),
  token('km', 'KM'),
  token('ft', 'FT'),
  token('mi', 'MI'),
);

/** The position that `readPosition` read: scratch. */
export const position = { longitude: 0, latitude: 0 };

/** Reads longitude and latitude at argument `i`; false when an error has been replied. */
export function readPosition(c: Call, i: number): boolean {
  const longitude = c.double(i);
  if (longitude === undefined) return false;
  const latitude = c.double(i + 1);
  if (latitude === undefined) return false;
  position.longitude = longitude;
  position.latitude = latitude;
  if (Math.abs(longitude) <= LONGITUDE_MAX && Math.abs(latitude) <= LATITUDE_MAX) return true;
  const shown = `${formatFixed(longitude, 6)},${formatFixed(latitude, 6)}`;
  c.reply.error(`ERR invalid longitude,latitude pair ${shown}`);
  return false;
}

/** Metres in the unit at argument `i`; undefined when the error has been replied. */
export function metresIn(c: Call, i: number): number | undefined {
  const word = c.arg(i);
  if (isWord(word, 'M')) return 1;
  if (isWord(word, 'KM')) return 1000;
  if (isWord(word, 'FT')) return 0.3048;
  if (isWord(word, 'MI')) return 1609.34;
  c.reply.error('ERR unsupported unit provided. please use M, KM, FT, MI');
  return undefined;
}

/** A length at argument `i`, of either sign; undefined when the error has been replied. */
export function lengthAt(c: Call, i: number, what: string): number | undefined {
  const length = parseDouble(c.arg(i));
  if (length === undefined) c.reply.error(`ERR need numeric ${what}`);
  return length;
}

const text = new Uint8Array(24);
/** Below this, ten thousand times a distance is known to a thousandth. */
const WELL_KNOWN = 1e12;

/** A distance with four decimals. */
export function replyDistance(reply: Reply, distance: number): void {
  const scaled = distance * 10_000;
  const whole = Math.floor(scaled);
  // Where the product lies near the middle between two texts, all digits of the distance have to be looked at.
  if (!(scaled >= 0 && scaled < WELL_KNOWN) || Math.abs(scaled - whole - 0.5) < 0.001) {
    reply.bulkText(formatFixed(distance, 4));
    return;
  }
  const rounded = scaled - whole > 0.5 ? whole + 1 : whole;
  const metres = Math.floor(rounded / 10_000);
  const decimals = rounded - metres * 10_000;
  let at = writeInteger(text, 0, metres);
  text[at++] = 46;
  for (let unit = 1000; unit >= 1; unit /= 10) text[at++] = 48 + (Math.floor(decimals / unit) % 10);
  reply.bulkBytes(text, 0, at);
}

export function replyPosition(reply: Reply, longitude: number, latitude: number): void {
  reply.array(2);
  reply.decimal(formatTrimmed(longitude, 17));
  reply.decimal(formatTrimmed(latitude, 17));
}
