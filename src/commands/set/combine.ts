/** Intersections, unions and differences of sets, answered or stored. */
import { parseInteger } from '../../base/numbers.ts';
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { after, integer, key, many, numkeys, optional } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { ENC_INTSET, entryType, TYPE_SET } from '../../values/entry.ts';
import { type MemberLookup, type SetCursor, SetValue, setFree, setNew } from '../../values/set.ts';
import { LooseSlot } from '../../values/value.ts';
import { replyAll } from './members.ts';

/** Members that room is made for ahead; beyond them a table grows with what comes. */
const MOST_ROOM = 16_384;

/**
 * The entries of the sets at arguments `from` to the last, NULL for an absent key; undefined for a WRONGTYPE replied. One
 * accessor goes from one to the next: a command may name a million keys.
 */
function openSets(c: Call, from: number, to: number): Addr[] | undefined {
  const sets: Addr[] = [];
  for (let i = from; i < to; i++) {
    const entry = c.find(i);
    if (entry !== NULL && entryType(c.memory, entry) !== TYPE_SET) {
      c.wrongType();
      return undefined;
    }
    sets.push(entry);
  }
  return sets;
}

function lengthOf(c: Call, set: Addr): number {
  return set === NULL ? 0 : c.engine.accessors.set(set).length;
}

/** A walk over a set; it ends where another begins. */
function walk(c: Call, set: Addr): SetCursor {
  return c.engine.accessors.set(set).cursor();
}

function lookup(c: Call, set: Addr): MemberLookup {
  return c.engine.accessors.set(set).lookup();
}

/** The sets to intersect, the smallest before the others; null when one of them is absent and so nothing is common to all. */
function openIntersection(c: Call, from: number, to: number): Addr[] | null | undefined {
  const sets = openSets(c, from, to);
  if (sets === undefined) return undefined;
  let smallest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < sets.length; i++) {
    const set = sets[i];
    if (set === NULL) return null;
    const length = lengthOf(c, set);
    if (length >= smallest) continue;
    smallest = length;
    sets[i] = sets[0];
    sets[0] = set;
  }
  return sets;
}

/** A walk over the members that all sets have: those of the first that are in every other. */
class CommonMembers {
  readonly cursor: SetCursor;
  private readonly others: readonly MemberLookup[];

  constructor(c: Call, sets: readonly Addr[]) {
    this.others = sets.slice(1).map((set) => lookup(c, set));
    this.cursor = walk(c, sets[0]);
  }

  /** Steps to the next one; false when there is none. */
  step(): boolean {
    const { cursor, others } = this;
    while (cursor.step()) {
      let common = true;
      for (let i = 0; common && i < others.length; i++) common = others[i].has(cursor);
      if (common) return true;
    }
    return false;
  }
}

/** For up to `most` members to come. */
function makeRoom(into: SetValue, most: number): void {
  into.room = Math.min(most, MOST_ROOM);
}

function unite(c: Call, sets: readonly Addr[], into: SetValue): void {
  makeRoom(
    into,
    sets.reduce((sum, set) => sum + lengthOf(c, set), 0),
  );
  for (const set of sets) {
    if (set === NULL) continue;
    for (const cursor = walk(c, set); cursor.step(); ) into.addAt(cursor);
  }
}

/** What is in the first set and in no other: looked up member by member, or taken away, whichever is less work. */
function subtract(c: Call, sets: readonly Addr[], into: SetValue): void {
  const [first] = sets;
  if (first === NULL) return;
  const length = lengthOf(c, first);
  makeRoom(into, length);
  const others = sets.slice(1).filter((set) => set !== NULL);
  const all = others.reduce((sum, set) => sum + lengthOf(c, set), length);
  if ((length * (others.length + 1)) / 2 > all) {
    unite(c, [first], into);
    for (const set of others) {
      const cursor = walk(c, set);
      while (into.length > 0 && cursor.next()) into.remove(cursor.member);
    }
    return;
  }
  const lookups = others.sort((a, b) => lengthOf(c, b) - lengthOf(c, a)).map((set) => lookup(c, set));
  const cursor = walk(c, first);
  while (cursor.step()) {
    let found = false;
    for (let i = 0; !found && i < lookups.length; i++) found = lookups[i].has(cursor);
    if (!found) into.addAt(cursor);
  }
}

/** A set that is built before it is stored, or sent and dropped. */
class Result {
  readonly set: SetValue;
  private readonly slot: LooseSlot;
  private stored = false;

  constructor(c: Call) {
    this.slot = new LooseSlot(c.memory, setNew(c.memory), ENC_INTSET);
    this.set = new SetValue(c.memory, c.engine.accessors.limits.set).bind(this.slot);
  }

  /** Stores the set under argument 1, or removes that key when the set is empty; replies the length. */
  store(c: Call, event: string): void {
    const length = this.set.length;
    if (length > 0) {
      this.set.fit();
      this.stored = true;
      c.storeValue(1, TYPE_SET, this.slot.encoding, this.slot.root);
      c.reply.int(length);
      c.changed(1, event);
    } else {
      removeTarget(c);
    }
  }

  /** Releases the set unless it was stored; to be called in any case. */
  end(): void {
    if (!this.stored) setFree(this.slot.memory, this.slot.encoding, this.slot.root);
  }
}

/** Of a combination without members. */
function removeTarget(c: Call): void {
  const removed = c.remove(1);
  c.reply.int(0);
  if (removed) c.changed(1, 'del');
}

