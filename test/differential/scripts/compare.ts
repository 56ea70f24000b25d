/** Runs generated programs on redis-server and on ours, and compares what they give and what they leave behind. */
import { Pipeline } from '../../support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../support/server-process.ts';
import { Generator } from '../../unit/scripting/lua/generate.ts';
import { Commands } from './commands.ts';
import { comparable, HARNESS } from './harness.ts';

/** Programs between two comparisons. */
const BATCH = 50;
/** A batch that takes longer has a program without end in it: tail calls in a circle, say. */
const PATIENCE = 20_000;
/** Ends of programs that ran too long to be compared. */
const STOPPED = /^ERR|not enough memory/;

export interface Difference {
  readonly seed: number;
  readonly program: string;
  readonly ours: string;
  readonly theirs: string;
}

export interface Report {
  readonly programs: number;
  /** Not compared: see STOPPED. */
  readonly stopped: number;
  readonly differences: readonly Difference[];
}

export function programOf(seed: number): string {
  return new Generator(seed, (random, value) => {
    const commands = new Commands(random, value);
    return () => commands.call();
  }).program();
}

/** Reply and digest of the data of each program; null for all when the server had to be given up. */
async function outcomes(port: number, programs: readonly string[]): Promise<Array<[string, string]> | null> {
  const pipeline = new Pipeline(port);
  const commands = programs.flatMap((program) => [['EVAL', HARNESS, '0', program], ['DEBUG', 'DIGEST'], ['FLUSHALL']]);
  const timeout = new Promise<null>((done) => setTimeout(done, PATIENCE, null).unref());
  const answers = await Promise.race([pipeline.send(commands), timeout]);
  pipeline.close();
  if (answers === null) return null;
  const text = (i: number): string => {
    const answer = answers[i];
    return answer instanceof Error ? answer.message : String(answer);
  };
  return programs.map((_, i) => [text(3 * i), text(3 * i + 1)]);
}

class Pair {
  redis: ServerProcess;
  ours: ServerProcess;

  constructor(redis: ServerProcess, ours: ServerProcess) {
    this.redis = redis;
    this.ours = ours;
  }

  static async start(): Promise<Pair> {
    const options = ['--enable-debug-command', 'yes'];
    return new Pair(await startRedis(...options), await startCinnabar(...options));
  }

  async restart(): Promise<void> {
    await this.stop();
    const fresh = await Pair.start();
    this.redis = fresh.redis;
    this.ours = fresh.ours;
  }

  async stop(): Promise<void> {
    await Promise.all([this.redis.stop(), this.ours.stop()]);
  }
}

export async function compareScripts(
  count: number,
  seed: number,
  most: number,
  progress: (done: number, found: readonly Difference[]) => void = () => {},
): Promise<Report> {
  const pair = await Pair.start();
  const differences: Difference[] = [];
  let stopped = 0;
  let done = 0;
  for (; done < count && differences.length < most; done += BATCH) {
    const seeds = Array.from({ length: Math.min(BATCH, count - done) }, (_, i) => seed + done + i);
    const programs = seeds.map(programOf);
    const [theirs, ours] = await Promise.all([outcomes(pair.redis.port, programs), outcomes(pair.ours.port, programs)]);
    if (theirs === null || ours === null) {
      stopped += seeds.length;
      await pair.restart();
      continue;
    }
    seeds.forEach((each, i) => {
      const [a, b] = [ours[i], theirs[i]].map((pieces) => comparable(pieces.join('\n')));
      if (a === b) return;
      if (STOPPED.test(ours[i][0]) || STOPPED.test(theirs[i][0])) stopped++;
      else differences.push({ seed: each, program: programs[i], ours: a, theirs: b });
    });
    progress(done + seeds.length, differences);
  }
  await pair.stop();
  return { programs: Math.min(done, count), stopped, differences };
}
