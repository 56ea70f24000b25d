/**
 * The debug allocator (CINNABAR_VERIFY=1): a stale address, a store past the end, a second release stop the program where
 * they happen, instead of showing up as somebody else's broken data.
 *
 *   address of the plain allocator          address handed out
 *   v                                       v
 *   [ front guard 16 x FB ]                 [ payload, as many bytes as the plain allocator would give ][ back guard 16 x FB ]
 *
 * - Every load and store names a block by its address and must lie inside that block's payload; an address that is not
 *   the beginning of a live block (stale, interior, wild, null) is refused. `sizes` holds, for each granule of a segment,
 *   the payload of the live block that begins there, 0 where none does, DEAD where one is in quarantine.
 * - A fresh block is filled with A5, so that nothing relies on what it holds; a released one with DD, and it stays in
 *   quarantine until 4096 others or 32 MiB have followed it. On its way out the poison must be whole: what was written
 *   through a slice that had been kept too long shows there.
 * - Guards are checked at release, at resize and by `verifyBlocks()`.
 * - A block that is resized always moves, so that whoever keeps the old address is found out.
 * - Each allocation has a serial number (its generation) and, with CINNABAR_VERIFY=stacks, its call stack; `leaks()` lists
 *   what is live by them. After FLUSHALL nothing allocated since the start of the data may be.
 */
import { AssertionError, assert } from '../base/assert.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, GRANULE, GRANULE_BITS, GRANULE_MASK, MAX_SEGMENTS } from './address.ts';
import { OutOfMemory } from './errors.ts';
import { Memory, type MemoryOptions } from './memory.ts';

const GUARD = 16;
const GUARD_BYTE = 0xfb;
const FRESH_BYTE = 0xa5;
const DEAD_BYTE = 0xdd;
const DEAD = -1;
const QUARANTINE_BLOCKS = 4096;
const QUARANTINE_BYTES = 32 << 20;

/** A live block: when it was allocated and, if asked for, by whom. */
export interface LiveBlock {
  readonly address: Addr;
  readonly size: number;
  readonly serial: number;
  readonly stack: string;
}

interface Dead {
  readonly address: Addr;
  readonly size: number;
}

export interface VerifiedOptions extends MemoryOptions {
  /** Keep the call stack of each allocation. */
  readonly stacks?: boolean;
}

export class VerifiedMemory extends Memory {
  /** Tests set it: whether this allocation is to fail as if there were no memory. */
  refuse: () => boolean = () => false;
  private readonly sizes: (Int32Array | undefined)[] = new Array(MAX_SEGMENTS);
  private readonly live = new Map<Addr, LiveBlock>();
  private readonly quarantine: Dead[] = [];
  private quarantined = 0;
  private readonly counts = new Float64Array(2);
  private readonly stacks: boolean;
  private readonly scratch = new Slice();
  private serial = 0;

  constructor(options: VerifiedOptions = {}) {
    super(options);
    this.stacks = options.stacks ?? false;
  }

  override u8(a: Addr, off: number): number {
    this.check(a, off, 1, 1);
    return super.u8(a, off);
  }

  override u16(a: Addr, off: number): number {
    this.check(a, off, 2, 2);
    return super.u16(a, off);
  }

  override u32(a: Addr, off: number): number {
    this.check(a, off, 4, 4);
    return super.u32(a, off);
  }

  override f64(a: Addr, off: number): number {
    this.check(a, off, 8, 8);
    return super.f64(a, off);
  }

  override addr(a: Addr, off: number): Addr {
    this.check(a, off, 4, 4);
    return super.addr(a, off);
  }

  override borrow(into: Slice, a: Addr, off: number, length: number): Slice {
    this.check(a, off, length, 1);
    return super.borrow(into, a, off, length);
  }

  override setU8(a: Addr, off: number, value: number): void {
    this.check(a, off, 1, 1);
    super.setU8(a, off, value);
  }

  override setU16(a: Addr, off: number, value: number): void {
    this.check(a, off, 2, 2);
    super.setU16(a, off, value);
  }

  override setU32(a: Addr, off: number, value: number): void {
    this.check(a, off, 4, 4);
    super.setU32(a, off, value);
  }

  override setF64(a: Addr, off: number, value: number): void {
    this.check(a, off, 8, 8);
    super.setF64(a, off, value);
  }

  override writeBytes(a: Addr, off: number, source: Uint8Array, start: number, length: number): void {
    this.check(a, off, length, 1);
    assert(
      start >= 0 && length >= 0 && start + length <= source.length,
      'verify: the source of a write holds its bytes',
    );
    super.writeBytes(a, off, source, start, length);
  }

  override copy(to: Addr, toOff: number, from: Addr, fromOff: number, length: number): void {
    this.check(from, fromOff, length, 1);
    this.check(to, toOff, length, 1);
    super.copy(to, toOff, from, fromOff, length);
  }

  override fill(a: Addr, off: number, value: number, length: number): void {
    this.check(a, off, length, 1);
    super.fill(a, off, value, length);
  }

  override writable(into: Slice, a: Addr, off: number, length: number): Slice {
    this.check(a, off, length, 1);
    return super.writable(into, a, off, length);
  }

  override allocate(size: number): Addr {
    assert(size >= 0 && Number.isInteger(size), `verify: ${size} bytes can't be allocated`);
    if (this.refuse()) throw new OutOfMemory('refused by the test');
    const payload = super.roundUp(size);
    const outer = this.allocateOuter(payload + 2 * GUARD);
    const a = (outer + GUARD / GRANULE) as Addr;
    super.fill(outer, 0, GUARD_BYTE, GUARD);
    super.fill(outer, GUARD, FRESH_BYTE, payload);
    super.fill(outer, GUARD + payload, GUARD_BYTE, GUARD);
    this.sizesOf(a >>> GRANULE_BITS)[a & GRANULE_MASK] = payload;
    const stack = this.stacks ? (new Error('allocated').stack ?? '') : '';
    this.live.set(a, { address: a, size: payload, serial: ++this.serial, stack });
    this.counts[0] += payload;
    if (this.counts[0] > this.counts[1]) this.counts[1] = this.counts[0];
    return a;
  }

