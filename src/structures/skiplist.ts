/**
 * A skip list in the image: scored members in order, with ranks.
 *
 * A node is one block and an entry of the owner's dict at the same time, so a member is stored once:
 *
 *   0 next u32 (dict chain) | 4 keyAt u8 | 5 level u8 | 6 pad u16 | 8 score f64 | 16 backward u32
 *   20 tower: level x (forward u32, span u32) | keyAt: the member as a dict key field
 *
 *   00 00 00 00  1c 01 00 00  00 00 00 00 00 00 f0 3f  00 00 00 00  00 00 00 00  00 00 00 00  02 'h' 'i'
 *   the only node of a list: level 1, score 1, no neighbours, span 0, member "hi" at 0x1c
 *
 * The list's root has the same tower, so that a descent begins in it as in any node:
 *
 *   0 owner u32 (free for the owner: its dict) | 4 keyAt 0 | 5 level u8 (highest in use) | 6 pad u16
 *   8 length u32 | 12 dice u32 (state of the level generator) | 16 tail u32 | 20 tower: 16 x (forward, span)
 *
 * A span counts the steps along the lowest level that a link jumps; a link to nowhere spans to the end. Sixteen
 * levels with p = 1/4 serve 2^32 nodes, more than the image has granules.
 *
 * Invariants (slVerify):
 *   - nodes ascend by (score, member as memcmp); no two are equal; no score is NaN;
 *   - every link at every level skips exactly `span` nodes, and towers never rise above the root's level;
 *   - backward links mirror the lowest level, the first node's is 0, the tail is the last node.
 *
 * Search, insert, delete, rank and by-rank are O(log n), next, previous and append O(1).
 */
