/**
 * Several connections at once: random steps of 3 to 5 clients, in the same order on redis-server 7.0.15 and on ours.
 *
 *   npm run test:differential -- --connections [--steps N] [--seed S] [--pairs P] [--failures N]
 *
 * A run is about 80 steps from a seed of its own, on emptied servers. What differs is played again, shrunk and told with
 * its seed; what does not differ again is counted as unsteady.
 */
import { type ServerProcess, startCinnabar, startRedis } from '../../support/server-process.ts';
import { shrink } from '../shrink.ts';
import { type Difference, type Game, Pair, shown } from './game.ts';

const RUN = 80;

export interface Wanted {
  readonly steps: number;
  readonly seed: number;
  /** Pairs of servers that play at a time. */
  readonly pairs: number;
  /** Differences after which it ends. */
  readonly failures: number;
}

export interface Outcome {
  steps: number;
  runs: number;
  /** Differences that did not come again. */
  unsteady: number;
  readonly differences: string[];
}

function printable(text: string): string {
  const line = JSON.stringify(text).slice(1, -1).replaceAll('\\r\\n', ' ');
  return line === '' ? '(nothing)' : line.slice(0, 600);
}

function told(seed: number, game: Game, steps: Game['steps'], { connection, ours, theirs }: Difference): string {
  const lines = [
    `seed ${seed}, differs at connection ${connection}${game.setting}`,
    ...steps.map((step) => `  ${shown(step)}`),
  ];
  return [...lines, `  ours    ${printable(ours)}`, `  theirs  ${printable(theirs)}`].join('\n');
}

/** Plays the run; what differs, if it does so each time. */
async function judge(game: Game, seed: number, outcome: Outcome): Promise<string | undefined> {
  const found = await game.play(game.steps);
  outcome.steps += game.steps.length;
  outcome.runs++;
  if (found === undefined) return undefined;
  const upTo = game.steps.slice(0, found.index + 1);
  if ((await game.play(upTo)) === undefined || (await game.play(upTo)) === undefined) {
    outcome.unsteady++;
    return undefined;
  }
  const minimal = await shrink(upTo, async (candidate) => (await game.play(candidate)) !== undefined);
  return told(seed, game, minimal, (await game.play(minimal)) ?? found);
}

export async function compareConnections(wanted: Wanted, tell: (text: string) => void = () => {}): Promise<Outcome> {
  const outcome: Outcome = { steps: 0, runs: 0, unsteady: 0, differences: [] };
  const servers: ServerProcess[] = [];
  const debug = ['--enable-debug-command', 'yes'];
  let next = wanted.seed;
  const work = async (): Promise<void> => {
    const [ours, theirs] = await Promise.all([startCinnabar(...debug), startRedis(...debug)]);
    servers.push(ours, theirs);
    const pair = new Pair(ours.port, theirs.port);
    await pair.prepare();
    while (outcome.steps < wanted.steps && outcome.differences.length < wanted.failures) {
      const seed = next++;
      try {
        const difference = await judge(pair.game(seed, RUN), seed, outcome);
        if (difference === undefined) continue;
        outcome.differences.push(difference);
        tell(difference);
      } catch (error) {
        outcome.differences.push(`seed ${seed}: ${String(error)}`);
        tell(outcome.differences.at(-1) ?? '');
        break;
      }
    }
    pair.end();
  };
  try {
    await Promise.all(Array.from({ length: wanted.pairs }, work));
  } finally {
    for (const server of servers) await server.stop();
  }
  return outcome;
}
