/** Clients of a group: each does one thing after the other, to whoever may lead, and remembers what came of it. */
import type { SeededRandom } from '../../src/base/random.ts';
import { check, type Operation, partition, type Verdict } from '../linearizability/checker.ts';
import { COUNTER, connected, LISTS, REGISTER, SET, type Step } from '../linearizability/models.ts';
import { type Act, type Answer, isRead } from './raft-machine.ts';
import type { RaftProcess } from './raft-process.ts';
import type { Timeline } from './timeline.ts';

/** Milliseconds that a client waits for an answer, and at most between two tries and two things to do. */
const PATIENCE = 500;
const RETRY = 40;
const THINKS = 120;
/** One of so many things is asked of anybody, not of who has answered last. */
const HOPS = 3;
/** Keys of each kind, at most. */
const KEYS = 2;
const VALUES = 5;

interface Done {
  readonly act: Act;
  readonly answer: Answer | undefined;
  readonly call: number;
  readonly end: number;
}

export class Clients {
  /** By their numbers, which entries have. */
  readonly acts: Act[] = [];
  answered = 0;
  unknown = 0;
  busy = 0;
  private readonly timeline: Timeline;
  private readonly random: SeededRandom;
  private readonly processes: readonly RaftProcess[];
  private readonly history: Done[] = [];
  private readonly keys: number;
  /** Of three things, so many are reads. */
  private readonly reads: number;
  private stopped = false;

  constructor(timeline: Timeline, random: SeededRandom, processes: readonly RaftProcess[]) {
    this.timeline = timeline;
    this.random = random;
    this.processes = processes;
    this.keys = 1 + random.below(KEYS);
    this.reads = 1 + random.below(2);
  }

  begin(count: number): void {
    for (let i = 0; i < count; i++) this.think(i % this.processes.length);
  }

  /** Nothing new is begun. */
  stop(): void {
    this.stopped = true;
  }

  /** Reads everything once more. */
  readAll(): void {
    for (let key = 0; key < this.keys; key++)
      for (const kind of ['register', 'counter', 'set'] as const)
        this.perform({ kind, key: `${kind}-${key}`, input: { kind: 'read' } }, 0, () => {});
    const steps = Array.from({ length: this.keys }, (_, key) => ({ key: `list-${key}`, append: undefined }));
    this.perform({ kind: 'lists', key: '', input: steps }, 0, () => {});
  }

  private think(target: number): void {
    this.timeline.after(this.random.below(THINKS), () => {
      if (this.stopped) return;
      const to = this.random.below(HOPS) === 0 ? this.random.below(this.processes.length) : target;
      this.perform(this.something(), to, (next) => this.think(next));
    });
  }

  /** Does it, and goes on with whoever has answered. */
  private perform(act: Act, target: number, done: (target: number) => void): void {
    const number = this.acts.push(act) - 1;
    this.busy++;
    this.attempt(number, this.timeline.now, target, (next) => {
      this.busy--;
      done(next);
    });
  }

  private attempt(number: number, call: number, target: number, done: (target: number) => void): void {
    const { timeline, random, processes } = this;
    const act = this.acts[number];
    let open = true;
    const retry = (next: number): void => {
      open = false;
      timeline.after(1 + random.below(RETRY), () => this.attempt(number, call, next, done));
    };
    const anybody = random.below(processes.length);
    const process = processes[target];
    if (!process.up) {
      retry(anybody);
      return;
    }
    process.soon(random.double01() * 2, () =>
      process.request(number, (reply) => {
        if (!open) return;
        if (!('answer' in reply)) {
          retry(reply.leader === 0 || reply.leader > processes.length ? anybody : reply.leader - 1);
          return;
        }
        open = false;
        this.answered++;
        timeline.after(random.double01() * 2, () => {
          this.history.push({ act, answer: reply.answer, call, end: timeline.now });
          done(target);
        });
      }),
    );
    timeline.after(PATIENCE, () => {
      if (!open) return;
      if (isRead(act)) {
        retry(anybody);
        return;
      }
      open = false;
      this.unknown++;
      this.history.push({ act, answer: undefined, call, end: Number.POSITIVE_INFINITY });
      done(anybody);
    });
  }

  private something(): Act {
    const { random } = this;
    const number = random.below(this.keys);
    const value = random.below(VALUES);
    const read = random.below(3) < this.reads;
    const other = random.below(2) === 0;
    switch (random.below(5)) {
      case 0: {
        const key = `counter-${number}`;
        return { kind: 'counter', key, input: read ? { kind: 'read' } : { kind: 'add', by: 1 + value } };
      }
      case 1: {
        const key = `set-${number}`;
        if (read) return { kind: 'set', key, input: { kind: 'read' } };
        return { kind: 'set', key, input: { kind: other ? 'add' : 'remove', member: value } };
      }
      case 2:
        return { kind: 'lists', key: '', input: this.steps(read) };
      default: {
        const key = `register-${number}`;
        if (read) return { kind: 'register', key, input: { kind: 'read' } };
        if (other) return { kind: 'register', key, input: { kind: 'write', value } };
        return { kind: 'register', key, input: { kind: 'compare-and-set', from: value, to: random.below(VALUES) } };
      }
    }
  }

  private steps(read: boolean): Step[] {
    const { random } = this;
    return Array.from({ length: 1 + random.below(2) }, (_, i) => ({
      key: `list-${random.below(this.keys)}`,
      append: read || random.below(3) === 0 ? undefined : this.acts.length * 2 + i,
    }));
  }

  /** Of every part of the history: which is not linearizable, or could not be judged. */
  judge(): { readonly part: string; readonly verdict: Verdict } | undefined {
    for (const [part, done] of partition(this.operations(), ({ act }) => `${act.kind} ${act.key}`)) {
      const verdict = judged(done);
      if (verdict !== 'linearizable') return { part, verdict };
    }
    return undefined;
  }

  private operations(): (Operation<unknown, unknown> & { readonly act: Act })[] {
    return this.history.map(({ act, answer, call, end }) => ({ act, input: act.input, output: answer, call, end }));
  }

  /** A part of the history, for people to read. */
  told(part: string): string[] {
    return this.history
      .filter(({ act }) => `${act.kind} ${act.key}` === part)
      .map(({ act, answer, call, end }) => {
        return `${call.toFixed(1)} to ${end.toFixed(1)}: ${JSON.stringify(act.input)} ${JSON.stringify(answer)}`;
      });
  }
}

/** Operations of one part are of one kind. */
function judged(done: readonly (Operation<unknown, unknown> & { readonly act: Act })[]): Verdict {
  const of = <Input, Output>(): Operation<Input, Output>[] => done as unknown as Operation<Input, Output>[];
  switch (done[0].act.kind) {
    case 'register':
      return check(REGISTER, of());
    case 'counter':
      return check(COUNTER, of());
    case 'set':
      return check(SET, of());
    case 'lists': {
      const operations = of<readonly Step[], readonly string[]>();
      const keyOf = connected(operations);
      for (const part of partition(operations, ({ input }) => keyOf(input)).values()) {
        const verdict = check(LISTS, part);
        if (verdict !== 'linearizable') return verdict;
      }
      return 'linearizable';
    }
  }
}
