/** Searches for members near a position: how they are asked for, done and answered. The commands are in index.ts. */

import { copyBytes } from '../../base/copy.ts';
import { Cell } from '../../base/geohash.ts';
import { partialSort } from '../../base/partial-sort.ts';
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { ENC_SKIPLIST } from '../../values/entry.ts';
import { ADD_SIGNED_ZERO, type ZsetValue } from '../../values/zset.ts';
import { Result } from '../zset/common.ts';
import { lengthAt, metresIn, position, readPosition, replyDistance, replyPosition } from './common.ts';
import { Shape } from './shape.ts';

/** How a command says where it searches, and what it may do with what it finds. */
export interface Form {
  /** BY_POSITION and BY_MEMBER have a fixed beginning; BY_OPTION says everything with options. */
  readonly origin: 0 | 1 | 2;
  /** Argument of the searched key. */
  readonly source: number;
  /** Where the options begin. */
  readonly options: number;
  /** STORE and STOREDIST may name a destination. */
  readonly mayStore: boolean;
}

export const BY_POSITION = 0;
export const BY_MEMBER = 1;
export const BY_OPTION = 2;

interface Query {
  readonly shape: Shape;
  withDistance: boolean;
  withHash: boolean;
  withPosition: boolean;
  /** What BY_OPTION has been told so far. */
  origin: '' | 'FROMMEMBER' | 'FROMLONLAT';
  extent: '' | 'BYRADIUS' | 'BYBOX';
  /** 1 nearest first, -1 farthest first, 0 as found. */
  order: number;
  any: boolean;
  count: number;
  /** Argument of the destination, 0 for none. */
  storeAt: number;
  storeDistance: boolean;
}

interface Point {
  /** Where its member lies in `Found.members`. */
  readonly start: number;
  readonly length: number;
  readonly score: number;
  readonly longitude: number;
  readonly latitude: number;
  readonly distance: number;
}

/** What a search has found. Members are copied into one run of bytes: what a cursor shows is gone with its next step. */
class Found {
  points: Point[] = [];
  members = new Uint8Array(1024);
  private end = 0;
  private readonly shown = new Slice();

  add(member: Slice, score: number, shape: Shape): void {
    const { length } = member;
    if (this.end + length > this.members.length) {
      const more = new Uint8Array((this.end + length) * 2);
      more.set(this.members.subarray(0, this.end));
      this.members = more;
    }
    copyBytes(this.members, this.end, member.buffer, member.start, length);
    const { longitude, latitude } = position;
    this.points.push({ start: this.end, length, score, longitude, latitude, distance: shape.distance });
    this.end += length;
  }

  member(point: Point): Slice {
    return this.shown.set(this.members, point.start, point.length);
  }
}

const cell = new Cell();

/** Puts the middle of the shape at a member; false when the error has been replied. */
function aimAtMember(c: Call, zset: ZsetValue, i: number, shape: Shape): boolean {
  const score = zset.score(c.arg(i));
  if (Number.isNaN(score)) {
    c.reply.error('ERR could not decode requested zset member');
    return false;
  }
  cell.decode(score);
  shape.longitude = cell.centerLongitude;
  shape.latitude = cell.centerLatitude;
  return true;
}

function aimAtPosition(c: Call, i: number, shape: Shape): boolean {
  if (!readPosition(c, i)) return false;
  shape.longitude = position.longitude;
  shape.latitude = position.latitude;
  return true;
}

/** Reads a radius and its unit. */
function readRadius(c: Call, i: number, shape: Shape): boolean {
  const radius = lengthAt(c, i, 'radius');
  if (radius === undefined) return false;
  if (radius < 0) {
    c.reply.error('ERR radius cannot be negative');
    return false;
  }
  const metres = metresIn(c, i + 1);
  if (metres === undefined) return false;
  shape.circular = true;
  shape.radius = radius;
  shape.metres = metres;
  return true;
}

/** Reads width, height and their unit. */
function readBox(c: Call, i: number, shape: Shape): boolean {
  const width = lengthAt(c, i, 'width');
  if (width === undefined) return false;
  const height = lengthAt(c, i + 1, 'height');
  if (height === undefined) return false;
  if (width < 0 || height < 0) {
    c.reply.error('ERR height or width cannot be negative');
    return false;
  }
  const metres = metresIn(c, i + 2);
  if (metres === undefined) return false;
  shape.circular = false;
  shape.width = width;
  shape.height = height;
  shape.metres = metres;
  return true;
}

