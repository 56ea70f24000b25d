/**
 * The longest words at every argument of every command, and as many arguments as there may be. The words of middle length
 * and the many arguments are sent by a user who may run that one command only, in the command's shortest form and in its
 * longest; the longest words by the superuser, in the longest form alone, and what is refused before anybody looks at the
 * word (no command or subcommand has that name, there are too many arguments) once for all commands. None may end the
 * server, show a fault of ours, or hold others for longer than the bytes take to be copied, hashed and compared once or
 * twice (A_MEGABYTE), and a million arguments to be read and served (AN_ARGUMENT); fresh memory is paid for apart. Nor may
 * what they take stay when they have been answered (RESIDENT).
 *
 * Commands are made from the grammar that they declare: as short as may be, and with every option. While they come, one
 * client watches a key and another hears of all changes, so that words get to those as well; behind each the server
 * lists its clients, its slow commands and what was denied. Words are sent from one buffer, many pieces in one call.
 *
 * A word of 512 MB costs the server what it costs redis-server, a copy out of the socket into fresh memory, and one more
 * where it is stored; the player spends 0.2 s of the processor on it.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Argument } from '../../src/engine/grammar.ts';
import type { Registered } from '../../src/engine/table.ts';
import { createServer } from '../../src/server/server.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { MIB, pause } from './harness.ts';
import { residentOr0, shown, working } from './watch.ts';

/** ms of the main thread that others may wait beside what the words take. */
const GAP = 100;
/** A new key is hashed twice and copied into the data, for who waits or watches, and for each message that names it. */
const A_MEGABYTE = 6;
const AN_ARGUMENT = 0.003;
/** MiB that are resident at the most, however many words have come: what the longest takes where it is read, kept and told of. */
const RESIDENT = 8 * 512;
/** ms of wall time for one request on a busy machine. */
const PATIENCE = 120_000;
const PIECE = Buffer.alloc(4 * MIB, 'x');
/** Pieces handed over in one call. */
const PIECES = 16;
/** ms without a byte after which a reply is taken for complete. */
const SILENCE = 20;

/** They end the server or the connection, wait for another server, or hold everybody as they are asked to. */
const NOT_SENT = new Set(
  'shutdown debug monitor client|reply client|pause failover replicaof slaveof sync psync migrate save'.split(' '),
);

/** A word of a request: as it stands, or so many bytes. */
type Word = string | number;

export interface Request {
  readonly name: string;
  /** What is long about it. */
  readonly what: string;
  /** Sent by a user who may do all, not by one of this command's right only. */
  readonly superuser?: boolean;
  /** Made when it is sent: many arguments take much. */
  readonly words: () => readonly Word[];
  /** Bytes that the server makes of it beside. */
  readonly made?: number;
}

export interface Sizes {
  /** Bytes of a word that stands at each argument, sent by the superuser; 0 for none. */
  readonly longest: number;
  /** The same, sent by users of one right. */
  readonly word: number;
  readonly args: number;
}

/** The values that go with a type of key, and the key that holds it. */
const KEYS: Readonly<Record<string, string>> = {
  string: 'a string',
  bitmap: 'a string',
  hyperloglog: 'a sketch',
  list: 'a list',
  set: 'a set',
  hash: 'a hash',
  'sorted-set': 'a sorted set',
  geo: 'a sorted set',
  stream: 'a stream',
};
const FILL: readonly (readonly string[])[] = [
  ['FLUSHALL'],
  ['SET', 'a string', '10'],
  ['PFADD', 'a sketch', 'x'],
  ['RPUSH', 'a list', '1', '2', '3'],
  ['SADD', 'a set', '1', '2', '3'],
  ['HSET', 'a hash', 'a', '1', 'b', '2'],
  ['ZADD', 'a sorted set', '1', 'a', '2', 'b'],
  ['XADD', 'a stream', '1-1', 'a', '1'],
  ['XGROUP', 'CREATE', 'a stream', 'group', '0'],
];

/** One invocation of a command by its grammar, with all of its options or with none. */
class Invocation {
  readonly words: string[];
  /** The words of what may be repeated last, and where they stand. */
  unit: string[] = [];
  private at = 0;
  private keys: readonly number[] = [];
  private numkeys = -1;
  private readonly key: string;
  private readonly options: boolean;

