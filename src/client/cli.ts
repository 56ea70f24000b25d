/**
 * `cinnabar cli`: commands to a server and its replies, for machines without redis-cli. With words behind the options it runs
 * one command; without, what the standard input has, or what is typed at a prompt.
 *
 * Exit codes: 0, and 1 where there was no connection or, with -e, where a command was refused.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import type { Command } from 'commander';
import { splitArguments } from '../base/quoting.ts';
import { printer } from '../base/standard-output.ts';
import { narrow } from '../base/text.ts';
import { interact, repeated, usualHistory } from './interactive.ts';
import { OptionError, programFor, targetOf, wholeNumber } from './options.ts';
import { type Screen, Session } from './session.ts';

interface Given {
  readonly 2?: true;
  readonly 3?: true;
  readonly resp3?: true;
  readonly raw?: boolean;
  readonly x?: true;
  readonly e?: true;
  readonly r: string;
  readonly i: string;
  readonly pass?: string;
  readonly u?: string;
  readonly authWarning: boolean;
}

function cliProgram(): Command {
  return programFor('cinnabar cli', 'Talks to a server: one command, those of the standard input, or at a prompt.')
    .argument('[command...]')
    .passThroughOptions()
    .option('-2', 'RESP2, the protocol that is usual')
    .option('-3, --resp3', 'RESP3')
    .option('--raw', 'replies as programs like them (usual where the output is no terminal)')
    .option('--no-raw', 'replies as people like them')
    .option('-x', 'the standard input is the last argument')
    .option('-e', 'leave with 1 where the command is refused')
    .option('-r <times>', 'run the command so often', '1')
    .option('-i <seconds>', 'and wait so long in between', '0')
    .option('--no-auth-warning', 'say nothing of passwords on the command line');
}

/** Runs it, and resolves with the code to leave with. */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = cliProgram();
  program.parse(args, { from: 'user' });
  const given = program.opts<Given>();
  const people = given.raw === undefined ? isatty(1) : !given.raw;
  const screen: Screen = {
    print: printer(1),
    complain: printer(2),
    forPeople: people,
    pushes: isatty(1),
    strict: given.e === true,
  };
  const target = targetOf(program, process.env);
  const shown = given.pass !== undefined || (given.u !== undefined && target.password !== undefined);
  if (shown && given.authWarning) {
    screen.complain(
      "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n",
    );
  }
  const session = new Session({ ...target, resp: given.resp3 && !given[2] ? 3 : 2 }, screen);
  const words = program.args.map(narrow);
  try {
    if (words.length > 0) return (await once(session, given, words)) ? 0 : 1;
    if (!isatty(0)) return (await fromInput(session, screen)) ? 0 : 1;
    await interact(session, {
      input: process.stdin,
      output: process.stdout,
      isTerminal: isatty(1),
      historyFile: usualHistory(process.env),
    });
    return 0;
  } finally {
    session.close();
  }
}

async function once(session: Session, given: Given, words: readonly string[]): Promise<boolean> {
  const times = wholeNumber('number of times', given.r, 1e9, 1);
  const seconds = Number(given.i);
  if (!(seconds >= 0)) throw new OptionError(`Invalid interval: seconds are expected, not '${given.i}'.`);
  const command = given.x ? [...words, readFileSync(0, 'latin1')] : words;
  for (let i = 0; i < times; i++) {
    if (i > 0) await sleep(seconds * 1000);
    if (!(await session.run(command))) return false;
  }
  return true;
}

/** A command a line; goes on after one that fails, and tells at the end. */
async function fromInput(session: Session, screen: Screen): Promise<boolean> {
  process.stdin.setEncoding('latin1');
  let fine = true;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    const words = splitArguments(line);
    if (words === undefined) screen.print('Invalid argument(s)\n');
    else if (/^(quit|exit)$/i.test(words[0] ?? '')) break;
    else if (words.length > 0) fine = (await repeated(session, words)) && fine;
  }
  return fine;
}
