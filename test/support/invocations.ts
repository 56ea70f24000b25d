/** Random invocations of a declared command: well-formed by its grammar, over the keys and channels that are given. */
import type { Random } from '../../src/base/random.ts';
import type { Argument } from '../../src/engine/grammar.ts';
import type { Registered } from '../../src/engine/table.ts';

const INTEGERS = ['0', '1', '2', '3', '-1', '10'];
const DOUBLES = ['0', '1', '2.5', '-1'];
const TEXTS = ['a', 'b', '1', '2', '0', '(1', '[a', '-', '+', '-inf', '+inf', 'x y'];
const PATTERNS = ['*', 'g*', 'nothing', 's:*', '#'];

export class Invocations {
  private readonly random: Random;
  private readonly keys: readonly string[];
  private numkeys = 0;

  constructor(random: Random, keys: readonly string[]) {
    this.random = random;
    this.keys = keys;
  }

  of(registered: Registered): string[] {
    this.numkeys = 0;
    const words = registered.name.split('|');
    for (const argument of registered.command.args ?? []) this.put(argument, words);
    const least = Math.abs(registered.arity);
    while (words.length < least) words.push(this.pick(TEXTS));
    return words;
  }

  private put(argument: Argument, words: string[]): void {
    if (argument.optional && this.random.below(100) < 60) return;
    const times = this.times(argument);
    for (let i = 0; i < times; i++) {
      if (argument.token !== undefined && (i === 0 || argument.multipleToken)) words.push(argument.token);
      if (argument.kind === 'oneof') this.put({ ...this.pick(argument.args ?? []), optional: false }, words);
      else if (argument.kind === 'block') for (const inner of argument.args ?? []) this.put(inner, words);
      else if (argument.kind !== 'pure-token') words.push(this.value(argument));
    }
  }

  private times(argument: Argument): number {
    if (!argument.multiple) return 1;
    if (argument.kind === 'key' && this.numkeys > 0) return this.numkeys;
    return 1 + this.random.below(3);
  }

  private value(argument: Argument): string {
    switch (argument.kind) {
      case 'key':
        return this.pick(this.keys);
      case 'integer':
        if (argument.name === 'timeout') return '1';
        if (argument.name !== 'numkeys') return this.pick(INTEGERS);
        this.numkeys = 1 + this.random.below(3);
        return this.random.below(12) === 0 ? this.pick(INTEGERS) : String(this.numkeys);
      case 'double':
        return argument.name === 'timeout' ? '0.01' : this.pick(DOUBLES);
      case 'unix-time':
        return '99999999999';
      case 'pattern':
        return this.pick(PATTERNS);
      default:
        return this.pick(TEXTS);
    }
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)];
  }
}
