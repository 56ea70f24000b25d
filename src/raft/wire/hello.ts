/**
 * What whoever opens a connection to a member says first: who it is, whom it means, and the name and password by which it may.
 * Numbers are big-endian.
 *
 *   hello   0 length u32, of all of it     4 'raft'     8 version u16 = 1     10 purpose u8     11 zero
 *          12 from u64      20 to u64     28 length u16 and bytes of the user's name, the same of the password
 *
 *   purpose 0 messages: they follow (layout.ts)
 *           1 a snapshot: its message, then length u64, the bytes of the file, and their CRC64-Jones, least significant byte
 *             first; one byte 1 in answer, when all of it is on the disk
 */
import { bytesOf, Slice } from '../../base/slice.ts';
import { getUint16, getUint32, getUint53, setUint16, setUint32, setUint53 } from '../disk/records.ts';

export interface Hello {
  readonly purpose: 'messages' | 'snapshot';
  readonly from: number;
  readonly to: number;
  /** A byte a character; empty for the usual user, and for no password. */
  readonly user: string;
  readonly password: string;
}

export const LONGEST_HELLO = 4096;
const SIGNATURE = 0x72616674;
const VERSION = 1;
const HEAD_BYTES = 28;

export function encodeHello({ purpose, from, to, user, password }: Hello): Uint8Array {
  const words = [user, password].map((word) => bytesOf(word));
  const bytes = new Uint8Array(HEAD_BYTES + words.reduce((sum, { length }) => sum + 2 + length, 0));
  setUint32(bytes, 0, bytes.length);
  setUint32(bytes, 4, SIGNATURE);
  setUint16(bytes, 8, VERSION);
  bytes[10] = purpose === 'messages' ? 0 : 1;
  setUint53(bytes, 12, from);
  setUint53(bytes, 20, to);
  let at = HEAD_BYTES;
  for (const word of words) {
    setUint16(bytes, at, word.length);
    bytes.set(word, at + 2);
    at += 2 + word.length;
  }
  return bytes;
}

/** Undefined where the bytes are none. */
export function decodeHello(bytes: Uint8Array): Hello | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  if (getUint32(bytes, 0) !== bytes.length || getUint32(bytes, 4) !== SIGNATURE || getUint16(bytes, 8) !== VERSION)
    return undefined;
  const purpose = bytes[10];
  const from = getUint53(bytes, 12);
  const to = getUint53(bytes, 20);
  const words: string[] = [];
  let at = HEAD_BYTES;
  while (at + 2 <= bytes.length) {
    const length = getUint16(bytes, at);
    at += 2;
    if (length > bytes.length - at) return undefined;
    words.push(new Slice(bytes, at, length).beginning(LONGEST_HELLO));
    at += length;
  }
  if (purpose > 1 || from === undefined || to === undefined || words.length !== 2 || at !== bytes.length)
    return undefined;
  return { purpose: purpose === 0 ? 'messages' : 'snapshot', from, to, user: words[0], password: words[1] };
}
