/**
 * Plays the replication world: `npm run test:simulation -- [--seeds N] [--from S] [--steps N] [--trace]`. Tells each seed
 * in which something is broken, with the fewest steps at which it is; exits with 1 where there is one.
 */
import { course } from './replication-world.ts';

function option(name: string, usual: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : Number(process.argv[at + 1]);
}

const [seeds, from, steps] = [option('seeds', 3000), option('from', 1), option('steps', 40)];
const begin = performance.now();
let [failures, lasted, full, partial] = [0, 0, 0, 0];
for (let seed = from; seed < from + seeds; seed++) {
  const played = await course(seed, steps);
  lasted += played.lasted;
  full += played.full;
  partial += played.partial;
  if (process.argv.includes('--trace')) console.log(played.trace.join('\n'));
  if (played.broken === '') continue;
  failures++;
  let fewest = steps;
  while (fewest > 1 && (await course(seed, fewest - 1)).broken !== '') fewest--;
  console.log(`seed ${seed}, ${fewest} steps: ${played.broken}`);
}
const seconds = (performance.now() - begin) / 1000;
console.log(
  `${seeds} seeds from ${from}: ${failures} broken; ${full} full and ${partial} partial synchronizations, ${(lasted / 1000 / seconds).toFixed(0)} times as fast as real time, ${seconds.toFixed(0)} s`,
);
if (failures > 0) process.exitCode = 1;
