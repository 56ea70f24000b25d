/**
 * File mutation: snapshots, append-only files and manifests with bits flipped, bytes overwritten, ends cut off, pieces moved,
 * doubled or taken out; half of the damaged snapshots get a true checksum again, so that what is behind it is reached. And
 * an append-only file cut at every byte. Each file is loaded as at a server's start: it is loaded, and then everything in
 * it can be read and saved; or it is refused, and the log says why and where. No load may take 5 s, and memory stays
 * below 4 times the file and 64 MiB.
 *
 * A case follows from the seed and its number: `--from N --count 1` plays it again.
 *
 * Planted bug: listpacks in a snapshot that are taken as they come (no `lpValidate`): a load that does not end within 5 s, at case 21
 * of seed 1 among the snapshots.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Crc64 } from '../../src/base/crc.ts';
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { createServer } from '../../src/server/server.ts';
import { atOnce, MIB } from '../reliability/harness.ts';
import { file, key, str, u32 } from '../support/rdb-format.ts';
import { Loader, type LoadRequest, type LoadResult, type Settings } from './loader.ts';
import { corpus } from './payloads.ts';

export type Files = ReadonlyMap<string, Buffer>;

interface Subject {
  readonly name: string;
  readonly files: Files;
  readonly settings: Settings;
  /** Which of the files may be damaged. */
  readonly victims: readonly string[];
}

export interface MutationReport {
  cases: number;
  loaded: number;
  refused: number;
  slowest: readonly [milliseconds: number, number];
  /** The most memory of a load beyond 4 times its file. */
  mostMemory: number;
  readonly failures: string[];
}

const FAILURES_TOLD = 20;
const LANES = 2;
const FOLDER = 'appendonlydir';
const NAME = 'appendonly.aof';
const FAR = Buffer.from('0090d9e3b2050000', 'hex');

/** Everything is looked at: nothing in it may lead astray what reads it. */
const QUESTIONS = [['DEBUG', 'DIGEST'], ['SCAN', '0', 'COUNT', '1000'], ['SAVE']];

// What is damaged.

/** Snapshots whose sum is true, and one without a sum. */
export async function snapshots(): Promise<Buffer[]> {
  const server = createServer({ settings: { port: 0, 'enable-debug-command': 'yes' } });
  const payloads = await corpus(server.session());
  await server.close();
  const records = payloads.map(({ name, bytes }) => key(bytes[0], name, bytes.subarray(1, -10)));
  const aux = (name: string, value: string): Buffer => Buffer.concat([Buffer.of(250), str(name), str(value)]);
  const lead = [aux('redis-ver', '7.0.15'), aux('ctime', '1700000000'), aux('used-mem', '1000000')];
  const timed = [Buffer.concat([Buffer.of(252), FAR]), key(0, 'far', str('v')), Buffer.of(253), u32(2_000_000_000)];
  const used = [key(0, 'short', str('v')), Buffer.of(248, 77), key(0, 'idle', str('v')), Buffer.of(249, 9)];
  const library = Buffer.concat([
    Buffer.of(245),
    str("#!lua name=lib\nredis.register_function('f', function() return 1 end)"),
  ]);
  const whole = file(10, ...lead, Buffer.of(251, 60, 2), ...timed, ...used, ...records);
  const blind = Buffer.concat([whole.subarray(0, -8), Buffer.alloc(8)]);
  const small = [0, 7, 14, 21].map((at) => file(10, ...lead, ...records.slice(at, at + 3)));
  return [whole, blind, ...small, file(10, ...lead, library, ...records.slice(0, 2))];
}

