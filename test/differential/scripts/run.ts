/**
 * Generated scripts on redis-server 7.0.15 and on ours: same reply, same data afterwards.
 *
 *   npm run test:scripts -- [--scripts N] [--seed S] [--failures N] [--show SEED]
 */
import { compareScripts, programOf } from './compare.ts';

function option(name: string, usual: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : Number(process.argv[at + 1]);
}

/** The part in which two texts differ, with a little before it. */
function apart(ours: string, theirs: string): [string, string] {
  let at = 0;
  while (at < ours.length && ours[at] === theirs[at]) at++;
  const from = Math.max(0, at - 100);
  return [ours.slice(from, at + 100), theirs.slice(from, at + 100)];
}

const show = option('show', 0);
if (show > 0) console.log(programOf(show));
else {
  const seed = option('seed', Date.now() % 1_000_000);
  let shown = 0;
  const report = await compareScripts(option('scripts', 10_000), seed, option('failures', 10), (done, found) => {
    for (; shown < found.length; shown++) {
      const [ours, theirs] = apart(found[shown].ours, found[shown].theirs);
      console.log(`\nDIFFERENCE seed ${found[shown].seed}`);
      console.log(`  ours   ${JSON.stringify(ours)}\n  theirs ${JSON.stringify(theirs)}`);
    }
    if (done % 10_000 === 0) console.log(`${done} compared, ${found.length} differences`);
  });
  console.log(
    `${report.programs} scripts, seed ${seed}: ${report.differences.length} differences, ${report.stopped} stopped`,
  );
  if (report.differences.length > 0) process.exitCode = 1;
}
