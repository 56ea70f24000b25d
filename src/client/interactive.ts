/** The prompt: lines that are typed, with their history and what Tab completes. */
import { appendFileSync, chmodSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { splitArguments } from '../base/quoting.ts';
import { narrow, widen } from '../base/text.ts';
import { type CommandDocs, commandOf, completions, helpFor, readDocs } from './docs.ts';
import type { Session } from './session.ts';

const HISTORY_LINES = 500;
/** Lines that hold a password are not kept. */
const SECRET =
  /^\s*(auth|hello|acl\s+setuser|config\s+set\s.*(requirepass|masterauth)|migrate\s.*auth|sentinel\s+set)/i;

const HELP = `cinnabar cli
To get help about Redis commands type:
      "help <command>" for help on <command>
      "help <tab>" to get a list of possible help topics
      "quit" to exit

Tab completes the names of commands, and behind one shows its arguments. A number before a command repeats it. "connect HOST
PORT" goes to another server, "clear" clears the screen, and Ctrl-C ends a subscription or MONITOR.
`;

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly isTerminal: boolean;
  /** Empty for a history that is not kept. */
  readonly historyFile: string;
}

/** Where the history is kept: as CINNABAR_CLI_HISTORY says, or in the home folder. */
export function usualHistory(environment: Readonly<Record<string, string | undefined>>): string {
  return environment['CINNABAR_CLI_HISTORY'] ?? join(homedir(), '.cinnabar_cli_history');
}

class Prompt {
  private readonly session: Session;
  private readonly terminal: Terminal;
  private readonly lines: Interface;
  /** Asked for at once: what is typed before somebody asks would be lost. */
  private readonly typed: AsyncIterableIterator<string>;
  private docs: ReadonlyMap<string, CommandDocs>;
  private closed = false;

  constructor(session: Session, terminal: Terminal, docs: ReadonlyMap<string, CommandDocs>) {
    this.session = session;
    this.docs = docs;
    this.terminal = terminal;
    const { input, output, isTerminal, historyFile } = terminal;
    this.lines = createInterface({
      input,
      output,
      terminal: isTerminal,
      history: readHistory(historyFile),
      historySize: HISTORY_LINES,
      completer: (line: string) => this.complete(line),
    });
    this.typed = this.lines[Symbol.asyncIterator]();
  }

  async run(): Promise<void> {
    this.lines.on('close', () => {
      this.closed = true;
    });
    this.lines.on('SIGINT', () => {
      if (!this.session.interrupt()) this.lines.close();
    });
    this.ask();
    for await (const line of this.typed) {
      if (line.trim() !== '') {
        keep(this.terminal.historyFile, line);
        if (!(await this.obey(line))) break;
      }
      if (this.docs.size === 0) this.docs = await docsOf(this.session);
      this.ask();
    }
    this.lines.close();
  }

  /** What was typed before the input ended is still to be run then, without a prompt. */
  private ask(): void {
    if (this.closed) return;
    this.lines.setPrompt(widen(this.session.prompt));
    this.lines.prompt();
  }

  private say(text: string): void {
    this.terminal.output.write(text);
  }

  /** False where it was the last one. */
  private async obey(line: string): Promise<boolean> {
    const words = splitArguments(narrow(line));
    if (words === undefined) {
      this.say('Invalid argument(s)\n');
      return true;
    }
    const [name = '', ...rest] = words;
    switch (name.toLowerCase()) {
      case 'quit':
      case 'exit':
        return false;
      case 'clear':
        this.say('\x1b[H\x1b[2J');
        return true;
      case 'help':
      case '?':
        this.help(rest);
        return true;
      case 'connect':
        await this.session.move(rest[0] ?? '127.0.0.1', Number(rest[1] ?? 6379));
        return true;
    }
    await repeated(this.session, words);
    return true;
  }

  private help(words: readonly string[]): void {
    const wanted = words.join(' ').toUpperCase();
    if (wanted === '') {
      this.say(HELP);
      return;
    }
    const group = wanted.startsWith('@') ? wanted.slice(1).toLowerCase() : undefined;
    const found = [...this.docs.values()].filter((docs) =>
      group === undefined ? docs.name === wanted || docs.name.startsWith(`${wanted} `) : docs.group === group,
    );
    this.say(found.length > 0 ? `${widen(found.map(helpFor).join(''))}\n` : `No help for ${widen(wanted)}\n`);
  }

  private complete(line: string): [string[], string] {
    const typed = /^(\s*(?:\d+\s+|help\s+)?)(.*)$/i.exec(line)!;
    const [, before, rest] = typed;
    const names = completions(this.docs, rest);
    if (names.length > 0) return [names.map((name) => `${before}${likeTyped(name, rest)} `), line];
    const command = commandOf(this.docs, rest);
    if (command !== undefined) {
      this.say(`\n${command.name} ${widen(command.syntax)}\n`);
      this.lines.prompt(true);
    }
    return [[], line];
  }
}

/** In small letters for one who types small letters. */
function likeTyped(name: string, typed: string): string {
  return typed === typed.toLowerCase() && typed !== '' ? name.toLowerCase() : name;
}

/** A number in front of a command is how often it is run. */
export async function repeated(session: Session, words: readonly string[]): Promise<boolean> {
  const times = words.length > 1 && /^\d{1,9}$/.test(words[0]) ? Number(words[0]) : undefined;
  const command = times === undefined ? words : words.slice(1);
  for (let i = 0; i < (times ?? 1); i++) if (!(await session.run(command))) return false;
  return true;
}

function readHistory(file: string): string[] {
  if (file === '') return [];
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).slice(-HISTORY_LINES).reverse();
  } catch {
    return [];
  }
}

/** A history that can't be written is none: it is no reason to complain at each line. */
function keep(file: string, line: string): void {
  if (file === '' || SECRET.test(line)) return;
  try {
    appendFileSync(file, `${line}\n`, { mode: 0o600 });
    chmodSync(file, 0o600);
  } catch {}
}

/** None where there is no connection, or the user may not ask. */
async function docsOf(session: Session): Promise<ReadonlyMap<string, CommandDocs>> {
  const reply = await session.ask(['COMMAND', 'DOCS']);
  return reply === undefined || reply.kind === 'error' ? new Map() : readDocs(reply);
}

/** Until the input ends, or somebody says that it is enough. */
export async function interact(session: Session, terminal: Terminal): Promise<void> {
  await session.connect();
  await new Prompt(session, terminal, await docsOf(session)).run();
}
