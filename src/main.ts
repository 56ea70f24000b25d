#!/usr/bin/env node
/** The command line. */
import { answerCommandLine } from './server/cli.ts';
import { start } from './server/start.ts';

const args = process.argv.slice(2);
const answer = answerCommandLine(args);
if (answer === undefined) start(args);
else {
  (answer.code === 0 ? process.stdout : process.stderr).write(answer.text);
  process.exitCode = answer.code;
}
