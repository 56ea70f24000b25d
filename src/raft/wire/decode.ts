/** A message from bytes, which may be anything; layout.ts draws them. */
import { decodeConfiguration, decodeRecord, getUint16, getUint32, getUint53, recordLength } from '../disk/records.ts';
import type { Entry } from '../entry.ts';
import type { Message } from '../message.ts';
import { FIELD_BYTES, FIELDS, GRANTED, HEADER, HEADER_BYTES, OK, PRE, TRANSFER, TYPES, VERSION } from './layout.ts';

/** What can't be a message, and why. */
export interface Refused {
  readonly refused: string;
}

export function isRefused(decoded: Message | Refused): decoded is Refused {
  return 'refused' in decoded;
}

/** The length of the message that begins so; 0 while there are too few bytes to tell. */
export function messageLength(bytes: Uint8Array): number {
  return bytes.length < HEADER.type ? 0 : getUint32(bytes, HEADER.length);
}

/** Whether the message is so long, and of such a type, that there may be entries in it. */
export function mayHoldEntries(bytes: Uint8Array): boolean {
  const number = bytes[HEADER.type];
  return TYPES[number] === 'append' && bytes.length > HEADER_BYTES + FIELDS[number] * FIELD_BYTES;
}

/** All of the bytes are one message. Its entries are parts of them: they are not to be changed any more. */
export function decode(bytes: Uint8Array): Message | Refused {
  if (bytes.length < HEADER_BYTES || messageLength(bytes) !== bytes.length) return { refused: 'its length is wrong' };
  if (getUint16(bytes, HEADER.version) !== VERSION) return { refused: 'its version is not known' };
  const number = bytes[HEADER.type];
  if (number >= TYPES.length) return { refused: 'its type is not known' };
  const rest = HEADER_BYTES + FIELDS[number] * FIELD_BYTES;
  if (bytes.length < rest) return { refused: 'it is too short' };
  for (let at: number = HEADER.from; at < rest; at += FIELD_BYTES)
    if (getUint53(bytes, at) === undefined) return { refused: 'a number is too large' };
  if (getUint53(bytes, HEADER.from) === 0 || getUint53(bytes, HEADER.to) === 0)
    return { refused: 'it is from or for nobody' };
  return body(bytes, TYPES[number], rest);
}

/** All numbers before `rest` are some. Messages of a kind have one shape, that of what the rules send: it is met often. */
function body(bytes: Uint8Array, type: Message['type'], rest: number): Message | Refused {
  const from = getUint53(bytes, HEADER.from)!;
  const to = getUint53(bytes, HEADER.to)!;
  const term = getUint53(bytes, HEADER.term)!;
  const flags = bytes[HEADER.flags];
  if (rest < bytes.length && type !== 'append' && type !== 'snapshot') return { refused: 'it is too long' };
  switch (type) {
    case 'vote': {
      const pre = (flags & PRE) !== 0;
      const transfer = (flags & TRANSFER) !== 0;
      return { type, from, to, term, pre, transfer, lastIndex: field(bytes, 0), lastTerm: field(bytes, 1) };
    }
    case 'vote-reply': {
      const granted = (flags & GRANTED) !== 0;
      return { type, from, to, term, pre: (flags & PRE) !== 0, asked: field(bytes, 0), granted };
    }
    case 'append': {
      const prevIndex = field(bytes, 0);
      const entries = entriesAfter(prevIndex, bytes, rest);
      if (entries === undefined) return { refused: 'its entries are damaged' };
      const prevTerm = field(bytes, 1);
      return { type, from, to, term, prevIndex, prevTerm, commit: field(bytes, 2), round: field(bytes, 3), entries };
    }
    case 'append-reply': {
      const round = field(bytes, 0);
      const ok = (flags & OK) !== 0;
      const [match, held, rejected] = [field(bytes, 1), field(bytes, 2), field(bytes, 3)];
      const [hintIndex, hintTerm] = [field(bytes, 4), field(bytes, 5)];
      return { type, from, to, term, round, ok, match, held, rejected, hintIndex, hintTerm };
    }
    case 'snapshot': {
      const configuration = decodeConfiguration(bytes.subarray(rest));
      if (configuration === undefined) return { refused: 'its configuration is damaged' };
      const mark = { index: field(bytes, 1), term: field(bytes, 2), configuration };
      return { type, from, to, term, round: field(bytes, 0), mark };
    }
    case 'timeout-now':
      return { type, from, to, term };
    case 'removal':
      return { type, from, to, term, index: field(bytes, 0) };
  }
}

function field(bytes: Uint8Array, number: number): number {
  return getUint53(bytes, HEADER_BYTES + number * FIELD_BYTES)!;
}

/** Undefined where they are not whole, or don't follow each other. */
function entriesAfter(prevIndex: number, bytes: Uint8Array, from: number): Entry[] | undefined {
  const entries: Entry[] = [];
  let at = from;
  while (at < bytes.length) {
    const record = decodeRecord(bytes, at);
    if (record?.kind !== 'entry' || record.entry.index !== prevIndex + entries.length + 1) return undefined;
    entries.push(record.entry);
    at += recordLength(bytes, at);
  }
  return entries;
}
