/** The table of commands beside redis-server's: what COMMAND says of each command and subcommand that we have. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Beside } from '../support/beside.ts';
import type { Answer } from '../support/pipeline.ts';

/**
 * Reviewed: the commands of 7.0.15 that are not here, and what they wait for (Sentinel's are none of a usual server's). A
 * container's name stands for its subcommands too.
 */
const MISSING: Readonly<Record<string, readonly string[]>> = {
  replication: ['failover', 'psync', 'replconf', 'replicaof', 'slaveof', 'sync'],
};

/** What COMMAND INFO says, without the order in which flags and categories are listed. */
interface Row {
  readonly name: string;
  readonly arity: Answer;
  readonly flags: readonly string[];
  readonly range: readonly Answer[];
  readonly categories: readonly string[];
  readonly tips: readonly string[];
  readonly keys: Answer;
  readonly subcommands: readonly string[];
}

function texts(answer: Answer): string[] {
  return Array.isArray(answer) ? answer.map(String).sort() : [];
}

/** The row of a command and those of its subcommands, by name. */
function addRows(answer: Answer, rows: Map<string, Row>): void {
  if (!Array.isArray(answer)) return;
  const [name, arity, flags, first, last, step, categories, tips, keys, subcommands] = answer;
  const inner = Array.isArray(subcommands) ? subcommands : [];
  rows.set(String(name), {
    name: String(name),
    arity,
    flags: texts(flags),
    range: [first, last, step],
    categories: texts(categories),
    tips: texts(tips),
    keys: withoutNotes(keys),
    subcommands: inner.map((sub) => String(Array.isArray(sub) ? sub[0] : sub)).sort(),
  });
  for (const sub of inner) addRows(sub, rows);
}

/** Notes are prose. */
function withoutNotes(keys: Answer): Answer {
  if (!Array.isArray(keys)) return keys;
  return keys.map((spec) => {
    if (!Array.isArray(spec)) return spec;
    const at = spec.indexOf('notes');
    return at < 0 ? spec : [...spec.slice(0, at), ...spec.slice(at + 2)];
  });
}

let beside: Beside;
const ours = new Map<string, Row>();
const theirs = new Map<string, Row>();

beforeAll(async () => {
  beside = await Beside.start();
  const [mine, real] = await Promise.all([beside.ours.send([['COMMAND']]), beside.theirs.send([['COMMAND']])]);
  for (const row of mine[0] as Answer[]) addRows(row, ours);
  for (const row of real[0] as Answer[]) addRows(row, theirs);
});

afterAll(() => beside.stop());

const listed = new Map(Object.entries(MISSING).flatMap(([reason, names]) => names.map((name) => [name, reason])));

function isListed(name: string): boolean {
  return listed.has(name) || listed.has(name.split('|')[0]);
}

describe('beside the real server', () => {
  test('every command of ours is one of Redis, declared as there', () => {
    const differences: string[] = [];
    for (const [name, row] of ours) {
      const real = theirs.get(name);
      if (real === undefined) {
        differences.push(`${name}: no such command`);
        continue;
      }
      for (const field of ['arity', 'flags', 'range', 'categories', 'tips', 'keys'] as const) {
        const [a, b] = [JSON.stringify(row[field]), JSON.stringify(real[field])];
        if (a !== b) differences.push(`${name}: ${field} ${a}, Redis ${b}`);
      }
    }
    expect(differences).toEqual([]);
  });

  test('every command of Redis is here or on the list of what is missing', () => {
    const missing = [...theirs.keys()].filter((name) => !ours.has(name)).sort();
    console.log(`missing of ${theirs.size}: ${missing.filter((name) => !name.includes('|')).join(' ')}`);
    const landed = [...listed.keys()].filter((name) => ours.has(name)).sort();
    if (landed.length > 0) console.log(`on the list, but here: ${landed.join(' ')}`);
    expect(missing.filter((name) => !isListed(name))).toEqual([]);
    expect([...listed.keys()].filter((name) => !theirs.has(name))).toEqual([]);
  });

  test('COMMAND LIST and COMMAND COUNT agree with COMMAND', async () => {
    const [list, count] = await beside.ours.send([
      ['COMMAND', 'LIST'],
      ['COMMAND', 'COUNT'],
    ]);
    const top = [...ours.keys()].filter((name) => !name.includes('|'));
    expect(count).toBe(top.length);
    expect((list as string[]).filter((name) => !name.includes('|')).sort()).toEqual(top.sort());
  });

  test.each(['write', 'read', 'bitmap', 'hyperloglog', 'geo', 'dangerous', 'keyspace', 'fast'])(
    'COMMAND LIST FILTERBY ACLCAT %s',
    async (category) => {
      const command = ['COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', category];
      const [mine, real] = await Promise.all([beside.ours.send([command]), beside.theirs.send([command])]);
      expect(texts(mine[0])).toEqual(texts(real[0]).filter((name) => ours.has(name)));
    },
  );
});