type Combination = (c: Call, sets: readonly Addr[], into: SetValue) => void;

function combine(c: Call, combination: Combination): void {
  const sets = openSets(c, 1, c.argc);
  if (sets === undefined) return;
  const result = new Result(c);
  try {
    combination(c, sets, result.set);
    replyAll(c, result.set);
  } finally {
    result.end();
  }
}

function combineAndStore(c: Call, combination: Combination, event: string): void {
  const sets = openSets(c, 2, c.argc);
  if (sets === undefined) return;
  const result = new Result(c);
  try {
    combination(c, sets, result.set);
    result.store(c, event);
  } finally {
    result.end();
  }
}

const sinter = command({
  name: 'SINTER',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(N*M) with N members in the smallest of M sets.',
  summary: 'Answers with the members that all of the sets have.',
  flags: ['readonly'],
  tips: ['nondeterministic_output_order'],
  args: [many(key('key', 'RO ACCESS'))],
  run(c) {
    const sets = openIntersection(c, 1, c.argc);
    if (sets === undefined) return;
    if (sets === null) {
      c.reply.set(0);
      return;
    }
    const handle = c.reply.deferArray();
    const common = new CommonMembers(c, sets);
    let count = 0;
    for (; common.step(); count++) c.reply.bulk(common.cursor.show());
    c.reply.settleSet(handle, count);
  },
});

const sintercard = command({
  name: 'SINTERCARD',
  group: 'set',
  since: '7.0.0',
  complexity: 'O(N*M) with N members in the smallest of M sets.',
  summary: 'Counts the members that all of the sets have.',
  flags: ['readonly'],
  args: [numkeys(), many(key('key', 'RO ACCESS')), optional(after('LIMIT', integer('limit')))],
  run(c) {
    const keys = parseInteger(c.arg(1));
    if (!(keys >= 1)) {
      c.reply.error('ERR numkeys should be greater than 0');
      return;
    }
    if (keys > c.argc - 2) {
      c.reply.error("ERR Number of keys can't be greater than number of args");
      return;
    }
    const limit = readLimit(c, 2 + keys);
    if (limit === undefined) return;
    const sets = openIntersection(c, 2, 2 + keys);
    if (sets === undefined) return;
    const common = sets === null ? null : new CommonMembers(c, sets);
    let count = 0;
    while (common?.step() && ++count !== limit);
    c.reply.int(count);
  },
});

/** 0 for no limit; undefined when the error has been replied. */
function readLimit(c: Call, from: number): number | undefined {
  let limit = 0;
  for (let i = from; i < c.argc; i += 2) {
    if (!isWord(c.arg(i), 'LIMIT') || i + 1 >= c.argc) {
      c.syntaxError();
      return undefined;
    }
    limit = parseInteger(c.arg(i + 1));
    if (!(limit >= 0)) {
      c.reply.error("ERR LIMIT can't be negative");
      return undefined;
    }
  }
  return limit;
}

const sinterstore = command({
  name: 'SINTERSTORE',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(N*M) with N members in the smallest of M sets.',
  summary: 'Stores the members that all of the sets have.',
  flags: ['write', 'denyoom'],
  args: [key('destination', 'RW UPDATE'), many(key('key', 'RO ACCESS'))],
  run(c) {
    const sets = openIntersection(c, 2, c.argc);
    if (sets === undefined) return;
    if (sets === null) {
      removeTarget(c);
      return;
    }
    const result = new Result(c);
    try {
      makeRoom(result.set, lengthOf(c, sets[0]));
      const common = new CommonMembers(c, sets);
      while (common.step()) result.set.addAt(common.cursor);
      result.store(c, 'sinterstore');
    } finally {
      result.end();
    }
  },
});

const sunion = command({
  name: 'SUNION',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(N) in the members of all sets.',
  summary: 'Answers with the members that any of the sets has.',
  flags: ['readonly'],
  tips: ['nondeterministic_output_order'],
  args: [many(key('key', 'RO ACCESS'))],
  run(c) {
    combine(c, unite);
  },
});

const sunionstore = command({
  name: 'SUNIONSTORE',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(N) in the members of all sets.',
  summary: 'Stores the members that any of the sets has.',
  flags: ['write', 'denyoom'],
  args: [key('destination', 'OW UPDATE'), many(key('key', 'RO ACCESS'))],
  run(c) {
    combineAndStore(c, unite, 'sunionstore');
  },
});

const sdiff = command({
  name: 'SDIFF',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(N) in the members of all sets.',
  summary: 'Answers with the members of the first set that no other has.',
  flags: ['readonly'],
  tips: ['nondeterministic_output_order'],
  args: [many(key('key', 'RO ACCESS'))],
  run(c) {
    combine(c, subtract);
  },
});

const sdiffstore = command({
  name: 'SDIFFSTORE',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(N) in the members of all sets.',
  summary: 'Stores the members of the first set that no other has.',
  flags: ['write', 'denyoom'],
  args: [key('destination', 'OW UPDATE'), many(key('key', 'RO ACCESS'))],
  run(c) {
    combineAndStore(c, subtract, 'sdiffstore');
  },
});

export const COMBINE_COMMANDS: readonly Command[] = [
  sinter,
  sintercard,
  sinterstore,
  sunion,
  sunionstore,
  sdiff,
  sdiffstore,
];
