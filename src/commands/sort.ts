/** SORT and SORT_RO: the members of a list, set or sorted set in an order of one's own, or what keys named after them hold. */
import { compareBytes, isText, isWord, Slice } from '../base/slice.ts';
import { looseDouble } from '../base/strtod.ts';
import type { Call } from '../engine/call.ts';
import { command, type KeyFinderInput, type KeySpec } from '../engine/command.ts';
import {
  type Argument,
  after,
  block,
  integer,
  key,
  oneOf,
  optional,
  pattern,
  repeated,
  token,
} from '../engine/grammar.ts';
import { SCRIPT } from '../engine/roles.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { ENC_QUICKLIST, entryType, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STRING, TYPE_ZSET } from '../values/entry.ts';
import { freeValue, newValue } from '../values/free.ts';
import { ListValue } from '../values/list.ts';
import { stringBytes } from '../values/string.ts';
import { LooseSlot } from '../values/value.ts';

const NOT_DOUBLE = "ERR One or more scores can't be converted into double";
const STAR = 42;

interface Query {
  descending: boolean;
  alpha: boolean;
  offset: number;
  count: number;
  by: Slice | null;
  /** BY without a '*': the order stays what it is. */
  unsorted: boolean;
  readonly gets: Slice[];
  /** The argument that names the destination, 0 for none. */
  store: number;
}

/** An element in a copy of its own, and what it is sorted by. */
interface Item {
  readonly element: Slice;
  score: number;
  by: Slice | null;
}

function readQuery(c: Call, stores: boolean): Query | undefined {
  const query: Query = {
    descending: false,
    alpha: false,
    offset: 0,
    count: -1,
    by: null,
    unsorted: false,
    gets: [],
    store: 0,
  };
  for (let i = 2; i < c.argc; i++) {
    const word = c.arg(i);
    const left = c.argc - i - 1;
    if (isWord(word, 'ASC')) query.descending = false;
    else if (isWord(word, 'DESC')) query.descending = true;
    else if (isWord(word, 'ALPHA')) query.alpha = true;
    else if (left >= 2 && isWord(word, 'LIMIT')) {
      const offset = c.integer(i + 1);
      if (offset === undefined) return undefined;
      const count = c.integer(i + 2);
      if (count === undefined) return undefined;
      query.offset = offset;
      query.count = count;
      i += 2;
    } else if (stores && left >= 1 && isWord(word, 'STORE')) query.store = ++i;
    else if (left >= 1 && isWord(word, 'BY')) {
      query.by = c.arg(++i);
      if (starIn(query.by) < 0) query.unsorted = true;
      else if (!mayReadOtherKeys(c, 'BY')) return undefined;
    } else if (left >= 1 && isWord(word, 'GET')) {
      if (!mayReadOtherKeys(c, 'GET')) return undefined;
      query.gets.push(c.arg(++i));
    } else {
      c.syntaxError();
      return undefined;
    }
  }
  return query;
}

/**
 * Patterns lead to any key: they are for users who may read all, and where all keys are here. False when an error has been
 * replied.
 */
function mayReadOtherKeys(c: Call, option: string): boolean {
  if (c.engine.membership.joined) {
    c.reply.error(`ERR ${option} option of SORT denied in Cluster mode.`);
    return false;
  }
  if (c.engine.acl.mayReadAllKeys(c.session, c.registered, c.args, c.argc)) return true;
  c.reply.error(`ERR ${option} option of SORT denied due to insufficient ACL permissions.`);
  return false;
}

function starIn(text: Slice): number {
  for (let i = 0; i < text.length; i++) if (text.at(i) === STAR) return i;
  return -1;
}

/** The part of the sorted elements that LIMIT leaves: from `start` to `end` (exclusive). */
function limited(query: Query, length: number): { start: number; end: number } {
  const start = Math.min(Math.max(query.offset, 0), length);
  const end = query.count < 0 ? length : Math.min(length, start + query.count);
  return { start, end: Math.max(start, end) };
}

function newItem(element: Slice): Item {
  return { element: new Slice(element.copy()), score: 0, by: null };
}

/** The elements of a value; when nothing is to be sorted only the wanted ones, in their order. */
function load(c: Call, e: Addr, query: Query): { items: Item[]; start: number; end: number } {
  const { accessors } = c.engine;
  const type = e === NULL ? TYPE_LIST : entryType(c.memory, e);
  const items: Item[] = [];
  if (e === NULL) return { items, start: 0, end: 0 };
  if (type === TYPE_SET) {
    const set = accessors.set(e);
    for (const cursor = set.cursor(); cursor.next(); ) items.push(newItem(cursor.member));
    return { items, ...limited(query, items.length) };
  }
  const length = type === TYPE_LIST ? accessors.list(e).length : accessors.zset(e).length;
  const range = limited(query, length);
  const start = query.unsorted ? range.start : 0;
  const wanted = query.unsorted ? range.end - range.start : length;
  const reverse = query.unsorted && query.descending;
  if (type === TYPE_LIST) loadList(accessors.list(e), start, wanted, reverse, items);
  else {
    const zset = accessors.zset(e);
    zset.toSkiplist();
    const cursor = zset.cursor(start, reverse);
    while (items.length < wanted && cursor.next()) items.push(newItem(cursor.member));
  }
  return query.unsorted ? { items, start: 0, end: items.length } : { items, ...range };
}

