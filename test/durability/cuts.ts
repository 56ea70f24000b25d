/**
 * An append-only file cut at every byte. With aof-load-truncated it is loaded, holds the commands that lie wholly before the
 * cut (a transaction as a whole or not at all), and is shortened to their end; without, it is refused unless the cut lies
 * between two of them.
 *
 * Planted bug: a loader that does not shorten the file: found at the first cut.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Files, Judge, lay, type MutationReport, resp, withLoaders } from './mutation.ts';

const FILE = 'appendonlydir/appendonly.aof.1.incr.aof';
const MANIFEST = 'appendonlydir/appendonly.aof.manifest';
const NAMED = Buffer.from('file appendonly.aof.1.incr.aof seq 1 type i\n');
const UNITS = 24;

interface Unit {
  readonly text: string;
  /** Numbers that it appends to the list. */
  readonly numbers: readonly number[];
}

function units(): Unit[] {
  const all: Unit[] = [{ text: resp('SELECT', 0), numbers: [] }];
  for (let i = 0; i < UNITS; i++) {
    const n = all.length * 10;
    if (i % 5 === 3) all.push({ text: '#TS:1700000000\r\n', numbers: [] });
    if (i % 3 === 0) {
      const text =
        resp('MULTI') + resp('RPUSH', 'log', n) + resp('SET', 'pad', '\r\n*3\r\n$') + resp('RPUSH', 'log', n + 1);
      all.push({ text: text + resp('EXEC'), numbers: [n, n + 1] });
    } else all.push({ text: resp('RPUSH', 'log', n), numbers: [n] });
  }
  return all;
}

function filesOf(bytes: Buffer): Files {
  return new Map([
    [FILE, bytes],
    [MANIFEST, NAMED],
  ]);
}

/** Cuts at every `step`-th byte, each way of the setting. */
export async function cutEverywhere(step = 1): Promise<MutationReport> {
  const all = units();
  const bytes = Buffer.from(all.map(({ text }) => text).join(''));
  const judge = new Judge();
  const cuts = Math.floor(bytes.length / step) + 1;
  await withLoaders(cuts * 2, async (i, loader, folder) => {
    const cut = Math.floor(i / 2) * step;
    const tolerant = i % 2 === 0;
    const size = lay(folder, filesOf(bytes.subarray(0, cut)));
    const settings = { dir: folder, appendonly: 'yes', 'aof-load-truncated': tolerant ? 'yes' : 'no' };
    const name = `cut at ${cut}, aof-load-truncated ${tolerant ? 'yes' : 'no'}`;
    const result = await judge.judge(name, cut, loader, { settings, ask: [['LRANGE', 'log', '0', '-1']] }, size);
    if (result === null) return;
    const expected = wholeBefore(all, cut);
    const clean = expected.end === cut;
    if (result.started !== (tolerant || clean)) judge.fail(`${name}: ${result.started ? 'loaded' : 'refused'}`);
    if (!result.started) return;
    if (String(result.replies[0]) !== String(expected.numbers)) judge.fail(`${name}: holds ${result.replies[0]}`);
    const left = statSync(join(folder, FILE)).size;
    if (left !== expected.end && left !== expected.before)
      judge.fail(`${name}: ${left} bytes are left instead of ${expected.end}`);
  });
  return judge.report;
}

/** Where the last whole unit ends, with and without the time that is noted after it, and what the list holds. */
function wholeBefore(all: readonly Unit[], cut: number): { end: number; before: number; numbers: number[] } {
  let end = 0;
  let before = 0;
  const numbers: number[] = [];
  for (const { text, numbers: own } of all) {
    if (end + text.length > cut) break;
    end += text.length;
    if (!text.startsWith('#')) before = end;
    numbers.push(...own);
  }
  return { end, before, numbers };
}
