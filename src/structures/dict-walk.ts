/**
 * Going through a dict: the cursor over all entries, SCAN's cursor, random entries, statistics, verification.
 *
 * All but the random picks take a Reader and change nothing, so that they run over a frozen view as well.
 */
import { assert } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { entryKey } from './dict-entry.ts';
import {
  dictIsRehashing,
  dictLinkAt,
  dictMask,
  dictMovedBuckets,
  dictRehash,
  dictSize,
  dictTable,
  dictUsed,
  MIN_BUCKETS,
} from './dict-table.ts';
import { hashBytes } from './hash.ts';

const keyScratch = new Slice();
/** Buckets that a cursor looks ahead. */
const AHEAD = 32;
/** What hangs there. All cursors share it: an array of its own made up half of what MEMORY USAGE of a small hash took. */
const ahead = new Int32Array(AHEAD);
/** Masks of tables below this are of dicts that the caches hold anyway. */
const WORTHWHILE = 4096 - 1;

/**
 * Walks over all entries. The entry just returned may be removed and released; beyond that, whoever writes between two
 * steps holds a dictPauseRehash.
 */
export class DictCursor {
  private reader: Reader;
  private d: Addr = NULL;
  private second = false;
  private table: Addr = NULL;
  private mask = 0;
  private bucket = 0;
  private linkAt = 0;
  private following: Addr = NULL;

  constructor(reader: Reader) {
    this.reader = reader;
  }

  reset(reader: Reader, d: Addr): this {
    this.reader = reader;
    this.d = d;
    this.second = false;
    this.table = dictTable(reader, d, 0);
    this.mask = dictMask(reader, d, 0);
    this.bucket = 0;
    this.linkAt = dictLinkAt(reader, d);
    this.following = NULL;
    return this;
  }

  /** The next entry, null after the last. */
  next(): Addr {
    const r = this.reader;
    let e = this.following;
    while (e === NULL) {
      if (this.table === NULL || this.bucket > this.mask) {
        if (!this.turn()) return NULL;
      } else {
        if (this.bucket % AHEAD === 0 && this.mask >= WORTHWHILE) this.warm();
        e = r.addr(this.table, this.bucket++ << 2);
      }
    }
    this.following = r.addr(e, this.linkAt);
    return e;
  }

  /** Of the hash of the entry just returned: the bits that its table tells, and which they are. */
  get hash(): number {
    return this.bucket - 1;
  }

  get hashBits(): number {
    return this.mask;
  }

  /** Has what hangs in the next buckets brought near: the first entries, then those behind them. */
  private warm(): void {
    const { reader: r } = this;
    let count = 0;
    for (let i = this.bucket; i < this.bucket + AHEAD; i++) {
      const e = r.addr(this.table, i << 2);
      if (e !== NULL) ahead[count++] = e;
    }
    r.warm(ahead, count);
    if (this.linkAt !== 0) return;
    let chained = 0;
    for (let i = 0; i < count; i++) if (ahead[i] > 0) ahead[chained++] = ahead[i];
    r.warm(ahead, chained);
  }

  /** Goes on to the second table, if there is one. */
  private turn(): boolean {
    if (this.second) return false;
    this.second = true;
    if (!dictIsRehashing(this.reader, this.d)) return false;
    this.table = dictTable(this.reader, this.d, 1);
    this.mask = dictMask(this.reader, this.d, 1);
    this.bucket = 0;
    return true;
  }
}

/**
 * Visits the entries of one bucket (while rehashing: of it in the smaller table and of all that it becomes in the larger)
 * and returns the cursor to go on with, 0 when all is done. The cursor counts buckets with their bits reversed, so that
 * an entry that is there from the first call to the last is visited whatever resizing happens between calls; some are
 * visited twice. The visitor may remove the entry it is shown if rehashing is paused meanwhile, and must not insert.
 */
export function dictScan(r: Reader, d: Addr, cursor: number, visit: (entry: Addr) => void): number {
  const linkAt = dictLinkAt(r, d);
  return scanBuckets(r, d, cursor, (table, at) => visitChain(r, r.addr(table, at), linkAt, visit));
}

