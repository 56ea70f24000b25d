/**
 * The frozen view: the image as it was at one instant, for a worker thread, while the event loop goes on writing. Several
 * readers may have it at a time; it ends when the last one leaves.
 *
 * Opening publishes, as a plain structure that postMessage takes (`image`, with `transfer` as its transfer list):
 *   segments  the SharedArrayBuffers that existed at the freeze, by number. One that is unmapped later is never written
 *             again, so it stays readable until the view lets go of it; one mapped later is of no concern to the view.
 *   bases     i32 of each segment number: index of the state of its first page, or -1
 *   states    i32 of each 16 KiB page of those segments, from index 1:
 *               0  as at the freeze      n > 0  preserved in slot n - 1      -1  the view is over
 *   port      where the preserving area arrives: chunks of 4 MiB (256 slots of 16 KiB), in order, each posted before any
 *             of its slots is named in a state, and one ahead of need. The reader takes them out synchronously.
 *
 * The preserving area grows with what is preserved. The alternative, a second buffer per segment whose page lies at the
 * same offset and which the system commits lazily, doubles the address space, makes 64 MiB mappings while the loop
 * waits, and where large pages are in force commits 2 MiB for each 16 KiB; and a copy that can't be had would be a dead
 * process. Here it is a lost view: `lost` is set, the reader gets a ViewLost, the writer goes on.
 *
 * Size of a page, measured (first store into one, all of 64 MiB): 4 KiB 3.6 us, 8 KiB 6.0, 16 KiB 10.0, 32 KiB 18.3, of
 * which most is the system's first touch of the slot. 16 KiB costs a third less than 4 KiB when all pages are written.
 *
 * Order. The writer: copies the page into its slot; state := n; only then stores into the page. The reader: loads from
 * the page; then loads the state; on n takes the bytes from the slot. A state goes from 0 to n once in the life of a view.
 * So a reader that sees 0 has loaded before the writer's first store into the page, and one that sees n sees the slot's
 * bytes. That needs (1) slot's bytes before state, (2) state before page's new bytes, (3) page's load before state's
 * load, (4) state's load before slot's load.
 *   x86: stores stay in order, loads stay in order: all four hold; the Atomics calls only keep the compiler from moving
 *     them (a load is a plain mov).
 *   Arm: Atomics.store is STLR and Atomics.load is LDAR, which give (1) and (4). STLR does not hold back later plain
 *     stores, nor LDAR earlier plain loads; but an LDAR after an STLR in program order is ordered after it, an STLR after
 *     everything before it, and everything after an LDAR after it. So the writer follows its Atomics.store with an
 *     Atomics.load, which gives (2), and the reader, except on x86, puts an Atomics.store into a word of its own between
 *     its load and the state's, which gives (3).
 */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/copy.ts';
import { BARRIER_SHIFT, MAX_SEGMENTS } from './address.ts';
import type { Barrier } from './barrier.ts';
import type { Memory } from './memory.ts';

/** What a worker needs to read the image; see FrozenMemory. */
export interface FrozenImage {
  readonly segments: readonly (SharedArrayBuffer | undefined)[];
  readonly bases: Int32Array;
  readonly states: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly seed: Uint32Array;
}

export const BARRIER_PAGE = 1 << BARRIER_SHIFT;
export const CHUNK_SHIFT = 8;
export const CHUNK_SLOTS = 1 << CHUNK_SHIFT;
export const OVER = -1;

export class FrozenView implements Barrier {
  readonly image: FrozenImage;
  readonly transfer: MessagePort[];
  private readonly memory: Memory;
  /** One for each reader that was ever there. */
  private readonly ports: MessagePort[] = [];
  private readers = 0;
  private readonly bases = new Int32Array(MAX_SEGMENTS).fill(-1);
  private readonly states: Int32Array;
  private pages: (Uint8Array | undefined)[];
  private chunks: Uint8Array<SharedArrayBuffer>[] = [];
  private slots = 0;
  private over = false;
  private failed = false;

