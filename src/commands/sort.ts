/** SORT and SORT_RO: the members of a list, set or sorted set in an order of one's own, or what keys named after them hold. */
import { copyBytes } from '../base/copy.ts';
import { partialSort } from '../base/partial-sort.ts';
import { Pile } from '../base/pile.ts';
import { Ranking } from '../base/ranking.ts';
import { isText, isWord, Slice } from '../base/slice.ts';
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

/** Elements of a value, and which of them are wanted once they are sorted: those from `start` to `end` (exclusive). */
interface Loaded {
  readonly elements: Pile;
  readonly start: number;
  readonly end: number;
}

/** The elements of a value; when nothing is to be sorted only the wanted ones, in their order. */
function load(c: Call, e: Addr, query: Query): Loaded {
  const { accessors } = c.engine;
  const type = e === NULL ? TYPE_LIST : entryType(c.memory, e);
  const elements = PILES.elements.clear();
  if (e === NULL) return { elements, start: 0, end: 0 };
  if (type === TYPE_SET) {
    const set = accessors.set(e);
    for (const cursor = set.cursor(); cursor.next(); ) elements.add(cursor.member);
    return { elements, ...limited(query, elements.count) };
  }
  const length = type === TYPE_LIST ? accessors.list(e).length : accessors.zset(e).length;
  const range = limited(query, length);
  const start = query.unsorted ? range.start : 0;
  const wanted = query.unsorted ? range.end - range.start : length;
  const reverse = query.unsorted && query.descending;
  if (type === TYPE_LIST) loadList(accessors.list(e), start, wanted, reverse, elements);
  else {
    const zset = accessors.zset(e);
    zset.toSkiplist();
    const cursor = zset.cursor(start, reverse);
    while (elements.count < wanted && cursor.next()) elements.add(cursor.member);
  }
  return query.unsorted ? { elements, start: 0, end: elements.count } : { elements, ...range };
}

function loadList(list: ListValue, start: number, wanted: number, reverse: boolean, elements: Pile): void {
  if (wanted === 0) return;
  list.seek(reverse ? -1 - start : start, reverse);
  for (const { cursor } = list; elements.count < wanted && cursor.more; cursor.next())
    elements.add(cursor.bytes(shown));
}

const shown = new Slice();
/** Elements, and the texts that they are sorted by, of the command at hand. */
const PILES = { elements: new Pile(), texts: new Pile() };
const ranking = new Ranking();

/**
 * What a pattern of BY or GET leads to from an element: `#` is the element itself, otherwise the element takes the place of
 * the first '*' in the name of a string, or before a '->' of a hash whose field follows.
 */
class Lookup {
  private readonly c: Call;
  private readonly itself: boolean;
  /** Where in the pattern the '*' stands; -1 for none, and then it leads nowhere. */
  private readonly star: number;
  /** What stands behind the element. */
  private readonly ending: Slice;
  /** The field, null where the pattern names strings. */
  private readonly field: Slice | null;
  /** The name, of which what stands before the element is always there. */
  private readonly key: Slice;
  private readonly found = new Slice();

  constructor(c: Call, pattern: Slice) {
    this.c = c;
    this.itself = isText(pattern, '#');
    this.star = starIn(pattern);
    const { buffer, start, length } = pattern;
    const arrow = this.star < 0 ? -1 : arrowBehind(pattern, this.star);
    const end = arrow < 0 ? length : arrow;
    this.ending = new Slice(buffer, start + this.star + 1, end - this.star - 1);
    this.field = arrow < 0 ? null : new Slice(buffer, start + arrow + 2, length - arrow - 2);
    this.key = new Slice(new Uint8Array(length + 256), 0, 0);
    if (this.star > 0) copyBytes(this.key.buffer, 0, buffer, start, this.star);
  }

  /** Null when there is nothing. The bytes are good until the next store or lookup. */
  value(element: Slice): Slice | null {
    if (this.itself) return element;
    if (this.star < 0) return null;
    this.name(element);
    const e = this.find();
    if (e === NULL) return null;
    const { memory, engine } = this.c;
    const type = entryType(memory, e);
    if (this.field === null) return type === TYPE_STRING ? stringBytes(memory, e, this.found) : null;
    if (type !== TYPE_HASH) return null;
    return engine.accessors.hash(e).get(this.field, this.found) ? this.found : null;
  }