/**
 * The same for moving entries: `moved` is shown each and returns where its block is from then on, its link with it, for the
 * chain to lead there.
 */
export function dictRelocate(m: Memory, d: Addr, cursor: number, moved: (entry: Addr) => Addr): number {
  const linkAt = dictLinkAt(m, d);
  return scanBuckets(m, d, cursor, (table, bucket) => {
    let holder = table;
    let at = bucket;
    for (let e = m.addr(table, bucket); e !== NULL; e = m.addr(holder, at)) {
      const fresh = moved(e);
      if (fresh !== e) m.setU32(holder, at, fresh);
      holder = fresh;
      at = linkAt;
    }
  });
}

function scanBuckets(r: Reader, d: Addr, cursor: number, visit: (table: Addr, at: number) => void): number {
  if (dictSize(r, d) === 0) return 0;
  const table0 = dictTable(r, d, 0);
  const mask0 = dictMask(r, d, 0);
  let v = cursor | 0;
  if (!dictIsRehashing(r, d)) {
    visit(table0, (v & mask0) << 2);
    return nextCursor(v, mask0) >>> 0;
  }
  const table1 = dictTable(r, d, 1);
  const mask1 = dictMask(r, d, 1);
  const smaller = mask0 <= mask1 ? table0 : table1;
  const larger = mask0 <= mask1 ? table1 : table0;
  const low = mask0 <= mask1 ? mask0 : mask1;
  const high = mask0 <= mask1 ? mask1 : mask0;
  visit(smaller, (v & low) << 2);
  do {
    visit(larger, (v & high) << 2);
    v = nextCursor(v, high);
  } while ((v & (low ^ high)) !== 0);
  return v >>> 0;
}

/** Buckets that a sweep goes through at a time. */
export const SWEPT_BUCKETS = 32;
const SWEPT_CHAINS = new Int32Array(2 * SWEPT_BUCKETS);
const SWEPT_NEXT = new Int32Array(2 * SWEPT_BUCKETS);

/**
 * Visits the entries of the next buckets from `bucket` on, of both tables while rehashing, and returns the bucket to go on
 * with, 0 after the last. Buckets come in the order in which they lie and what hangs in them is fetched all at a time, which
 * takes a fraction of dictScan's time; what a resize moves meanwhile may be met by the next sweep only. The visitor changes
 * nothing.
 */
export function dictSweep(r: Reader, d: Addr, bucket: number, visit: (entry: Addr) => void): number {
  if (dictSize(r, d) === 0) return 0;
  const linkAt = dictLinkAt(r, d);
  const buckets0 = dictMask(r, d, 0) + 1;
  const buckets1 = dictIsRehashing(r, d) ? dictMask(r, d, 1) + 1 : 0;
  const buckets = buckets0 > buckets1 ? buckets0 : buckets1;
  const from = bucket < buckets ? bucket : 0;
  let count = 0;
  for (let i = from; i < from + SWEPT_BUCKETS; i++) {
    if (i < buckets0) count = addChain(r.addr(dictTable(r, d, 0), i << 2), count);
    if (i < buckets1) count = addChain(r.addr(dictTable(r, d, 1), i << 2), count);
  }
  SWEPT_NEXT.set(SWEPT_CHAINS);
  r.warm(SWEPT_NEXT, count);
  for (let i = 0; i < count; i++) SWEPT_NEXT[i] = r.addr(SWEPT_CHAINS[i] as Addr, linkAt);
  r.warm(SWEPT_NEXT, count);
  for (let i = 0; i < count; i++) visitChain(r, SWEPT_CHAINS[i] as Addr, linkAt, visit);
  return from + SWEPT_BUCKETS < buckets ? from + SWEPT_BUCKETS : 0;
}

function addChain(first: Addr, count: number): number {
  SWEPT_CHAINS[count] = first;
  return count + oneUnlessNull(first);
}

function visitChain(r: Reader, first: Addr, linkAt: number, visit: (entry: Addr) => void): void {
  let e = first;
  while (e !== NULL) {
    const next = r.addr(e, linkAt);
    visit(e);
    e = next;
  }
}

