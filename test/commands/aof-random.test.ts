/**
 * Random writes on redis-server 7.0.15 and on ours, one unit of work after the other: both logs must have got the same
 * commands. A unit is a command, a transaction or a script of several, or what a client that waits for a key gets by one of
 * these; keys of which the time has passed lie about, for nobody but commands looks for them. At the end the log is played
 * again, by us and by redis-server.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { commandsOf as grammarOf } from '../differential/docs.ts';
import { Generator } from '../differential/generate.ts';
import { safe } from '../differential/safe.ts';
import { StreamCommands } from '../differential/streams.ts';
import { type Command, Side, treeOf } from '../differential/wire.ts';
import { AofTail } from '../support/aof-tail.ts';
import { LogServer } from '../support/log-server.ts';
import { LONG } from '../support/long.ts';
import { drawSeed } from '../support/seed.ts';
import { startRedis } from '../support/server-process.ts';

const STEPS = Number(process.env['CINNABAR_STEPS'] ?? (LONG ? 1500 : 250));
/** Milliseconds by which the two servers may read the time apart. */
const APART = 5000;
/** Commands of the run that a difference is shown with. */
const SHOWN = 12;
const LOG = join('appendonlydir', 'appendonly.aof.1.incr.aof');
const SCRIPT = `local at = 1
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  redis.pcall(unpack(ARGV, at + 1, at + count))
  at = at + count + 1
end`;
/** They would be no unit, or pick what each server picks for itself. */
const NOT_WITHIN = new Set(['SPOP', 'SRANDMEMBER', 'HRANDFIELD', 'ZRANDMEMBER', 'RANDOMKEY']);
const LAZY = ['lazyfree-lazy-expire', 'lazyfree-lazy-server-del', 'lazyfree-lazy-user-del', 'lazyfree-lazy-user-flush'];
const SINGLE_PICKS = new Set(['RANDOMKEY', 'SCAN']);
const BLOCKING = new Set(['BLPOP', 'BRPOP', 'BLMOVE', 'BRPOPLPUSH', 'BLMPOP', 'BZPOPMIN', 'BZPOPMAX', 'BZMPOP']);

/** Whether two words are equal, but for times of now. */
function alike(a: string, b: string): boolean {
  if (a === b) return true;
  const [x, y] = [a, b].map((text) => /^(\d{13,})(-\d+)?$/.exec(text));
  return x !== null && y !== null && Math.abs(Number(x[1]) - Number(y[1])) <= APART;
}

/**
 * Where a group stands is written here behind what it was handed, too: XCLAIM doesn't tell how many entries it has read, and
 * redis-server 7.0 forgets it.
 */
function withoutCounters(log: string[][]): string[][] {
  const told = log.filter(
    (words, i) => words[1] !== 'SETID' || words[5] !== 'ENTRIESREAD' || i === 0 || log[i - 1][0] !== 'XCLAIM',
  );
  return told.filter(
    ([name], i) =>
      !(name === 'MULTI' && told[i + 2]?.[0] === 'EXEC') && !(name === 'EXEC' && told[i - 2]?.[0] === 'MULTI'),
  );
}

function sameLogs(ours: string[][], theirs: string[][]): boolean {
  return (
    ours.length === theirs.length &&
    ours.every((words, i) => words.length === theirs[i].length && words.every((word, j) => alike(word, theirs[i][j])))
  );
}

function shown(commands: readonly Command[]): string {
  return commands.map((words) => `  ${words.map((word) => JSON.stringify(word)).join(' ')}`).join('\n');
}

interface Waiter {
  readonly replies: readonly Promise<string[]>[];
  readonly settled: readonly boolean[];
  readonly ids: readonly string[];
}

class Run {
  private readonly random: SeededRandom;
  private readonly generator: Generator;
  private readonly streams: StreamCommands;
  private readonly sides: readonly [Side, Side];
  /** Clients that wait: two a server. */
  private readonly waiting: readonly (readonly [Side, Side])[];
  private readonly tails: readonly [AofTail, AofTail];
  private readonly history: Command[] = [];
  private ids: string[][] = [];
  private closed = false;

