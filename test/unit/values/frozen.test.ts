/** Every value in every encoding, read through a frozen view while the live one goes on: the walk shows the instant. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { FrozenMemory } from '../../../src/memory/frozen.ts';
import type { Memory, Reader } from '../../../src/memory/memory.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import { QuicklistCursor } from '../../../src/structures/quicklist-cursor.ts';
import {
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_QUICKLIST,
  ENC_SKIPLIST,
  type Encoding,
} from '../../../src/values/entry.ts';
import { HashCursor, HashLimits, HashValue, hashNew } from '../../../src/values/hash.ts';
import { ListLimits, ListValue, listNew } from '../../../src/values/list.ts';
import { SetCursor, SetLimits, SetValue, setNew } from '../../../src/values/set.ts';
import { LooseSlot, type ValueSlot } from '../../../src/values/value.ts';
import { ZsetLimits, ZsetValue, zsetNew } from '../../../src/values/zset.ts';
import { ZsetCursor } from '../../../src/values/zset-cursor.ts';

interface Case {
  readonly name: string;
  slot(m: Memory): ValueSlot;
  /** Adds something random. */
  grow(m: Memory, slot: ValueSlot, random: SeededRandom): void;
  read(r: Reader, slot: ValueSlot): string[];
}

const word = (random: SeededRandom): Slice => sliceOf('w'.repeat(random.below(90)) + random.below(3000));
const number = (random: SeededRandom): Slice => sliceOf(String(random.below(1_000_000)));

function hash(name: string, encoding: Encoding): Case {
  return {
    name,
    slot: (m) => new LooseSlot(m, hashNew(m, encoding), encoding),
    grow: (m, slot, random) => new HashValue(m, new HashLimits()).bind(slot).put(word(random), word(random)),
    read(r, slot) {
      const seen: string[] = [];
      const cursor = new HashCursor(r).reset(r, slot.encoding, slot.root);
      while (cursor.next()) seen.push(cursor.field.latin1() + '=' + cursor.value.latin1());
      return seen;
    },
  };
}

function set(name: string, encoding: Encoding, member: (random: SeededRandom) => Slice): Case {
  return {
    name,
    slot: (m) => new LooseSlot(m, setNew(m, encoding), encoding),
    grow: (m, slot, random) => new SetValue(m, new SetLimits()).bind(slot).add(member(random)),
    read(r, slot) {
      const seen: string[] = [];
      const cursor = new SetCursor(r).reset(r, slot.encoding, slot.root);
      while (cursor.next()) seen.push(cursor.member.latin1());
      return seen;
    },
  };
}

function zset(name: string, encoding: Encoding): Case {
  return {
    name,
    slot: (m) => new LooseSlot(m, zsetNew(m, encoding), encoding),
    grow: (m, slot, random) => new ZsetValue(m, new ZsetLimits()).bind(slot).add(word(random), random.below(50) / 4),
    read(r, slot) {
      const seen: string[] = [];
      const cursor = new ZsetCursor(r).reset(r, slot.encoding, slot.root);
      while (cursor.next()) seen.push(cursor.member.latin1() + '@' + cursor.score);
      return seen;
    },
  };
}

function list(name: string, limits: Partial<ListLimits>): Case {
  return {
    name,
    slot: (m) => new LooseSlot(m, listNew(m), ENC_QUICKLIST),
    grow: (m, slot, random) =>
      new ListValue(m, Object.assign(new ListLimits(), limits)).bind(slot).push(word(random), random.below(2) === 0),
    read(r, slot) {
      const seen: string[] = [];
      const cursor = new QuicklistCursor();
      const into = new Slice();
      for (cursor.reset(r, slot.root, 0); cursor.more; cursor.next()) seen.push(cursor.bytes(into).latin1());
      return seen;
    },
  };
}

const CASES: readonly Case[] = [
  hash('a hash, listpack', ENC_LISTPACK),
  hash('a hash, hashtable', ENC_HASHTABLE),
  set('a set, intset', ENC_INTSET, number),
  set('a set, hashtable', ENC_HASHTABLE, word),
  zset('a sorted set, listpack', ENC_LISTPACK),
  zset('a sorted set, skiplist', ENC_SKIPLIST),
  list('a list of small nodes', { fill: 4 }),
  list('a compressed list', { fill: -1, compressDepth: 1 }),
  list('a list of plain nodes', { fill: 4, plainFrom: 30 }),
];

describe('through a frozen view', () => {
  test.each(CASES)('$name is as it was', (subject) => {
    const m = createMemory();
    const random = new SeededRandom(8);
    const slot = subject.slot(m);
    for (const size of [0, 1, 60, 1500]) {
      for (let i = 0; i < size; i++) subject.grow(m, slot, random);
      const was = subject.read(m, slot);
      const frozenSlot = new LooseSlot(m, slot.root, slot.encoding);
      const view = new FrozenView(m);
      const frozen = new FrozenMemory(view.image);
      expect(subject.read(frozen, frozenSlot)).toEqual(was);
      for (let i = 0; i < 500; i++) subject.grow(m, slot, random);
      expect(subject.read(frozen, frozenSlot)).toEqual(was);
      expect(subject.read(m, slot)).not.toEqual(was);
      view.close();
    }
  });
});
