/** Unions, intersections and differences of sorted sets and plain sets, whose members count as having score 1. */
import { parseDouble } from '../../base/numbers.ts';
import { isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { type Argument, after, integer, key, many, numkeys, oneOf, optional, token } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import type { Memory } from '../../memory/memory.ts';
import { hashBytes } from '../../structures/hash.ts';
import {
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_SKIPLIST,
  type Encoding,
  entryType,
  TYPE_SET,
  TYPE_ZSET,
} from '../../values/entry.ts';
import { type SetCursor, setHas } from '../../values/set.ts';
import type { Sought } from '../../values/value.ts';
import { zsetScore } from '../../values/zset.ts';
import { ZsetBuilder } from '../../values/zset-builder.ts';
import { ZsetCursor } from '../../values/zset-cursor.ts';
import { Result, replyMember, replyMembers } from './common.ts';

const UNION = 0;
const INTER = 1;
const DIFF = 2;
type Operation = typeof UNION | typeof INTER | typeof DIFF;

/** Two scores of one member made one. */
type Aggregate = (known: number, score: number) => number;

/** Infinity and minus infinity make 0. */
const sum: Aggregate = (known, score) => orZero(known + score);
const least: Aggregate = (known, score) => (score < known ? score : known);
const greatest: Aggregate = (known, score) => (score > known ? score : known);

function orZero(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}

/** Where a command names a million keys there are as many of these. */
interface Source {
  /** NULL for an absent key. */
  entry: Addr;
  /** It tells the type as well. */
  encoding: Encoding;
  root: Addr;
  length: number;
  weight: number;
}

interface Plan {
  readonly operation: Operation;
  readonly sources: Source[];
  aggregate: Aggregate;
  withScores: boolean;
  /** Members to count at most, 0 for all. */
  limit: number;
}

/** What may follow the keys. */
interface Options {
  readonly weights: boolean;
  readonly scores: boolean;
  readonly limit: boolean;
}

/** Reads the count of keys at argument `at` and what follows; undefined when the error has been replied. */
function readPlan(c: Call, at: number, operation: Operation, options: Options): Plan | undefined {
  const count = c.integer(at);
  if (count === undefined) return undefined;
  if (count < 1) {
    c.reply.error(`ERR at least 1 input key is needed for '${c.registered.name}' command`);
    return undefined;
  }
  if (count > c.argc - at - 1) {
    c.syntaxError();
    return undefined;
  }
  const sources: Source[] = [];
  for (let i = at + 1; i <= at + count; i++) {
    const source = openSource(c, i);
    if (!source) return undefined;
    sources.push(source);
  }
  const plan: Plan = { operation, sources, aggregate: sum, withScores: false, limit: 0 };
  if (!readOptions(c, at + 1 + count, plan, options)) return undefined;
  if (operation !== DIFF) sources.sort((a, b) => a.length - b.length);
  return plan;
}

function openSource(c: Call, i: number): Source | undefined {
  const entry = c.find(i);
  if (entry === NULL) return { entry, encoding: ENC_LISTPACK, root: NULL, length: 0, weight: 1 };
  const type = entryType(c.memory, entry);
  if (type !== TYPE_ZSET && type !== TYPE_SET) {
    c.wrongType();
    return undefined;
  }
  const { encoding, root, length } =
    type === TYPE_ZSET ? c.engine.accessors.zset(entry) : c.engine.accessors.set(entry);
  return { entry, encoding, root, length, weight: 1 };
}

function readOptions(c: Call, i: number, plan: Plan, options: Options): boolean {
  while (i < c.argc) {
    const left = c.argc - i;
    const word = c.arg(i);
    if (options.weights && left > plan.sources.length && isWord(word, 'WEIGHTS')) {
      if (!readWeights(c, i + 1, plan.sources)) return false;
      i += 1 + plan.sources.length;
    } else if (options.weights && left >= 2 && isWord(word, 'AGGREGATE')) {
      const aggregate = aggregateOf(c.arg(i + 1));
      if (!aggregate) {
        c.syntaxError();
        return false;
      }
      plan.aggregate = aggregate;
      i += 2;
    } else if (options.scores && isWord(word, 'WITHSCORES')) {
      plan.withScores = true;
      i++;
    } else if (options.limit && left >= 2 && isWord(word, 'LIMIT')) {
      const limit = c.integerOr(i + 1, "ERR LIMIT can't be negative");
      if (limit === undefined) return false;
      if (limit < 0) {
        c.reply.error("ERR LIMIT can't be negative");
        return false;
      }
      plan.limit = limit;
      i += 2;
    } else {
      c.syntaxError();
      return false;
    }
  }
  return true;
}

function readWeights(c: Call, i: number, sources: Source[]): boolean {
  for (const source of sources) {
    const weight = parseDouble(c.arg(i++));
    if (weight === undefined) {
      c.reply.error('ERR weight value is not a float');
      return false;
    }
    source.weight = weight;
  }
  return true;
}

function aggregateOf(word: Slice): Aggregate | undefined {
  if (isWord(word, 'SUM')) return sum;
  if (isWord(word, 'MIN')) return least;
  return isWord(word, 'MAX') ? greatest : undefined;
}

function isSet({ encoding }: Source): boolean {
  return encoding === ENC_HASHTABLE || encoding === ENC_INTSET;
}

/** A walk over the members of a source and their scores: those of a sorted set ascend, which saves sorting the result. */
class Walk implements Sought {
  private readonly cursor: SetCursor | ZsetCursor | null;
  private readonly seed: Uint32Array;
  private hashed = -1;

  constructor(c: Call, source: Source) {
    const { accessors } = c.engine;
    if (source.entry === NULL) this.cursor = null;
    else if (isSet(source)) this.cursor = accessors.set(source.entry).cursor();
    else this.cursor = accessors.zset(source.entry).cursor();
    this.seed = c.memory.seed;
  }

  /** Steps to the next member; false when there is none. */
  next(): boolean {
    this.hashed = -1;
    return this.cursor?.next() ?? false;
  }

  get member(): Slice {
    return this.cursor!.member;
  }

  get score(): number {
    return this.cursor instanceof ZsetCursor ? this.cursor.score : 1;
  }

  get hash(): number {
    if (this.hashed < 0) this.hashed = hashBytes(this.seed, this.member);
    return this.hashed;
  }

  /** The member's score in a source, NaN when it is not there. */
  scoreIn(m: Memory, source: Source): number {
    const { encoding, root } = source;
    if (root === NULL) return Number.NaN;
    if (!isSet(source)) return zsetScore(m, encoding, root, this);
    return setHas(m, m.seed, encoding, root, this.member) ? 1 : Number.NaN;
  }
}

/** A walk over the members that all sources have: those of the first that are in every other. */
class CommonMembers {
  readonly walk: Walk;
  /** The member's scores, aggregated. */
  score = 0;
  private readonly m: Memory;
  private readonly first: Source;
  private readonly others: readonly Source[];
  private readonly aggregate: Aggregate;

  constructor(c: Call, { sources, aggregate }: Plan) {
    [this.first, ...this.others] = sources;
    this.walk = new Walk(c, this.first);
    this.m = c.memory;
    this.aggregate = aggregate;
  }

  /** Steps to the next one; false when there is none. */
  next(): boolean {
    while (this.walk.next()) if (this.isCommon()) return true;
    return false;
  }

  private isCommon(): boolean {
    const { walk, first, others } = this;
    const own = walk.score;
    this.score = orZero(own * first.weight);
    for (let i = 0; i < others.length; i++) {
      const other = others[i];
      const score = other.entry === first.entry ? own : walk.scoreIn(this.m, other);
      if (Number.isNaN(score)) return false;
      this.score = this.aggregate(this.score, score * other.weight);
    }
    return true;
  }
}

function unite(c: Call, { sources, aggregate }: Plan, into: ZsetBuilder): void {
  into.expect(sources[sources.length - 1].length);
  for (const source of sources) {
    const { weight } = source;
    for (const walk = new Walk(c, source); walk.next(); ) into.merge(walk, orZero(walk.score * weight), aggregate);
  }
}

function intersect(c: Call, plan: Plan, into: ZsetBuilder): void {
  for (const common = new CommonMembers(c, plan); common.next(); ) into.add(common.walk.member, common.score);
}

/** What is in the first source and in no other. */
function subtract(c: Call, { sources }: Plan, into: ZsetBuilder): void {
  const [first, ...others] = sources;
  if (others.some((other) => other.entry === first.entry)) return;
  const walk = new Walk(c, first);
  while (walk.next()) {
    let found = false;
    for (let i = 0; !found && i < others.length; i++) found = !Number.isNaN(walk.scoreIn(c.memory, others[i]));
    if (!found) into.add(walk.member, walk.score);
  }
}

/** Indexed by operation. */
const COMBINATIONS = [unite, intersect, subtract] as const;

function build(c: Call, plan: Plan, result: Result): ZsetBuilder {
  const builder = new ZsetBuilder(result.slot, c.engine.accessors.limits.zset);
  COMBINATIONS[plan.operation](c, plan, builder);
  return builder;
}

function reply(c: Call, operation: Operation): void {
  const plan = readPlan(c, 1, operation, { weights: operation !== DIFF, scores: true, limit: false });
  if (!plan) return;
  const result = new Result(c, ENC_SKIPLIST);
  try {
    const builder = build(c, plan, result);
    replyMembers(c.reply, builder.length, plan.withScores);
    for (const cursor = builder.sorted(); cursor.next(); )
      replyMember(c.reply, cursor.member, cursor.score, plan.withScores);
  } finally {
    result.end();
  }
}

function store(c: Call, operation: Operation, event: string): void {
  const plan = readPlan(c, 2, operation, { weights: operation !== DIFF, scores: false, limit: false });
  if (!plan) return;
  const result = new Result(c, ENC_SKIPLIST);
  try {
    build(c, plan, result).finish();
    result.store(c, 1, event);
  } finally {
    result.end();
  }
}

const keys: readonly Argument[] = [numkeys(), many(key('key', 'RO ACCESS'))];
const destination = key('destination', 'OW UPDATE');
const weighing: readonly Argument[] = [
  optional(after('WEIGHTS', many(integer('weight')))),
  optional(after('AGGREGATE', oneOf('aggregate', token('sum', 'SUM'), token('min', 'MIN'), token('max', 'MAX')))),
];
const withScores = optional(token('withscores', 'WITHSCORES'));

const UNION_COST = 'O(N)+O(M*log(M)) with N the sum of the sizes and M the size of the result.';
const INTER_COST = 'O(N*K)+O(M*log(M)) with N the size of the smallest of K sets and M the size of the result.';
const DIFF_COST = 'O(N*K)+O(M*log(M)) with N the size of the first of K sets and M the size of the result.';

export const zunion = command({
  name: 'ZUNION',
  group: 'sorted-set',
  since: '6.2.0',
  complexity: UNION_COST,
  summary: 'Returns the union of several sorted sets.',
  flags: ['readonly'],
  args: [...keys, ...weighing, withScores],
  run(c) {
    reply(c, UNION);
  },
});

export const zinter = command({
  name: 'ZINTER',
  group: 'sorted-set',
  since: '6.2.0',
  complexity: INTER_COST,
  summary: 'Returns the intersection of several sorted sets.',
  flags: ['readonly'],
  args: [...keys, ...weighing, withScores],
  run(c) {
    reply(c, INTER);
  },
});

export const zdiff = command({
  name: 'ZDIFF',
  group: 'sorted-set',
  since: '6.2.0',
  complexity: DIFF_COST,
  summary: 'Returns what the first sorted set has and the others have not.',
  flags: ['readonly'],
  args: [...keys, withScores],
  run(c) {
    reply(c, DIFF);
  },
});

export const zintercard = command({
  name: 'ZINTERCARD',
  group: 'sorted-set',
  since: '7.0.0',
  complexity: 'O(N*K) with N the size of the smallest of K sets.',
  summary: 'Counts the intersection of several sorted sets.',
  flags: ['readonly'],
  args: [...keys, optional(after('LIMIT', integer('limit')))],
  run(c) {
    const plan = readPlan(c, 1, INTER, { weights: false, scores: false, limit: true });
    if (!plan) return;
    let count = 0;
    for (const common = new CommonMembers(c, plan); common.next() && ++count !== plan.limit; );
    c.reply.int(count);
  },
});

export const zunionstore = command({
  name: 'ZUNIONSTORE',
  group: 'sorted-set',
  since: '2.0.0',
  complexity: UNION_COST,
  summary: 'Stores the union of several sorted sets.',
  flags: ['write', 'denyoom'],
  args: [destination, ...keys, ...weighing],
  run(c) {
    store(c, UNION, 'zunionstore');
  },
});

export const zinterstore = command({
  name: 'ZINTERSTORE',
  group: 'sorted-set',
  since: '2.0.0',
  complexity: INTER_COST,
  summary: 'Stores the intersection of several sorted sets.',
  flags: ['write', 'denyoom'],
  args: [destination, ...keys, ...weighing],
  run(c) {
    store(c, INTER, 'zinterstore');
  },
});

export const zdiffstore = command({
  name: 'ZDIFFSTORE',
  group: 'sorted-set',
  since: '6.2.0',
  complexity: DIFF_COST,
  summary: 'Stores what the first sorted set has and the others have not.',
  flags: ['write', 'denyoom'],
  args: [destination, ...keys],
  run(c) {
    store(c, DIFF, 'zdiffstore');
  },
});
