/**
 * Whether a history is linearizable: whether every operation can be given one moment between its call and its end, such that
 * in the order of these moments each has answered what the model says. The search is Wing's and Gong's with Lowe's memory of
 * what was tried, as Porcupine has it: operations are taken in every order that time allows, and a set of operations that
 * has once led to a state is not looked at again.
 *
 * An operation of which nobody knows whether it was carried out has no end: it may have its moment at any later time, or
 * never. Histories are to be short; parts that have nothing to do with each other are checked by themselves (`partition`).
 */

export interface Operation<Input, Output> {
  readonly input: Input;
  /** Undefined where it is not known. */
  readonly output: Output | undefined;
  readonly call: number;
  /** Infinity where it is not known whether it was carried out. */
  readonly end: number;
}

/** States are values: nothing changes one. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /** What follows where the operation answers so (undefined: anything); undefined where it can't. */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** The same for the same states only. */
  name(state: State): string;
}

export type Verdict = 'linearizable' | 'not linearizable' | 'undecided';

/** Sets of operations that are remembered before the search gives up. */
const MEMORY = 200_000;

export function check<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  memory = MEMORY,
): Verdict {
  return new Search(model, operations, memory).verdict();
}

/** Operations by what they have to do with. */
export function partition<Of extends Operation<unknown, unknown>>(
  operations: readonly Of[],
  keyOf: (operation: Of) => string,
): Map<string, Of[]> {
  const parts = new Map<string, Of[]>();
  for (const operation of operations) {
    const key = keyOf(operation);
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [operation]);
    else part.push(operation);
  }
  return parts;
}

/** Calls and ends in the order of time, as a list from which both of an operation are taken while it has its moment. */
class Search<State, Input, Output> {
  private readonly model: Model<State, Input, Output>;
  private readonly operations: readonly Operation<Input, Output>[];
  private readonly memory: number;
  /** Of each event: its operation, and whether it is the end. Event 0 is the head of the list. */
  private readonly operation: number[] = [-1];
  private readonly isEnd: boolean[] = [false];
  private readonly endOf: number[];
  private readonly next: number[] = [];
  private readonly before: number[] = [];
  private readonly taken: Uint32Array;
  private readonly tried = new Set<string>();
  private readonly path: { event: number; state: State }[] = [];
  private state: State;
  /** Operations with an end that have no moment yet. */
  private missing = 0;

  constructor(model: Model<State, Input, Output>, operations: readonly Operation<Input, Output>[], memory: number) {
    this.model = model;
    this.operations = operations;
    this.memory = memory;
    this.state = model.initial;
    this.taken = new Uint32Array((operations.length >> 5) + 1);
    this.endOf = operations.map(() => 0);
    const events = operations.flatMap(({ call, end }, at) => [
      { at, time: call, isEnd: false },
      { at, time: end, isEnd: true },
    ]);
    // What begins when something else ends is at the same time as that.
    events.sort((a, b) => (a.time === b.time ? Number(a.isEnd) - Number(b.isEnd) : a.time - b.time));
    for (const { at, time, isEnd } of events) {
      if (isEnd && time === Number.POSITIVE_INFINITY) continue;
      if (isEnd) {
        this.endOf[at] = this.operation.length;
        this.missing++;
      }
      this.operation.push(at);
      this.isEnd.push(isEnd);
    }
    const count = this.operation.length;
    for (let i = 0; i < count; i++) {
      this.next.push((i + 1) % count);
      this.before.push((i + count - 1) % count);
    }
  }

  verdict(): Verdict {
    let event = this.next[0];
    while (this.missing > 0) {
      if (this.tried.size > this.memory) return 'undecided';
      // At an end without its moment, or after all of them, this way leads nowhere.
      if (event === 0 || this.isEnd[event]) {
        const last = this.path.pop();
        if (last === undefined) return 'not linearizable';
        this.putBack(last.event);
        this.state = last.state;
        event = this.next[last.event];
      } else event = this.take(event) ? this.next[0] : this.next[event];
    }
    return 'linearizable';
  }

  /** Gives an operation its moment now, unless that can't be or was tried. */
  private take(event: number): boolean {
    const at = this.operation[event];
    const { input, output } = this.operations[at];
    const state = this.model.step(this.state, input, output);
    if (state === undefined) return false;
    // Without an end, it need not have a moment in which it changes nothing.
    if (this.endOf[at] === 0 && this.model.name(state) === this.model.name(this.state)) return false;
    this.taken[at >> 5] ^= 1 << (at & 31);
    const name = `${this.taken.join()} ${this.model.name(state)}`;
    if (this.tried.has(name)) {
      this.taken[at >> 5] ^= 1 << (at & 31);
      return false;
    }
    this.tried.add(name);
    this.path.push({ event, state: this.state });
    this.state = state;
    this.unlink(event);
    if (this.endOf[at] !== 0) {
      this.unlink(this.endOf[at]);
      this.missing--;
    }
    return true;
  }

  private putBack(event: number): void {
    const at = this.operation[event];
    if (this.endOf[at] !== 0) {
      this.link(this.endOf[at]);
      this.missing++;
    }
    this.link(event);
    this.taken[at >> 5] ^= 1 << (at & 31);
  }

  private unlink(event: number): void {
    this.next[this.before[event]] = this.next[event];
    this.before[this.next[event]] = this.before[event];
  }

  private link(event: number): void {
    this.next[this.before[event]] = event;
    this.before[this.next[event]] = event;
  }
}
