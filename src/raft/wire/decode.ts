/** A message from bytes, which may be anything; layout.ts draws them. */
import { decodeConfiguration, decodeRecord, getUint53, recordLength, viewOf } from '../disk/records.ts';
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
  return bytes.length < HEADER.type ? 0 : viewOf(bytes).getUint32(HEADER.length);
}

/** All of the bytes are one message. Its entries are parts of them: they are not to be changed any more. */
export function decode(bytes: Uint8Array): Message | Refused {
  if (bytes.length < HEADER_BYTES || messageLength(bytes) !== bytes.length) return { refused: 'its length is wrong' };
  const view = viewOf(bytes);
  if (view.getUint16(HEADER.version) !== VERSION) return { refused: 'its version is not known' };
  const number = view.getUint8(HEADER.type);
  if (number >= TYPES.length) return { refused: 'its type is not known' };
  const rest = HEADER_BYTES + FIELDS[number] * FIELD_BYTES;
  if (bytes.length < rest) return { refused: 'it is too short' };
  const numbers: number[] = [];
  for (let at: number = HEADER.from; at < rest; at += FIELD_BYTES) {
    const value = getUint53(view, at);
    if (value === undefined) return { refused: 'a number is too large' };
    numbers.push(value);
  }
  const [from, to, term, ...fields] = numbers;
  if (from === 0 || to === 0) return { refused: 'it is from or for nobody' };
  const flags = view.getUint8(HEADER.flags);
  return body({ from, to, term }, number, flags, fields, bytes.subarray(rest));
}

function body(
  header: { readonly from: number; readonly to: number; readonly term: number },
  number: number,
  flags: number,
  fields: readonly number[],
  rest: Uint8Array,
): Message | Refused {
  const type = TYPES[number];
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (rest.length > 0 && type !== 'append' && type !== 'snapshot') return { refused: 'it is too long' };
  switch (type) {
    case 'vote': {
      const [lastIndex, lastTerm] = fields;
      return { ...header, type, pre: has(PRE), transfer: has(TRANSFER), lastIndex, lastTerm };
    }
    case 'vote-reply':
      return { ...header, type, pre: has(PRE), asked: fields[0], granted: has(GRANTED) };
    case 'append': {
      const [prevIndex, prevTerm, commit, round] = fields;
      const entries = entriesAfter(prevIndex, rest);
      if (entries === undefined) return { refused: 'its entries are damaged' };
      return { ...header, type, prevIndex, prevTerm, commit, round, entries };
    }
    case 'append-reply': {
      const [round, match, held, rejected, hintIndex, hintTerm] = fields;
      return { ...header, type, round, ok: has(OK), match, held, rejected, hintIndex, hintTerm };
    }
    case 'snapshot': {
      const [round, index, term] = fields;
      const configuration = decodeConfiguration(rest);
      if (configuration === undefined) return { refused: 'its configuration is damaged' };
      return { ...header, type, round, mark: { index, term, configuration } };
    }
    case 'timeout-now':
      return { ...header, type };
    case 'removal':
      return { ...header, type, index: fields[0] };
  }
}

/** Undefined where they are not whole, or don't follow each other. */
function entriesAfter(prevIndex: number, bytes: Uint8Array): Entry[] | undefined {
  const entries: Entry[] = [];
  let at = 0;
  while (at < bytes.length) {
    const record = decodeRecord(bytes, at);
    if (record?.kind !== 'entry' || record.entry.index !== prevIndex + entries.length + 1) return undefined;
    entries.push(record.entry);
    at += recordLength(bytes, at);
  }
  return entries;
}