  constructor(
    seed: number,
    grammar: ConstructorParameters<typeof Generator>[1],
    ports: [number, number],
    files: [string, string],
  ) {
    this.random = new SeededRandom(seed);
    this.generator = new Generator(this.random, grammar);
    this.streams = new StreamCommands(this.random);
    this.sides = [new Side(ports[0]), new Side(ports[1])];
    this.waiting = [0, 1].map(() => [new Side(ports[0]), new Side(ports[1])] as const);
    this.tails = [new AofTail(files[0]), new AofTail(files[1])];
  }

  async begin(): Promise<void> {
    await this.both([
      ['DEBUG', 'SET-ACTIVE-EXPIRE', '0'],
      ['SELECT', '0'],
    ]);
    for (const pair of this.waiting) this.ids.push(await Promise.all(pair.map((side) => side.call('CLIENT', 'ID'))));
  }

  /** Can be called twice. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const side of [...this.sides, ...this.waiting.flat()]) side.close();
    for (const tail of this.tails) tail.close();
  }

  async step(): Promise<void> {
    const roll = this.random.below(100);
    if (roll < 12) await this.expireSoon();
    else if (roll < 26) await this.served();
    else if (roll < 31) await this.restored();
    else if (roll < 35) await this.both([this.other()]);
    else await this.unit();
    this.compare();
  }

  /** Both logs as they have grown. */
  private compare(): void {
    const [ours, theirs] = this.tails.map((tail) => withoutCounters(tail.next()));
    if (sameLogs(ours, theirs)) return;
    expect(shown(ours), `after\n${shown(this.history.slice(-SHOWN))}\n`).toBe(shown(theirs));
  }

  private async both(commands: readonly Command[]): Promise<void> {
    this.history.push(...commands);
    const replies = await Promise.all(this.sides.map((side) => side.send(commands)));
    for (const side of replies) expect(side.length, 'a connection was closed').toBe(commands.length);
  }

  private command(): Command {
    if (this.random.below(4) === 0) return this.streams.next();
    for (;;) {
      const command = safe(this.generator.next());
      const name = command[0].toUpperCase();
      if (name === 'QUIT' || name === 'SHUTDOWN' || SINGLE_PICKS.has(name)) continue;
      return command;
    }
  }

  private within(): Command {
    for (;;) {
      const command = this.command();
      if (!NOT_WITHIN.has(command[0].toUpperCase())) return command;
    }
  }

  private group(): Command[] {
    return Array.from({ length: 1 + this.random.below(5) }, () => this.within());
  }

  /** A unit of work. */
  private async unit(): Promise<void> {
    const roll = this.random.below(10);
    if (roll < 2) await this.both([['MULTI'], ...this.group(), ['EXEC']]);
    else if (roll < 4) await this.both([this.script()]);
    else if (roll < 5) await this.both([['MULTI'], this.script(), ...this.group(), ['EXEC']]);
    else {
      const command = this.command();
      const name = command[0].toUpperCase();
      if (name === 'SPOP') await this.spop(command);
      else if (BLOCKING.has(name)) await this.both([['MULTI'], command, ['EXEC']]);
      else await this.both([command]);
    }
  }

  private script(): Command {
    return ['EVAL', SCRIPT, '0', ...this.group().flatMap((words) => [String(words.length), ...words])];
  }

  /** What is popped here is removed there, which leaves the same log but for the order. */
  private async spop(command: Command): Promise<void> {
    const key = command[1] ?? '';
    await this.both([['SMEMBERS', key]]);
    this.compare();
    const all = treeOf(await this.sides[1].call('SMEMBERS', key));
    this.history.push(command);
    const popped = treeOf(await this.sides[0].call(...command));
    if (typeof popped === 'string' && !Array.isArray(all)) return;
    const members = (Array.isArray(popped) ? popped : popped === null ? [] : [popped]).map(String);
    const counted = command.length > 2;
    if (members.length === 0 || (counted && Array.isArray(all) && members.length === all.length)) {
      await this.sides[1].call(...command);
      return;
    }
    await this.sides[1].call('SREM', key, ...members);
    const [ours, theirs] = this.tails.map((tail) => tail.next());
    expect(
      ours.map((words) => [words[0], words[1], words.slice(2).sort()]),
      shown(this.history.slice(-SHOWN)),
    ).toEqual(theirs.map((words) => [words[0], words[1], words.slice(2).sort()]));
    if (counted) await this.both([['DEL', key]]);
  }

