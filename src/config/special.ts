/**
 * The settings that have a grammar of their own.
 */
import { parseDouble } from '../base/numbers.ts';
import { quoted } from '../base/quoting.ts';
import { sliceOf } from '../base/slice.ts';
import { memoryText, parseMemory, type Words } from './kinds.ts';
import { ConfigError, type Kind, type RewriteLine } from './option.ts';

/** A snapshot is due after `seconds` when at least `changes` were made. */
export interface SavePoint {
  readonly seconds: number;
  readonly changes: number;
}

const SAVE_DEFAULT: readonly SavePoint[] = [
  { seconds: 3600, changes: 1 },
  { seconds: 300, changes: 100 },
  { seconds: 60, changes: 10000 },
];

function savePoints(words: readonly string[]): SavePoint[] {
  const refuse = new ConfigError('Invalid save parameters');
  if (words.length % 2 !== 0) throw refuse;
  const points: SavePoint[] = [];
  for (let i = 0; i < words.length; i += 2) {
    if (!/^[+-]?\d+$/.test(words[i]) || !/^[+-]?\d+$/.test(words[i + 1])) throw refuse;
    const seconds = Number(words[i]);
    const changes = Number(words[i + 1]);
    if (seconds < 1 || changes < 0) throw refuse;
    points.push({ seconds, changes });
  }
  return points;
}

/**
 * CONFIG SET replaces the points. At start each line adds one, the first that is met replaces those built in, and an
 * empty one drops all that were met so far.
 */
export const save: Kind<readonly SavePoint[], readonly SavePoint[], Words> = {
  initial: SAVE_DEFAULT,
  expects: 'seconds and changes, once or more often (3600 1 300 100), or "" for no snapshots',
  multiple: true,
  parse(words, context) {
    const points = words.length === 1 && words[0] === '' ? [] : savePoints(words);
    if (!context.loading || context.first || points.length === 0) return points;
    return [...context.previous, ...points];
  },
  show: (points) => points,
  text: (points) => points.map((p) => `${p.seconds} ${p.changes}`).join(' '),
  rewrite(name, points) {
    if (points.length === 0) return [{ text: `${name} ""`, force: true }];
    return points.map((p) => ({ text: `${name} ${p.seconds} ${p.changes}`, force: true }));
  },
};

/** Limits on what is owed to a client of one class; 0 is no limit. */
export interface OutputLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

const CLASSES = ['normal', 'slave', 'pubsub'] as const;
const MB = 1048576;
const OUTPUT_DEFAULT: readonly OutputLimit[] = [
  { hardBytes: 0, softBytes: 0, softSeconds: 0 },
  { hardBytes: 256 * MB, softBytes: 64 * MB, softSeconds: 60 },
  { hardBytes: 32 * MB, softBytes: 8 * MB, softSeconds: 60 },
];

function classNumber(word: string): number {
  const name = word.toLowerCase();
  return CLASSES.indexOf((name === 'replica' ? 'slave' : name) as (typeof CLASSES)[number]);
}

