/**
 * check-aof beside redis-check-aof: the same files in, the same bytes out, the same exit code, the same files left. Left out
 * is a line that breaks off before any other has been read: there the original shows what happens to be in its memory.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { checkAof } from '../../../src/tools/check-aof.ts';
import { LONG } from '../../support/long.ts';
import { oracle } from '../../support/oracle.ts';
import { key, file as rdbFile, str } from '../../support/rdb-format.ts';
import { drawSeed } from '../../support/seed.ts';

const state = { folder: '', cwd: '' };

beforeAll(() => {
  state.folder = mkdtempSync(join(tmpdir(), 'cinnabar-check-aof-'));
  state.cwd = process.cwd();
});

afterEach(() => process.chdir(state.cwd));

afterAll(() => rmSync(state.folder, { recursive: true, force: true }));

type Files = Readonly<Record<string, string>>;

interface Result {
  readonly output: string;
  readonly code: number | null;
  readonly files: Files;
}

/** Process IDs and times differ, and behind a line that broke off the original shows whatever lay in its memory. */
function plain(output: string): string {
  return output.replaceAll(/^\d+:C .*? # /gm, 'PID:C TIME # ').replaceAll(/got: 00[0-9a-f]+$/gm, 'got: 00..');
}

/** Lays the files out anew, and goes there. */
function layOut(files: Files): void {
  const at = join(state.folder, 'at');
  rmSync(at, { recursive: true, force: true });
  mkdirSync(join(at, 'log'), { recursive: true });
  process.chdir(at);
  for (const [name, text] of Object.entries(files)) writeFileSync(name, text, 'latin1');
}

function left(): Files {
  const names = [...readdirSync('.'), ...readdirSync('log').map((name) => `log/${name}`)].filter(
    (name) => name !== 'log',
  );
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(name, 'latin1')]));
}

function theirs(files: Files, args: readonly string[], input: string): Result {
  layOut(files);
  const { stdout, status } = spawnSync(oracle('redis-check-aof'), args, { input });
  return { output: plain(stdout.toString('latin1')), code: status, files: left() };
}

async function ours(files: Files, args: readonly string[], input: string): Promise<Result> {
  layOut(files);
  let output = '';
  const print = (text: string): void => {
    output += text;
  };
  const code = await checkAof('redis-check-aof', args, { print, ask: async () => input.split('\n', 1)[0] });
  return { output: plain(output), code, files: left() };
}

async function same(files: Files, args: readonly string[], input = '', why = ''): Promise<Result> {
  const result = await ours(files, args, input);
  expect(result, `${why} ${JSON.stringify(files)}`).toEqual(theirs(files, args, input));
  return result;
}

