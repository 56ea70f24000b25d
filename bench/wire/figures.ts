/** What the benches beside redis-server measured, round by round, and how it is told. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const CLOCK_TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'latin1' }));

/** Processor seconds of a process so far, those of its children that have ended included. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) / CLOCK_TICKS;
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

/** MiB of memory that the process and its children hold, what they share counted once. */
export function memoryOf(pid: number): number {
  let kilobytes = 0;
  for (const each of [pid, ...childrenOf(pid)]) {
    try {
      const rollup = readFileSync(`/proc/${each}/smaps_rollup`, 'latin1');
      kilobytes += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    } catch {
      // The child has ended meanwhile.
    }
  }
  return kilobytes / 1024;
}

/** How a figure is told: the best of its rounds or the median, in which unit, and what is asked of it. */
export interface Line {
  readonly figure: string;
  readonly unit: string;
  readonly pick: 'least' | 'most' | 'middle';
  /** Ours over that of the other, Redis where nothing else is said, is to be at most, or at least, this. */
  readonly ratio?: readonly ['<=' | '>=', number];
  /** Ours is to be at most this. */
  readonly limit?: number;
  /** Ours is to be above the other's by at most this. */
  readonly above?: number;
}

/** That of samples in rising order below which this share of them lies. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)];
}

export function picked(values: readonly number[], pick: Line['pick']): number {
  const sorted = [...values].sort((a, b) => a - b);
  return pick === 'least' ? sorted[0] : pick === 'most' ? sorted[sorted.length - 1] : sorted[sorted.length >> 1];
}

function verdict({ ratio, limit, above }: Line, ours: number, base: number, name: string): string {
  if (limit !== undefined) return `${ours <= limit ? 'met' : 'MISSED'} (<= ${limit})`;
  if (above !== undefined) return `${ours <= base + above ? 'met' : 'MISSED'} (<= ${name} + ${above})`;
  if (ratio === undefined) return '';
  const of = ours / base;
  const met = ratio[0] === '<=' ? of <= ratio[1] : of >= ratio[1];
  return `${met ? 'met' : 'MISSED'} (${ratio[0]} ${ratio[1]} x)`;
}

/** What was measured in each round, by figure and server: ours, and what it is compared with. */
export class Results<Base extends string = 'redis'> {
  private readonly base: Base;
  private readonly rounds = new Map<string, { base: number[]; ours: number[] }>();

  constructor(base: Base = 'redis' as Base) {
    this.base = base;
  }

  add(figure: string, server: Base | 'ours', value: number): void {
    const entry = this.rounds.get(figure) ?? { base: [], ours: [] };
    this.rounds.set(figure, entry);
    entry[server === 'ours' ? 'ours' : 'base'].push(value);
  }

  /** One row for each line of which both servers have figures. */
  print(lines: readonly Line[]): void {
    const shown = (value: number): string => value.toFixed(value >= 1000 ? 0 : value >= 100 ? 1 : 3).padStart(10);
    console.log(`figure             unit ${this.base.padStart(10)}       ours   ratio  bound`);
    for (const line of lines) {
      const rounds = this.rounds.get(line.figure);
      if (rounds === undefined || rounds.base.length === 0 || rounds.ours.length === 0) continue;
      const [base, ours] = [picked(rounds.base, line.pick), picked(rounds.ours, line.pick)];
      const cells = [line.figure.padEnd(18), line.unit.padEnd(4), shown(base), shown(ours)];
      const bound = verdict(line, ours, base, this.base);
      console.log(`${cells.join(' ')} ${(ours / base).toFixed(2).padStart(7)}  ${bound}`);
    }
  }
}
