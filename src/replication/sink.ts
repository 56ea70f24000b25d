/**
 * Propagation's sink for replicas: effects become the stream, with SELECT where the database changes and MULTI and EXEC
 * around what belongs together.
 */
import { assert } from '../base/assert.ts';
import { bytesOf, type Slice } from '../base/slice.ts';
import { type EffectSink, TO_REPLICAS } from '../engine/propagation.ts';
import { ARRAY, BULK, HEADING_BYTES, writeHeading } from '../protocol/heading.ts';

const CR = 13;
const LF = 10;
const MULTI = request('MULTI');
const EXEC = request('EXEC');

/** Words, texts of one character a byte, as a request in RESP. */
export function request(...words: readonly (string | Slice)[]): Uint8Array {
  const size = words.reduce((sum, word) => sum + HEADING_BYTES + word.length + 2, HEADING_BYTES);
  const bytes = new Uint8Array(size);
  let at = writeHeading(bytes, 0, ARRAY, words.length);
  for (const word of words) {
    at = writeHeading(bytes, at, BULK, word.length);
    bytes.set(typeof word === 'string' ? bytesOf(word) : word.view(), at);
    at += word.length;
    bytes[at++] = CR;
    bytes[at++] = LF;
  }
  return bytes.subarray(0, at);
}

/** Where the stream's bytes go. */
export interface StreamTarget {
  append(bytes: Uint8Array, from?: number, to?: number): void;
}

export class ReplicaSink implements EffectSink {
  readonly target = TO_REPLICAS;
  private readonly stream: StreamTarget;
  /** The database that readers of the stream have selected; -1 when one of them may have any. */
  private selected = -1;
  private within = false;

  constructor(stream: StreamTarget) {
    this.stream = stream;
  }

  /** The database that the stream has selected, for a snapshot's repl-stream-db; -1 for none. */
  get database(): number {
    return this.selected;
  }

  /** The next effect selects its database anew: somebody reads on from here who knows nothing of what came before. */
  forget(): void {
    this.selected = -1;
  }

  /** What a stream that is continued had selected. */
  restore(db: number): void {
    this.selected = db;
  }

  effect(db: number, bytes: Uint8Array, from: number, to: number): void {
    this.select(db);
    this.stream.append(bytes, from, to);
  }

  begin(db: number): void {
    assert(!this.within, 'units of work do not nest in the stream');
    this.within = true;
    this.select(db);
    this.stream.append(MULTI);
  }

  end(): void {
    assert(this.within, 'a unit of work ends that has begun');
    this.within = false;
    this.stream.append(EXEC);
  }

  /** A command of the stream's own (PING, REPLCONF GETACK), which has no effect on data. */
  command(...words: readonly (string | Slice)[]): void {
    assert(!this.within, 'nothing comes between the effects of one unit');
    this.stream.append(request(...words));
  }

  private select(db: number): void {
    if (db === this.selected) return;
    this.selected = db;
    this.stream.append(request('SELECT', String(db)));
  }
}