  constructor(registered: Registered, options: boolean) {
    this.words = registered.name.split('|');
    this.key = KEYS[registered.command.group] ?? 'a string';
    this.options = options;
    for (const argument of registered.command.args ?? []) this.put(argument);
    const least = Math.abs(registered.arity);
    while (this.words.length < least) this.words.push('1');
    if (this.unit.length > 0) return;
    this.at = this.words.length;
    this.unit = ['1'];
  }

  private put(argument: Argument): void {
    if (argument.optional && !this.options) return;
    const start = this.words.length;
    if (argument.token !== undefined) this.words.push(argument.token);
    if (argument.kind === 'oneof') this.put({ ...(argument.args ?? [])[0], optional: false });
    else if (argument.kind === 'block') for (const inner of argument.args ?? []) this.put(inner);
    else if (argument.kind !== 'pure-token') this.words.push(this.value(argument));
    if (!argument.multiple) return;
    const once = argument.token !== undefined && !argument.multipleToken;
    this.unit = this.words.slice(once ? start + 1 : start);
    this.at = this.words.length;
    this.keys = argument.kind === 'key' ? [this.numkeys] : [];
  }

  private value(argument: Argument): string {
    switch (argument.kind) {
      case 'key':
        return this.key;
      case 'integer':
        if (argument.name === 'numkeys') this.numkeys = this.words.length;
        return '1';
      case 'double':
        return argument.name === 'timeout' ? '0.01' : '1';
      case 'unix-time':
        return '99999999999';
      case 'pattern':
        return '*';
      default:
        return argument.name === 'id' || argument.name.endsWith('-id') ? '1-1' : 'a';
    }
  }

  /** The same with so many words in all, by the repetition of what may be; words that are no keys or numbers differ. */
  repeated(count: number): string[] {
    const { words, unit, at } = this;
    const times = Math.max(0, Math.floor((count - words.length) / unit.length));
    const long = words.slice(0, at);
    for (let i = 0; i < times; i++) for (const word of unit) long.push(word === 'a' ? `a${i}` : word);
    for (const numkeys of this.keys) if (numkeys >= 0) long[numkeys] = String(1 + times);
    for (let i = at; i < words.length; i++) long.push(words[i]);
    return long;
  }
}

/** So many, the first and the last of which may be how long to wait. */
function numbers(count: number): string[] {
  return ['0.01', ...Array.from({ length: count - 2 }, (_, i) => `${i}`), '0.01'];
}

/** A command with a long word in the place of each of its words, and behind them. */
function long(name: string, form: string, words: readonly string[], size: number): (Request & { at: number })[] {
  return Array.from({ length: words.length + 1 }, (_, at) => ({
    name,
    what: `${form} form, ${size} bytes at ${at}`,
    at,
    words: () => [...words.slice(0, at), size, ...words.slice(at + 1)],
  }));
}

/** Why a command with a long word there is refused without a look at it, whichever command it is; null where it isn't. */
function refusedUnseen({ name, arity }: Registered, at: number, length: number): string | null {
  const names = name.split('|').length;
  if (at === 0) return 'no such command';
  if (at < names) return `no such subcommand of ${name.split('|')[0]}`;
  return arity > 0 && at === length ? 'too many arguments' : null;
}

/** Every request that there is to be tried, in an order that is always the same. */
export function requests(sizes: Sizes): Request[] {
  const server = createServer();
  const commands = server.engine.acl.commands.all.filter(({ run, name }) => {
    return run !== null && !NOT_SENT.has(name) && !NOT_SENT.has(name.split('|')[0]);
  });
  const found: Request[] = [];
  const seen = new Set<string>();
  for (const registered of commands) {
    const { name } = registered;
    const forms = [new Invocation(registered, false), new Invocation(registered, true)];
    if (forms[0].words.length === forms[1].words.length) forms.pop();
    for (const [i, form] of forms.entries()) {
      const kind = i === 0 ? 'short' : 'long';
      if (sizes.word > 0) found.push(...long(name, kind, form.words, sizes.word));
      found.push({ name, what: `${kind} form, ${sizes.args} arguments`, words: () => form.repeated(sizes.args) });
    }
    found.push({ name, what: `${sizes.args} numbers`, words: () => [...name.split('|'), ...numbers(sizes.args)] });
    const { words } = forms[forms.length - 1];
    if (sizes.longest === 0) continue;
    for (const request of long(name, 'longest', words, sizes.longest)) {
      const refused = refusedUnseen(registered, request.at, words.length);
      if (refused !== null && seen.has(refused)) continue;
      if (refused !== null) seen.add(refused);
      found.push({ ...request, superuser: true });
    }
  }
  void server.close();
  return found;
}