export function resp(...words: readonly (string | number)[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${String(word).length}\r\n${word}\r\n`).join('')}`;
}

/** Commands as an append-only file holds them, and where each that counts ends. */
export function appended(): string {
  const parts = [resp('SELECT', 0)];
  for (let i = 0; i < 12; i++) {
    parts.push(resp('SET', `key:${i}`, 'v'.repeat(i * 3)), resp('RPUSH', 'list', i, `item-${i}`));
    parts.push(
      resp('HSET', 'hash', `f${i}`, i),
      resp('ZADD', 'zset', i / 2, `m${i}`),
      resp('XADD', 'stream', `${i + 1}-0`, 'f', i),
    );
    if (i % 4 === 1) parts.push(resp('MULTI'), resp('INCR', 'a'), resp('INCR', 'b'), resp('EXEC'));
    if (i % 5 === 2) parts.push(resp('PEXPIREAT', `key:${i}`, 4_000_000_000_000), '#TS:1700000000\r\n');
  }
  return parts.join('');
}

function manifest(...lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

function appendOnly(name: string, base: [string, Buffer] | null, more: Settings): Subject {
  const increments = [appended(), resp('SELECT', 0) + resp('SET', 'last', 'x')].map((text) => Buffer.from(text));
  const files = new Map<string, Buffer>();
  const lines = increments.map((bytes, i) => {
    files.set(`${FOLDER}/${NAME}.${i + 1}.incr.aof`, bytes);
    return `file ${NAME}.${i + 1}.incr.aof seq ${i + 1} type i`;
  });
  if (base !== null) {
    files.set(`${FOLDER}/${base[0]}`, base[1]);
    lines.unshift(`file ${base[0]} seq 1 type b`);
  }
  files.set(`${FOLDER}/${NAME}.manifest`, manifest(...lines));
  return { name, files, settings: { appendonly: 'yes', ...more }, victims: [...files.keys()] };
}

async function subjects(): Promise<Subject[]> {
  const rdb = await snapshots();
  const plain = rdb.map((bytes, i) => ({
    name: `snapshot ${i}`,
    files: new Map([['dump.rdb', bytes]]),
    settings: { 'sanitize-dump-payload': i % 2 === 0 ? 'no' : 'yes' },
    victims: ['dump.rdb'],
  }));
  const small = rdb[2];
  const text = Buffer.from(resp('SELECT', 0) + resp('SET', 'based', 1));
  const single = Buffer.from(appended());
  return [
    ...plain,
    appendOnly('AOF on a snapshot', [`${NAME}.1.base.rdb`, small], {}),
    appendOnly('AOF on commands', [`${NAME}.1.base.aof`, text], { 'aof-load-truncated': 'no' }),
    appendOnly('AOF without a base', null, {}),
    { name: 'old AOF', files: new Map([[NAME, single]]), settings: { appendonly: 'yes' }, victims: [NAME] },
    {
      name: 'old AOF with a preamble',
      files: new Map([[NAME, Buffer.concat([small, single])]]),
      settings: { appendonly: 'yes' },
      victims: [NAME],
    },
  ];
}

// How it is damaged.

const BYTES = [0, 1, 9, 10, 13, 0x20, 0x24, 0x2a, 0x2d, 0x39, 0x7f, 0x80, 0x81, 0xc3, 0xfe, 0xff];

/** A piece of `bytes` from anywhere, not long. */
function piece(random: Random, bytes: Buffer): [from: number, to: number] {
  const from = random.below(bytes.length + 1);
  return [from, Math.min(bytes.length, from + random.below(random.below(4) === 0 ? bytes.length : 40))];
}

export function damage(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (bytes.length === 0) return copy;
  const way = random.below(6);
  if (way < 2) {
    for (let left = 1 + random.below(8); left > 0; left--) {
      const at = random.below(copy.length);
      copy[at] = way === 0 ? copy[at] ^ (1 << random.below(8)) : BYTES[random.below(BYTES.length)];
    }
    return copy;
  }
  const [from, to] = piece(random, bytes);
  if (way === 2) return copy.subarray(0, from);
  if (way === 3) return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  const [pasteAt] = piece(random, bytes);
  const paste = bytes.subarray(from, to);
  const after = way === 4 ? pasteAt : Math.min(bytes.length, pasteAt + paste.length);
  return Buffer.concat([bytes.subarray(0, pasteAt), paste, bytes.subarray(after)]);
}

/** Makes the sum at the end of a snapshot true. */
function summed(bytes: Buffer): Buffer {
  if (bytes.length < 17) return bytes;
  new Crc64().update(bytes, 0, bytes.length - 8).write(bytes, bytes.length - 8);
  return bytes;
}

function mutated(random: Random, { files, victims }: Subject): Map<string, Buffer> {
  const copy = new Map(files);
  const victim = victims[random.below(victims.length)];
  const bytes = damage(random, files.get(victim)!);
  copy.set(victim, victim.endsWith('.rdb') && random.below(2) === 0 ? summed(bytes) : bytes);
  if (random.below(20) === 0) copy.delete(victims[random.below(victims.length)]);
  return copy;
}

// How it is judged.

/** Puts files into a folder of their own. */
export function lay(folder: string, files: Files): number {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, FOLDER), { recursive: true });
  let total = 0;
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
    total += bytes.length;
  }
  return total;
}