/** Adds one to the bits under `mask`, counted from the highest down. */
function nextCursor(v: number, mask: number): number {
  return reverseBits(reverseBits(v | ~mask) + 1);
}

function reverseBits(v: number): number {
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return (v >>> 16) | (v << 16);
}

// Random entries.

/** Buckets that a sample goes through at a time, and what hangs in them in both tables. */
const AT_A_TIME = 128;
const CHAINS = new Int32Array(2 * AT_A_TIME);

/** Counts without a branch: one that hangs on what is fetched from afar, guessed wrongly, holds up all further fetches. */
function oneUnlessNull(e: Addr): number {
  return (e | (0 - e)) >>> 31;
}

/** A random entry: a random bucket that is not empty, then one of its chain. Null when the dict is empty. */
export function dictRandom(m: Memory, d: Addr, random: Random): Addr {
  if (dictSize(m, d) === 0) return NULL;
  dictRehash(m, d, 1);
  return oneOfChain(m, d, takenBucket(m, d, random), random);
}

/**
 * Writes `count` picks of `dictRandom` into `out` from its start and returns how many: none of an empty dict. Buckets and
 * entries are fetched all at a time; some may be the same.
 */
export function dictRandoms(m: Memory, d: Addr, count: number, random: Random, out: Addr[]): number {
  if (dictSize(m, d) === 0) return 0;
  dictRehash(m, d, 1);
  for (let taken = 0; taken < count; ) {
    const found = takenBuckets(m, d, Math.min(2 * (count - taken), CHAINS.length), random);
    for (let i = 0; i < found && taken < count; i++) out[taken++] = CHAINS[i] as Addr;
  }
  // These loads don't wait for each other, as walks through chains would: the firsts, which begin with their links as a
  // rule, and what comes after them.
  for (let from = 0; from < count; from += CHAINS.length) {
    const size = Math.min(count - from, CHAINS.length);
    for (let i = 0; i < size; i++) CHAINS[i] = out[from + i];
    m.warm(CHAINS, size);
    m.warm(CHAINS, size);
  }
  for (let i = 0; i < count; i++) out[i] = oneOfChain(m, d, out[i], random);
  return count;
}

/** Draws so many random buckets and puts the firsts of those that are not empty into CHAINS; how many there are. */
function takenBuckets(r: Reader, d: Addr, draws: number, random: Random): number {
  let count = 0;
  for (let i = 0; i < draws; i++) {
    const first = randomBucket(r, d, random);
    CHAINS[count] = first;
    count += oneUnlessNull(first);
  }
  return count;
}

/** First of the chain of a random bucket that is not empty. */
function takenBucket(m: Memory, d: Addr, random: Random): Addr {
  for (;;) {
    const first = randomBucket(m, d, random);
    if (first !== NULL) return first;
  }
}

function oneOfChain(r: Reader, d: Addr, first: Addr, random: Random): Addr {
  const linkAt = dictLinkAt(r, d);
  let length = 0;
  for (let e = first; e !== NULL; e = r.addr(e, linkAt)) length++;
  let e = first;
  for (let skip = length > 1 ? random.below(length) : 0; skip > 0; skip--) e = r.addr(e, linkAt);
  return e;
}

/** First of the chain of a random bucket of those that may hold something. */
function randomBucket(r: Reader, d: Addr, random: Random): Addr {
  const buckets0 = dictMask(r, d, 0) + 1;
  const moved = dictMovedBuckets(r, d);
  if (moved < 0) return r.addr(dictTable(r, d, 0), random.below(buckets0) << 2);
  const bucket = moved + random.below(buckets0 + dictMask(r, d, 1) + 1 - moved);
  return bucket < buckets0
    ? r.addr(dictTable(r, d, 0), bucket << 2)
    : r.addr(dictTable(r, d, 1), (bucket - buckets0) << 2);
}

