/**
 * The differential tester: random commands from the argument grammar, valid and malformed, on redis-server 7.0.15 and on
 * ours, replies compared byte by byte and states at the end of each round.
 *
 *   npm run test:differential -- [--commands N] [--seed S] [--smoke] [--failures N] [--only WORD,WORD]
 *                                [--port-ours P] [--port-theirs P]
 *   npm run test:differential -- --connections [--steps N] [--seed S] [--pairs P] [--failures N]
 *
 * With --connections several clients at once (connections/). Otherwise a round is 2,000 commands on emptied servers, from
 * a seed of its own, in RESP2 or RESP3, with thresholds of encodings that are low enough to be crossed. A difference is
 * shrunk to a minimal sequence and printed with its seed; a command that has differed is left out of later rounds. `--port-theirs` with a second redis-server shows what is not
 * deterministic in Redis itself. Planted bug, found within the first round: one count too many from ZADD.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { commandLine } from '../support/command-line.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../support/server-process.ts';
import { Both, type Difference } from './both.ts';
import { compareConnections } from './connections/compare.ts';
import { commandsOf, type DocCommand } from './docs.ts';
import { Generator } from './generate.ts';
import { safe } from './safe.ts';
import { shrink } from './shrink.ts';
import { type Command, Side, treeOf } from './wire.ts';

const ROUND = 2000;

/** Thresholds low enough to be crossed, with their order in CONFIG SET. */
const THRESHOLDS = [
  'hash-max-listpack-entries',
  'hash-max-listpack-value',
  'zset-max-listpack-entries',
  'zset-max-listpack-value',
  'set-max-intset-entries',
  'list-max-listpack-size',
  'list-compress-depth',
  'hll-sparse-max-bytes',
];
const PROFILES = [
  ['128', '64', '128', '64', '512', '-2', '0', '3000'],
  ['5', '20', '5', '20', '5', '3', '1', '60'],
  ['0', '0', '0', '0', '0', '1', '2', '0'],
  ['12', '64', '12', '10', '12', '-1', '0', '200'],
];

interface Options {
  readonly commands: number;
  readonly seed: number;
  readonly failures: number;
  readonly only: readonly string[];
  readonly portOurs: number | undefined;
  readonly portTheirs: number | undefined;
}

const line = commandLine({
  program: 'npm run test:differential --',
  options: ['commands', 'steps', 'seed', 'failures', 'only', 'pairs', 'port-ours', 'port-theirs'],
  flags: ['smoke', 'connections'],
});

function options(): Options {
  const port = (name: string): number | undefined => (line.word(name) === undefined ? undefined : line.number(name, 0));
  return {
    commands: line.number('commands', 20_000),
    seed: line.number('seed', line.flag('smoke') ? 1 : Date.now() % 1_000_000),
    failures: line.number('failures', 10),
    only: (line.word('only') ?? '').toUpperCase().split(',').filter(Boolean),
    portOurs: port('port-ours'),
    portTheirs: port('port-theirs'),
  };
}

function printable(text: string): string {
  const shown = text.length > 400 ? `${text.slice(0, 400)}... (${text.length} bytes)` : text;
  return [...shown]
    .map((c) => {
      const code = c.charCodeAt(0);
      if (c === '\\' || c === '"') return '\\' + c;
      return code >= 32 && code < 127 ? c : '\\x' + code.toString(16).padStart(2, '0');
    })
    .join('')
    .replaceAll('\\x0d\\x0a', ' ');
}

