/**
 * Generated scripts on redis-server 7.0.15 and on ours: same reply, same data afterwards.
 *
 *   npm run test:scripts -- [--scripts N] [--seed S] [--failures N] [--show SEED]
 */
import { commandLine } from '../../support/command-line.ts';
import { compareScripts, programOf } from './compare.ts';

/** The part in which two texts differ, with a little before it. */
function apart(ours: string, theirs: string): [string, string] {
  let at = 0;
  while (at < ours.length && ours[at] === theirs[at]) at++;
  const from = Math.max(0, at - 100);
  return [ours.slice(from, at + 100), theirs.slice(from, at + 100)];
}

const line = commandLine({ program: 'npm run test:scripts --', options: ['scripts', 'seed', 'failures', 'show'] });
const show = line.number('show', 0);
if (show > 0) console.log(programOf(show));
else {
  const seed = line.number('seed', Date.now() % 1_000_000);
  let shown = 0;
  const report = await compareScripts(
    line.number('scripts', 10_000),
    seed,
    line.number('failures', 10),
    (done, found) => {
      for (; shown < found.length; shown++) {
        const [ours, theirs] = apart(found[shown].ours, found[shown].theirs);
        console.log(`\nDIFFERENCE seed ${found[shown].seed}`);
        console.log(`  ours   ${JSON.stringify(ours)}\n  theirs ${JSON.stringify(theirs)}`);
      }
      if (done % 10_000 === 0) console.log(`${done} compared, ${found.length} differences`);
    },
  );
  console.log(
    `${report.programs} scripts, seed ${seed}: ${report.differences.length} differences, ${report.stopped} stopped`,
  );
  if (report.differences.length > 0) process.exitCode = 1;
}
