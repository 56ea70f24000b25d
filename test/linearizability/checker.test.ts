/** The checker is shown to accept what can have happened, and to reject histories that were made wrong on purpose. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { check, type Model, type Operation, partition } from './checker.ts';
import { COUNTER, connected, LISTS, REGISTER, SET, type Step } from './models.ts';

/** An operation from `call` to `end`; undefined: it has no end. */
function op<Input, Output>(input: Input, output: Output | undefined, call: number, end?: number) {
  return { input, output, call, end: end ?? Number.POSITIVE_INFINITY };
}

const write = (value: number) => ({ kind: 'write', value }) as const;
const read = { kind: 'read' } as const;
const cas = (from: number, to: number) => ({ kind: 'compare-and-set', from, to }) as const;
const add = (by: number) => ({ kind: 'add', by }) as const;

describe('a register', () => {
  test.each([
    ['a read after a write sees it', [op(write(1), null, 0, 1), op(read, 1, 2, 3)]],
    ['a read beside a write may see it', [op(write(1), null, 0, 5), op(read, 1, 1, 2), op(read, 1, 3, 4)]],
    ['a read beside a write may not see it', [op(write(1), null, 0, 5), op(read, 0, 1, 2)]],
    ['what begins as another ends is beside it', [op(write(1), null, 0, 2), op(read, 0, 2, 3)]],
    ['a write without an end may come late', [op(write(1), undefined, 0), op(read, 0, 5, 6), op(read, 1, 7, 8)]],
    ['or never', [op(write(1), undefined, 0), op(read, 0, 5, 6)]],
    ['one sets, one does not', [op(cas(0, 1), true, 0, 5), op(cas(0, 2), false, 0, 5), op(read, 1, 6, 7)]],
    ['the order is found', [op(write(1), null, 0, 9), op(write(2), null, 0, 9), op(read, 2, 2, 3), op(read, 1, 4, 5)]],
  ] as const)('%s', (_, operations) => {
    expect(check(REGISTER, operations)).toBe('linearizable');
  });

  test.each([
    ['a stale read', [op(write(1), null, 0, 1), op(read, 0, 2, 3)]],
    ['a lost write', [op(write(1), null, 0, 1), op(write(2), null, 2, 3), op(read, 1, 4, 5)]],
    ['a value out of nowhere', [op(read, 7, 0, 1)]],
    ['back and forth', [op(write(1), null, 0, 9), op(read, 1, 1, 2), op(read, 0, 3, 4)]],
    ['two that set', [op(cas(0, 1), true, 0, 5), op(cas(0, 2), true, 0, 5)]],
    [
      'twice from one write',
      [op(write(1), undefined, 0), op(read, 1, 1, 2), op(cas(1, 0), true, 3, 4), op(read, 1, 5, 6)],
    ],
  ] as const)('%s is rejected', (_, operations) => {
    expect(check(REGISTER, operations)).toBe('not linearizable');
  });
});

describe('a counter', () => {
  test('additions beside each other have an order', () => {
    expect(check(COUNTER, [op(add(1), 3, 0, 5), op(add(2), 2, 0, 5), op(read, 3, 6, 7)])).toBe('linearizable');
  });

  test('a doubled addition is rejected', () => {
    expect(check(COUNTER, [op(add(1), undefined, 0), op(read, 2, 5, 6)])).toBe('not linearizable');
  });

  test('a lost addition is rejected', () => {
    expect(check(COUNTER, [op(add(1), 1, 0, 5), op(add(1), 1, 0, 5)])).toBe('not linearizable');
  });
});

describe('a set', () => {
  const put = (member: number) => ({ kind: 'add', member }) as const;
  const remove = (member: number) => ({ kind: 'remove', member }) as const;

  test('one of two that add a member adds it', () => {
    const both = [op(put(1), true, 0, 5), op(put(1), false, 0, 5), op(remove(1), true, 6, 7), op(read, '', 8, 9)];
    expect(check(SET, both)).toBe('linearizable');
  });

  test('a member that is gone is rejected', () => {
    expect(check(SET, [op(put(1), true, 0, 1), op(put(2), true, 2, 3), op(read, '2', 4, 5)])).toBe('not linearizable');
  });
});