/** Places that a fair pick gives every bucket, a power of two: a longer chain is next to never met. */
const PLACES = 4;
/** Draws for one pick, after which a dict is too sparse for fair picking. */
const DRAWS = 1024;
/** Draws at a time: for one pick, and at most. */
const FEWEST_DRAWS = 8;
const MOST_DRAWS = 2 * AT_A_TIME;
const PLACED = new Uint8Array(MOST_DRAWS);
/** Entries that are sampled then. */
const SAMPLE = 15;
const sample: Addr[] = new Array<Addr>(SAMPLE).fill(NULL);
const single: Addr[] = [NULL];

/**
 * A random entry, each as likely as the others: a random place of a random bucket is drawn until one is taken. (Entries of
 * a chain longer than PLACES share the odds of that many.) Null when the dict is empty.
 */
export function dictFairRandom(m: Memory, d: Addr, random: Random): Addr {
  return dictFairRandoms(m, d, 1, random, single) === 0 ? NULL : single[0];
}

/**
 * Writes `count` picks of `dictFairRandom` into `out` from its start and returns how many: none of an empty dict. Some may
 * be the same. Several are drawn at a time, so that buckets, and then entries, are fetched at once.
 */
export function dictFairRandoms(m: Memory, d: Addr, count: number, random: Random, out: Addr[]): number {
  if (dictSize(m, d) === 0) return 0;
  if (dictIsRehashing(m, d)) dictRehash(m, d, 1);
  const linkAt = dictLinkAt(m, d);
  let taken = 0;
  for (let draws = 0; taken < count && draws < DRAWS; draws++) {
    const before = taken;
    const wanted = (count - taken) * FEWEST_DRAWS;
    const found = drawPlaces(m, d, wanted < MOST_DRAWS ? wanted : MOST_DRAWS, random);
    for (let i = 0; i < found && taken < count; i++) {
      const e = atPlace(m, CHAINS[i] as Addr, linkAt, PLACED[i], random);
      if (e !== NULL) out[taken++] = e;
    }
    if (taken > before) draws = 0;
  }
  while (taken < count) {
    const some = dictSome(m, d, SAMPLE, random, sample);
    out[taken++] = some > 0 ? sample[random.below(some)] : dictRandom(m, d, random);
  }
  return count;
}

/** Draws so many random places: CHAINS and PLACED have those whose bucket is not empty, whose firsts are fetched. */
function drawPlaces(m: Memory, d: Addr, draws: number, random: Random): number {
  const table = dictTable(m, d, 0);
  const mask = dictMask(m, d, 0);
  const whole = !dictIsRehashing(m, d);
  let count = 0;
  for (let i = 0; i < draws; i++) {
    // A table has at most 2^28 buckets: the highest bits are there for the place.
    const bits = random.bits32();
    const first = whole ? m.addr(table, (bits & mask) << 2) : randomBucket(m, d, random);
    CHAINS[count] = first;
    PLACED[count] = bits >>> 30;
    count += oneUnlessNull(first);
  }
  // These loads don't wait for each other, as walks through chains would.
  let sum = 0;
  for (let i = 0; i < count; i++) sum ^= m.u32(CHAINS[i] as Addr, 0);
  m.warmth = sum;
  return count;
}

/** The entry at a place of a chain, null where the chain ends before it; of a long chain any. */
function atPlace(r: Reader, first: Addr, linkAt: number, place: number, random: Random): Addr {
  let length = 0;
  let found: Addr = NULL;
  for (let e = first; e !== NULL; e = r.addr(e, linkAt)) if (length++ === place) found = e;
  if (length <= PLACES) return found;
  found = first;
  for (let skip = random.below(length); skip > 0; skip--) found = r.addr(found, linkAt);
  return found;
}

/** Share of what is wanted that is enough: for the rest, memory would be waited for once more. */
const ENOUGH = 0.75;

/**
 * Writes up to `count` entries into `out` from its start and returns how many, each once: whole chains from a random bucket
 * onwards, and from another one where buckets are empty for long. May return fewer than asked for and than there are.
 */