  /** Freezes the image as it is now. One view at a time; throws OutOfMemory or RangeError where there is no memory. */
  constructor(memory: Memory) {
    if (memory.frozen) throw new Error('a frozen view is open already');
    this.memory = memory;
    const segments = memory.buffers.slice();
    this.pages = segments.map((buffer) => (buffer === undefined ? undefined : new Uint8Array(buffer)));
    let count = 1;
    segments.forEach((buffer, number) => {
      if (buffer === undefined) return;
      this.bases[number] = count;
      count += Math.ceil(buffer.byteLength / BARRIER_PAGE);
    });
    const states = new SharedArrayBuffer(count * 4);
    this.states = new Int32Array(states);
    const port = this.addReader();
    this.image = { segments, bases: this.bases.slice(), states, port, seed: memory.seed };
    this.transfer = [port];
    memory.setBarrier(this);
  }

  /** What a further reader needs, beside the one that `image` is for. */
  another(): { readonly image: FrozenImage; readonly transfer: MessagePort[] } {
    assert(!this.over, 'a view that is over has no readers');
    const port = this.addReader();
    return { image: { ...this.image, port }, transfer: [port] };
  }

  /** A reader has read all that it wants; the view ends with the last one. */
  leave(): void {
    assert(this.over || this.readers > 0, 'as many leave as have come');
    if (--this.readers === 0) this.close();
  }

  /** The end of a channel that is the reader's; it holds what has been preserved so far. */
  private addReader(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.ports.push(port1);
    this.readers++;
    for (const { buffer } of this.chunks) port1.postMessage(buffer);
    return port2;
  }

  /** Pages copied so far. */
  get preservedPages(): number {
    return this.slots;
  }

  /** Bytes copied so far: what a forked child would have shown as its copy-on-write size. */
  get preservedBytes(): number {
    return this.slots * BARRIER_PAGE;
  }

  /** Whether memory ran out for preserving, so that the reader fails. */
  get lost(): boolean {
    return this.failed;
  }

  preserve(segment: number, from: number, to: number): void {
    const base = this.bases[segment];
    if (base < 0) return;
    const first = base + (from >>> BARRIER_SHIFT);
    const last = base + ((to - 1) >>> BARRIER_SHIFT);
    for (let page = first; page <= last; page++)
      if (this.states[page] === 0) this.save(segment, page, (page - base) << BARRIER_SHIFT);
  }

  forget(segment: number): void {
    this.bases[segment] = -1;
    this.pages[segment] = undefined;
  }

  /** Ends the view: the writer is free of it, and a reader that is still at work gets a ViewLost. */
  close(): void {
    if (this.over) return;
    this.over = true;
    this.memory.setBarrier(null);
    this.endReaders();
    for (const port of this.ports) port.close();
    for (const { buffer } of this.chunks) this.memory.discarded(buffer, buffer.byteLength);
    this.chunks = [];
    this.pages = [];
  }

  private save(segment: number, page: number, at: number): void {
    const live = this.pages[segment];
    if (this.failed || live === undefined) return;
    const slot = this.slots;
    // One chunk ahead, which the reader has the system commit meanwhile.
    while (slot >>> CHUNK_SHIFT >= this.chunks.length - 1) if (!this.addChunk()) break;
    if (slot >>> CHUNK_SHIFT >= this.chunks.length) return;
    const chunk = this.chunks[slot >>> CHUNK_SHIFT];
    copyBytes(chunk, (slot & (CHUNK_SLOTS - 1)) << BARRIER_SHIFT, live, at, BARRIER_PAGE);
    this.slots = slot + 1;
    Atomics.store(this.states, page, slot + 1);
    Atomics.load(this.states, page);
  }

  private addChunk(): boolean {
    try {
      const chunk = new SharedArrayBuffer(CHUNK_SLOTS * BARRIER_PAGE);
      for (const port of this.ports) port.postMessage(chunk);
      this.chunks.push(new Uint8Array(chunk));
      return true;
    } catch {
      if (this.slots < this.chunks.length * CHUNK_SLOTS) return false;
      this.failed = true;
      this.endReaders();
      return false;
    }
  }

  private endReaders(): void {
    this.states.fill(OVER);
    Atomics.store(this.states, 0, OVER);
    Atomics.load(this.states, 0);
  }
}