function record(...parts: string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`;
}

const PING = record('PING');
const SET = record('SET', 'k', 'v');

test.each([
  [[]],
  [['a', 'b']],
  [['--fix', 'a', 'b']],
  [['a', 'b', 'c', 'd']],
  [['nosuch']],
  [['log']],
  [['--fix', 'log']],
  [['--truncate-to-timestamp', '12']],
  [['--truncate-to-timestamp', 'x', 'a']],
  [['--truncate-to-timestamp', '12x', 'a']],
  [['--truncate-to-timestamp', ' 12', 'a']],
  [['--truncate-to-timestamp', '0', 'a']],
  [['--truncate-to-timestamp', '-5', 'a']],
  [['a']],
  [['./a']],
])('called with %j', (args) => same({ a: `${PING}#TS:9\r\n${PING}`, empty: '' }, args).then(() => {}));

describe('one file', () => {
  test.each([
    '',
    'x',
    '\0\0\0\0',
    '*',
    '*1',
    '*1\r',
    '*1\n',
    '*1\r\n$',
    '*1\r\n$4\r\n',
    '*1\r\n$4\r\nPI',
    '*1\r\n$4\r\nPINGxx',
    '*1\r\n$4\r\nPING\x80\xff',
    '*1\r\n#4\r\nPING\r\n',
    '*1\r\n\xff4\r\nPING\r\n',
    '*1\r\n\x004\r\nPING\r\n',
    '*0\r\n',
    '*-1\r\n',
    '*ab\r\n',
    '* 1\r\n$+4\r\nPING\r\n',
    '*1\r\n$-1\r\n',
    '*1\r\n$99999999999\r\nPING\r\n',
    '*1\r\n$9223372036854775806\r\nPING\r\n',
    '*1\r\n$99999999999999999999\r\nPING\r\n',
    '*1\0\r\n$4\r\nPING\r\n',
    `${PING}*1`,
    `${PING}*`,
    `${PING}!!`,
    `${PING}\r\n`,
    `#${'x'.repeat(1021)}\n${PING}`,
    `#${'x'.repeat(1022)}\n${PING}`,
    `${PING}#TS:12`,
    record('MULTI'),
    record('EXEC'),
    record('multi') + record('MULTI'),
    record('Multi', 'x') + PING + record('exec') + record('EXEC'),
    `${record('MULTI')}*1\r\n`,
    record('MUL\0I') + record('MULTI\0') + PING,
    record('SET', 'MULTI', 'EXEC'),
    'REDIS',
    'REDIS0010',
    'REDIS0099\xff',
  ])('of the list, number %#', async (text) => {
    await same({ a: text }, ['a']);
    await same({ a: text }, ['--fix', 'a'], 'y\n');
    await same({ a: text }, ['--truncate-to-timestamp', '5', 'a']);
  });

  test.each(['', 'y\n', 'Y\n', 'yes\n', 'y', 'n\n', '\n', ' y\n', 'x\ny\n'])('the answer %j', (answer) =>
    same({ a: `${PING}*1\r\n` }, ['--fix', 'a'], answer).then(() => {}),
  );

  test('times', async () => {
    const texts = [
      `${PING}#TS:5\r\n${PING}#TS:9\r\n${PING}`,
      `#TS:5\r\n${PING}#TS:9\r\n${PING}`,
      `${PING}#TS:x\r\n${PING}`,
      `${PING}#TS:5\n${PING}`,
      `${PING}#TS: 7\r\n${PING}`,
      `${PING}#TS:99999999999999999999\r\n${PING}`,
      `${PING}#TX:7\r\n!!`,
      `${record('MULTI')}#TS:7\r\n${record('EXEC')}`,
    ];
    for (const text of texts)
      for (const time of ['-3', '0', '1', '5', '6', '9', '10'])
        await same({ a: text }, ['--truncate-to-timestamp', time, 'a']);
  });

  test('with a snapshot at its beginning', async () => {
    const snapshot = rdbFile(10, key(0, 'k', str('v'))).toString('latin1');
    const { output } = await same({ a: snapshot + SET }, ['a']);
    expect(output).toContain('RDB preamble is OK, proceeding with AOF tail...');
    for (const text of [
      snapshot,
      `${snapshot}${PING}*1`,
      `${snapshot}#TS:9\r\n${SET}`,
      snapshot.slice(0, 20),
      `${snapshot.slice(0, -1)}x`,
    ]) {
      await same({ a: text }, ['a']);
      await same({ a: text }, ['--fix', 'a'], 'y\n');
      await same({ a: text }, ['--truncate-to-timestamp', '5', 'a']);
    }
  });
});

describe('all files of a manifest', () => {
  const names = ['base.aof', '1.incr.aof', '2.incr.aof'];
  const manifest = 'file base.aof seq 1 type b\nfile 1.incr.aof seq 1 type i\nfile 2.incr.aof seq 2 type i\n';

  async function all(listing: string, texts: readonly (string | null)[]): Promise<void> {
    const files: Record<string, string> = { 'log/a.manifest': listing };
    texts.forEach((text, i) => {
      if (text !== null) files[`log/${names[i]}`] = text;
    });
    await same(files, ['log/a.manifest']);
    await same(files, ['--fix', 'log/a.manifest'], 'y\n');
    for (const time of ['3', '7', '10']) await same(files, ['--truncate-to-timestamp', time, 'log/a.manifest']);
  }

  test('each sound, empty, cut off, absent, or of a later time', async () => {
    const kinds = [PING, '', `${PING}*1`, null, `${PING}#TS:9\r\n${PING}`];
    for (let i = 0; i < names.length; i++)
      for (const kind of kinds)
        await all(
          manifest,
          names.map((_, at) => (at === i ? kind : SET)),
        );
  });

  test('snapshots as the base', async () => {
    const snapshot = rdbFile(10, key(0, 'k', str('v'))).toString('latin1');
    for (const base of [snapshot, snapshot + PING, `${snapshot}${PING}*`, snapshot.slice(0, -3)]) {
      await all(manifest, [base, PING, SET]);
      await all('file base.aof seq 1 type b\n', [base]);
    }
    await all('file 1.incr.aof seq 1 type i\n', [null, snapshot]);
  });

  test.each([
    'file 1.incr.aof seq 1 type i',
    `#comment\nfile 1.incr.aof seq 1 type i\n`,
    '#comment\n',
    'file 1.incr.aof seq 1 type i\nfile 1.incr.aof seq 1 type i\n',
    'file base.aof seq 1 type b\nfile base.aof seq 2 type b\n',
    'file 1.incr.aof seq 1 type x\n',
    'file log/1.incr.aof seq 1 type i\n',
    'file a seq 1 typ i\n',
    'file "1.incr.aof seq 1 type i\n',
    'file\n',
    'file base.aof seq 9 type h\n',
    `file 1.incr.aof seq 1 type i\n${'x'.repeat(1100)}`,
    'garbage\n',
  ])('a manifest of the list, number %#', (listing) => all(listing, [PING, SET, null]));
});

test('random damage', async () => {
  const seed = drawSeed();
  const random = new SeededRandom(seed);
  for (let round = 0; round < (LONG ? 60 : 15); round++) {
    let text = '';
    for (let i = random.below(6); i >= 0; i--) {
      const kind = random.below(10);
      if (kind === 0) text += `#TS:${random.below(20)}\r\n`;
      else if (kind === 1) text += record('MULTI') + record('SET', 'a', 'b'.repeat(random.below(200)));
      else if (kind === 2) text += record('EXEC');
      else text += record('SET', `k${random.below(10)}`, 'v'.repeat(random.below(30)));
    }
    const bytes = Buffer.from(text, 'latin1');
    const cut = random.below(2) === 0 ? bytes : bytes.subarray(0, random.below(bytes.length + 1));
    if (cut.length > 0 && random.below(2) === 0)
      cut[random.below(cut.length)] =
        random.below(3) === 0 ? random.below(256) : [10, 13, 36, 42, 35, 48, 57, 0][random.below(8)];
    const args = [['a'], ['--fix', 'a'], ['--truncate-to-timestamp', String(random.below(20)), 'a']][random.below(3)];
    await same({ a: cut.toString('latin1') }, args, random.below(2) === 0 ? 'y\n' : '', `seed ${seed}, round ${round}`);
  }
});
