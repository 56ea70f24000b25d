/**
 * Watches a server from outside while a script runs: whether it lives, how long it leaves others waiting, what it takes.
 *
 * Other jobs of the machine don't count: a gap is the processor time that the server's main thread used while a PING
 * waited for its answer, not the time that went by. Nor does what a long text takes to be copied once into memory that
 * the system hands out for it: that is told by the thread's page faults. And times are those of a quick processor: where a
 * given piece of work takes longer, all is taken to do so.
 */
import { readFileSync } from 'node:fs';
import { copyBytes } from '../../src/base/copy.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { MIB, pause, resident } from './harness.ts';

/** Milliseconds of a tick, by which processes are billed. */
const TICK = 10;

/** Bytes of a page, and of the memory by which its price is found. */
const PAGE_BYTES = 4096;
const PROBE = 32 * MIB;
/** ms for a page where the system is quick: 0.5 to 0.7 for a MB, a tenth of it without. */
const LEAST = 0.0028;

/** ms for a page that this system clears, hands out and lets be filled by a copy: 13 us were seen. */
function priceOfPage(): number {
  const source = Buffer.alloc(PROBE, 'x');
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const before = process.cpuUsage();
    copyBytes(new Uint8Array(new SharedArrayBuffer(PROBE)), 0, source, 0, PROBE);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, user + system);
  }
  return Math.max(LEAST, best / 1000 / (PROBE / PAGE_BYTES));
}

/** ms that `mix` takes a quick processor, and a loaded one of its kind. */
const QUICK = 10;
const WORDS = 65_536;
const ROUNDS = 100;

/** Arithmetic on numbers in a table, as a server does it. */
function mix(words: Uint32Array): number {
  let sum = 0;
  for (let round = 0; round < ROUNDS; round++)
    for (let i = 0; i < words.length; i++) sum = (Math.imul(sum, 31) + words[i]) | 0;
  return sum;
}

/** How many times as long as a quick one this processor takes, 1 at least. */
function slowness(): number {
  const words = new Uint32Array(WORDS);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const before = process.cpuUsage();
    words[i] = mix(words);
    best = Math.min(best, process.cpuUsage(before).user);
  }
  return Math.max(1, best / 1000 / QUICK);
}

const price: { ofPage?: number; slowness?: number } = {};

/** What /proc tells of a server's main thread from its third field on; nothing when there is none. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function spent(fields: readonly string[]): number {
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK;
}

/** Processor time of a server's main thread, ms; 0 when there is none. */
export function mainThread(pid: number): number {
  return spent(statOf(pid));
}

/** The same without what fresh memory takes, as of a quick processor. */
export function working(pid: number): number {
  price.ofPage ??= priceOfPage();
  price.slowness ??= slowness();
  const fields = statOf(pid);
  return Math.round((spent(fields) - Number(fields[7] ?? 0) * price.ofPage) / price.slowness);
}

export function residentOr0(pid: number): number {
  try {
    return resident(pid);
  } catch {
    return 0;
  }
}

export interface Watched {
  /** The script's answer as text; null when it had to be given up. */
  readonly answer: string | null;
  readonly dead: boolean;
  /** The longest that others waited beyond what the script may have before it is busy, ms of the main thread. */
  readonly gap: number;
  /** SCRIPT KILL was sent, and the script ended. */
  readonly killed: boolean;
  /** The most that was resident, bytes. */
  readonly peak: number;
  /** Wall time, ms. */
  readonly took: number;
}

export interface Patience {
  /** busy-reply-threshold, ms. */
  readonly threshold: number;
  /** How long a busy script runs until it is killed, ms. */
  readonly kill: number;
  /** How long it may take to end after that, ms. */
  readonly giveUp: number;
}

/** Characters of each part of a reply that are worth showing: quoted, the longest would become no string. */
const SHOWN = 1_000_000;

export function shown(answer: Answer): string {
  if (answer instanceof Error) return `-${answer.message}`;
  return JSON.stringify(answer, (_, part: unknown) => (typeof part === 'string' ? part.slice(0, SHOWN) : part));
}

/** Runs a script on a server whose busy-reply-threshold is `patience.threshold`. */
export async function watch(
  server: ServerProcess,
  script: string,
  patience: Patience,
  args: readonly string[] = [],
): Promise<Watched> {
  const { pid, port } = server;
  const [runner, other] = [new Pipeline(port), new Pipeline(port)];
  await other.call('PING');
  const start = performance.now();
  let answer: string | null = null;
  let over = false;
  let peak = 0;
  let gap = 0;
  let killed = false;
  const ended = runner.call('EVAL', script, '0', ...args).then((value) => {
    answer = shown(value);
    over = true;
  });
  const sampling = setInterval(() => {
    peak = Math.max(peak, residentOr0(pid));
  }, 20);
  let allowed = patience.threshold;
  const ask = async (...command: string[]): Promise<string> => {
    const before = working(pid);
    const reply = await Promise.race([other.call(...command), pause(patience.kill + patience.giveUp).then(() => null)]);
    const after = working(pid);
    gap = Math.max(gap, after - before - allowed - TICK);
    allowed = 0;
    return reply === null ? '' : shown(reply);
  };
  while (!over && performance.now() - start < patience.kill + patience.giveUp) {
    if (!killed && performance.now() - start > patience.kill) {
      killed = (await ask('SCRIPT', 'KILL')) === '"OK"';
    } else {
      if ((await ask('PING')) === '-connection closed') break;
      await Promise.race([ended, pause(1)]);
    }
  }
  await Promise.race([ended, pause(100)]);
  clearInterval(sampling);
  runner.close();
  const dead = (await ask('PING')).startsWith('-connection') || mainThread(pid) === 0;
  other.close();
  return { answer, dead, gap, killed, peak, took: performance.now() - start };
}

/** Sends a command; its answer, and the longest that others waited meanwhile, ms of the main thread. */
export async function heldBy(
  server: ServerProcess,
  command: readonly string[],
): Promise<{ answer: Answer; gap: number }> {
  const { pid, port } = server;
  const [sender, other] = [new Pipeline(port), new Pipeline(port)];
  let over = false;
  let gap = 0;
  const answer = sender.call(...command).finally(() => {
    over = true;
  });
  while (!over) {
    const before = working(pid);
    await other.call('PING');
    gap = Math.max(gap, working(pid) - before - TICK);
    await Promise.race([answer, pause(1)]);
  }
  sender.close();
  other.close();
  return { answer: await answer, gap };
}
