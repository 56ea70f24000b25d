/** Packets of the cluster bus: those of real nodes, both ways; damaged ones; and the stream that they come in. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { decode, isRefused } from '../../../src/cluster/bus/decode.ts';
import { encode } from '../../../src/cluster/bus/encode.ts';
import { Framer } from '../../../src/cluster/bus/framer.ts';
import { HEADER, HEADER_BYTES, TYPES } from '../../../src/cluster/bus/layout.ts';
import type { Body, Header, Packet } from '../../../src/cluster/bus/packet.ts';
import { drawSeed } from '../../support/seed.ts';
import { recordedPackets, recordedStream } from './recorded.ts';

const ID = 'f190715b36cd4309c9a136c69cc56919bd0a3f5e';
const OTHER = '9122b04c298a3d9cb62d767b9fa49e349c466733';

function header(change: Partial<Header> = {}): Header {
  return {
    sender: ID,
    currentEpoch: 5,
    configEpoch: 3,
    offset: 2 ** 40 + 7,
    slots: new Uint8Array(2048).fill(0xa5),
    master: OTHER,
    ip: '10.0.0.1',
    port: 7000,
    plainPort: 0,
    busPort: 17000,
    flags: 2,
    state: 'ok',
    paused: false,
    forceAck: true,
    ...change,
  };
}

const heartbeat: Body = {
  type: 'ping',
  gossips: [
    {
      id: OTHER,
      pingSent: 1,
      pongReceived: 4_000_000_000,
      ip: '::1',
      port: 7001,
      busPort: 17001,
      plainPort: 0,
      flags: 1,
    },
  ],
  hostname: 'a.example.org',
  unknownExtensions: [],
};

const bodies: readonly Body[] = [
  heartbeat,
  { type: 'fail', node: OTHER },
  { type: 'publish', channel: Uint8Array.of(0, 255), message: new Uint8Array(0) },
  { type: 'auth-req' },
  { type: 'update', node: OTHER, configEpoch: 2 ** 52 - 1, slots: new Uint8Array(2048) },
  { type: 'module', module: new Uint8Array(8).fill(9), messageType: 3, payload: Uint8Array.of(1, 2, 3) },
];

function refusal(bytes: Uint8Array): string {
  const decoded = decode(bytes);
  return isRefused(decoded) ? decoded.refused : '';
}

/** A packet's bytes after a change to them; the length is put right. */
function changed(body: Body, change: (bytes: Buffer) => Buffer | undefined): Uint8Array {
  const bytes = Buffer.from(encode({ header: header(), body }));
  const result = change(bytes) ?? bytes;
  result.writeUInt32BE(result.length, HEADER.length);
  return result;
}

describe('packets', () => {
  test('of real nodes are decoded and come out as they were', () => {
    const types = new Set<string>();
    for (const bytes of recordedPackets()) {
      const packet = decode(bytes);
      expect(isRefused(packet) ? packet.refused : '').toBe('');
      types.add((packet as Packet).body.type);
      expect(Buffer.compare(encode(packet as Packet), bytes)).toBe(0);
    }
    expect([...types].sort()).toEqual(TYPES.filter((type) => type !== 'module').sort());
  });

  test('of real nodes say what those were told', () => {
    const packets = recordedPackets().map((bytes) => decode(bytes) as Packet);
    const published = packets.filter(({ body }) => body.type === 'publish' || body.type === 'publishshard');
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
    const texts = published.map(({ body }) => 'channel' in body && [text(body.channel), text(body.message)]);
    expect(texts).toContainEqual(['news', 'hello']);
    expect(texts).toContainEqual(['{a}x', 'world']);
    const hostnames = packets.map(({ body }) => ('hostname' in body ? body.hostname : ''));
    expect(hostnames).toContain('host-3.example.org');
    expect(packets.some(({ header }) => header.paused)).toBe(true);
    expect(packets.some(({ header, body }) => header.forceAck && body.type === 'auth-req')).toBe(true);
  });

  test.each(bodies)('$type is decoded as it was encoded', (body) => {
    const packet = { header: header(), body };
    expect(decode(encode(packet))).toEqual(packet);
  });

  test('with extensions that we do not know tell their types', () => {
    const extension = Buffer.alloc(16);
    extension.writeUInt32BE(16, 0);
    extension.writeUInt16BE(77, 4);
    const bytes = changed(heartbeat, (buffer) => {
      buffer.writeUInt16BE(2, HEADER.extensions);
      return Buffer.concat([buffer, extension]);
    });
    expect((decode(bytes) as Packet).body).toEqual({ ...heartbeat, unknownExtensions: [77] });
  });
});

