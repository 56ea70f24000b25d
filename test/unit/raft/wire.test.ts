import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import { encodeEntry } from '../../../src/raft/disk/records.ts';
import { command, configurationEntry, noop } from '../../../src/raft/entry.ts';
import type { Message } from '../../../src/raft/message.ts';
import { decode, isRefused, messageLength } from '../../../src/raft/wire/decode.ts';
import { encode, encodeInParts } from '../../../src/raft/wire/encode.ts';
import { Framer } from '../../../src/raft/wire/framer.ts';

const BIG = Number.MAX_SAFE_INTEGER;
const GROUP: Configuration = [
  { id: 1, address: '10.0.0.1:6379', kind: 'voter' },
  { id: BIG, address: '', kind: 'learner' },
];
const HEADER = { from: 1, to: BIG, term: 2 ** 40 + 7 };

const MESSAGES: readonly Message[] = [
  { ...HEADER, type: 'vote', pre: true, transfer: false, lastIndex: 5, lastTerm: BIG },
  { ...HEADER, type: 'vote', pre: false, transfer: true, lastIndex: 0, lastTerm: 0 },
  { ...HEADER, type: 'vote-reply', pre: true, asked: 8, granted: false },
  { ...HEADER, type: 'vote-reply', pre: false, asked: 8, granted: true },
  { ...HEADER, type: 'append', prevIndex: 3, prevTerm: 2, commit: 1, round: 9, entries: [] },
  {
    ...HEADER,
    type: 'append',
    prevIndex: 2 ** 33,
    prevTerm: 2,
    commit: 1,
    round: 9,
    entries: [
      command(2 ** 33 + 1, 2, new Uint8Array([0, 255, 13, 10])),
      noop(2 ** 33 + 2, 3),
      configurationEntry(2 ** 33 + 3, 3, GROUP),
    ],
  },
  { ...HEADER, type: 'append-reply', round: 1, ok: true, match: 2, held: 3, rejected: 4, hintIndex: 5, hintTerm: 6 },
  { ...HEADER, type: 'append-reply', round: 1, ok: false, match: 0, held: 0, rejected: 4, hintIndex: 5, hintTerm: 6 },
  { ...HEADER, type: 'snapshot', round: 4, mark: { index: 7, term: 3, configuration: GROUP } },
  { ...HEADER, type: 'snapshot', round: 4, mark: { index: 7, term: 3, configuration: [] } },
  { ...HEADER, type: 'timeout-now' },
  { ...HEADER, type: 'removal', index: BIG },
];

test.each(MESSAGES.map((message, i) => [`${i} ${message.type}`, message] as const))(
  '%s is what it was',
  (_, message) => {
    const bytes = encode(message);
    expect(messageLength(bytes)).toBe(bytes.length);
    expect(decode(bytes)).toEqual(message);
  },
);

test('a vote, byte by byte', () => {
  const bytes = encode({ type: 'vote', from: 1, to: 2, term: 3, pre: true, transfer: true, lastIndex: 4, lastTerm: 5 });
  const hex = ['00000030', '00', '03', '0001', ...[1, 2, 3, 4, 5].map((n) => n.toString(16).padStart(16, '0'))].join(
    '',
  );
  expect(Buffer.from(bytes).toString('hex')).toBe(hex);
});

test('what is cut off or longer is refused', () => {
  for (const message of MESSAGES) {
    const bytes = encode(message);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.slice(0, length);
      expect(isRefused(decode(cut))).toBe(true);
      if (length < 4) continue;
      new DataView(cut.buffer).setUint32(0, length);
      const decoded = decode(cut);
      // An append may end after an entry.
      if (!isRefused(decoded)) expect(decoded.type).toBe('append');
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    new DataView(longer.buffer).setUint32(0, longer.length);
    expect(isRefused(decode(longer))).toBe(true);
  }
});

test('whatever comes is a message or refused, and the entries of one are what was sent', () => {
  const seed = 7;
  const random = new SeededRandom(seed);
  for (let i = 0; i < 5000; i++) {
    const message = MESSAGES[random.below(MESSAGES.length)];
    const bytes = encode(message);
    bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    const decoded = decode(bytes);
    if (isRefused(decoded) || decoded.type !== 'append' || message.type !== 'append') continue;
    expect(decoded.entries).toEqual(message.entries);
  }
});

test('a large entry goes out, and comes in, as the bytes that it has on the disk', () => {
  const entry = command(4, 2, new Uint8Array(10_000).fill(7));
  const small = command(5, 2, new Uint8Array([1]));
  const message: Message = {
    ...HEADER,
    type: 'append',
    prevIndex: 3,
    prevTerm: 2,
    commit: 1,
    round: 9,
    entries: [entry, small],
  };
  const parts = encodeInParts(message);
  expect(parts.slice(1)).toEqual([encodeEntry(entry), encodeEntry(small)]);
  const bytes = new Uint8Array(Buffer.concat([new Uint8Array(3), ...parts])).subarray(3);
  const read = decode(bytes);
  expect(read).toEqual(message);
  const entries = isRefused(read) || read.type !== 'append' ? [] : read.entries;
  for (const [i, each] of entries.entries()) {
    const record = encodeEntry(each);
    expect(record.buffer).toBe(bytes.buffer);
    expect(record).toEqual(parts[i + 1]);
    expect(() => encodeEntry({ ...each, index: 77 })).not.toThrow();
    expect(encodeEntry({ ...each, index: 77 }).buffer).not.toBe(bytes.buffer);
  }
});

test('what is left over of a buffer that is used again is kept, however the messages are cut', () => {
  const whole = MESSAGES.map(encode);
  const stream = Buffer.concat(whole);
  for (let size = 1; size <= 120; size++) {
    const framer = new Framer(4096);
    const buffer = new Uint8Array(size);
    const found: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size) {
      const piece = stream.subarray(at, at + size);
      buffer.set(piece);
      framer.push(buffer.subarray(0, piece.length));
      for (let next = framer.next(); next !== null; next = framer.next()) found.push(next.slice());
      framer.keepRest();
      buffer.fill(0xee);
    }
    expect(found).toEqual(whole);
  }
});
