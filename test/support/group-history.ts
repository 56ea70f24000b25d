/** What clients of a group ask and are answered, for the checker of linearizability. */
import { check, type Operation, partition } from '../linearizability/checker.ts';
import { COUNTER, type CounterInput, REGISTER, type RegisterInput } from '../linearizability/models.ts';
import { type Answer, Unknown } from './groups.ts';

/** Somebody who asks a group; rejects with Unknown where it may have been done or not. */
export interface Asking {
  call(...words: readonly string[]): Promise<Answer>;
}

export interface Time {
  /** Milliseconds. */
  now(): number;
  pause(ms: number): Promise<void>;
  /** The most milliseconds between two things that a client asks. */
  readonly thinks: () => number;
}

const REAL_TIME: Time = {
  now: () => performance.now(),
  pause: (ms) => new Promise((done) => setTimeout(done, ms)),
  thinks: () => 10,
};

/** Milliseconds for which the same keys are used. */
const EPOCH_MS = 1500;

const keysOf = (kept: readonly { readonly key: string }[]): Set<string> => new Set(kept.map(({ key }) => key));

type RegisterAnswer = number | boolean | null;
type Kept<Input, Output> = Operation<Input, Output> & { readonly key: string };

const SET_IF =
  "if tonumber(redis.call('GET', KEYS[1]) or '0') == tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[2]) return 1 end return 0";

export class History {
  readonly registers: Kept<RegisterInput, RegisterAnswer>[] = [];
  readonly counters: Kept<CounterInput, number>[] = [];
  acknowledged = 0;
  unknown = 0;
  private readonly random: () => number;
  private readonly keys: number;
  private readonly name: string;
  private readonly time: Time;
  private written = 0;

  /** `name` is what its keys begin with, which nobody else has used. */
  constructor(random: () => number, keys: number, name: string, time = REAL_TIME) {
    this.name = name;
    this.time = time;
    this.random = random;
    this.keys = keys;
  }

  /** One client's life: one thing after the other until `stopped`. */
  async live(client: Asking, stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      await this.something(client);
      await this.time.pause(this.random() * this.time.thinks());
    }
  }

  /** Reads everything once more, so that what was lost after it was last read is missed. */
  async audit(client: Asking): Promise<void> {
    for (const key of keysOf(this.registers)) await this.register(client, key, { kind: 'read' });
    for (const key of keysOf(this.counters)) await this.counter(client, key, { kind: 'read' });
  }

  /** One thing of one client. */
  async something(client: Asking): Promise<void> {
    // Others after a while: histories are to be short.
    const number = Math.floor(this.random() * this.keys) + this.keys * Math.floor(this.time.now() / EPOCH_MS);
    const kind = Math.floor(this.random() * 5);
    const [register, counter] = [`${this.name}-register-${number}`, `${this.name}-counter-${number}`];
    if (kind === 0) await this.register(client, register, { kind: 'read' });
    else if (kind === 1) await this.register(client, register, { kind: 'write', value: ++this.written });
    else if (kind === 2) {
      const from = Math.floor(this.random() * (this.written + 1));
      await this.register(client, register, { kind: 'compare-and-set', from, to: ++this.written });
    } else if (kind === 3) await this.counter(client, counter, { kind: 'read' });
    else await this.counter(client, counter, { kind: 'add', by: 1 });
  }

  private async register(client: Asking, key: string, input: RegisterInput): Promise<void> {
    const words =
      input.kind === 'read'
        ? ['GET', key]
        : input.kind === 'write'
          ? ['SET', key, String(input.value)]
          : ['EVAL', SET_IF, '1', key, String(input.from), String(input.to)];
    const read = (answer: Answer): RegisterAnswer =>
      input.kind === 'read' ? Number(answer ?? 0) : input.kind === 'write' ? null : answer === 1;
    this.registers.push({ key, ...(await this.asked(client, input, words, read)) });
  }

  private async counter(client: Asking, key: string, input: CounterInput): Promise<void> {
    const words = input.kind === 'read' ? ['GET', key] : ['INCRBY', key, String(input.by)];
    this.counters.push({ key, ...(await this.asked(client, input, words, (answer) => Number(answer ?? 0))) });
  }

  private async asked<Input, Output>(
    client: Asking,
    input: Input,
    words: readonly string[],
    read: (answer: Answer) => Output,
  ): Promise<Operation<Input, Output>> {
    const call = this.time.now();
    try {
      const output = read(await client.call(...words));
      this.acknowledged++;
      return { input, output, call, end: this.time.now() };
    } catch (error) {
      if (!(error instanceof Unknown)) throw error;
      this.unknown++;
      return { input, output: undefined, call, end: Number.POSITIVE_INFINITY };
    }
  }

  /** How many histories there are, a key each. */
  get count(): number {
    return keysOf(this.registers).size + keysOf(this.counters).size;
  }

  /** The keys whose histories can't be explained, and those that could not be decided. */
  get faults(): string[] {
    const faults: string[] = [];
    for (const [key, part] of partition(this.registers, ({ key }) => key)) {
      const verdict = check(REGISTER, part);
      if (verdict !== 'linearizable') faults.push(`${key}: ${verdict}`);
    }
    for (const [key, part] of partition(this.counters, ({ key }) => key)) {
      const verdict = check(COUNTER, part);
      if (verdict !== 'linearizable') faults.push(`${key}: ${verdict}`);
    }
    return faults;
  }
}