describe('what is refused', () => {
  const [, fail, publish, , update, module] = bodies;

  test('lengths that do not fit the type', () => {
    expect(refusal(encode({ header: header(), body: fail }).subarray(0, HEADER_BYTES - 1))).toContain(
      'less than a header',
    );
    expect(refusal(encode({ header: header(), body: fail }).subarray(0, HEADER_BYTES))).toContain('is not that of');
    for (const body of [fail, publish, update, module])
      for (const cut of [1, 10])
        expect(refusal(changed(body, (bytes) => bytes.subarray(0, bytes.length - cut)))).toMatch(
          /expected|without its/,
        );
  });

  test('counts and extensions that do not fit', () => {
    const at = HEADER_BYTES + 104;
    expect(refusal(changed(heartbeat, (bytes) => void bytes.writeUInt16BE(900, HEADER.count)))).toContain('gossips');
    for (const [length, reason] of [
      [0, 'fit'],
      [7, 'fit'],
      [25, 'fit'],
      [9, 'padded'],
      [2 ** 32 - 1, 'fit'],
    ] as const)
      expect(refusal(changed(heartbeat, (bytes) => void bytes.writeUInt32BE(length, at)))).toContain(reason);
    expect(refusal(changed(heartbeat, (bytes) => void bytes.writeUInt16BE(2, HEADER.extensions)))).toContain(
      'behind the end',
    );
    expect(refusal(changed(heartbeat, (bytes) => void bytes.writeUInt16BE(0, HEADER.extensions)))).toContain(
      'are left',
    );
    expect(refusal(changed(heartbeat, (bytes) => bytes.fill(0x61, at + 8)))).toContain('without its zero');
  });

  test('numbers and texts that make no sense', () => {
    expect(refusal(changed(fail, (bytes) => bytes.fill(1, 0, 4)))).toBe('bad signature');
    expect(refusal(changed(fail, (bytes) => void bytes.writeUInt16BE(2, HEADER.version)))).toBe('unknown version 2');
    expect(refusal(changed(fail, (bytes) => void bytes.writeUInt16BE(11, HEADER.type)))).toBe('unknown packet type 11');
    expect(refusal(changed(fail, (bytes) => void bytes.writeUInt8(2, HEADER.state)))).toBe('unknown state 2');
    expect(refusal(changed(fail, (bytes) => void bytes.writeUInt8(32, HEADER.offset)))).toContain('2^52');
    expect(refusal(changed(fail, (bytes) => void bytes.write('G', HEADER.sender)))).toContain('ID');
    expect(refusal(changed(fail, (bytes) => void bytes.write('\n', HEADER.ip)))).toContain('address');
    expect(refusal(changed(heartbeat, (bytes) => void bytes.write(' ', bytes.length - 10)))).toContain('address');
  });

  test('nothing is thrown whatever the bytes', () => {
    const seed = drawSeed();
    const random = new SeededRandom(seed);
    const real = recordedPackets();
    for (let round = 0; round < 2000; round++) {
      const original = real[random.below(real.length)];
      const bytes = Buffer.from(
        original.subarray(0, random.below(4) === 0 ? random.below(original.length) : undefined),
      );
      for (let flips = random.below(6); flips > 0; flips--) {
        const at = [random.below(HEADER_BYTES), random.below(16), bytes.length - 1 - random.below(140)][
          random.below(3)
        ];
        if (at >= 0 && at < bytes.length) bytes[at] = random.below(256);
      }
      if (bytes.length >= 8 && random.below(2) === 0) bytes.writeUInt32BE(bytes.length, HEADER.length);
      try {
        const decoded = decode(bytes);
        if (!isRefused(decoded)) encode(decoded);
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}`, { cause: error });
      }
    }
  });
});

describe('the stream', () => {
  test('is cut into packets however it comes', () => {
    const seed = drawSeed();
    const random = new SeededRandom(seed);
    const stream = recordedStream();
    const framer = new Framer();
    const found: Uint8Array[] = [];
    for (let at = 0; at < stream.length; ) {
      const end = Math.min(stream.length, at + random.below(random.below(2) === 0 ? 20 : 9000));
      found.push(...framer.push(stream.subarray(at, end)));
      at = end;
    }
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    expect(found.map(hex), `seed ${seed}`).toEqual(recordedPackets().map(hex));
    expect([framer.size, framer.refused]).toEqual([0, '']);
  });

  test.each([
    ['a signature', 0, 0],
    ['a length of gossips beyond what their count allows', 4, 2 ** 31],
    ['a length of less than a header', 4, 100],
  ])('ends at %s that no packet has', (_, at, value) => {
    const bytes = Buffer.from(encode({ header: header(), body: heartbeat }));
    bytes.writeUInt32BE(value, at);
    const framer = new Framer();
    expect([...framer.push(bytes.subarray(0, 15))]).toEqual([]);
    expect(framer.refused).toBe('');
    expect([...framer.push(bytes.subarray(15))]).toEqual([]);
    expect(framer.refused).toBe('Bad message length or signature received from Cluster bus.');
    expect([...framer.push(encode({ header: header(), body: heartbeat }))]).toEqual([]);
    expect(framer.size).toBe(0);
  });
});
