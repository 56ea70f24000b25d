/**
 * Cuts what a peer sends into packets. Memory follows what has come, not what a length promises; a length that no packet of
 * its type has ends the stream when its first 16 bytes are there.
 */
import { assert } from '../../base/assert.ts';
import {
  GOSSIP_BYTES,
  HEADER,
  HEADER_BYTES,
  ID_BYTES,
  MODULE,
  PREFIX_BYTES,
  PUBLISH,
  SIGNATURE,
  TYPES,
  UPDATE_BYTES,
} from './layout.ts';

/** Of a channel and a message, or of what a module sends: two words of 512 MB. */
const LONGEST_PAYLOAD = 2 ** 30;
/** Of all extensions of a packet. */
const LONGEST_EXTENSIONS = 64 * 1024;
const REFUSAL = 'Bad message length or signature received from Cluster bus.';

export class Framer {
  /** The beginning of the packet that is still to come in full. */
  private chunks: Uint8Array[] = [];
  private held = 0;
  /** The length of that packet; 0 while it is not known. */
  private needed = 0;
  /** Why the stream has ended; '' while it goes on. The connection is to be closed. */
  refused = '';

  /** Bytes that wait for the rest of their packet. */
  get size(): number {
    return this.held;
  }

  /**
   * Yields the packets that are complete, each as its bytes. They may refer to `chunk`, which is left alone from now on.
   * Nothing more comes once `refused` is set.
   */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    if (this.refused !== '') return;
    if (chunk.length > 0) this.chunks.push(chunk);
    this.held += chunk.length;
    while (this.refused === '' && this.isComplete()) {
      const { needed } = this;
      const bytes = this.joined();
      this.keep(bytes.subarray(needed));
      yield bytes.subarray(0, needed);
    }
  }

  private isComplete(): boolean {
    if (this.needed === 0 && this.held >= PREFIX_BYTES) {
      this.needed = plausibleLength(this.joined());
      if (this.needed === 0) {
        this.refused = REFUSAL;
        this.keep(new Uint8Array(0));
      }
    }
    return this.needed !== 0 && this.held >= this.needed;
  }

  private joined(): Uint8Array {
    if (this.chunks.length > 1) this.chunks = [concatenated(this.chunks, this.held)];
    return this.chunks[0];
  }

  private keep(rest: Uint8Array): void {
    this.chunks = rest.length === 0 ? [] : [rest];
    this.held = rest.length;
    this.needed = 0;
  }
}

function concatenated(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  assert(at === length, 'chunks are counted when they come');
  return bytes;
}

/** The length that a packet gives itself; 0 where there is none such of its type. A type that we don't know has a header. */
function plausibleLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(HEADER.signature) !== SIGNATURE) return 0;
  const length = view.getUint32(HEADER.length);
  const [least, most] = bounds(view.getUint16(HEADER.type), view.getUint16(HEADER.count));
  return length - HEADER_BYTES >= least && length - HEADER_BYTES <= most ? length : 0;
}

/** Of the bytes behind the header. */
function bounds(type: number, count: number): readonly [number, number] {
  switch (TYPES[type]) {
    case 'ping':
    case 'pong':
    case 'meet':
      return [count * GOSSIP_BYTES, count * GOSSIP_BYTES + LONGEST_EXTENSIONS];
    case 'fail':
      return [ID_BYTES, ID_BYTES];
    case 'publish':
    case 'publishshard':
      return [PUBLISH.bytes, PUBLISH.bytes + LONGEST_PAYLOAD];
    case 'update':
      return [UPDATE_BYTES, UPDATE_BYTES];
    case 'module':
      return [MODULE.bytes, MODULE.bytes + LONGEST_PAYLOAD];
    case 'auth-req':
    case 'auth-ack':
    case 'mfstart':
      return [0, 0];
    default:
      return [0, LONGEST_EXTENSIONS];
  }
}
