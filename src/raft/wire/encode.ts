/**
 * A message as bytes; layout.ts draws them. Large entries are parts of their own: the same bytes go to the disk and to every
 * member, and nobody copies them.
 */
import { encodeConfiguration, encodeEntry, setUint53 } from '../disk/records.ts';
import type { Message } from '../message.ts';
import { FIELD_BYTES, GRANTED, HEADER, HEADER_BYTES, OK, PRE, TRANSFER, TYPES, VERSION } from './layout.ts';

/** From so many bytes on entries are not put together with what is before them. */
const LARGE_BYTES = 4096;

export function encode(message: Message): Uint8Array {
  const parts = encodeInParts(message);
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

/** To be sent one after another, and not to be changed. */
export function encodeInParts(message: Message): readonly Uint8Array[] {
  const fields = fieldsOf(message);
  const rest = restOf(message);
  const head = HEADER_BYTES + fields.length * FIELD_BYTES;
  let length = head;
  for (const part of rest) length += part.length;
  const isLarge = length >= LARGE_BYTES;
  const bytes = new Uint8Array(isLarge ? head : length);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER.length, length);
  view.setUint8(HEADER.type, TYPES.indexOf(message.type));
  view.setUint8(HEADER.flags, flagsOf(message));
  view.setUint16(HEADER.version, VERSION);
  setUint53(view, HEADER.from, message.from);
  setUint53(view, HEADER.to, message.to);
  setUint53(view, HEADER.term, message.term);
  let at = HEADER_BYTES;
  for (const field of fields) {
    setUint53(view, at, field);
    at += FIELD_BYTES;
  }
  if (isLarge) return [bytes, ...rest];
  for (const part of rest) {
    bytes.set(part, at);
    at += part.length;
  }
  return [bytes];
}

function fieldsOf(message: Message): readonly number[] {
  switch (message.type) {
    case 'vote':
      return [message.lastIndex, message.lastTerm];
    case 'vote-reply':
      return [message.asked];
    case 'append':
      return [message.prevIndex, message.prevTerm, message.commit, message.round];
    case 'append-reply': {
      const { round, match, held, rejected, hintIndex, hintTerm } = message;
      return [round, match, held, rejected, hintIndex, hintTerm];
    }
    case 'snapshot':
      return [message.round, message.mark.index, message.mark.term];
    case 'timeout-now':
      return [];
    case 'removal':
      return [message.index];
  }
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