function loadList(list: ListValue, start: number, wanted: number, reverse: boolean, items: Item[]): void {
  if (wanted === 0) return;
  const element = new Slice();
  list.seek(reverse ? -1 - start : start, reverse);
  for (const { cursor } = list; items.length < wanted && cursor.more; cursor.next())
    items.push(newItem(cursor.bytes(element)));
}

/** Keys that patterns make, and what is found under them. */
class Lookup {
  private readonly c: Call;
  private readonly key = new Slice(new Uint8Array(256), 0, 0);
  private readonly field = new Slice();
  private readonly found = new Slice();

  constructor(c: Call) {
    this.c = c;
  }

  /**
   * What `pattern` leads to from `element`: `#` is the element itself, otherwise the element takes the place of the first
   * '*' in the name of a string, or before a '->' of a hash whose field follows. Null when there is nothing. The bytes are
   * good until the next store or lookup.
   */
  value(pattern: Slice, element: Slice): Slice | null {
    if (isText(pattern, '#')) return element;
    const star = starIn(pattern);
    if (star < 0) return null;
    const arrow = arrowBehind(pattern, star);
    this.build(pattern, star, arrow < 0 ? pattern.length : arrow, element);
    const e = this.find();
    if (e === NULL) return null;
    const { memory, engine } = this.c;
    if (arrow < 0) return entryType(memory, e) === TYPE_STRING ? stringBytes(memory, e, this.found) : null;
    if (entryType(memory, e) !== TYPE_HASH) return null;
    this.field.set(pattern.buffer, pattern.start + arrow + 2, pattern.length - arrow - 2);
    return engine.accessors.hash(e).get(this.field, this.found) ? this.found : null;
  }

  private build(pattern: Slice, star: number, end: number, element: Slice): void {
    const { key } = this;
    const length = end - 1 + element.length;
    if (key.buffer.length < length) key.buffer = new Uint8Array(length * 2);
    for (let i = 0; i < star; i++) key.buffer[i] = pattern.at(i);
    for (let i = 0; i < element.length; i++) key.buffer[star + i] = element.at(i);
    for (let i = star + 1, at = star + element.length; i < end; i++) key.buffer[at++] = pattern.at(i);
    key.length = length;
  }

  private find(): Addr {
    const { db, engine } = this.c;
    const e = db.find(this.key, db.hash(this.key));
    if (e === NULL) {
      engine.stats.keyspaceMisses++;
      return e;
    }
    engine.stats.keyspaceHits++;
    db.touch(e);
    return e;
  }
}

/** Where the first '->' behind the star stands that a field follows; -1 when none does. */
function arrowBehind(pattern: Slice, star: number): number {
  for (let i = star + 1; i + 1 < pattern.length; i++)
    if (pattern.at(i) === 0x2d && pattern.at(i + 1) === 0x3e) return i + 2 < pattern.length ? i : -1;
  return -1;
}

/** Finds what each item is to be sorted by; false when something is no number. */
function weigh(query: Query, items: Item[], lookup: Lookup): boolean {
  let numbers = true;
  for (const item of items) {
    const by = query.by === null ? item.element : lookup.value(query.by, item.element);
    if (by === null) continue;
    if (query.alpha) {
      item.by = query.by === null ? by : new Slice(by.copy());
      continue;
    }
    item.score = looseDouble(by.buffer, by.start, by.start + by.length, false);
    if (Number.isNaN(item.score)) numbers = false;
  }
  return numbers;
}

/** By score, and by their own bytes where scores are equal. */
function byScore(a: Item, b: Item): number {
  if (a.score !== b.score) return a.score < b.score ? -1 : 1;
  return compareBytes(a.element, b.element);
}

/** By bytes; what has nothing to be sorted by comes first. */
function byText(a: Item, b: Item): number {
  if (a.by === null || b.by === null) return (a.by === null ? 0 : 1) - (b.by === null ? 0 : 1);
  return compareBytes(a.by, b.by);
}

function order(query: Query, items: Item[]): void {
  const compare = query.alpha ? byText : byScore;
  items.sort(query.descending ? (a, b) => compare(b, a) : compare);
}

