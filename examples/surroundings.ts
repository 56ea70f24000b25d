/** What the examples take from outside: a server, time, and somewhere to print. Tests hand in time that they move by hand. */
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

export interface Time {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after so many milliseconds, or as soon as the signal says that nobody waits any more. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export interface Surroundings {
  readonly url: string;
  readonly time: Time;
  readonly print: (line: string) => void;
}

export const systemTime: Time = {
  now: () => Date.now(),
  sleep: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }).catch(() => {}),
};

/** Runs the example when its file is the program, and not when a test imports it. */
export async function runAsProgram(module: string, demo: (surroundings: Surroundings) => Promise<void>): Promise<void> {
  if (module !== pathToFileURL(process.argv[1] ?? '').href) return;
  await demo({
    url: process.env['REDIS_URL'] ?? 'redis://localhost:6379',
    time: systemTime,
    print: (line) => console.log(line),
  });
}
