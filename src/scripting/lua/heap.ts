/**
 * How much memory scripts may take. Their values lie on V8's heap beside all else that the server keeps there; when V8
 * can't get more, it ends the process. So a script ends with an error well before that.
 */
import { getHeapStatistics } from 'node:v8';
import { collectGarbage } from '../../memory/collect.ts';

/** What scripts may fill of the heap; the rest is for what they take between two looks, and for the server. */
const SHARE = 0.6;
/** And no more than this: collecting garbage takes the longer, the more there is. */
const MOST = 512 * 1024 * 1024;

const LIMIT = Math.min(MOST, getHeapStatistics().heap_size_limit * SHARE);

/** `due` is the size from which it is worth collecting again. */
const state = { due: 0 };

/** Whether there is no room for so many bytes more: only a collection tells, which takes long and is the last resort. */
export function heapIsShort(bytes: number): boolean {
  const apparent = heapUsed() + bytes;
  if (apparent <= LIMIT || apparent <= state.due) return false;
  collectGarbage();
  const used = heapUsed();
  state.due = used + LIMIT / 4;
  return used + bytes > LIMIT;
}

/** Bytes in use, those that nobody uses any more among them; long strings lie outside of the heap. */
export function heapUsed(): number {
  const { used_heap_size: inside, external_memory: outside } = getHeapStatistics();
  return inside + outside;
}