/** Reads what stands before the options of the older commands. */
function readBeginning(c: Call, form: Form, zset: ZsetValue | null, shape: Shape): boolean {
  if (form.origin === BY_OPTION) return true;
  if (form.origin === BY_POSITION) return aimAtPosition(c, 2, shape) && readRadius(c, 4, shape);
  return zset === null || (aimAtMember(c, zset, 2, shape) && readRadius(c, 3, shape));
}

/** An option that is one word: whether it was one. */
function readFlag(word: Slice, query: Query): boolean {
  if (isWord(word, 'WITHDIST')) query.withDistance = true;
  else if (isWord(word, 'WITHHASH')) query.withHash = true;
  else if (isWord(word, 'WITHCOORD')) query.withPosition = true;
  else if (isWord(word, 'ANY')) query.any = true;
  else if (isWord(word, 'ASC')) query.order = 1;
  else if (isWord(word, 'DESC')) query.order = -1;
  else return false;
  return true;
}

/** Reads COUNT's number; 0 when an error has been replied. */
function readCount(c: Call, i: number, query: Query): number {
  const count = c.integer(i + 1);
  if (count === undefined) return 0;
  query.count = count;
  if (count > 0) return 2;
  c.reply.error('ERR COUNT must be > 0');
  return 0;
}

/**
 * How many arguments the option at `i` takes of those that only BY_OPTION has; -1 when it is none, 0 when an error has been
 * replied.
 */
function readPlace(c: Call, i: number, zset: ZsetValue | null, query: Query): number {
  const following = c.argc - i - 1;
  const word = c.arg(i);
  const { shape } = query;
  if (following >= 1 && query.origin !== 'FROMLONLAT' && isWord(word, 'FROMMEMBER')) {
    query.origin = 'FROMMEMBER';
    return zset === null || aimAtMember(c, zset, i + 1, shape) ? 2 : 0;
  }
  if (following >= 2 && query.origin !== 'FROMMEMBER' && isWord(word, 'FROMLONLAT')) {
    query.origin = 'FROMLONLAT';
    return aimAtPosition(c, i + 1, shape) ? 3 : 0;
  }
  if (following >= 2 && query.extent !== 'BYBOX' && isWord(word, 'BYRADIUS')) {
    query.extent = 'BYRADIUS';
    return readRadius(c, i + 1, shape) ? 3 : 0;
  }
  if (following >= 3 && query.extent !== 'BYRADIUS' && isWord(word, 'BYBOX')) {
    query.extent = 'BYBOX';
    return readBox(c, i + 1, shape) ? 4 : 0;
  }
  return -1;
}

/** The same of the options that name a destination. */
function readStore(c: Call, i: number, form: Form, query: Query): number {
  const word = c.arg(i);
  const distances = isWord(word, 'STOREDIST');
  if (form.origin === BY_OPTION) {
    if (!distances || query.storeAt === 0) return -1;
    query.storeDistance = true;
    return 1;
  }
  if (!form.mayStore || i + 1 >= c.argc || !(distances || isWord(word, 'STORE'))) return -1;
  query.storeAt = i + 1;
  query.storeDistance = distances;
  return 2;
}

function readOptions(c: Call, form: Form, zset: ZsetValue | null, query: Query): boolean {
  for (let i = form.options; i < c.argc; ) {
    let taken = -1;
    if (readFlag(c.arg(i), query)) taken = 1;
    else if (i + 1 < c.argc && isWord(c.arg(i), 'COUNT')) taken = readCount(c, i, query);
    else taken = readStore(c, i, form, query);
    if (taken < 0 && form.origin === BY_OPTION) taken = readPlace(c, i, zset, query);
    if (taken < 0) c.syntaxError();
    if (taken <= 0) return false;
    i += taken;
  }
  return true;
}

/** What is wrong with the options together, if anything is. */
function conflictIn(c: Call, form: Form, query: Query): string | null {
  const byOption = form.origin === BY_OPTION;
  if (query.storeAt > 0 && (query.withDistance || query.withHash || query.withPosition)) {
    const who = byOption ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS';
    return `ERR ${who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`;
  }
  if (byOption && query.origin === '')
    return `ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${c.arg(0).shown()}`;
  if (byOption && query.extent === '')
    return `ERR exactly one of BYRADIUS and BYBOX can be specified for ${c.arg(0).shown()}`;
  return query.any && query.count === 0 ? 'ERR the ANY argument requires COUNT argument' : null;
}