/** Hands pieces over in one call, and waits until they are taken. */
async function write(socket: Socket, ...pieces: (Uint8Array | string)[]): Promise<void> {
  const taken = new Promise<void>((done) => {
    socket.cork();
    for (const [i, piece] of pieces.entries()) {
      const written = i === pieces.length - 1 ? () => done() : undefined;
      if (typeof piece === 'string') socket.write(piece, 'latin1', written);
      else socket.write(piece, written);
    }
    socket.uncork();
  });
  await Promise.race([taken, pause(PATIENCE)]);
}

/** Sends a request without having all of it in memory. */
async function send(socket: Socket, words: readonly Word[]): Promise<void> {
  let text = `*${words.length}\r\n`;
  for (const word of words) {
    if (typeof word === 'string') text += `$${word.length}\r\n${word}\r\n`;
    else {
      await write(socket, `${text}$${word}\r\n`);
      for (let left = word; left > 0 && !socket.destroyed; ) {
        const pieces: Uint8Array[] = [];
        for (; pieces.length < PIECES && left > 0; left -= PIECE.length)
          pieces.push(left < PIECE.length ? PIECE.subarray(0, left) : PIECE);
        await write(socket, ...pieces);
      }
      text = '\r\n';
    }
    if (text.length < MIB) continue;
    await write(socket, text);
    text = '';
  }
  await write(socket, text);
}

/** The beginning of what comes back once it stops, or the end of the connection; null when nothing does. */
async function reply(socket: Socket): Promise<string | null> {
  let head = '';
  let last = 0;
  let closed = false;
  socket.on('data', (chunk: Buffer) => {
    if (head.length < 1000) head += chunk.toString('latin1', 0, 1000);
    last = performance.now();
  });
  socket.on('close', () => {
    closed = true;
  });
  const start = performance.now();
  while (performance.now() - start < PATIENCE) {
    if (closed) return `${head}<closed>`;
    if (head !== '' && performance.now() - last > SILENCE) return head;
    await pause(2);
  }
  return null;
}

function bytesOf(words: readonly Word[]): number {
  let bytes = 0;
  for (const word of words) bytes += typeof word === 'string' ? word.length : word;
  return bytes;
}

export interface Longest {
  readonly requests: number;
  readonly failures: readonly { readonly name: string; readonly what: string; readonly fault: string }[];
  /** The longest waits beyond what the words take, ms of the main thread, and who brought them about. */
  readonly gaps: readonly { readonly name: string; readonly what: string; readonly gap: number }[];
  /** MiB. */
  readonly peak: number;
}

/** What looks behind each request at what it may have left. */
const LOOKS: readonly (readonly string[])[] = [
  ['CLIENT', 'LIST'],
  ['SLOWLOG', 'GET', '-1'],
  ['ACL', 'LOG'],
  ['INFO', 'everything'],
];

class Trial {
  readonly server: ServerProcess;
  private readonly other: Pipeline;
  private readonly watcher: Pipeline;
  private readonly tracker: Pipeline;
  /** Hears of changes, and lets the words pass. */
  private readonly listener: Socket;
  private peak = 0;

  private constructor(server: ServerProcess) {
    this.server = server;
    this.other = new Pipeline(server.port);
    this.watcher = new Pipeline(server.port);
    this.tracker = new Pipeline(server.port);
    this.listener = connect(server.port, '127.0.0.1');
    this.listener.on('error', () => {});
  }

