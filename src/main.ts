#!/usr/bin/env node
/** The command line. */
import { keepCompiled } from './base/compile-cache.ts';
import { inlineMore } from './base/inlining.ts';
import { runProgram } from './client/programs.ts';
import { answerCommandLine } from './server/cli.ts';
import { examineSnapshot, runTool } from './tools/tools.ts';

inlineMore();
keepCompiled();
const args = process.argv.slice(2);
const names = [process.argv0, process.argv[1]];
const code = runTool({ names, args }) ?? runProgram(args);
if (code !== undefined) process.exitCode = await code;
else if (args[0] === 'cluster') {
  const { runCluster } = await import('./server/cluster-command.ts');
  process.exit(await runCluster(args.slice(1), (text) => process.stdout.write(text)));
} else {
  const answer = answerCommandLine(args);
  if (answer === undefined) (await import('./server/start.ts')).start({ names, args }, examineSnapshot);
  else {
    (answer.code === 0 ? process.stdout : process.stderr).write(answer.text);
    process.exitCode = answer.code;
  }
}
