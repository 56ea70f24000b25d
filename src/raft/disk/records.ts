/**
 * What the file of the log consists of. The same bytes carry an entry over the wire. Numbers are big-endian.
 *
 *   record    0 length u32, of all of it      4 kind u8      5 zero[3]
 *             8 term u64                     16 index u64
 *            24 body                          n checksum u64, CRC64-Jones of all before it, least significant byte first
 *
 *   kind 1 command        its effect
 *        2 noop           -
 *        3 configuration  count u16, then for each member: id u64, kind u8 (1 voter, 2 learner), length u16 and bytes of the
 *                         address
 *        4 state          term and vote, which stands in the place of the index
 *        5 base           the mark after which the log begins, with its configuration as the body
 *        6 synced         how many bytes of the file were known to be on the disk, which stands in the place of the index
 */
import { assert } from '../../base/assert.ts';
import { Crc64 } from '../../base/crc.ts';
import { bytesOf, Slice } from '../../base/slice.ts';
import type { Configuration, Member } from '../configuration.ts';
import type { Entry, HardState, Mark } from '../entry.ts';

export const HEAD_BYTES = 24;
export const CHECKSUM_BYTES = 8;
const COMMAND = 1;
const NOOP = 2;
const CONFIGURATION = 3;
const STATE = 4;
const BASE = 5;
const SYNCED = 6;
const VOTER = 1;
const LEARNER = 2;
/** Of a member, without its address. */
const MEMBER_BYTES = 11;
const LONGEST_ADDRESS = 0xffff;
const NO_BYTES = new Uint8Array(0);

export type Record =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'state'; readonly state: HardState }
  | { readonly kind: 'base'; readonly mark: Mark }
  | { readonly kind: 'synced'; readonly length: number };

/** Gives memory of so many bytes, whatever is in them. */
export interface Rooms {
  room(length: number): Uint8Array;
}

const OWN_ROOMS: Rooms = { room: (length) => new Uint8Array(length) };
/** Stands in the place of term and index, and is neither, where a record is to be made. */
const UNFINISHED = 0xffffffff;

/**
 * Room for the payload of a command with room for its record around it. The record is made there when it is first asked for,
 * once for the disk and for all members. A payload that was read lies in its record as it came.
 */
export function roomForPayload(length: number, rooms: Rooms = OWN_ROOMS): Uint8Array {
  const around = rooms.room(HEAD_BYTES + length + CHECKSUM_BYTES);
  setUint32(around, 0, around.length);
  setUint32(around, 4, COMMAND << 24);
  for (let at = 8; at < HEAD_BYTES; at += 4) setUint32(around, at, UNFINISHED);
  return around.subarray(HEAD_BYTES, HEAD_BYTES + length);
}

/** The bytes are not to be changed. */
export function encodeEntry({ kind, term, index, payload, configuration }: Entry): Uint8Array {
  if (configuration !== null) return record(CONFIGURATION, term, index, encodeConfiguration(configuration));
  if (kind === 'noop') return record(NOOP, term, index, NO_BYTES);
  const around = roomAround(payload);
  if (around === null) return record(COMMAND, term, index, payload);
  if (getUint32(around, 0) === around.length && getUint32(around, 4) === COMMAND << 24) {
    if (isUnfinished(around)) complete(around, COMMAND, term, index);
    if (getUint53(around, 8) === term && getUint53(around, 16) === index) return around;
  }
  // Memory that is used again has what somebody else has put there meanwhile: that must not get a checksum that is right.
  const isRoom = around.byteLength === around.buffer.byteLength || around.buffer instanceof SharedArrayBuffer;
  assert(!isRoom, 'an entry has a payload of its own');
  return record(COMMAND, term, index, payload);
}

function isUnfinished(around: Uint8Array): boolean {
  for (let at = 8; at < HEAD_BYTES; at += 4) if (getUint32(around, at) !== UNFINISHED) return false;
  return true;
}

/** As much around a payload as its record takes, where there is as much. */
function roomAround({ buffer, byteOffset, length }: Uint8Array): Uint8Array | null {
  const from = byteOffset - HEAD_BYTES;
  const whole = HEAD_BYTES + length + CHECKSUM_BYTES;
  return from >= 0 && from + whole <= buffer.byteLength ? new Uint8Array(buffer, from, whole) : null;
}

export function encodeState({ term, vote }: HardState): Uint8Array {
  return record(STATE, term, vote, NO_BYTES);
}

export function encodeSynced(length: number): Uint8Array {
  return record(SYNCED, 0, length, NO_BYTES);
}

export function encodeBase({ term, index, configuration }: Mark): Uint8Array {
  return record(BASE, term, index, encodeConfiguration(configuration));
}

function record(kind: number, term: number, index: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + body.length + CHECKSUM_BYTES);
  bytes.set(body, HEAD_BYTES);
  complete(bytes, kind, term, index);
  return bytes;
}

/** Puts what belongs around the body of a record. */
function complete(bytes: Uint8Array, kind: number, term: number, index: number): void {
  setUint32(bytes, 0, bytes.length);
  bytes[4] = kind;
  setUint53(bytes, 8, term);
  setUint53(bytes, 16, index);
  const end = bytes.length - CHECKSUM_BYTES;
  new Crc64().update(bytes, 0, end).write(bytes, end);
}

