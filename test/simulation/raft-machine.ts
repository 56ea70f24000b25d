/** What a group of the simulation keeps: registers, counters, sets and lists. A state is what the model of its history has. */

import type { RegisterInput, SetInput, Step } from '../linearizability/models.ts';
import { COUNTER, type CounterInput, LISTS, type Lists, REGISTER, SET } from '../linearizability/models.ts';

export type Act =
  | { readonly kind: 'register'; readonly key: string; readonly input: RegisterInput }
  | { readonly kind: 'counter'; readonly key: string; readonly input: CounterInput }
  | { readonly kind: 'set'; readonly key: string; readonly input: SetInput }
  | { readonly kind: 'lists'; readonly key: string; readonly input: readonly Step[] };

export type Answer = number | boolean | null | string | readonly string[];

/** Whether it changes nothing. */
export function isRead({ kind, input }: Act): boolean {
  return kind === 'lists' ? input.every(({ append }) => append === undefined) : input.kind === 'read';
}

export class Machine {
  private readonly registers: Map<string, number>;
  private readonly counters: Map<string, number>;
  private readonly sets: Map<string, readonly number[]>;
  private lists: Lists;

  constructor(other?: Machine) {
    this.registers = new Map(other?.registers);
    this.counters = new Map(other?.counters);
    this.sets = new Map(other?.sets);
    this.lists = other?.lists ?? {};
  }

  perform(act: Act): Answer {
    switch (act.kind) {
      case 'register': {
        const before = this.registers.get(act.key) ?? 0;
        if (act.input.kind === 'read') return before;
        this.registers.set(act.key, REGISTER.step(before, act.input, undefined)!);
        return act.input.kind === 'write' ? null : before === act.input.from;
      }
      case 'counter': {
        const after = COUNTER.step(this.counters.get(act.key) ?? 0, act.input, undefined)!;
        if (act.input.kind === 'read') return after;
        this.counters.set(act.key, after);
        return after;
      }
      case 'set': {
        const before = this.sets.get(act.key) ?? [];
        if (act.input.kind === 'read') return before.join();
        this.sets.set(act.key, SET.step(before, act.input, undefined)!);
        return before.includes(act.input.member) === (act.input.kind === 'remove');
      }
      case 'lists':
        return this.transact(act.input);
    }
  }

  private transact(steps: readonly Step[]): readonly string[] {
    const read: string[] = [];
    for (const step of steps) {
      if (step.append === undefined) read.push((this.lists[step.key] ?? []).join());
      this.lists = LISTS.step(this.lists, [step], undefined)!;
    }
    return read;
  }

  get text(): string {
    return JSON.stringify([[...this.registers], [...this.counters], [...this.sets], this.lists]);
  }
}