/** Adds the members of a cell that lie within the shape; stops when there are `limit` (0: never) of them. */
function collect(zset: ZsetValue, area: Cell, shape: Shape, found: Found, limit: number): void {
  const scale = 2 ** (52 - area.step * 2);
  const beyond = (area.score + 1) * scale;
  const cursor = zset.cursorFromScore(area.score * scale, false);
  while (cursor.next() && cursor.score < beyond) {
    const { longitude, latitude } = place(cursor.score);
    if (!shape.holds(longitude, latitude)) continue;
    found.add(cursor.member, cursor.score, shape);
    if (limit > 0 && found.points.length >= limit) return;
  }
}

/** Position of a score; scratch. */
function place(score: number): typeof position {
  cell.decode(score);
  position.longitude = cell.centerLongitude;
  position.latitude = cell.centerLatitude;
  return position;
}

function search(zset: ZsetValue, shape: Shape, limit: number): Found {
  const found = new Found();
  let last: Cell | null = null;
  const cells = shape.cells();
  for (const area of cells) {
    // With the largest cells two neighbours in a row can be one and the same.
    if (last !== null && last.longitude === area.longitude && last.latitude === area.latitude) continue;
    if (limit > 0 && found.points.length >= limit) break;
    collect(zset, area, shape, found, limit);
    last = area === cells[0] ? null : area;
  }
  return found;
}

/** Sorts as asked for and cuts to the count. */
function arrange(found: Found, query: Query): void {
  const { count, any } = query;
  const { points } = found;
  const order = query.order === 0 && count > 0 && !any ? 1 : query.order;
  const length = count > 0 ? Math.min(count, points.length) : points.length;
  if (order !== 0) {
    const compare = (a: Point, b: Point): number =>
      a.distance === b.distance ? 0 : a.distance > b.distance ? order : -order;
    if (length === points.length) points.sort(compare);
    else partialSort(points, compare, 0, length - 1);
  }
  points.length = length;
}

function replyPoints(c: Call, found: Found, query: Query): void {
  const { withDistance, withHash, withPosition, shape } = query;
  const details = Number(withDistance) + Number(withHash) + Number(withPosition);
  c.reply.array(found.points.length);
  for (const point of found.points) {
    if (details > 0) c.reply.array(details + 1);
    c.reply.bulk(found.member(point));
    if (withDistance) replyDistance(c.reply, point.distance / shape.metres);
    if (withHash) replyHash(c, point.score);
    if (withPosition) replyPosition(c.reply, point.longitude, point.latitude);
  }
}

/** A score as an integer, as a C program casts it. */
function replyHash(c: Call, score: number): void {
  if (Math.abs(score) <= Number.MAX_SAFE_INTEGER) c.reply.int(Math.trunc(score));
  else if (Math.abs(score) < 2 ** 63) c.reply.bigint(BigInt(score));
  else c.reply.bigint(-(1n << 63n));
}

function store(c: Call, found: Found, query: Query, event: string): void {
  const result = new Result(c, ENC_SKIPLIST);
  try {
    let longest = 0;
    for (const point of found.points) {
      const score = query.storeDistance ? point.distance / query.shape.metres : point.score;
      result.zset.add(found.member(point), score, ADD_SIGNED_ZERO);
      if (point.length > longest) longest = point.length;
    }
    result.zset.settle(longest);
    result.storeAndTell(c, query.storeAt, event);
    c.dirty += Math.max(0, found.points.length - 1);
  } finally {
    result.end();
  }
}

function answerNothing(c: Call, query: Query): void {
  if (query.storeAt === 0) {
    c.reply.array(0);
    return;
  }
  if (c.remove(query.storeAt)) c.changed(query.storeAt, 'del');
  c.reply.int(0);
}

/** Runs a search of the given form; `storeAt` is the argument of a destination that is always there. */
export function runSearch(c: Call, form: Form, storeAt = 0): void {
  const zset = c.zsetForRead(form.source);
  if (zset === undefined) return;
  const query: Query = {
    shape: new Shape(),
    withDistance: false,
    withHash: false,
    withPosition: false,
    origin: '',
    extent: '',
    order: 0,
    any: false,
    count: 0,
    storeAt,
    storeDistance: false,
  };
  if (!readBeginning(c, form, zset, query.shape) || !readOptions(c, form, zset, query)) return;
  const conflict = conflictIn(c, form, query);
  if (conflict !== null) {
    c.reply.error(conflict);
    return;
  }
  if (zset === null) {
    answerNothing(c, query);
    return;
  }
  const found = search(zset, query.shape, query.any ? query.count : 0);
  arrange(found, query);
  if (query.storeAt === 0) replyPoints(c, found, query);
  else store(c, found, query, form.origin === BY_OPTION ? 'geosearchstore' : 'georadiusstore');
}