  override allocateZeroed(size: number): Addr {
    const a = this.allocate(size);
    super.fill(a, 0, 0, size);
    return a;
  }

  override release(a: Addr): void {
    this.check(a, 0, 0, 1);
    const size = this.sizeOf(a);
    this.verifyGuards(a, size);
    super.fill(a, 0, DEAD_BYTE, size);
    this.sizesOf(a >>> GRANULE_BITS)[a & GRANULE_MASK] = DEAD;
    this.live.delete(a);
    this.counts[0] -= size;
    this.quarantine.push({ address: a, size });
    this.quarantined += size;
    while (this.quarantine.length > QUARANTINE_BLOCKS || this.quarantined > QUARANTINE_BYTES) this.releaseOldest();
  }

  override resize(a: Addr, size: number): Addr {
    const room = this.sizeOf(a);
    this.verifyGuards(a, room);
    if (this.roundUp(size) === room) return a;
    const fresh = this.allocate(size);
    super.copy(fresh, 0, a, 0, Math.min(size, room));
    this.release(a);
    return fresh;
  }

  override sizeOf(a: Addr): number {
    this.check(a, 0, 0, 1);
    return this.sizesOf(a >>> GRANULE_BITS)[a & GRANULE_MASK];
  }

  override get used(): number {
    return this.counts[0];
  }

  override get peak(): number {
    return this.counts[1];
  }

  override purge(begin: () => () => boolean): Generator<void> {
    while (this.quarantine.length > 0) this.releaseOldest();
    return super.purge(begin);
  }

  override unmapSegment(number: number, committed: number): void {
    this.sizes[number] = undefined;
    super.unmapSegment(number, committed);
  }

  /** The number of the latest allocation; blocks allocated from now on have higher ones. */
  get generation(): number {
    return this.serial;
  }

  /** Live blocks allocated after generation `since`, oldest first. */
  leaks(since = 0): LiveBlock[] {
    return [...this.live.values()].filter((block) => block.serial > since);
  }

  /** Checks every guard, all poison, and the allocator below. */
  verifyBlocks(): void {
    for (const { address, size } of this.live.values()) this.verifyGuards(address, size);
    for (const dead of this.quarantine) this.verifyPoison(dead);
    this.allocator.verify();
    assert(this.allocator.blocks === this.live.size + this.quarantine.length, 'verify: every block is live or dead');
  }

  /** What lies in quarantine must not make the image look full. */
  private allocateOuter(size: number): Addr {
    try {
      return this.allocator.allocate(size);
    } catch (error) {
      if (!(error instanceof OutOfMemory) || this.quarantine.length === 0) throw error;
      while (this.quarantine.length > 0) this.releaseOldest();
      return this.allocator.allocate(size);
    }
  }

  private sizesOf(segment: number): Int32Array {
    this.sizes[segment] ??= new Int32Array(Math.min(this.segmentBytes(segment) / GRANULE, GRANULE_MASK + 1));
    return this.sizes[segment];
  }

  private check(a: Addr, off: number, width: number, alignment: number): void {
    const size = this.sizes[a >>> GRANULE_BITS]?.[a & GRANULE_MASK] ?? 0;
    if (size > 0 && off >= 0 && off + width <= size && width >= 0 && off % alignment === 0) return;
    throw new AssertionError(this.complaint(a, off, width, size, alignment));
  }

  private complaint(a: Addr, off: number, width: number, size: number, alignment: number): string {
    const what = `verify: ${width} bytes at ${off} of block ${a}`;
    if (a === 0) return `${what}: the null address`;
    if (size === DEAD) return `${what}: the block has been released`;
    if (size === 0) return `${what}: not the address of a live block`;
    if (off % alignment !== 0) return `${what}: not on a multiple of its width`;
    return `${what}: the block holds ${size} (allocated as number ${this.live.get(a)?.serial})`;
  }

  private verifyGuards(a: Addr, size: number): void {
    const outer = (a - GUARD / GRANULE) as Addr;
    for (const off of [0, GUARD + size]) {
      super.borrow(this.scratch, outer, off, GUARD);
      if (!this.isAll(GUARD_BYTE)) throw new AssertionError(`verify: block ${a} of ${size} bytes was written beside`);
    }
  }

  private verifyPoison({ address, size }: Dead): void {
    super.borrow(this.scratch, address, 0, size);
    if (this.isAll(DEAD_BYTE)) return;
    let at = 0;
    while (this.scratch.at(at) === DEAD_BYTE) at++;
    throw new AssertionError(`verify: released block ${address} was written at ${at}`);
  }

  /** Whether all that the scratch slice shows is `byte`. */
  private isAll(byte: number): boolean {
    const { buffer, start, length } = this.scratch;
    for (let i = start; i < start + length; i++) if (buffer[i] !== byte) return false;
    return true;
  }

  /** Gives the oldest block in quarantine to the allocator below. */
  private releaseOldest(): void {
    const dead = this.quarantine.shift();
    if (dead === undefined) return;
    this.verifyPoison(dead);
    this.quarantined -= dead.size;
    this.sizesOf(dead.address >>> GRANULE_BITS)[dead.address & GRANULE_MASK] = 0;
    this.allocator.release((dead.address - GUARD / GRANULE) as Addr);
  }
}