export function dictSome(m: Memory, d: Addr, count: number, random: Random, out: Addr[]): number {
  const size = dictSize(m, d);
  const wanted = count < size ? count : size;
  if (wanted === 0) return 0;
  dictRehash(m, d, 1);
  const mask0 = dictMask(m, d, 0);
  const mask1 = dictMask(m, d, 1);
  const mask = mask0 > mask1 ? mask0 : mask1;
  const moved = dictMovedBuckets(m, d);
  let bucket = random.below(mask + 1);
  let fresh = mask + 1;
  let empty = 0;
  let seen = 0;
  let jumped = false;
  for (let steps = wanted * 10; steps > 0 && seen < wanted * ENOUGH && fresh > 0; ) {
    // Where the second table is the smaller one, there is nothing in the moved buckets beyond it.
    const skipped = bucket < moved && bucket > mask1 ? moved - bucket : 0;
    fresh -= skipped;
    // As many buckets as hold what is missing.
    const expected = Math.ceil(((wanted - seen) * (mask + 1)) / size);
    const buckets = Math.min(expected, AT_A_TIME, fresh);
    const chains = firstsOf(m, d, bucket + skipped, buckets, mask);
    seen = takeChains(m, dictLinkAt(m, d), chains, random, out, seen, wanted);
    steps -= buckets;
    fresh -= buckets;
    empty = chains === 0 ? empty + buckets : 0;
    bucket = (bucket + skipped + buckets) & mask;
    if (empty < 5 || empty <= wanted) continue;
    bucket = random.below(mask + 1);
    fresh = mask + 1;
    empty = 0;
    jumped = true;
  }
  const found = seen < wanted ? seen : wanted;
  // A second walk may have come across the first one's buckets.
  return jumped ? keepFirsts(out, found) : found;
}

/** Puts the first entries of some buckets, of both tables while rehashing, into CHAINS; how many there are. */
function firstsOf(r: Reader, d: Addr, from: number, buckets: number, mask: number): number {
  const first = firstsIn(r, dictTable(r, d, 0), dictMask(r, d, 0), from, buckets, mask, 0);
  return dictIsRehashing(r, d) ? firstsIn(r, dictTable(r, d, 1), dictMask(r, d, 1), from, buckets, mask, first) : first;
}

/** The same of the table at `table`, from place `chains` of CHAINS on. `mask` is the larger table's. */
function firstsIn(
  r: Reader,
  table: Addr,
  own: number,
  from: number,
  buckets: number,
  mask: number,
  chains: number,
): number {
  let count = chains;
  for (let i = 0; i < buckets; i++) {
    const bucket = (from + i) & mask;
    if (bucket > own) continue;
    const e = r.addr(table, bucket << 2);
    CHAINS[count] = e;
    count += oneUnlessNull(e);
  }
  return count;
}

/**
 * Adds the chains in CHAINS to the sample in `out`, of which `seen` entries were looked at. Once it is full, the rest is
 * still gone through, each entry taking a random place with the due odds (reservoir sampling): or the ends of long chains
 * would never be picked. First come all firsts, then those behind them: the processor fetches all of a kind at a time.
 */
function takeChains(
  r: Reader,
  linkAt: number,
  chains: number,
  random: Random,
  out: Addr[],
  seen: number,
  wanted: number,
): number {
  for (let left = chains; left > 0; ) {
    for (let i = 0; i < left; i++) {
      const place = seen < wanted ? seen : random.below(seen + 1);
      if (place < wanted) out[place] = CHAINS[i] as Addr;
      seen++;
    }
    let longer = 0;
    for (let i = 0; i < left; i++) {
      const next = r.addr(CHAINS[i] as Addr, linkAt);
      CHAINS[longer] = next;
      longer += oneUnlessNull(next);
    }
    left = longer;
  }
  return seen;
}

/** Drops what stands twice among the first `count`; how many are left. */
function keepFirsts(out: Addr[], count: number): number {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    let at = 0;
    while (at < kept && out[at] !== out[i]) at++;
    if (at === kept) out[kept++] = out[i];
  }
  return kept;
}

// Looking from outside.