  /** What one key holds comes to another, with a lifetime. */
  private async restored(): Promise<void> {
    const keys = [...'slthzbpgmqx'].map((c) => `${c}${1 + this.random.below(3)}`);
    const [from, to] = [this.pick(keys), this.pick(keys)];
    await this.both([['GET', from]]);
    this.compare();
    const dump = treeOf(await this.sides[1].call('DUMP', from));
    if (typeof dump !== 'string') return;
    const time = this.pick([
      ['0'],
      ['5000000'],
      ['5'],
      ['1943071171123', 'ABSTTL'],
      ['1600000000000', 'absttl'],
      ['-1'],
    ]);
    const options = this.pick([[], ['REPLACE'], ['replace'], ['IDLETIME', '5', 'REPLACE'], ['FREQ', '7']]);
    const command = ['RESTORE', to, time[0], dump, ...time.slice(1), ...options];
    await this.both(this.random.below(3) === 0 ? [['MULTI'], this.within(), command, ['EXEC']] : [command]);
    await new Promise((done) => setTimeout(done, 8));
  }

  /** What the grammar doesn't have. */
  private other(): Command {
    const library = (code: string): string => `#!lua name=lib\nredis.register_function('f', function(k) ${code} end)`;
    const repl = this.pick(['REPL_ALL', 'REPL_AOF', 'REPL_REPLICA', 'REPL_NONE']);
    const commands: Command[] = [
      ['FUNCTION', 'LOAD', library("redis.call('SET', k[1], 'x', 'EX', 100000) return redis.call('INCR', k[2])")],
      ['FUNCTION', 'LOAD', 'REPLACE', library("return redis.call('RPUSH', k[1], k[2], 'y')")],
      ['FUNCTION', 'LOAD', 'REPLACE', library('nonsense(')],
      ['FUNCTION', 'DELETE', 'lib'],
      ['FUNCTION', 'FLUSH', this.pick(['SYNC', 'ASYNC'])],
      ['FCALL', 'f', '2', 'l1', 's2'],
      ['FCALL', 'f', '2', 's3', 'l3'],
      ['FCALL_RO', 'f', '2', 's3', 'l3'],
      ['SCRIPT', 'LOAD', 'return 1'],
      ['SCRIPT', 'FLUSH'],
      [
        'EVAL',
        `redis.set_repl(redis.${repl}) redis.call('INCR', 'n3') redis.call('APPEND', 'n3', 'x') redis.set_repl(redis.REPL_ALL) redis.call('DEL', 'n3') redis.pcall('INCR', 'n2')`,
        '0',
      ],
      [
        'EVAL',
        "redis.call('SELECT', '2') redis.call('INCR', 'n1') redis.call('SELECT', '1') redis.call('APPEND', 'n2', 'z')",
        '0',
      ],
      ['EVAL', "redis.call('INCR', 'n1') error('enough')", '0'],
      ['EVAL', "redis.call('INCR', 'n1') return redis.call('LPUSH', 'n1', 'x')", '0'],
      ['EVAL_RO', "return redis.call('GET', 's1')", '0'],
      ['CONFIG', 'SET', this.pick(LAZY), this.pick(['yes', 'no'])],
      ['CONFIG', 'SET', 'aof-timestamp-enabled', this.pick(['yes', 'no'])],
      ['PUBLISH', 'a', 'b'],
      ['SPUBLISH', 'a', 'b'],
    ];
    return this.pick(commands);
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)];
  }

  /** Keys that are past their time when the next command comes. */
  private async expireSoon(): Promise<void> {
    const keys = [...'slthzbpgmqx'].flatMap((c) => [`${c}1`, `${c}2`, `${c}3`]);
    const some = Array.from({ length: 1 + this.random.below(6) }, () => keys[this.random.below(keys.length)]);
    await this.both([...new Set(some)].map((key) => ['PEXPIRE', key, '5']));
    await new Promise((done) => setTimeout(done, 8));
  }

  /** Clients wait for keys; then a unit of work comes. */
  private async served(): Promise<void> {
    const waiters: Waiter[] = [];
    for (let w = 0; w <= this.random.below(2); w++) waiters.push(await this.wait(w));
    await this.unit();
    for (let side = 0; side < 2; side++) {
      await this.sides[side].call('PING');
      await this.sides[side].call('PING');
      for (const { settled, ids } of waiters)
        if (!settled[side]) await this.sides[side].call('CLIENT', 'UNBLOCK', ids[side]);
    }
    for (const { replies } of waiters) {
      const [ours, theirs] = await Promise.all(replies);
      expect([ours.length, theirs.length], 'a connection was closed').toEqual([1, 1]);
    }
  }

  /** Lets the client of that number wait, unless it is served at once. */
  private async wait(which: number): Promise<Waiter> {
    const command = this.blocking();
    this.history.push(['(waiting)', ...command]);
    const replies = this.waiting[which].map((side) => side.send([command]));
    const settled = [false, false];
    replies.forEach((reply, side) => void reply.then(() => (settled[side] = true)));
    const ids = this.ids[which].map((reply) => reply.slice(1, -2));
    for (let side = 0; side < 2; side++) while (!settled[side] && !(await this.blocked(side, ids[side])));
    return { replies, settled, ids };
  }

  private async blocked(side: number, id: string): Promise<boolean> {
    if (this.sides[side].closed) throw new Error('the connection is closed');
    return / flags=\w*b/.test(await this.sides[side].call('CLIENT', 'LIST', 'ID', id));
  }

  private blocking(): Command {
    const [l, k] = [this.pick(['l1', 'l2', 'm1']), this.pick(['l1', 'l3', 'm2', 'z1'])];
    const z = this.pick(['z1', 'z2', 'm1']);
    return this.pick([
      ['BLPOP', l, k, '0'],
      ['BRPOP', l, '0'],
      ['BLMOVE', l, k, 'LEFT', 'RIGHT', '0'],
      ['BRPOPLPUSH', l, k, '0'],
      ['BLMPOP', '0', '2', l, k, 'LEFT', 'COUNT', '2'],
      ['BZPOPMIN', z, '0'],
      ['BZPOPMAX', z, 'z3', '0'],
      ['BZMPOP', '0', '1', z, 'MAX', 'COUNT', '3'],
      ['XREAD', 'BLOCK', '0', 'STREAMS', 'q1', '$'],
      ['XREADGROUP', 'GROUP', 'g', 'alice', 'BLOCK', '0', 'STREAMS', 'q1', '>'],
      ['XREADGROUP', 'GROUP', 'g', 'bob', 'BLOCK', '0', 'NOACK', 'STREAMS', 'q1', 'q2', '>', '>'],
    ]);
  }
}