/** By class in the order normal, replica, pubsub; classes that aren't named keep what they have. */
export const outputLimits: Kind<readonly OutputLimit[], readonly OutputLimit[], Words> = {
  initial: OUTPUT_DEFAULT,
  expects: 'a class (normal, replica, pubsub), a hard limit, a soft limit and seconds: replica 256mb 64mb 60',
  multiple: true,
  parse(words, context) {
    if (words.length === 0 || words.length % 4 !== 0)
      throw new ConfigError('Wrong number of arguments in buffer limit configuration.');
    const limits = [...context.previous];
    for (let i = 0; i < words.length; i += 4) {
      const which = classNumber(words[i]);
      if (which < 0) throw new ConfigError('Invalid client class specified in buffer limit configuration.');
      const hard = parseMemory(words[i + 1]);
      const soft = parseMemory(words[i + 2]);
      if (hard === undefined || soft === undefined || !/^\+?\d+$/.test(words[i + 3]))
        throw new ConfigError('Error in hard, soft or soft_seconds setting in buffer limit configuration.');
      limits[which] = { hardBytes: Number(hard), softBytes: Number(soft), softSeconds: Number(words[i + 3]) };
    }
    return limits;
  },
  show: (limits) => limits,
  text: (limits) => limits.map((l, i) => `${CLASSES[i]} ${l.hardBytes} ${l.softBytes} ${l.softSeconds}`).join(' '),
  rewrite(name, limits) {
    return limits.map((l, i): RewriteLine => {
      const usual = OUTPUT_DEFAULT[i];
      const changed =
        l.hardBytes !== usual.hardBytes || l.softBytes !== usual.softBytes || l.softSeconds !== usual.softSeconds;
      const sizes = `${memoryText(BigInt(l.hardBytes))} ${memoryText(BigInt(l.softBytes))}`;
      return { text: `${name} ${i === 1 ? 'replica' : CLASSES[i]} ${sizes} ${l.softSeconds}`, force: changed };
    });
  },
};

/** Bits of `settings.notifyKeyspaceEvents`. */
export const NOTIFY = Object.freeze({
  KEYSPACE: 1,
  KEYEVENT: 2,
  GENERIC: 4,
  STRING: 8,
  LIST: 16,
  SET: 32,
  HASH: 64,
  ZSET: 128,
  EXPIRED: 256,
  EVICTED: 512,
  STREAM: 1024,
  KEY_MISS: 2048,
  MODULE: 8192,
  NEW: 16384,
});
const NOTIFY_ALL = 4 | 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 8192;
const CLASS_LETTERS: readonly (readonly [string, number])[] = [
  ['g', NOTIFY.GENERIC],
  ['$', NOTIFY.STRING],
  ['l', NOTIFY.LIST],
  ['s', NOTIFY.SET],
  ['h', NOTIFY.HASH],
  ['z', NOTIFY.ZSET],
  ['x', NOTIFY.EXPIRED],
  ['e', NOTIFY.EVICTED],
  ['t', NOTIFY.STREAM],
  ['d', NOTIFY.MODULE],
  ['n', NOTIFY.NEW],
];
const OTHER_LETTERS: readonly (readonly [string, number])[] = [
  ['K', NOTIFY.KEYSPACE],
  ['E', NOTIFY.KEYEVENT],
  ['m', NOTIFY.KEY_MISS],
];

function notifyText(bits: number): string {
  const lit = (letters: typeof CLASS_LETTERS) => letters.filter(([, bit]) => bits & bit).map(([letter]) => letter);
  const classes = (bits & NOTIFY_ALL) === NOTIFY_ALL ? ['A'] : lit(CLASS_LETTERS);
  return [...classes, ...lit(OTHER_LETTERS)].join('');
}

export const notifyEvents: Kind<number, number> = {
  initial: 0,
  expects: 'letters of K E g $ l s h z x e t d m n A, or "" for no events',
  multiple: false,
  parse([word]) {
    let bits = 0;
    for (const letter of word) {
      const found = [...CLASS_LETTERS, ...OTHER_LETTERS, ['A', NOTIFY_ALL] as const].find(([l]) => l === letter);
      if (!found) throw new ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
      bits |= found[1];
    }
    return bits;
  },
  show: (bits) => bits,
  text: notifyText,
  rewrite: (name, bits) => [{ text: `${name} ${quoted(notifyText(bits))}`, force: bits !== 0 }],
};

const BIND_DEFAULT: readonly string[] = ['*', '-::*'];
const MAX_ADDRESSES = 16;