import { assert } from '../base/assert.ts';
import { compareBytes, Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { layout } from '../memory/layout.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { entryKey, keyFieldSize, writeKeyField } from './dict.ts';

const Node = layout({ next: 'u32', keyAt: 'u8', level: 'u8', pad: 'u16', score: 'f64', backward: 'u32' });
const Root = layout({ owner: 'u32', keyAt: 'u8', level: 'u8', pad: 'u16', length: 'u32', dice: 'u32', tail: 'u32' });
const TOWER = Node.size;
/** A level of a tower takes eight bytes: the link and, behind it, its span. */
const FORWARD = TOWER;
const SPAN = TOWER + 4;
const MAX_LEVEL = 16;

assert(Node.size === 20 && Root.size === Node.size, 'the root and the nodes share the place of their towers');
assert(Node.backward === Root.tail, "the root's tail lies where a node's backward link does");
assert(TOWER + MAX_LEVEL * 8 < 256, 'keyAt fits a byte');

const key = new Slice();
const other = new Slice();

/** An empty list. */
export function slNew(m: Memory): Addr {
  const sl = m.allocateZeroed(TOWER + MAX_LEVEL * 8);
  m.setU8(sl, Root.level, 1);
  m.setU32(sl, Root.dice, (m.seed[0] ^ Math.imul(sl, 0x9e3779b1)) >>> 0 || 1);
  return sl;
}

/** The word that the root keeps for its owner: a zset's dict. */
export function slOwner(r: Reader, sl: Addr): Addr {
  return r.addr(sl, Root.owner);
}

export function slSetOwner(m: Memory, sl: Addr, owner: Addr): void {
  m.setAddr(sl, Root.owner, owner);
}

export function slLength(r: Reader, sl: Addr): number {
  return r.u32(sl, Root.length);
}

export function slFirst(r: Reader, sl: Addr): Addr {
  return r.addr(sl, FORWARD);
}

export function slLast(r: Reader, sl: Addr): Addr {
  return r.addr(sl, Root.tail);
}

/** The node after `node`, or 0; after the root, the first. */
export function slNext(r: Reader, node: Addr): Addr {
  return r.addr(node, FORWARD);
}

export function slPrev(r: Reader, node: Addr): Addr {
  return r.addr(node, Node.backward);
}

export function slScore(r: Reader, node: Addr): number {
  return r.f64(node, Node.score);
}

export function slMember(r: Reader, node: Addr, into: Slice): Slice {
  return entryKey(r, node, into);
}

/** Adds a member that the list doesn't hold yet and returns its node; the caller enters it in the dict. */
export function slInsert(m: Memory, sl: Addr, score: number, member: Slice): Addr {
  const node = newNode(m, sl, score, member);
  descend(m, sl, score, member);
  link(m, sl, node);
  return node;
}

function newNode(m: Memory, sl: Addr, score: number, member: Slice): Addr {
  const level = throwLevel(m, sl);
  const keyAt = TOWER + level * 8;
  const node = m.allocate(keyAt + keyFieldSize(member.length));
  m.setU32(node, Node.next, 0);
  m.setU8(node, Node.keyAt, keyAt);
  m.setU8(node, Node.level, level);
  m.setU16(node, Node.pad, 0);
  m.setF64(node, Node.score, score);
  writeKeyField(m, node, keyAt, member);
  return node;
}

/** Takes `node` out of the list; the caller releases its block. */
export function slRemove(m: Memory, sl: Addr, node: Addr): void {
  descend(m, sl, m.f64(node, Node.score), entryKey(m, node, other));
  unlink(m, sl, node, place);
}

/** Gives `node` another score. The block stays, so the dict's links to it hold. */
export function slUpdate(m: Memory, sl: Addr, node: Addr, score: number): void {
  const member = entryKey(m, node, other);
  const before = m.addr(node, Node.backward);
  const after = m.addr(node, FORWARD);
  if (
    (before === NULL || precedes(m, before, score, member)) &&
    (after === NULL || !precedes(m, after, score, member))
  ) {
    m.setF64(node, Node.score, score);
    return;
  }
  leaving.begin(m, sl, m.f64(node, Node.score));
  place.begin(m, sl, score);
  for (let leads = true, comes = true; leads || comes; ) {
    if (leads) leads = leaving.step(m, member);
    if (comes) comes = place.step(m, member);
  }
  place.without(node, leaving);
  unlink(m, sl, node, leaving);
  m.setF64(node, Node.score, score);
  link(m, sl, node);
}

/** Moves a node's block where memory wants that (Memory.moved); returns where it is. The dict's link to it is the caller's. */
export function slMoved(m: Memory, sl: Addr, node: Addr): Addr {
  if (!m.allocator.isLeaving(node)) return node;
  descend(m, sl, m.f64(node, Node.score), entryKey(m, node, other));
  const fresh = m.moved(node);
  for (let i = m.u8(fresh, Node.level) - 1; i >= 0; i--) m.setU32(place.path[i] as Addr, FORWARD + i * 8, fresh);
  const after = m.addr(fresh, FORWARD);
  m.setU32(after === NULL ? sl : after, Node.backward, fresh);
  return fresh;
}

/** How many nodes stand before `node`. */
export function slRank(r: Reader, sl: Addr, node: Addr): number {
  return descend(r, sl, r.f64(node, Node.score), entryKey(r, node, other));
}

/** The node that `rank` others stand before, or 0. */
export function slByRank(r: Reader, sl: Addr, rank: number): Addr {
  if (rank < 0 || rank >= r.u32(sl, Root.length)) return NULL;
  return r.addr(descendTo(r, sl, rank), FORWARD);
}

/** How many nodes have a score under `score`, or under or equal to it when `through`. */
export function slCountToScore(r: Reader, sl: Addr, score: number, through: boolean): number {
  let x = sl;
  let rank = 0;
  for (let i = r.u8(sl, Root.level) - 1; i >= 0; i--) {
    const at = FORWARD + i * 8;
    let next = r.addr(x, at);
    while (next !== NULL) {
      const there = r.f64(next, Node.score);
      if (there > score || (there === score && !through)) break;
      rank += r.u32(x, at + 4);
      x = next;
      next = r.addr(x, at);
    }
  }
  return rank;
}

/** The first node with a score above `score`, or of that score unless `exclusive`; 0 when there is none. */
export function slFirstFrom(r: Reader, sl: Addr, score: number, exclusive: boolean): Addr {
  let x = sl;
  let beyond: Addr = NULL;
  for (let i = r.u8(sl, Root.level) - 1; i >= 0; i--) {
    const at = FORWARD + i * 8;
    let next = r.addr(x, at);
    // The node that the level above stopped at needs no second look.
    while (next !== beyond) {
      const there = r.f64(next, Node.score);
      if (there > score || (there === score && !exclusive)) break;
      x = next;
      next = r.addr(x, at);
    }
    beyond = next;
  }
  return beyond;
}

/** How many nodes have a member before `member`, or before or equal to it when `through`, in a list of equal scores. */
export function slCountToMember(r: Reader, sl: Addr, member: Slice, through: boolean): number {
  let x = sl;
  let rank = 0;
  for (let i = r.u8(sl, Root.level) - 1; i >= 0; i--) {
    const at = FORWARD + i * 8;
    let next = r.addr(x, at);
    while (next !== NULL) {
      const order = compareBytes(entryKey(r, next, key), member);
      if (order > 0 || (order === 0 && !through)) break;
      rank += r.u32(x, at + 4);
      x = next;
      next = r.addr(x, at);
    }
  }
  return rank;
}

/**
 * Makes ready to take nodes out from `rank` on; `slCut` then takes the next one out and returns it, 0 at the end. Nothing
 * else may search or change a skip list in between.
 */
export function slBeginCut(r: Reader, sl: Addr, rank: number): void {
  descendTo(r, sl, rank);
}

export function slCut(m: Memory, sl: Addr): Addr {
  const node = m.addr(place.path[0] as Addr, FORWARD);
  if (node !== NULL) unlink(m, sl, node, place);
  return node;
}

/**
 * Releases up to `budget` nodes from the front, for a list that is going away: towers and spans are left stale. When
 * all are gone the root goes too, and the answer is true.
 */
export function slFreeSome(m: Memory, sl: Addr, budget: number): boolean {
  let node = m.addr(sl, FORWARD);
  while (node !== NULL) {
    if (budget-- <= 0) {
      m.setAddr(sl, FORWARD, node);
      return false;
    }
    const next = m.addr(node, FORWARD);
    m.release(node);
    node = next;
  }
  m.release(sl);
  return true;
}

// A list that is made at once begins as a chain, its nodes linked on the lowest level alone and in any order.

/** Adds a node to the chain in an empty list, behind `last`: the chain's last node, or the root. */
export function slChain(m: Memory, sl: Addr, last: Addr, score: number, member: Slice): Addr {
  const node = newNode(m, sl, score, member);
  m.setAddr(node, FORWARD, NULL);
  m.setAddr(last, FORWARD, node);
  return node;
}

/** Gives a node of a chain another score. */
export function slRescore(m: Memory, node: Addr, score: number): void {
  m.setF64(node, Node.score, score);
}

/**
 * Sorts the chain. Runs that ascend already are merged with others of about their length: what comes from one sorted set
 * is looked at once.
 */
export function slSortChain(m: Memory, sl: Addr): void {
  // Of index i: 2^i runs merged, or null.
  const merged: Addr[] = [];
  for (let run = m.addr(sl, FORWARD); run !== NULL; ) {
    const rest = cutRun(m, run);
    let i = 0;
    for (; i < merged.length && merged[i] !== NULL; i++) {
      run = merge(m, merged[i], run);
      merged[i] = NULL;
    }
    merged[i] = run;
    run = rest;
  }
  m.setAddr(
    sl,
    FORWARD,
    merged.reduce((all, run) => merge(m, run, all), NULL),
  );
}

/** Ends the chain behind the run that it begins with, and returns what followed. */
function cutRun(m: Memory, first: Addr): Addr {
  let last = first;
  let next = m.addr(last, FORWARD);
  for (; next !== NULL && !stands(m, next, last); next = m.addr(last, FORWARD)) last = next;
  m.setAddr(last, FORWARD, NULL);
  return next;
}

function merge(m: Memory, a: Addr, b: Addr): Addr {
  if (a === NULL) return b;
  if (b === NULL) return a;
  if (stands(m, b, a)) [a, b] = [b, a];
  const first = a;
  let waiting = m.f64(b, Node.score);
  // What is merged ends with `last`, `a` follows it and `b` waits for its turn.
  let last = a;
  for (a = m.addr(last, FORWARD); a !== NULL; a = m.addr(last, FORWARD)) {
    const score = m.f64(a, Node.score);
    if (score < waiting || (score === waiting && !stands(m, b, a))) last = a;
    else {
      m.setAddr(last, FORWARD, b);
      last = b;
      b = a;
      waiting = score;
    }
  }
  m.setAddr(last, FORWARD, b);
  return first;
}

/** Whether node `a` stands before node `b`. */
function stands(r: Reader, a: Addr, b: Addr): boolean {
  const score = r.f64(b, Node.score);
  const there = r.f64(a, Node.score);
  return there < score || (there === score && compareBytes(entryKey(r, a, key), entryKey(r, b, other)) < 0);
}

/**
 * Takes the sorted chain out of the list, which is empty then, and returns its first node. `slAppend` puts the nodes back in as
 * those of a list, one after another; nothing else may search or change a skip list in between.
 */
export function slUnchain(m: Memory, sl: Addr): Addr {
  const first = m.addr(sl, FORWARD);
  m.setAddr(sl, FORWARD, NULL);
  place.path.fill(sl);
  place.ranks.fill(0);
  return first;
}

/** Puts in a node that stands after all others. */
export function slAppend(m: Memory, sl: Addr, node: Addr): void {
  link(m, sl, node);
  const { path, ranks } = place;
  const rank = ranks[0] + 1;
  for (let i = m.u8(node, Node.level) - 1; i >= 0; i--) {
    path[i] = node;
    ranks[i] = rank;
  }
}

/** Checks the invariants of the header. */
export function slVerify(r: Reader, sl: Addr): void {
  const length = r.u32(sl, Root.length);
  const level = r.u8(sl, Root.level);
  assert(level >= 1 && level <= MAX_LEVEL, 'the root has a level');
  const rankOf = new Map<number, number>();
  let last = NULL;
  for (let node = slFirst(r, sl); node !== NULL; node = slNext(r, node)) {
    const score = r.f64(node, Node.score);
    assert(!Number.isNaN(score), 'no score is NaN');
    assert(r.u8(node, Node.keyAt) === TOWER + r.u8(node, Node.level) * 8, 'the member follows the tower');
    assert(r.u8(node, Node.level) <= level, 'no tower rises above the root');
    assert(r.addr(node, Node.backward) === last, 'backward links mirror the lowest level');
    if (last !== NULL) assert(precedes(r, last, score, entryKey(r, node, other)), 'nodes ascend');
    rankOf.set(node, rankOf.size + 1);
    assert(rankOf.size <= length, 'the list ends');
    last = node;
  }
  assert(rankOf.size === length, 'the length is the number of nodes');
  assert(r.addr(sl, Root.tail) === last, 'the tail is the last node');
  for (let i = 0; i < level; i++) {
    let rank = 0;
    for (let x = sl; ; ) {
      const next = r.addr(x, FORWARD + i * 8);
      const reached = next === NULL ? length : (rankOf.get(next) ?? Number.NaN);
      assert(r.u32(x, SPAN + i * 8) === reached - rank, 'a span counts the steps of its link');
      if (next === NULL) break;
      rank = reached;
      x = next;
    }
  }
}

/** A level of 1 or more, each further one with a chance of 1 in 4 (xorshift32; its state is the root's). */
function throwLevel(m: Memory, sl: Addr): number {
  let dice = m.u32(sl, Root.dice);
  dice ^= dice << 13;
  dice ^= dice >>> 17;
  dice ^= dice << 5;
  m.setU32(sl, Root.dice, dice >>> 0);
  const zeros = 31 - Math.clz32(dice & -dice);
  return 1 + (zeros >> 1);
}

/** Whether `node` stands before (score, member). */
function precedes(r: Reader, node: Addr, score: number, member: Slice): boolean {
  const there = r.f64(node, Node.score);
  return there < score || (there === score && compareBytes(entryKey(r, node, key), member) < 0);
}

/**
 * A search for the place of (score, member). A step is short and mostly waits for the memory of one node, so that two
 * searches whose steps are taken in turn wait at the same time.
 *
 * Members of one application begin alike. What the member shares with both of the nodes that bound its place so far, it
 * shares with every node between them, so those bytes are not compared again.
 */
class Descent {
  /** On each level the node before the place, and that node's rank counted from 1 (root 0). */
  readonly path = new Int32Array(MAX_LEVEL);
  readonly ranks = new Float64Array(MAX_LEVEL);
  private score = 0;
  /** The tower's level that it is at, the node reached there and that node's rank. */
  private level = 0;
  private x: Addr = NULL;
  private rank = 0;
  private next: Addr = NULL;
  /** The node that the level above stopped at, which needs no second look. */
  private beyond: Addr = NULL;
  private sharedBefore = 0;
  private sharedBeyond = 0;

  begin(r: Reader, sl: Addr, score: number): void {
    this.score = score;
    this.level = r.u8(sl, Root.level) - 1;
    this.x = sl;
    this.rank = 0;
    this.next = r.addr(sl, FORWARD + this.level * 8);
    this.beyond = NULL;
    this.sharedBefore = 0;
    this.sharedBeyond = 0;
  }

  /** One node ahead or one level down; false when the lowest level has been left. */
  step(r: Reader, member: Slice): boolean {
    const { level, next } = this;
    const at = FORWARD + level * 8;
    if (next !== this.beyond && this.passes(r, next, member)) {
      this.rank += r.u32(this.x, at + 4);
      this.x = next;
      this.next = r.addr(next, at);
      return true;
    }
    this.path[level] = this.x;
    this.ranks[level] = this.rank;
    this.beyond = next;
    if (level === 0) return false;
    this.level = level - 1;
    this.next = r.addr(this.x, at - 8);
    return true;
  }

  /** The way as it is without `node`, to which `there` leads. What is told of levels above the list's is not read. */
  without(node: Addr, there: Descent): void {
    const rank = there.ranks[0] + 1;
    for (let i = 0; i < MAX_LEVEL; i++) {
      if (this.path[i] === node) {
        this.path[i] = there.path[i];
        this.ranks[i] = there.ranks[i];
      } else if (this.ranks[i] > rank) this.ranks[i]--;
    }
  }

  private passes(r: Reader, next: Addr, member: Slice): boolean {
    const there = r.f64(next, Node.score);
    if (there !== this.score) {
      const passes = there < this.score;
      if (passes) this.sharedBefore = 0;
      else this.sharedBeyond = 0;
      return passes;
    }
    const from = this.sharedBefore < this.sharedBeyond ? this.sharedBefore : this.sharedBeyond;
    const passes = compareFrom(entryKey(r, next, key), member, from) < 0;
    if (passes) this.sharedBefore = shared.length;
    else this.sharedBeyond = shared.length;
    return passes;
  }
}

/** Where a node goes, or is; and where one is that goes elsewhere. */
const place = new Descent();
const leaving = new Descent();

/** Leads `place` to (score, member) and returns how many nodes stand before it. */
function descend(r: Reader, sl: Addr, score: number, member: Slice): number {
  place.begin(r, sl, score);
  while (place.step(r, member));
  return place.ranks[0];
}

/** How many bytes the last `compareFrom` found to be the same. */
const shared = { length: 0 };

/** `compareBytes` of two that are known to share their first `from` bytes. */
function compareFrom(a: Slice, b: Slice, from: number): number {
  const x = a.buffer;
  const y = b.buffer;
  const length = a.length < b.length ? a.length : b.length;
  const start = a.start;
  const offset = b.start - start;
  const end = start + length;
  let at = start + from;
  while (at < end && x[at] === y[at + offset]) at++;
  shared.length = at - start;
  return at < end ? x[at] - y[at + offset] : a.length - b.length;
}

/** Leads `place` to where `rank` nodes stand before, and returns the node before it. */
function descendTo(r: Reader, sl: Addr, rank: number): Addr {
  let x = sl;
  let passed = 0;
  for (let i = r.u8(sl, Root.level) - 1; i >= 0; i--) {
    const at = FORWARD + i * 8;
    for (let next = r.addr(x, at); next !== NULL; next = r.addr(x, at)) {
      const span = r.u32(x, at + 4);
      if (passed + span > rank) break;
      passed += span;
      x = next;
    }
    place.path[i] = x;
    place.ranks[i] = passed;
  }
  return x;
}

/** Puts `node` in at `place`. */
function link(m: Memory, sl: Addr, node: Addr): void {
  const { path, ranks } = place;
  const level = m.u8(node, Node.level);
  const length = m.u32(sl, Root.length);
  let top = m.u8(sl, Root.level);
  if (level > top) {
    for (; top < level; top++) {
      path[top] = sl;
      ranks[top] = 0;
      m.setU32(sl, FORWARD + top * 8, 0);
      m.setU32(sl, SPAN + top * 8, length);
    }
    m.setU8(sl, Root.level, level);
  }
  const rank = ranks[0];
  for (let i = 0; i < top; i++) {
    const before = path[i] as Addr;
    const at = FORWARD + i * 8;
    const span = m.u32(before, at + 4);
    if (i < level) {
      const jumped = rank - ranks[i];
      m.setU32(node, at, m.u32(before, at));
      m.setU32(node, at + 4, span - jumped);
      m.setU32(before, at, node);
      m.setU32(before, at + 4, jumped + 1);
    } else {
      m.setU32(before, at + 4, span + 1);
    }
  }
  const before = path[0];
  m.setU32(node, Node.backward, before === sl ? 0 : before);
  const after = m.addr(node, FORWARD);
  // The root's tail lies where a node's backward link does.
  m.setAddr(after === NULL ? sl : after, Node.backward, node);
  m.setU32(sl, Root.length, length + 1);
}

/** Takes out `node`, to which `path` leads. */
function unlink(m: Memory, sl: Addr, node: Addr, { path }: Descent): void {
  let top = m.u8(sl, Root.level);
  const level = m.u8(node, Node.level);
  for (let i = 0; i < top; i++) {
    const before = path[i] as Addr;
    const at = FORWARD + i * 8;
    const span = m.u32(before, at + 4);
    if (i < level) {
      m.setU32(before, at, m.u32(node, at));
      m.setU32(before, at + 4, span + m.u32(node, at + 4) - 1);
    } else {
      m.setU32(before, at + 4, span - 1);
    }
  }
  const after = m.addr(node, FORWARD);
  m.setU32(after === NULL ? sl : after, Node.backward, m.u32(node, Node.backward));
  while (top > 1 && m.addr(sl, FORWARD + (top - 1) * 8) === NULL) top--;
  m.setU8(sl, Root.level, top);
  m.setU32(sl, Root.length, m.u32(sl, Root.length) - 1);
}
