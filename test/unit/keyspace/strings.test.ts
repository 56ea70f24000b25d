import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { Database, type DatabaseRules } from '../../../src/keyspace/database.ts';
import { Reclaimer } from '../../../src/keyspace/reclaimer.ts';
import {
  appendString,
  expiryOf,
  makeRaw,
  overwriteString,
  setString,
  storeString,
  storeZeroes,
} from '../../../src/keyspace/strings.ts';
import { NULL } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { encodingName, entryEncoding } from '../../../src/values/entry.ts';
import { plainEncoding, stringBytes, stringEncoding, stringLength, stringVerify } from '../../../src/values/string.ts';
import { STEPS } from '../../support/long.ts';

const out = new Slice();

function newDatabase(): Database {
  const memory = createMemory();
  const rules: DatabaseRules = {
    now: 1000,
    stamp: 7,
    touched: (lru) => lru,
    overwritten: (lru) => lru,
    removesExpired: true,
    lazyServerDel: false,
    seesExpired: false,
    localExpiry: null,
    created: () => {},
    removalBegins: () => 0,
    expired: () => {},
    reclaimer: new Reclaimer(memory, { monotonic: () => 0 }),
  };
  return new Database(0, memory, rules);
}

const encodingOf = (text: string): string => encodingName(stringEncoding(sliceOf(text)));

describe('string values', () => {
  test('encodings by content', () => {
    for (const text of ['0', '-1', '9223372036854775807', '-9223372036854775808']) expect(encodingOf(text)).toBe('int');
    for (const text of [
      '',
      '-',
      '-0',
      '01',
      '1.0',
      ' 1',
      '9223372036854775808',
      '-9223372036854775809',
      'x'.repeat(44),
    ])
      expect(encodingOf(text)).toBe('embstr');
    expect(encodingOf('x'.repeat(45))).toBe('raw');
    expect(encodingOf('1'.repeat(45))).toBe('raw');
  });

  for (const seed of [11, 12]) {
    test(`10,000 steps as a Map takes them, seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const db = newDatabase();
      const empty = db.memory.used;
      const model = new Map<string, { value: string; expiry: number }>();
      for (let step = 0; step < STEPS; step++) run(db, model, random);
      db.verify();
      db.clear(false);
      expect(db.memory.used).toBe(empty);
    });
  }
});

function randomValue(random: SeededRandom): string {
  const pick = random.below(4);
  if (pick === 0) return String(random.below(1e9));
  const length = pick === 1 ? random.below(46) : pick === 2 ? 40 + random.below(10) : random.below(3000);
  return String.fromCharCode(random.below(256)).repeat(length);
}

function run(db: Database, model: Map<string, { value: string; expiry: number }>, random: SeededRandom): void {
  const name = `key:${random.below(40)}`;
  const key = sliceOf(name);
  const hash = db.hash(key);
  const old = db.peek(key, hash);
  const before = model.get(name);
  expect(old !== NULL).toBe(before !== undefined);
  const text = randomValue(random);
  const value = sliceOf(text);
  const expiry = random.below(3) === 0 ? 5000 + random.below(1000) : -1;
  let e = old;
  switch (random.below(7)) {
    case 0:
    case 1:
      e = setString(db, key, hash, old, value, expiry);
      model.set(name, { value: text, expiry });
      expect(entryEncoding(db.memory, e)).toBe(stringEncoding(value));
      break;
    case 2:
      e = storeString(db, key, hash, old, plainEncoding(text.length), value, expiryOf(db, old));
      model.set(name, { value: text, expiry: before?.expiry ?? -1 });
      break;
    case 3:
      if (before === undefined) {
        e = storeZeroes(db, key, hash, 30);
        model.set(name, { value: '\0'.repeat(30), expiry: -1 });
      } else {
        e = appendString(db, key, hash, old, value);
        before.value += text;
        expect(encodingName(entryEncoding(db.memory, e))).toBe('raw');
      }
      break;
    case 4:
      if (before === undefined) return;
      {
        const at = random.below(100);
        e = overwriteString(db, key, hash, old, at, value);
        before.value = before.value.padEnd(at, '\0').slice(0, at) + text + before.value.slice(at + text.length);
      }
      break;
    case 5:
      if (before === undefined) return;
      e = makeRaw(db, key, hash, old);
      break;
    default:
      if (before === undefined) return;
      if (random.below(2) === 0) {
        db.remove(key, hash);
        model.delete(name);
        return;
      }
      e = expiry < 0 ? db.clearExpiry(key, hash, old) : db.setExpiry(key, hash, old, expiry);
      before.expiry = expiry;
  }
  const now = model.get(name)!;
  expect(db.peek(key, hash)).toBe(e);
  stringVerify(db.memory, e);
  expect(stringLength(db.memory, e)).toBe(now.value.length);
  expect(stringBytes(db.memory, e, out).latin1() === now.value).toBe(true);
  expect(expiryOf(db, e)).toBe(now.expiry);
}