function sort(c: Call, stores: boolean): void {
  const query = readQuery(c, stores);
  if (!query) return;
  const e = c.find(1);
  const type = e === NULL ? TYPE_LIST : entryType(c.memory, e);
  if (type !== TYPE_LIST && type !== TYPE_SET && type !== TYPE_ZSET) {
    c.wrongType();
    return;
  }
  // A set has no order of its own: what is stored, or what a script sees, must be the same on every copy of the data.
  if (query.unsorted && type === TYPE_SET && (query.store > 0 || c.session.role === SCRIPT)) {
    query.unsorted = false;
    query.alpha = true;
    query.by = null;
  }
  const { items, start, end } = load(c, e, query);
  const lookup = new Lookup(c);
  if (!query.unsorted) {
    if (!weigh(query, items, lookup)) {
      c.reply.error(NOT_DOUBLE);
      return;
    }
    order(query, items);
  }
  const chosen = items.slice(start, end);
  if (query.store > 0) store(c, query, chosen, lookup);
  else reply(c, query, chosen, lookup);
}

function reply(c: Call, query: Query, items: Item[], lookup: Lookup): void {
  const { gets } = query;
  c.reply.array(items.length * (gets.length || 1));
  for (const { element } of items) {
    if (gets.length === 0) c.reply.bulk(element);
    for (const get of gets) {
      const value = lookup.value(get, element);
      if (value === null) c.reply.null();
      else c.reply.bulk(value);
    }
  }
}

const EMPTY = new Slice();

function store(c: Call, query: Query, items: Item[], lookup: Lookup): void {
  const m = c.memory;
  const { gets } = query;
  const count = items.length * (gets.length || 1);
  if (count === 0) {
    if (c.remove(query.store)) c.changed(query.store, 'del');
    c.reply.int(0);
    return;
  }
  const slot = new LooseSlot(m, newValue(m, TYPE_LIST, ENC_QUICKLIST), ENC_QUICKLIST);
  const list = new ListValue(m, c.engine.accessors.limits.list).bind(slot);
  try {
    for (const { element } of items) {
      if (gets.length === 0) list.push(element, false);
      for (const get of gets) list.push(lookup.value(get, element) ?? EMPTY, false);
    }
  } catch (error) {
    freeValue(m, TYPE_LIST, slot.encoding, slot.root);
    throw error;
  }
  c.storeValue(query.store, TYPE_LIST, slot.encoding, slot.root);
  c.changed(query.store, 'sortstore', count);
  c.reply.int(count);
}

/** The source, and the destination that the last STORE names. */
function keysOfSort(c: KeyFinderInput): number[] {
  let destination = 0;
  for (let i = 2; i < c.argc; i++) {
    const word = c.arg(i);
    if (isWord(word, 'LIMIT')) i += 2;
    else if (isWord(word, 'GET') || isWord(word, 'BY')) i++;
    else if (isWord(word, 'STORE') && i + 1 < c.argc) destination = i + 1;
  }
  return destination === 0 ? [1] : [1, destination];
}

const source: KeySpec = {
  access: 'RO ACCESS',
  begin: { type: 'index', index: 1 },
  find: { type: 'range', lastKey: 0, step: 1, limit: 0 },
};
const derived: KeySpec = {
  access: 'RO ACCESS',
  notes: 'Keys that BY and GET make of the elements of the key that is sorted.',
  begin: { type: 'unknown' },
  find: { type: 'unknown' },
};
const destination: KeySpec = {
  access: 'OW UPDATE',
  notes: 'The key behind STORE, which can stand anywhere among the options.',
  begin: { type: 'unknown' },
  find: { type: 'unknown' },
};

const grammar: readonly Argument[] = [
  key('key', 'RO ACCESS'),
  optional(after('BY', pattern('pattern'))),
  optional(after('LIMIT', block('offset_count', integer('offset'), integer('count')))),
  optional(repeated(after('GET', pattern('pattern')))),
  optional(oneOf('order', token('asc', 'ASC'), token('desc', 'DESC'))),
  optional(token('sorting', 'ALPHA')),
];

const COMPLEXITY = 'O(N+M*log(M)) with N elements in the key and M returned; O(N) when nothing is sorted.';
const CATEGORIES = ['set', 'sortedset', 'list', 'dangerous'] as const;

export const sortCommand = command({
  name: 'SORT',
  group: 'generic',
  since: '1.0.0',
  complexity: COMPLEXITY,
  summary: 'Sorts the elements of a list, set or sorted set, and returns or stores the result.',
  flags: ['write', 'denyoom'],
  categories: CATEGORIES,
  args: [...grammar, optional(after('STORE', key('destination', 'OW UPDATE')))],
  arity: -2,
  keySpecs: [source, derived, destination],
  keyFinder: keysOfSort,
  run(c) {
    sort(c, true);
  },
});

export const sortReadOnly = command({
  name: 'SORT_RO',
  group: 'generic',
  since: '7.0.0',
  complexity: COMPLEXITY,
  summary: 'Sorts the elements of a list, set or sorted set and returns the result.',
  flags: ['readonly'],
  categories: CATEGORIES,
  args: grammar,
  keySpecs: [source, derived],
  keyFinder: () => [1],
  run(c) {
    sort(c, false);
  },
});

export const sortCommands = [sortCommand, sortReadOnly];