/** Counts the buckets of table 0 or 1 by the length of their chain, into `lengths`. */
function countChains(r: Reader, d: Addr, which: 0 | 1, lengths: number[]): void {
  const table = dictTable(r, d, which);
  const linkAt = dictLinkAt(r, d);
  if (table === NULL) return;
  const mask = dictMask(r, d, which);
  for (let bucket = 0; bucket <= mask; bucket++) {
    let length = 0;
    for (let e = r.addr(table, bucket << 2); e !== NULL; e = r.addr(e, linkAt)) length++;
    while (lengths.length <= length) lengths.push(0);
    lengths[length]++;
  }
}

/** The text of DEBUG HTSTATS for one dict. */
export function dictStats(r: Reader, d: Addr): string {
  return dictsStats(r, [d]);
}

/** The same for dicts taken as one. */
export function dictsStats(r: Reader, dicts: readonly Addr[]): string {
  const first = tableStats(r, dicts, 0);
  const rehashing = dicts.filter((d) => dictIsRehashing(r, d));
  return rehashing.length > 0 ? first + tableStats(r, rehashing, 1) : first;
}

function tableStats(r: Reader, dicts: readonly Addr[], which: 0 | 1): string {
  let used = 0;
  let buckets = 0;
  const lengths: number[] = [];
  for (const d of dicts) {
    used += dictUsed(r, d, which);
    buckets += dictMask(r, d, which) + 1;
    countChains(r, d, which, lengths);
  }
  const title = `Hash table ${which} stats (${which === 0 ? 'main hash table' : 'rehashing target'}):\n`;
  if (used === 0) return `${title}No stats available for empty dictionaries\n`;
  const slots = buckets - (lengths[0] ?? 0);
  const lines = [
    ` table size: ${buckets}`,
    ` number of elements: ${used}`,
    ` different slots: ${slots}`,
    ` max chain length: ${lengths.length - 1}`,
    ` avg chain length (counted): ${(used / slots).toFixed(2)}`,
    ` avg chain length (computed): ${(used / slots).toFixed(2)}`,
    ' Chain length distribution:',
  ];
  lengths.forEach((count, length) => {
    if (count > 0) lines.push(`   ${length}: ${count} (${((count / buckets) * 100).toFixed(2)}%)`);
  });
  return `${title}${lines.join('\n')}\n`;
}

/** Asserts the invariants of the header comment, hashing every key. */
export function dictVerify(r: Reader, d: Addr, seed: Uint32Array): void {
  const rehashing = dictIsRehashing(r, d);
  assert(!rehashing || dictTable(r, d, 1) !== NULL, 'dict: a second table while rehashing');
  const keys = new Set<string>();
  verifyTable(r, d, seed, 0, keys);
  if (rehashing) verifyTable(r, d, seed, 1, keys);
  else assert(dictUsed(r, d, 1) === 0, 'dict: nothing in a second table before rehashing');
}

function verifyTable(r: Reader, d: Addr, seed: Uint32Array, which: 0 | 1, keys: Set<string>): void {
  const table = dictTable(r, d, which);
  const mask = dictMask(r, d, which);
  const used = dictUsed(r, d, which);
  const moved = which === 0 ? dictMovedBuckets(r, d) : 0;
  if (table === NULL) {
    assert(mask === 0 && used === 0, 'dict: a table that is not there holds nothing');
    return;
  }
  assert(mask + 1 >= MIN_BUCKETS && (mask & (mask + 1)) === 0, 'dict: a power of two of buckets');
  let count = 0;
  for (let bucket = 0; bucket <= mask; bucket++) {
    for (let e = r.addr(table, bucket << 2); e !== NULL; e = r.addr(e, dictLinkAt(r, d))) {
      assert(bucket >= moved, 'dict: moved buckets are empty');
      const key = entryKey(r, e, keyScratch);
      assert((hashBytes(seed, key) & mask) === bucket, 'dict: an entry lies in the bucket of its hash');
      const text = key.latin1();
      assert(!keys.has(text), 'dict: no key is there twice');
      keys.add(text);
      count++;
    }
  }
  assert(count === used, 'dict: used counts the entries');
}