/** Words of the log that say where; those about whole files need no place within. */
const PLACES =
  /offset \d+|Bad file format|Truncating the AOF|manifest|line \d|doesn't exist|wasn't found|no such file|not a valid|sequence|databases|not support|module type|Wrong signature|format version/i;

/** What is wrong with a start, if anything. */
export function complaint(result: LoadResult, size: number): string | null {
  const { started, log, replies, grown, stray } = result;
  if (stray !== null) return `thrown aside: ${stray}`;
  if (grown > 4 * size + 64 * MIB) return `grew by ${grown} bytes`;
  if (started) {
    const bad = replies.find((reply) => typeof reply === 'string' && reply.startsWith('-'));
    return bad === undefined ? null : `loaded, then ${bad}`;
  }
  // A start that is refused early has nothing else to say.
  const reasons = log.length > 1 ? log.slice(1) : log;
  if (!reasons.some((line) => PLACES.test(line))) return `refused without a place: ${reasons.join(' | ')}`;
  if (/TypeError|RangeError|Assertion|undefined/.test(reasons.join(' ')))
    return `refused by a bug: ${reasons.join(' | ')}`;
  return null;
}

export class Judge {
  readonly report: MutationReport = { cases: 0, loaded: 0, refused: 0, slowest: [0, -1], mostMemory: 0, failures: [] };

  fail(what: string): void {
    if (this.report.failures.length < FAILURES_TOLD) this.report.failures.push(what);
  }

  async judge(
    name: string,
    at: number,
    loader: Loader,
    request: LoadRequest,
    size: number,
  ): Promise<LoadResult | null> {
    const { report } = this;
    report.cases++;
    let result: LoadResult;
    try {
      result = await loader.load(request);
    } catch (error) {
      this.fail(`${name}: ${error}`);
      return null;
    }
    if (result.started) report.loaded++;
    else report.refused++;
    if (result.milliseconds > report.slowest[0]) report.slowest = [result.milliseconds, at];
    report.mostMemory = Math.max(report.mostMemory, result.grown - 4 * size);
    const wrong = complaint(result, size);
    if (wrong !== null) this.fail(`${name}: ${wrong}`);
    return result;
  }
}

/** Where folders for loads are made: in memory where there is such a place. */
export function scratch(): string {
  const shm = '/dev/shm';
  try {
    return mkdtempSync(join(shm, 'cinnabar-'));
  } catch {
    return mkdtempSync(join(tmpdir(), 'cinnabar-'));
  }
}

/** Runs `work` for 0 .. count - 1 with a loader and a folder each lane. */
export async function withLoaders(
  count: number,
  work: (i: number, loader: Loader, folder: string) => Promise<void>,
): Promise<void> {
  const root = scratch();
  const idle = Array.from({ length: LANES }, (_, lane) => ({ loader: new Loader(), folder: join(root, String(lane)) }));
  const all = [...idle];
  try {
    await atOnce(count, LANES, async (i) => {
      const lane = idle.pop()!;
      await work(i, lane.loader, lane.folder);
      idle.push(lane);
    });
  } finally {
    for (const { loader } of all) loader.close();
    rmSync(root, { recursive: true, force: true });
  }
}

/** Loads `count` damaged files; of those whose name contains `only`, where that is given. */
export async function fileMutation(count: number, seed: number, from = 0, only = ''): Promise<MutationReport> {
  const all = (await subjects()).filter(({ name }) => name.includes(only));
  const judge = new Judge();
  await withLoaders(count, async (i, loader, folder) => {
    const at = from + i;
    const random = new SeededRandom(seed, at);
    const subject = all[random.below(all.length)];
    const size = lay(folder, mutated(random, subject));
    const request = { settings: { dir: folder, ...subject.settings }, ask: QUESTIONS };
    await judge.judge(`case ${at} (${subject.name})`, at, loader, request, size);
  });
  return judge.report;
}