/** Addresses to listen at; one that begins with '-' may be missing on the machine. */
export function addresses(initial: readonly string[]): Kind<readonly string[], readonly string[], Words> {
  return {
    initial,
    expects: `addresses, ${MAX_ADDRESSES} at the most`,
    multiple: true,
    parse(words) {
      if (words.length > MAX_ADDRESSES) throw new ConfigError('Too many bind addresses specified.');
      return words.length === 1 && words[0] === '' ? [] : [...words];
    },
    show: (list) => list,
    text: (list) => list.join(' '),
    rewrite(name, list) {
      if (list.join(' ') === initial.join(' ')) return [];
      return [{ text: list.length === 0 ? `${name} ""` : `${name} ${list.join(' ')}`, force: true }];
    },
  };
}

export const bind = addresses(BIND_DEFAULT);

const OOM_DEFAULT: readonly number[] = [0, 200, 800];

export const oomScores: Kind<readonly number[], readonly number[], Words> = {
  initial: OOM_DEFAULT,
  expects: 'three whole numbers from -2000 to 2000',
  multiple: true,
  parse(words) {
    if (words.length !== OOM_DEFAULT.length) throw new ConfigError('wrong number of arguments');
    const scores = words.map((word) => (/^[+-]?\d+$/.test(word) ? Number(word) : Number.NaN));
    if (!scores.every((score) => score >= -2000 && score <= 2000))
      throw new ConfigError('Invalid oom-score-adj-values, elements must be between -2000 and 2000.');
    return scores;
  },
  show: (scores) => scores,
  text: (scores) => scores.join(' '),
  rewrite: (name, scores) => [
    { text: `${name} ${scores.join(' ')}`, force: scores.join(' ') !== OOM_DEFAULT.join(' ') },
  ],
};

/** A number as printf's %.*g with 6 decimals shows a percentile: trailing zeroes gone. */
export function percentileText(percentile: number): string {
  return percentile.toFixed(6).replace(/\.?0+$/, '');
}

export const percentiles: Kind<readonly number[], readonly number[], Words> = {
  initial: [50, 99, 99.9],
  expects: 'percentiles from 0 to 100, or "" for none',
  multiple: true,
  parse(words) {
    if (words.length === 0 || (words.length === 1 && words[0] === '')) return [];
    return words.map((word) => {
      const value = parseDouble(sliceOf(word));
      if (value === undefined) throw new ConfigError('Invalid latency-tracking-info-percentiles parameters');
      if (value < 0 || value > 100)
        throw new ConfigError('latency-tracking-info-percentiles parameters should sit between [0.0,100.0]');
      return value;
    });
  },
  show: (values) => values,
  text: (values) => values.map(percentileText).join(' '),
  rewrite(name, values) {
    const text = values.length === 0 ? '""' : values.map(percentileText).join(' ');
    return [{ text: `${name} ${text}`, force: true }];
  },
};

/** Always an absolute path; initialised by Config with the directory that it is given. */
export const directory: Kind<string, string> = {
  initial: '',
  expects: 'a folder that there is',
  multiple: false,
  parse: ([path], context) => context.directory.change(path),
  show: (path) => path,
  text: (path) => path,
  rewrite: (name, path) => [{ text: `${name} ${quoted(path)}`, force: true }],
};

export interface MasterAddress {
  readonly host: string;
  readonly port: number;
}

export const replicaOf: Kind<MasterAddress | null, MasterAddress | null, Words> = {
  initial: null,
  expects: 'host and port, or no one',
  multiple: true,
  parse(words) {
    if (words.length !== 2) throw new ConfigError('wrong number of arguments');
    const [host, port] = words;
    if (host.toLowerCase() === 'no' && port.toLowerCase() === 'one') return null;
    if (!/^\+?\d+$/.test(port) || Number(port) > 65535) throw new ConfigError('Invalid master port');
    return { host, port: Number(port) };
  },
  show: (master) => master,
  text: (master) => (master ? `${master.host} ${master.port}` : ''),
  rewrite: (name, master) => (master ? [{ text: `${name} ${master.host} ${master.port}`, force: true }] : []),
};