function show(command: Command): string {
  return command.map((word) => (/^[\w*:.@#(+[-]+$/.test(word) ? word : `"${printable(word)}"`)).join(' ');
}

class Round {
  private readonly ports: readonly [number, number];
  private readonly random: SeededRandom;
  private readonly resp: string;
  private readonly profile: readonly string[];
  readonly commands: readonly Command[];

  constructor(
    ports: readonly [number, number],
    seed: number,
    grammar: readonly DocCommand[],
    count: number,
    without: Set<string>,
  ) {
    this.ports = ports;
    this.random = new SeededRandom(seed);
    this.resp = this.random.below(3) === 0 ? '3' : '2';
    this.profile = PROFILES[this.random.below(PROFILES.length)];
    const generator = new Generator(this.random, grammar);
    const drawn = Array.from({ length: count }, () => this.wrapped(safe(generator.next())));
    this.commands = drawn.filter((command) => !without.has(command[0].toUpperCase()));
  }

  /** Runs these commands on emptied servers. */
  async run(commands: readonly Command[]): Promise<Difference | undefined> {
    const both = new Both(...this.ports);
    try {
      const config = THRESHOLDS.flatMap((name, i) => [name, this.profile[i]]);
      for (const side of [both.ours, both.theirs]) {
        await side.send([['HELLO', this.resp], ['CONFIG', 'SET', ...config], ['FLUSHALL']]);
      }
      return await both.run(commands);
    } finally {
      both.close();
    }
  }

  async minimal(difference: Difference): Promise<readonly Command[]> {
    const name = difference.command[0].toUpperCase();
    const stateful = difference.note.startsWith('state');
    const upTo = this.commands.slice(0, stateful ? this.commands.length : difference.index + 1);
    const again = await this.run(upTo);
    if (again === undefined) return upTo;
    return shrink(upTo, async (candidate) => {
      const found = await this.run(candidate);
      return found !== undefined && found.command[0].toUpperCase() === name;
    });
  }

  /** Now and then asks for the keys of a command instead of running it. */
  private wrapped(command: Command): Command {
    const roll = this.random.below(100);
    if (roll > 1 || command[0] === '') return command;
    return ['COMMAND', roll === 0 ? 'GETKEYS' : 'GETKEYSANDFLAGS', ...command];
  }
}

function report(round: Round, seed: number, difference: Difference, minimal: readonly Command[]): void {
  console.log(`\nDIFFERENCE  round seed ${seed}, ${round.commands.length} commands  ${difference.note}`);
  const shown = minimal.length > 60 ? minimal.slice(-60) : minimal;
  for (const command of shown) console.log(`  ${show(command)}`);
  console.log(`  at      ${show(difference.command)}`);
  console.log(`  ours    ${printable(difference.ours) || '(no reply)'}`);
  console.log(`  theirs  ${printable(difference.theirs) || '(no reply)'}`);
}

/** What a difference is about: the command, or for a state the last one that wrote. */
function culprit(difference: Difference, minimal: readonly Command[]): string {
  const command = difference.note.startsWith('state') ? (minimal.at(-1) ?? difference.command) : difference.command;
  return command[0].toUpperCase();
}

async function alive(port: number): Promise<boolean> {
  const side = new Side(port);
  const reply = await side.call('PING');
  side.close();
  return reply === '+PONG\r\n';
}

async function compare(given: Options, portOurs: number, portTheirs: number): Promise<number> {
  const oracle = new Side(portTheirs);
  const docs = commandsOf(treeOf(await oracle.call('COMMAND', 'DOCS')));
  oracle.close();
  const chosen = docs.filter((command) => given.only.length === 0 || given.only.includes(command.words[0]));
  const failed = new Set<string>();
  let failures = 0;
  let done = 0;
  for (let index = 0; done < given.commands && failures < given.failures; index++) {
    const seed = given.seed + index;
    const grammar = chosen.filter((command) => !failed.has(command.words[0]));
    if (grammar.length === 0) break;
    const round = new Round([portOurs, portTheirs], seed, grammar, Math.min(ROUND, given.commands - done), failed);
    const difference = await round.run(round.commands);
    done += Math.max(1, round.commands.length);
    if (difference === undefined) continue;
    failures++;
    const minimal = await round.minimal(difference);
    const last = (await round.run(minimal)) ?? difference;
    report(round, seed, last, minimal);
    failed.add(culprit(last, minimal));
    if (!(await alive(portOurs))) {
      console.log('our server no longer answers');
      break;
    }
  }
  const left = failed.size > 0 ? `; left out after a difference: ${[...failed].join(' ')}` : '';
  console.log(`${done} commands of ${docs.length} kinds, seed ${given.seed}: ${failures} differences${left}`);
  return failures;
}

/** The other form of the tester: several connections. */
async function manyConnections(): Promise<number> {
  const wanted = {
    steps: line.number('steps', 20_000),
    seed: line.number('seed', Date.now() % 1_000_000),
    pairs: line.number('pairs', 2),
    failures: line.number('failures', 10),
  };
  const { steps, runs, unsteady, differences } = await compareConnections(wanted, (text) =>
    console.log('\nDIFFERENCE  ' + text),
  );
  console.log(
    `${steps} steps in ${runs} runs, seed ${wanted.seed}: ${differences.length} differences, ${unsteady} that did not come again`,
  );
  return differences.length;
}

async function oneConnection(): Promise<number> {
  const given = options();
  const started: ServerProcess[] = [];
  const start = async (server: Promise<ServerProcess>): Promise<number> => {
    started.push(await server);
    return started[started.length - 1].port;
  };
  try {
    const theirs = given.portTheirs ?? (await start(startRedis()));
    const ours = given.portOurs ?? (await start(startCinnabar()));
    return await compare(given, ours, theirs);
  } finally {
    for (const server of started) await server.stop();
  }
}

process.exitCode = (await (line.flag('connections') ? manyConnections() : oneConnection())) === 0 ? 0 : 1;
