/** Unions, intersections and differences of sorted sets and plain sets, whose members count as having score 1. */
import { parseDouble } from '../../base/numbers.ts';
import { isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { type Argument, after, integer, key, many, numkeys, oneOf, optional, token } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { ENC_SKIPLIST, entryType, TYPE_SET, TYPE_ZSET } from '../../values/entry.ts';
import { ADD_SIGNED_ZERO, type ZsetValue } from '../../values/zset.ts';
import { Result, replyMember, replyMembers } from './common.ts';

const UNION = 0;
const INTER = 1;
const DIFF = 2;
type Operation = typeof UNION | typeof INTER | typeof DIFF;

const SUM = 0;
const MIN = 1;
const MAX = 2;

interface Source {
  /** NULL for an absent key. */
  entry: Addr;
  length: number;
  weight: number;
}

interface Plan {
  readonly operation: Operation;
  readonly sources: Source[];
  aggregate: number;
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
  const plan: Plan = { operation, sources, aggregate: SUM, withScores: false, limit: 0 };
  if (!readOptions(c, at + 1 + count, plan, options)) return undefined;
  if (operation !== DIFF) sources.sort((a, b) => a.length - b.length);
  return plan;
}

function openSource(c: Call, i: number): Source | undefined {
  const entry = c.find(i);
  if (entry === NULL) return { entry, length: 0, weight: 1 };
  const type = entryType(c.memory, entry);
  const { accessors } = c.engine;
  if (type === TYPE_ZSET) return { entry, length: accessors.zset(entry).length, weight: 1 };
  if (type === TYPE_SET) return { entry, length: accessors.set(entry).length, weight: 1 };
  c.wrongType();
  return undefined;
}

function readOptions(c: Call, i: number, plan: Plan, options: Options): boolean {
  while (i < c.argc) {
    const left = c.argc - i;
    const word = c.arg(i);
    if (options.weights && left > plan.sources.length && isWord(word, 'WEIGHTS')) {
      if (!readWeights(c, i + 1, plan.sources)) return false;
      i += 1 + plan.sources.length;
    } else if (options.weights && left >= 2 && isWord(word, 'AGGREGATE')) {
      plan.aggregate = aggregateOf(c.arg(i + 1));
      if (plan.aggregate < 0) {
        c.syntaxError();
        return false;
      }
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

function aggregateOf(word: Slice): number {
  if (isWord(word, 'SUM')) return SUM;
  if (isWord(word, 'MIN')) return MIN;
  return isWord(word, 'MAX') ? MAX : -1;
}

function aggregated(target: number, score: number, aggregate: number): number {
  if (aggregate === MIN) return score < target ? score : target;
  if (aggregate === MAX) return score > target ? score : target;
  const sum = target + score;
  return Number.isNaN(sum) ? 0 : sum;
}

/** Infinity times 0 counts as 0. */
function weighed(score: number, weight: number): number {
  const product = score * weight;
  return Number.isNaN(product) ? 0 : product;
}

/** Shows each member of a source, from the highest score down, until `visit` answers false. */
function walk(c: Call, source: Source, visit: (member: Slice, score: number) => boolean): void {
  if (source.entry === NULL) return;
  const { accessors } = c.engine;
  if (entryType(c.memory, source.entry) === TYPE_ZSET) {
    const cursor = accessors.zset(source.entry).cursor(0, true);
    while (cursor.next()) if (!visit(cursor.member, cursor.score)) return;
  } else {
    const cursor = accessors.set(source.entry).cursor();
    while (cursor.next()) if (!visit(cursor.member, 1)) return;
  }
}

/** A member's score in a source, NaN when it is not there. Leaves the accessors that `walk` uses alone. */
function scoreIn(c: Call, source: Source, member: Slice): number {
  if (source.entry === NULL) return Number.NaN;
  const { accessors } = c.engine;
  if (entryType(c.memory, source.entry) === TYPE_ZSET) return accessors.zset(source.entry, 1).score(member);
  return accessors.set(source.entry, 1).holds(member) ? 1 : Number.NaN;
}

/** Shows each member of the result; of a union each of every source, with a score still to be aggregated. */
function combine(c: Call, plan: Plan, emit: (member: Slice, score: number) => boolean): void {
  const [first, ...others] = plan.sources;
  if (plan.operation === UNION) {
    for (const source of plan.sources) walk(c, source, (member, score) => emit(member, weighed(score, source.weight)));
  } else if (plan.operation === DIFF) {
    walk(c, first, (member, score) => {
      for (const other of others)
        if (other.entry === first.entry || !Number.isNaN(scoreIn(c, other, member))) return true;
      return emit(member, score);
    });
  } else {
    walk(c, first, (member, score) => {
      let total = weighed(score, first.weight);
      for (const other of others) {
        const found = other.entry === first.entry ? score : scoreIn(c, other, member);
        if (Number.isNaN(found)) return true;
        total = aggregated(total, found * other.weight, plan.aggregate);
      }
      return emit(member, total);
    });
  }
}

/** Builds the result in `target`; returns the length of its longest member. */
function build(c: Call, plan: Plan, target: ZsetValue): number {
  let longest = 0;
  combine(c, plan, (member, score) => {
    if (member.length > longest) longest = member.length;
    const known = plan.operation === UNION ? target.score(member) : Number.NaN;
    target.add(member, Number.isNaN(known) ? score : aggregated(known, score, plan.aggregate), ADD_SIGNED_ZERO);
    return true;
  });
  return longest;
}

function reply(c: Call, operation: Operation): void {
  const plan = readPlan(c, 1, operation, { weights: operation !== DIFF, scores: true, limit: false });
  if (!plan) return;
  const result = new Result(c, ENC_SKIPLIST);
  try {
    build(c, plan, result.zset);
    replyMembers(c.reply, result.zset.length, plan.withScores);
    for (const cursor = result.zset.cursor(); cursor.next(); )
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
    result.zset.settle(build(c, plan, result.zset));
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
    combine(c, plan, () => ++count !== plan.limit);
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