  private name(element: Slice): void {
    const { key, star, ending } = this;
    const length = star + element.length + ending.length;
    if (key.buffer.length < length) {
      const longer = new Uint8Array(length * 2);
      copyBytes(longer, 0, key.buffer, 0, star);
      key.buffer = longer;
    }
    copyBytes(key.buffer, star, element.buffer, element.start, element.length);
    copyBytes(key.buffer, star + element.length, ending.buffer, ending.start, ending.length);
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

/** The scores that elements are sorted by, as keys of the ranking; undefined when one of them is no number. */
function scoresOf(c: Call, by: Slice | null, elements: Pile): Float64Array | undefined {
  const scores = ranking.prepare(elements.count);
  const lookup = by === null ? null : new Lookup(c, by);
  let numbers = true;
  for (let i = 0; i < elements.count; i++) {
    const element = elements.show(i, shown);
    const text = lookup === null ? element : lookup.value(element);
    if (text === null) continue;
    const score = looseDouble(text.buffer, text.start, text.start + text.length, false);
    scores[i] = score;
    // All are looked up whatever is found: that counts as use of the keys.
    if (Number.isNaN(score)) numbers = false;
  }
  return numbers ? scores : undefined;
}

/** The texts that elements are sorted by, and which of them have none: those come first. */
function textsOf(c: Call, by: Slice, elements: Pile): { texts: Pile; absent: Uint8Array } {
  const texts = PILES.texts.clear();
  const absent = new Uint8Array(elements.count);
  const lookup = new Lookup(c, by);
  for (let i = 0; i < elements.count; i++) {
    const text = lookup.value(elements.show(i, shown));
    if (text === null) absent[i] = 1;
    texts.add(text ?? EMPTY);
  }
  return { texts, absent };
}

const EMPTY = new Slice();

/** The wanted elements by their scores, and by their own bytes where scores are equal; undefined when one is no number. */
function byScore(c: Call, query: Query, loaded: Loaded): Iterable<number> | undefined {
  const { elements, start, end } = loaded;
  const scores = scoresOf(c, query.by, elements);
  if (scores === undefined) return undefined;
  const { count } = elements;
  if (!query.descending) return ranking.ranked(count, (a, b) => elements.compare(a, b), start, end);
  for (let i = 0; i < count; i++) scores[i] = -scores[i];
  return ranking.ranked(count, (a, b) => elements.compare(b, a), start, end);
}

/** The wanted elements by texts; what has nothing to be sorted by comes first. */
function byText(c: Call, query: Query, loaded: Loaded): Iterable<number> {
  const { elements, start, end } = loaded;
  const { texts, absent } = query.by === null ? { texts: elements, absent: null } : textsOf(c, query.by, elements);
  const sign = query.descending ? -1 : 1;
  const { count } = elements;
  const keys = ranking.prepare(count);
  texts.heads(keys);
  for (let i = 0; i < count; i++) keys[i] = sign * (absent !== null && absent[i] === 1 ? -1 : keys[i]);
  const tie = (a: number, b: number): number => sign * texts.compare(a, b);
  if (query.by === null || (start === 0 && end === count)) return ranking.ranked(count, tie, start, end);
  // Which of several elements comes first whose texts are equal follows from how Redis sorts a part.
  const order = Array.from({ length: count }, (_, i) => i);
  partialSort(order, (a, b) => keys[a] - keys[b] || tie(a, b), start, end - 1);
  return order.slice(start, end);
}

function* numbers(start: number, end: number): Iterable<number> {
  for (let i = start; i < end; i++) yield i;
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
  const loaded = load(c, e, query);
  const { elements, start, end } = loaded;
  const chosen = query.unsorted
    ? numbers(start, end)
    : query.alpha
      ? byText(c, query, loaded)
      : byScore(c, query, loaded);
  if (chosen === undefined) c.reply.error(NOT_DOUBLE);
  else if (query.store > 0) store(c, query, elements, chosen, end - start);
  else reply(c, query, elements, chosen, end - start);
  PILES.elements.clear();
  PILES.texts.clear();
}

/** Replies to a query with `count` elements, those that are `chosen`. */
function reply(c: Call, query: Query, elements: Pile, chosen: Iterable<number>, count: number): void {
  const gets = query.gets.map((pattern) => new Lookup(c, pattern));
  c.reply.array(count * (gets.length || 1));
  for (const i of chosen) {
    const element = elements.show(i, shown);
    if (gets.length === 0) c.reply.bulk(element);
    for (const get of gets) {
      const value = get.value(element);
      if (value === null) c.reply.null();
      else c.reply.bulk(value);
    }
  }
}

/** Stores what `reply` would tell. */
function store(c: Call, query: Query, elements: Pile, chosen: Iterable<number>, length: number): void {
  const m = c.memory;
  const gets = query.gets.map((pattern) => new Lookup(c, pattern));
  const count = length * (gets.length || 1);
  if (count === 0) {
    if (c.remove(query.store)) c.changed(query.store, 'del');
    c.reply.int(0);
    return;
  }
  const slot = new LooseSlot(m, newValue(m, TYPE_LIST, ENC_QUICKLIST), ENC_QUICKLIST);
  const list = new ListValue(m, c.engine.accessors.limits.list).bind(slot);
  try {
    for (const i of chosen) {
      const element = elements.show(i, shown);
      if (gets.length === 0) list.push(element, false);
      for (const get of gets) list.push(get.value(element) ?? EMPTY, false);
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