  static async begin(): Promise<Trial> {
    const trial = new Trial(await startCinnabar('--client-output-buffer-limit', 'pubsub', '0', '0', '0'));
    const { listener, tracker, watcher } = trial;
    listener.write('CLIENT ID\r\n');
    const [id] = (await once(listener, 'data')) as [Buffer];
    listener.write('SUBSCRIBE __redis__:invalidate\r\n');
    listener.resume();
    await watcher.call('WATCH', 'a key');
    await tracker.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'REDIRECT', id.toString().slice(1).trim());
    return trial;
  }

  get most(): number {
    return this.peak;
  }

  /** Sends a request; what is wrong, and how long others waited. */
  async run(request: Request): Promise<{ fault: string | null; gap: number }> {
    const { pid, port } = this.server;
    const { name } = request;
    const words = request.words();
    await this.other.send(FILL);
    // What a script calls it has to be allowed as well.
    const inner = name === 'eval' ? ['+get', '+setrange'] : [];
    if (!request.superuser)
      await this.other.send([['ACL', 'SETUSER', 'one', 'reset', 'on', 'nopass', '~*', '&*', `+${name}`, ...inner]]);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    let over = false;
    socket.write(request.superuser ? 'PING\r\n' : 'AUTH one x\r\n');
    await once(socket, 'data');
    const answer = reply(socket);
    const done = (async () => {
      await send(socket, words);
      const all = await answer;
      over = true;
      return all;
    })();
    let gap = 0;
    const ask = async (command: readonly string[]): Promise<string> => {
      const before = working(pid);
      const heard = await Promise.race([this.other.call(...command), pause(PATIENCE).then(() => null)]);
      gap = Math.max(gap, working(pid) - before);
      this.peak = Math.max(this.peak, residentOr0(pid) / MIB);
      return heard === null ? 'nothing' : shown(heard as Answer);
    };
    while (!over) {
      if ((await ask(['PING'])) !== '"PONG"') return { fault: 'the server is dead or held', gap };
      await Promise.race([done, pause(1)]);
    }
    const head = await done;
    for (const look of LOOKS) {
      const seen = await ask(look);
      if (seen === 'nothing' || seen.startsWith('-')) return { fault: `${look.join(' ')}: ${seen.slice(0, 100)}`, gap };
    }
    socket.destroy();
    if (head === null) return { fault: 'no reply', gap };
    if (head.includes('internal error')) return { fault: head, gap };
    const allowed = GAP + ((bytesOf(words) + (request.made ?? 0)) / MIB) * A_MEGABYTE + words.length * AN_ARGUMENT;
    let fault = gap > allowed ? `a gap of ${gap} ms` : null;
    if (this.peak > RESIDENT) fault = `${Math.round(this.peak)} MiB resident`;
    return { fault, gap: Math.round(gap - allowed + GAP) };
  }

  async end(): Promise<void> {
    for (const pipeline of [this.other, this.watcher, this.tracker]) pipeline.close();
    this.listener.destroy();
    await this.server.stop();
  }
}

/** It is as long as a word may be, and longer than any string of V8. */
const UNSPEAKABLE = 536_870_900;
/** Each of these once ended the server, or showed a fault of ours. */
const NAMED: readonly (readonly Word[])[] = [
  ['EXPIRE', 'a string', '10', UNSPEAKABLE],
  ['BLPOP', UNSPEAKABLE, '0.01'],
  ['SET', UNSPEAKABLE, 'v'],
  ['FUNCTION', 'LOAD', UNSPEAKABLE],
  ['PUBLISH', UNSPEAKABLE, 'v'],
  ['EVAL', 'return #ARGV[1]', '0', UNSPEAKABLE],
  ['XGROUP', 'CREATECONSUMER', 'a stream', UNSPEAKABLE, 'c'],
  ['XCLAIM', 'a stream', UNSPEAKABLE, 'c', '0', '1-1'],
  ['XAUTOCLAIM', 'a stream', UNSPEAKABLE, 'c', '0', '0'],
  ['MIGRATE', UNSPEAKABLE, '1', 'k', '0', '10'],
  ['CLIENT', 'SETNAME', UNSPEAKABLE - 100],
  ['ACL', 'SETUSER', 100_000_000],
];

