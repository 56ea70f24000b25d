/** What the operations of a history do to a register, a counter, a set, and to lists in transactions. */
import type { Model, Operation } from './checker.ts';

export type RegisterInput =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: number }
  | { readonly kind: 'compare-and-set'; readonly from: number; readonly to: number };

/** Answers the value, nothing, or whether it was set. */
export const REGISTER: Model<number, RegisterInput, number | boolean | null> = {
  initial: 0,
  step(state, input, output) {
    if (input.kind === 'write') return input.value;
    if (input.kind === 'read') return output === undefined || output === state ? state : undefined;
    const sets = input.from === state;
    if (output !== undefined && output !== sets) return undefined;
    return sets ? input.to : state;
  },
  name: String,
};

export type CounterInput = { readonly kind: 'read' } | { readonly kind: 'add'; readonly by: number };

/** Answers the value after it. */
export const COUNTER: Model<number, CounterInput, number> = {
  initial: 0,
  step(state, input, output) {
    const after = input.kind === 'add' ? state + input.by : state;
    return output === undefined || output === after ? after : undefined;
  },
  name: String,
};

export type SetInput = { readonly kind: 'read' } | { readonly kind: 'add' | 'remove'; readonly member: number };

/** Answers the members in their order, as a text, or whether there was something to do. */
export const SET: Model<readonly number[], SetInput, string | boolean> = {
  initial: [],
  step(state, input, output) {
    if (input.kind === 'read') return output === undefined || output === state.join() ? state : undefined;
    const has = state.includes(input.member);
    const changes = has === (input.kind === 'remove');
    if (output !== undefined && output !== changes) return undefined;
    if (!changes) return state;
    if (has) return state.filter((member) => member !== input.member);
    return [...state, input.member].sort((a, b) => a - b);
  },
  name: (state) => state.join(),
};

/** One step of a transaction: appends a value to a list, or reads it. */
export interface Step {
  readonly key: string;
  /** Undefined where it is read. */
  readonly append: number | undefined;
}

export type Lists = Readonly<Record<string, readonly number[]>>;

/** Answers the lists that it has read, as texts, in the order of its steps. Values are appended once each. */
export const LISTS: Model<Lists, readonly Step[], readonly string[]> = {
  initial: {},
  step(state, steps, output) {
    const lists: Record<string, readonly number[]> = { ...state };
    let reads = 0;
    for (const { key, append } of steps) {
      const list = lists[key] ?? [];
      if (append !== undefined) lists[key] = [...list, append];
      else if (output !== undefined && output[reads++] !== list.join()) return undefined;
    }
    return lists;
  },
  name: (state) =>
    Object.keys(state)
      .sort()
      .map((key) => `${key}:${state[key].join()}`)
      .join(' '),
};

/** A key for each transaction, the same for those whose lists hang together by transactions. */
export function connected(
  operations: readonly Operation<readonly Step[], unknown>[],
): (steps: readonly Step[]) => string {
  const roots = new Map<string, string>();
  const rootOf = (key: string): string => {
    const parent = roots.get(key) ?? key;
    return parent === key ? key : rootOf(parent);
  };
  for (const { input } of operations)
    for (const { key } of input) {
      const [from, to] = [rootOf(key), rootOf(input[0].key)];
      if (from !== to) roots.set(from, to);
    }
  return (steps) => (steps.length === 0 ? '' : rootOf(steps[0].key));
}
