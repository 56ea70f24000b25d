/** Random commands of streams: few keys, groups and consumers, IDs that grow, so that they meet what is there. */
import type { SeededRandom } from '../../src/base/random.ts';
import type { Command } from './wire.ts';

const KEYS = ['q1', 'q2', 'q3', 's1'];
const TRIMS = [
  [],
  [],
  ['MAXLEN', '3'],
  ['MAXLEN', '=', '5'],
  ['MAXLEN', '~', '1000'],
  ['MINID', '5'],
  ['MAXLEN', '~', '2', 'LIMIT', '1'],
];
const CLAIMS = [
  [],
  ['JUSTID'],
  ['FORCE'],
  ['RETRYCOUNT', '7'],
  ['TIME', '1600000000000'],
  ['IDLE', '5'],
  ['FORCE', 'LASTID', '9-9'],
];

export class StreamCommands {
  private readonly random: SeededRandom;
  /** First half of the last ID that was made up. */
  private ms = 1;

  constructor(random: SeededRandom) {
    this.random = random;
  }

  next(): Command {
    const roll = this.random.below(16);
    const key = this.pick(KEYS);
    if (roll < 4) return this.adding(key);
    if (roll < 6) return this.managing(key);
    if (roll < 9) return this.reading(key);
    if (roll < 13) return this.claiming(key);
    return this.changing(key);
  }

  private adding(key: string): Command {
    const options = [...this.pick([[], [], ['NOMKSTREAM']]), ...this.pick(TRIMS)];
    return ['XADD', key, ...options, this.id(), 'f', String(this.random.below(9))];
  }

  private managing(key: string): Command {
    const [group, consumer] = [this.group(), this.consumer()];
    const options = this.pick([[], ['MKSTREAM'], ['ENTRIESREAD', '3']]);
    const create = ['XGROUP', 'CREATE', key, group, this.pick(['0', '$', '5']), ...options];
    return this.pick([
      create,
      create,
      create,
      ['XGROUP', 'SETID', key, group, this.pick(['0', '$', '3-1'])],
      ['XGROUP', 'CREATECONSUMER', key, group, consumer],
      ['XGROUP', 'DELCONSUMER', key, group, consumer],
      ['XGROUP', 'DESTROY', key, group],
    ]);
  }

  private reading(key: string): Command {
    const options = [...this.pick([[], ['COUNT', '1'], ['COUNT', '3']]), ...this.pick([[], [], ['NOACK']])];
    const keys = this.pick([
      [key, '>'],
      [key, '0'],
      [key, 'q2', '>', '>'],
    ]);
    return ['XREADGROUP', 'GROUP', this.group(), this.consumer(), ...options, 'STREAMS', ...keys];
  }

  private claiming(key: string): Command {
    const [group, consumer, one, other] = [this.group(), this.consumer(), this.seen(), this.seen()];
    return this.pick([
      ['XACK', key, group, one, other],
      ['XDEL', key, one, other],
      ['XCLAIM', key, group, consumer, '0', one, other, ...this.pick(CLAIMS)],
      ['XAUTOCLAIM', key, group, consumer, '0', '-', ...this.pick([[], ['COUNT', '1'], ['JUSTID']])],
    ]);
  }

  private changing(key: string): Command {
    return this.pick([
      ['XSETID', key, this.seen()],
      ['XSETID', key, this.seen(), 'ENTRIESADDED', '90', 'MAXDELETEDID', '1-1'],
      ['XTRIM', key, 'MAXLEN', '2'],
      ['XTRIM', key, 'MAXLEN', '~', '1'],
      ['XTRIM', key, 'MINID', this.seen()],
      ['XTRIM', key, 'MAXLEN', '=', '0'],
      ['DEL', key],
      ['XREAD', 'COUNT', '2', 'STREAMS', key, '0'],
      ['COPY', key, 'q3', 'REPLACE'],
      ['RENAME', key, 'q2'],
    ]);
  }

  private id(): string {
    if (this.random.below(12) === 0) return this.seen();
    const ms = ++this.ms;
    return this.pick(['*', `${ms}-*`, `${ms}-${this.random.below(3)}`, `${ms}`]);
  }

  private seen(): string {
    return `${1 + this.random.below(this.ms)}-${this.random.below(2)}`;
  }

  private group(): string {
    return this.pick(['g', 'h']);
  }

  private consumer(): string {
    return this.pick(['alice', 'bob', 'carol']);
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)];
  }
}
