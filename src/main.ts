#!/usr/bin/env node
/** The command line. */
import { answerCommandLine } from './server/cli.ts';
import { start } from './server/start.ts';
import { runTool } from './tools/tools.ts';

const args = process.argv.slice(2);
const code = runTool({ names: [process.argv0, process.argv[1]], args });
if (code !== undefined) process.exitCode = await code;
else {
  const answer = answerCommandLine(args);
  if (answer === undefined) start(args);
  else {
    (answer.code === 0 ? process.stdout : process.stderr).write(answer.text);
    process.exitCode = answer.code;
  }
}