describe('lists in transactions', () => {
  const append = (key: string, value: number): Step => ({ key, append: value });
  const see = (key: string): Step => ({ key, append: undefined });

  test('a transaction is seen as a whole', () => {
    const both = [append('a', 1), append('b', 1)];
    const seen = [
      op(both, [], 0, 9),
      op([see('a'), see('b')], ['', ''], 1, 2),
      op([see('b'), see('a')], ['1', '1'], 3, 4),
    ];
    expect(check(LISTS, seen)).toBe('linearizable');
    const half = [op(both, [], 0, 9), op([see('a'), see('b')], ['1', ''], 1, 2)];
    expect(check(LISTS, half)).toBe('not linearizable');
  });

  test('two that each miss the other are rejected', () => {
    const one = op([see('a'), append('b', 1)], [''], 0, 9);
    const other = op([see('b'), append('a', 1)], [''], 0, 9);
    expect(check(LISTS, [one, other])).toBe('not linearizable');
  });

  test('appends in two orders are rejected', () => {
    const both = [op([append('a', 1)], [], 0, 9), op([append('a', 2)], [], 0, 9)];
    expect(check(LISTS, [...both, op([see('a')], ['1,2'], 10, 11), op([see('a')], ['2,1'], 10, 11)])).toBe(
      'not linearizable',
    );
  });

  test('lists that hang together are checked together', () => {
    const steps = [[see('a'), see('b')], [see('c')], [see('d'), see('b')], [see('e'), see('c')]];
    const operations = steps.map((each) => op(each, undefined, 0));
    const keyOf = connected(operations);
    expect([...partition(operations, ({ input }) => keyOf(input)).values()].map((part) => part.length)).toEqual([2, 2]);
  });
});

/** A history of clients of a register that does what it should, whose answers come when they come. */
function history(
  seed: number,
): Operation<ReturnType<typeof write> | typeof read | ReturnType<typeof cas>, number | boolean | null>[] {
  const random = new SeededRandom(seed);
  let value = 0;
  const moments = Array.from({ length: 20 }, () => random.below(500)).sort((a, b) => a - b);
  return moments.map((moment) => {
    const [call, end] = [moment - random.below(60), moment + 1 + random.below(60)];
    const [first, second] = [random.below(4), random.below(4)];
    const unknown = random.below(10) === 0;
    if (unknown && random.below(2) === 0) return op(write(first), undefined, call);
    const input = [write(first), read, cas(first, second)][random.below(3)];
    const output = REGISTER.step(value, input, undefined)!;
    const answer = input.kind === 'read' ? value : input.kind === 'write' ? null : input.from === value;
    value = output;
    return unknown ? op(input, undefined, call) : op(input, answer, call, end);
  });
}

test('what did happen is accepted, and reads of what nobody can have seen are not', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const operations = history(seed);
    expect(check(REGISTER, operations), `seed ${seed}`).toBe('linearizable');
    const at = operations.findLastIndex(({ input, output }) => input.kind === 'read' && output !== undefined);
    if (at < 0) continue;
    const wrong = operations.map((each, i) => (i === at ? { ...each, output: 9 } : each));
    expect(check(REGISTER, wrong), `seed ${seed}`).toBe('not linearizable');
  }
});

/** All orders, one by one. */
function bruteForce<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): boolean {
  const search = (state: State, left: readonly Operation<Input, Output>[]): boolean => {
    const firstEnd = Math.min(...left.map(({ end }) => end));
    if (firstEnd === Number.POSITIVE_INFINITY) return true;
    return left.some((each) => {
      if (each.call > firstEnd) return false;
      const next = model.step(state, each.input, each.output);
      return (
        next !== undefined &&
        search(
          next,
          left.filter((other) => other !== each),
        )
      );
    });
  };
  return search(model.initial, operations);
}

test('short histories are judged as all their orders judge them', () => {
  let [right, wrong] = [0, 0];
  for (let seed = 1; seed <= 2000; seed++) {
    const random = new SeededRandom(seed);
    const operations = Array.from({ length: 6 }, () => {
      const call = random.below(12);
      const input = [write(random.below(2)), read, cas(random.below(2), random.below(2))][random.below(3)];
      if (random.below(5) === 0) return op(input, undefined, call);
      const answer = input.kind === 'read' ? random.below(2) : input.kind === 'write' ? null : random.below(2) === 1;
      return op(input, answer, call, call + 1 + random.below(6));
    });
    const expected = bruteForce(REGISTER, operations);
    if (expected) right++;
    else wrong++;
    expect(check(REGISTER, operations), `seed ${seed}`).toBe(expected ? 'linearizable' : 'not linearizable');
  }
  expect(Math.min(right, wrong)).toBeGreaterThan(300);
});

test('a search that remembers too much gives up', () => {
  const many = Array.from({ length: 20 }, (_, i) => op(write(i), undefined, 0));
  expect(check(REGISTER, [...many, op(read, 99, 1, 2)], 1000)).toBe('undecided');
});
