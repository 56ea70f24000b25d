/**
 * Nanoseconds of the processor that commands take without sockets, of this tree or of another beside it:
 *
 *   npm run bench:in-process -- [set,get,... | all] [--rounds N] [label=FOLDER ...]
 *
 * Each folder holds a checkout of the sources (a worktree of an older commit, for one). They take turns, each time in a fresh
 * process, and of each command the best block of all rounds counts: on a shared machine the rest measures the neighbours.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const BLOCKS = 12;
const PIPELINE = 16;
const PIPELINES = 64;
const HERE = fileURLToPath(new URL('..', import.meta.url));
const GET = "return redis.call('get',KEYS[1])";
const RELEASE = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

type Words = readonly string[];
const COMMANDS: Readonly<Record<string, (i: number) => Words>> = {
  set: (i) => ['SET', `key:${i % 100}`, 'xxx'],
  get: (i) => ['GET', `key:${i % 100}`],
  incr: (i) => ['INCR', `counter:${i % 100}`],
  list: (i) => (i % 32 < 16 ? ['LPUSH', 'list', 'xxx'] : ['RPOP', 'list']),
  sadd: (i) => ['SADD', 'set', `element:${i % 100}`],
  hset: (i) => ['HSET', 'hash', `field:${i % 100}`, 'xxx'],
  zadd: (i) => ['ZADD', 'zset', String(i % 100), `member:${i % 100}`],
  mset: () => ['MSET', ...Array.from({ length: 10 }, (_, i) => [`key:${i}`, 'xxx']).flat()],
  lrange: () => ['LRANGE', 'long', '0', '9'],
  exists: (i) => ['EXISTS', `key:${i % 100}`],
  script: () => ['EVAL', GET, '1', 'key:1'],
  release: (i) => (i % 2 === 0 ? ['SET', 'lock', 'token'] : ['EVAL', RELEASE, '1', 'lock', 'token']),
};

function encoded(words: Words): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** What is used of a tree's engine; older ones have no `enter`. */
interface Driven {
  readonly keyspaces: { refresh(): void };
  readonly server: { readonly settings: { readonly protoMaxBulkLen: number } };
  enter?(): void;
  open(port: object): { readonly reply: { clear(): void } };
  execute(session: object, args: readonly object[], argc: number): boolean;
}

/** As the program begins, where the tree's does so. */
async function begin(root: string): Promise<void> {
  const path = `${root}/src/base/inlining.ts`;
  if (!existsSync(path)) return;
  const { inlineMore } = (await import(path)) as typeof import('../src/base/inlining.ts');
  inlineMore();
}

/** Measures one tree in this process. */
async function measure(root: string, names: readonly string[]): Promise<Record<string, number>> {
  await begin(root);
  const { createServer } = (await import(`${root}/src/index.ts`)) as {
    createServer(options: object): { readonly engine: Driven };
  };
  const { RequestParser } = (await import(
    `${root}/src/protocol/request.ts`
  )) as typeof import('../src/protocol/request.ts');
  const { engine } = createServer({ port: 0, save: '', logfile: '/dev/null' });
  const nothing = (): void => {};
  const session = engine.open({ close: nothing, closeAfterReply: nothing, resume: nothing, flush: nothing });
  const parser = new RequestParser(engine.server.settings);
  const run = (bytes: Uint8Array): void => {
    if (engine.enter) engine.enter();
    else engine.keyspaces.refresh();
    parser.start(0);
    while (parser.next(bytes, bytes.length, true) === 1) {
      engine.execute(session, parser.args, parser.argc);
      parser.start(parser.at);
    }
    session.reply.clear();
  };
  const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
  for (let i = 0; i < 100; i++)
    run(bytesOf(encoded(['RPUSH', 'long', `xxx${i}`]) + encoded(['SET', `key:${i}`, 'xxx'])));
  const best: Record<string, number> = {};
  for (const name of names) {
    const pipelines = Array.from({ length: PIPELINES }, (_, k) =>
      bytesOf(Array.from({ length: PIPELINE }, (_, i) => encoded(COMMANDS[name](k * PIPELINE + i))).join('')),
    );
    for (let block = 0; block < 2 * BLOCKS; block++) {
      const before = process.cpuUsage();
      for (let i = 0; i < 16; i++) for (const bytes of pipelines) run(bytes);
      const { user, system } = process.cpuUsage(before);
      const nanoseconds = ((user + system) * 1000) / (16 * PIPELINES * PIPELINE);
      // In the first half code is still being compiled.
      if (block >= BLOCKS) best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, nanoseconds);
    }
  }
  return best;
}

function compare(names: readonly string[], trees: readonly (readonly [string, string])[], rounds: number): void {
  const best = new Map<string, Record<string, number>>();
  for (let round = 0; round < rounds; round++)
    for (const [label, root] of round % 2 === 0 ? trees : [...trees].reverse()) {
      const args = [...process.execArgv, fileURLToPath(import.meta.url), '--measure', root, names.join(',')];
      const now = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Record<string, number>;
      const old = best.get(label) ?? now;
      best.set(label, Object.fromEntries(names.map((name) => [name, Math.min(old[name], now[name])])));
    }
  const first = best.get(trees[0][0]) ?? {};
  console.log(`${'ns'.padEnd(10)}${trees.map(([label]) => label.padStart(16)).join('')}`);
  for (const name of names) {
    const cells = trees.map(([label]) => {
      const value = best.get(label)?.[name] ?? Number.NaN;
      return `${value.toFixed(0)} (${(value / first[name]).toFixed(2)})`.padStart(16);
    });
    console.log(`${name.padEnd(10)}${cells.join('')}`);
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, measure: { type: 'string' } },
});
const [asked = 'all', ...others] = positionals;
const chosen = asked === 'all' ? Object.keys(COMMANDS) : asked.split(',');
if (values.measure !== undefined) {
  console.log(JSON.stringify(await measure(values.measure, chosen)));
  process.exit(0);
}
const beside = others.map((tree) => [tree.slice(0, tree.indexOf('=')), tree.slice(tree.indexOf('=') + 1)] as const);
compare(chosen, [...beside, ['here', HERE]], Number(values.rounds));
