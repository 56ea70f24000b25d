/**
 * How much memory scripts may take. Their values lie on V8's heap beside all else that the server keeps there; when V8
 * can't get more, it ends the process. So a script ends with an error well before that.
 *
 * Two bounds. LIMIT is for all bytes. FINE is for small objects only, those that lie outside of the spaces for large ones:
 * a collection takes about 0.3 ms of the main thread for each MB of them, and next to nothing for one long string.
 *
 * Both are beside what was on the heap when the server was made: where it is a guest in a process, that is its host's.
 *
 * Invariant: a look that finds room leaves at most LIMIT + SLACK in use beside what others had, garbage among it, and no more
 * than FULL inside of the heap; one that doesn't has collected just now, and the next one that doubts will again.
 */
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { collectGarbage } from '../../memory/collect.ts';

/** What scripts may fill of the heap; the rest is for what they take between two looks, and for the server. */
const SHARE = 0.6;
const MOST = 512 * 1024 * 1024;
const LIMIT = Math.min(MOST, getHeapStatistics().heap_size_limit * SHARE);
const FINE = LIMIT / 2;
/** What may be made anew after a collection before it is worth collecting again. */
const SLACK = 1 / 4;

/** Of V8's own limit, what all may fill inside of the heap together. */
const FULL = getHeapStatistics().heap_size_limit * 0.8;

/** What others fill, a host's data for one; and up to where garbage is put up with: each in all and among small objects. */
const state = { others: 0, fineOthers: 0, all: LIMIT, fine: FINE };

/** A server is made: its scripts will run beside what is on the heap now, which is not theirs. */
export function leaveToOthers(): void {
  const [others, fineOthers] = [heapUsed(), fineUsed()];
  state.all += others - state.others;
  state.fine += fineOthers - state.fineOthers;
  state.others = others;
  state.fineOthers = fineOthers;
}

/** Whether there is no room for so many bytes more: only a collection tells, which takes long and is the last resort. */
export function heapIsShort(bytes: number): boolean {
  if (bytes > LIMIT) return true;
  if (fits(bytes, state.all, state.fine)) return false;
  collectGarbage();
  const all = state.others + LIMIT;
  const fine = state.fineOthers + FINE;
  const short = !fits(bytes, all, fine);
  state.all = short ? all : Math.max(all, heapUsed() + LIMIT * SLACK);
  state.fine = short ? fine : Math.max(fine, fineUsed() + FINE * SLACK);
  return short;
}

function fits(bytes: number, all: number, fine: number): boolean {
  const { used_heap_size: inside, external_memory: outside } = getHeapStatistics();
  if (inside + outside + bytes > all || inside + bytes > FULL) return false;
  return inside + outside <= FINE || fineUsed() <= fine;
}

/** Bytes in use, those that nobody uses any more among them; long strings lie outside of the heap. */
export function heapUsed(): number {
  const { used_heap_size: inside, external_memory: outside } = getHeapStatistics();
  return inside + outside;
}

/** Those of small objects. */
function fineUsed(): number {
  let bytes = 0;
  for (const { space_name: name, space_used_size: used } of getHeapSpaceStatistics())
    if (!name.includes('large_object')) bytes += used;
  return bytes;
}