/** The length of the record that begins at `at`; 0 where none that is whole does. */
export function recordLength(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < HEAD_BYTES + CHECKSUM_BYTES) return 0;
  const length = getUint32(bytes, at);
  return length < HEAD_BYTES + CHECKSUM_BYTES || length > bytes.length - at ? 0 : length;
}

/** The greatest length that a record at or behind `at` tells to be on the disk, whatever else lies there; 0 where none does. */
export function syncedBehind(bytes: Uint8Array, at: number): number {
  let most = 0;
  for (let i = at; i + HEAD_BYTES + CHECKSUM_BYTES <= bytes.length; i++) {
    if (bytes[i + 4] !== SYNCED || recordLength(bytes, i) !== HEAD_BYTES + CHECKSUM_BYTES) continue;
    const found = decodeRecord(bytes, i);
    if (found?.kind === 'synced') most = Math.max(most, found.length);
  }
  return most;
}

/**
 * The record that begins at `at`; undefined where it is not whole, or not what was written. Its payload is a part of the
 * bytes, which are not to be changed any more.
 */
export function decodeRecord(bytes: Uint8Array, at: number): Record | undefined {
  const length = recordLength(bytes, at);
  if (length === 0) return undefined;
  const end = at + length - CHECKSUM_BYTES;
  if (!new Crc64().update(bytes, at, end - at).equals(bytes, end)) return undefined;
  const term = getUint53(bytes, at + 8);
  const index = getUint53(bytes, at + 16);
  if (term === undefined || index === undefined) return undefined;
  const body = new Uint8Array(bytes.buffer, bytes.byteOffset + at + HEAD_BYTES, end - at - HEAD_BYTES);
  return recordOf(bytes[at + 4], term, index, body);
}

function recordOf(kind: number, term: number, index: number, body: Uint8Array): Record | undefined {
  switch (kind) {
    case COMMAND:
      return { kind: 'entry', entry: { kind: 'command', term, index, payload: body, configuration: null } };
    case NOOP:
      return { kind: 'entry', entry: { kind: 'noop', term, index, payload: NO_BYTES, configuration: null } };
    case STATE:
      return { kind: 'state', state: { term, vote: index } };
    case SYNCED:
      return { kind: 'synced', length: index };
    case CONFIGURATION:
    case BASE: {
      const configuration = decodeConfiguration(body);
      if (configuration === undefined) return undefined;
      if (kind === BASE) return { kind: 'base', mark: { term, index, configuration } };
      return { kind: 'entry', entry: { kind: 'configuration', term, index, payload: NO_BYTES, configuration } };
    }
    default:
      return undefined;
  }
}

export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const addresses = configuration.map(({ address }) => bytesOf(address));
  let length = 2;
  for (const address of addresses) {
    assert(address.length <= LONGEST_ADDRESS, 'an address has a length');
    length += MEMBER_BYTES + address.length;
  }
  const bytes = new Uint8Array(length);
  setUint16(bytes, 0, configuration.length);
  let at = 2;
  configuration.forEach(({ id, kind }, i) => {
    setUint53(bytes, at, id);
    bytes[at + 8] = kind === 'voter' ? VOTER : LEARNER;
    setUint16(bytes, at + 9, addresses[i].length);
    bytes.set(addresses[i], at + MEMBER_BYTES);
    at += MEMBER_BYTES + addresses[i].length;
  });
  return bytes;
}

/** Undefined where the bytes are none, or there are more. */
export function decodeConfiguration(bytes: Uint8Array): Configuration | undefined {
  if (bytes.length < 2) return undefined;
  const members: Member[] = [];
  let at = 2;
  for (let left = getUint16(bytes, 0); left > 0; left--) {
    if (bytes.length - at < MEMBER_BYTES) return undefined;
    const id = getUint53(bytes, at);
    const kind = bytes[at + 8];
    const length = getUint16(bytes, at + 9);
    at += MEMBER_BYTES;
    if (id === undefined || (kind !== VOTER && kind !== LEARNER) || bytes.length - at < length) return undefined;
    const address = new Slice(bytes, at, length).beginning(LONGEST_ADDRESS);
    members.push({ id, address, kind: kind === VOTER ? 'voter' : 'learner' });
    at += length;
  }
  return at === bytes.length ? members : undefined;
}

// Byte by byte: to make a view over a few numbers takes longer than they do.

export function setUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function getUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

export function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function getUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

export function setUint53(bytes: Uint8Array, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'terms, indices and IDs are below 2^53');
  setUint32(bytes, at, Math.floor(value / 2 ** 32));
  setUint32(bytes, at + 4, value >>> 0);
}

/** Undefined where it is 2^53 or more. */
export function getUint53(bytes: Uint8Array, at: number): number | undefined {
  const value = getUint32(bytes, at) * 2 ** 32 + getUint32(bytes, at + 4);
  return Number.isSafeInteger(value) ? value : undefined;
}
