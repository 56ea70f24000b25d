/**
 * How much memory scripts may take. Their values lie on V8's heap beside all else that the server keeps there; when V8
 * can't get more, it ends the process. So a script ends with an error well before that.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What scripts may fill of the heap; the rest is for what they take between two looks, and for the server. */
const SHARE = 0.6;
/** And no more than this: collecting garbage takes the longer, the more there is. */
const MOST = 512 * 1024 * 1024;

const LIMIT = Math.min(MOST, getHeapStatistics().heap_size_limit * SHARE);

/** `due` is the size from which it is worth collecting again. */
const collector: { collect: (() => void) | null; due: number } = { collect: null, due: 0 };

/** Frees what nobody uses any more: only then the heap's size says what is needed. Takes long, so it is the last resort. */
function collectGarbage(): void {
  if (collector.collect === null) {
    setFlagsFromString('--expose-gc');
    collector.collect = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
  }
  collector.collect();
}

/** Whether there is no room for so many bytes more. */
export function heapIsShort(bytes: number): boolean {
  const apparent = heapUsed() + bytes;
  if (apparent <= LIMIT || apparent <= collector.due) return false;
  collectGarbage();
  const used = heapUsed();
  collector.due = used + LIMIT / 4;
  return used + bytes > LIMIT;
}

/** Bytes in use, those that nobody uses any more among them; long strings lie outside of the heap. */
export function heapUsed(): number {
  const { used_heap_size: inside, external_memory: outside } = getHeapStatistics();
  return inside + outside;
}
