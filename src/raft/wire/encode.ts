/**
 * A message as bytes; layout.ts draws them. Large entries are parts of their own: the same bytes go to the disk and to every
 * member, and nobody copies them.
 */
import { encodeConfiguration, encodeEntry, setUint16, setUint32, setUint53 } from '../disk/records.ts';
import type { Message } from '../message.ts';
import { FIELD_BYTES, FIELDS, GRANTED, HEADER, HEADER_BYTES, OK, PRE, TRANSFER, TYPES, VERSION } from './layout.ts';

/** From so many bytes on entries are not put together with what is before them. */
const LARGE_BYTES = 4096;

export function encode(message: Message): Uint8Array {
  const parts = encodeInParts(message);
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

/** To be sent one after another, and not to be changed. */
export function encodeInParts(message: Message): readonly Uint8Array[] {
  const type = TYPES.indexOf(message.type);
  const rest = restOf(message);
  const head = HEADER_BYTES + FIELDS[type] * FIELD_BYTES;
  let length = head;
  for (const part of rest) length += part.length;
  const isLarge = length >= LARGE_BYTES;
  const bytes = new Uint8Array(isLarge ? head : length);
  setUint32(bytes, HEADER.length, length);
  bytes[HEADER.type] = type;
  bytes[HEADER.flags] = flagsOf(message);
  setUint16(bytes, HEADER.version, VERSION);
  setUint53(bytes, HEADER.from, message.from);
  setUint53(bytes, HEADER.to, message.to);
  setUint53(bytes, HEADER.term, message.term);
  putFields(bytes, message);
  if (isLarge) return [bytes, ...rest];
  let at = head;
  for (const part of rest) {
    bytes.set(part, at);
    at += part.length;
  }
  return [bytes];
}

function putFields(bytes: Uint8Array, message: Message): void {
  switch (message.type) {
    case 'vote':
      put(bytes, 0, message.lastIndex);
      put(bytes, 1, message.lastTerm);
      break;
    case 'vote-reply':
      put(bytes, 0, message.asked);
      break;
    case 'append':
      put(bytes, 0, message.prevIndex);
      put(bytes, 1, message.prevTerm);
      put(bytes, 2, message.commit);
      put(bytes, 3, message.round);
      break;
    case 'append-reply':
      put(bytes, 0, message.round);
      put(bytes, 1, message.match);
      put(bytes, 2, message.held);
      put(bytes, 3, message.rejected);
      put(bytes, 4, message.hintIndex);
      put(bytes, 5, message.hintTerm);
      break;
    case 'snapshot':
      put(bytes, 0, message.round);
      put(bytes, 1, message.mark.index);
      put(bytes, 2, message.mark.term);
      break;
    case 'timeout-now':
      break;
    case 'removal':
      put(bytes, 0, message.index);
  }
}

function put(bytes: Uint8Array, field: number, value: number): void {
  setUint53(bytes, HEADER_BYTES + field * FIELD_BYTES, value);
}

function restOf(message: Message): readonly Uint8Array[] {
  if (message.type === 'append') return message.entries.map(encodeEntry);
  return message.type === 'snapshot' ? [encodeConfiguration(message.mark.configuration)] : [];
}

function flagsOf(message: Message): number {
  switch (message.type) {
    case 'vote':
      return (message.pre ? PRE : 0) | (message.transfer ? TRANSFER : 0);
    case 'vote-reply':
      return (message.pre ? PRE : 0) | (message.granted ? GRANTED : 0);
    case 'append-reply':
      return message.ok ? OK : 0;
    default:
      return 0;
  }
}