/** What the log in `folder` makes of an empty redis-server. */
async function digestOf(folder: string): Promise<string> {
  const redis = await startRedis('--enable-debug-command', 'yes', '--appendonly', 'yes', '--dir', folder);
  const side = new Side(redis.port);
  try {
    return await side.call('DEBUG', 'DIGEST');
  } finally {
    side.close();
    await redis.stop();
  }
}

test('random writes leave the same log, which makes the same data', async () => {
  const seed = drawSeed();
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-aof-'));
  const ours = await LogServer.start(folder, { appendfsync: 'no' });
  const redis = await startRedis('--enable-debug-command', 'yes', '--appendonly', 'yes', '--appendfsync', 'no');
  const oracle = new Side(redis.port);
  const grammar = grammarOf(treeOf(await oracle.call('COMMAND', 'DOCS')));
  oracle.close();
  const run = new Run(seed, grammar, [ours.server.port, redis.port], [join(folder, LOG), join(redis.folder, LOG)]);
  try {
    await run.begin();
    for (let i = 0; i < STEPS; i++) await run.step();
    // Keys that are past their time go; redis-server would remove them by itself.
    for (let db = 0; db < 16; db++) await ours.run(`SELECT ${db}\nSCAN 0 COUNT 1000000`);
    const digest = String(await ours.digest());
    await ours.client.call('DEBUG', 'LOADAOF');
    expect(await ours.digest(), `seed ${seed}`).toBe(digest);
    run.close();
    await ours.stop();
    expect(await digestOf(folder), `seed ${seed}`).toBe(`+${digest}\r\n`);
  } finally {
    run.close();
    await redis.stop();
    await ours.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