/** They were compared with each other, each with all. */
const PREFIXES: Request = {
  name: 'client|tracking',
  what: '500,000 prefixes',
  words: () =>
    ['CLIENT', 'TRACKING', 'ON', 'BCAST', ...numbers(500_000).flatMap((i) => ['PREFIX', `${i}:`])].slice(0, -2),
};

/** Each was merged register by register. */
const SKETCHES: Request = {
  name: 'pfcount',
  what: 'a sketch a million times',
  words: () => ['PFCOUNT', ...new Array<string>(1_000_000).fill('a sketch')],
};

/** A value is made that no string can hold, and asked for. */
const VALUE: Request = {
  name: 'eval',
  what: `a value of ${UNSPEAKABLE} bytes for a script`,
  words: () => [
    'EVAL',
    `redis.call('setrange', 'large', ${UNSPEAKABLE - 1}, 'x') return #redis.call('get', 'large')`,
    '0',
  ],
  made: 2 * UNSPEAKABLE,
};

/** The requests that once did harm: those of many words, and so many of those of long ones. */
export async function namedWords(count = NAMED.length): Promise<Longest> {
  return await tried([
    PREFIXES,
    SKETCHES,
    VALUE,
    ...NAMED.slice(0, count).map((words) => {
      const [first, second] = words.map((word) => String(word).toLowerCase());
      const name = ['function', 'xgroup', 'client', 'acl'].includes(first) ? `${first}|${second}` : first;
      return {
        name,
        what: words.map((word) => (typeof word === 'string' ? word : `${word} bytes`)).join(' '),
        words: () => words,
      };
    }),
  ]);
}

/** The `part`th, from 1 on, of so many parts. */
export interface Part {
  readonly part: number;
  readonly parts: number;
}

/** What `3/8` says; null for anything else. */
export function partOf(text: string): Part | null {
  const [part, parts, ...more] = text.split('/').map(Number);
  const fits = more.length === 0 && Number.isInteger(part) && Number.isInteger(parts) && part >= 1 && part <= parts;
  return fits ? { part, parts } : null;
}

/** One part of all requests: every so many of them; at most `count`. */
export async function longestWords(
  sizes: Sizes,
  { part, parts }: Part,
  count = Number.POSITIVE_INFINITY,
): Promise<Longest> {
  const all = requests(sizes).filter((_, i) => i % parts === part - 1);
  return await tried(all.slice(0, count));
}

/** Part after part, each of which has its line. */
export async function longestInParts(sizes: Sizes, played: readonly Part[]): Promise<readonly Longest[]> {
  const all: Longest[] = [];
  for (const part of played) {
    const start = performance.now();
    const report = await longestWords(sizes, part);
    all.push(report);
    const { failures, gaps } = report;
    console.log(
      `part ${part.part}/${part.parts}: ${report.requests} requests, ${failures.length} faults, ` +
        `longest gap ${gaps[0]?.gap ?? 0} ms (${gaps[0]?.name ?? ''}, ${gaps[0]?.what ?? ''}), ` +
        `${report.peak} MiB, ${((performance.now() - start) / 1000).toFixed(0)} s`,
    );
  }
  return all;
}

/** Sends requests one after the other; what looks like a fault is tried again, on servers of their own. */
async function tried(all: readonly Request[]): Promise<Longest> {
  const failures: { name: string; what: string; fault: string }[] = [];
  const gaps: { name: string; what: string; gap: number }[] = [];
  let trial = await Trial.begin();
  let peak = 0;
  let tried = 0;
  for (const request of all) {
    const { name, what } = request;
    let { fault, gap } = await trial.run(request);
    for (let again = 0; fault !== null && again < 2; again++) {
      await trial.end();
      trial = await Trial.begin();
      ({ fault, gap } = await trial.run(request));
    }
    tried++;
    peak = Math.max(peak, trial.most);
    gaps.push({ name, what, gap });
    gaps.sort((a, b) => b.gap - a.gap).splice(10);
    if (fault !== null) failures.push({ name, what, fault });
    if (fault === null) continue;
    await trial.end();
    trial = await Trial.begin();
  }
  await trial.end();
  return { requests: tried, failures, gaps, peak: Math.round(peak) };
}
