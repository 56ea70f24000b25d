/**
 * Bytes of a packet as a value (layout.ts draws them). Whatever the bytes are, nothing is read that is not there and nothing
 * is thrown: what makes no sense is refused, with the reason.
 *
 * IDs must be hexadecimal and addresses and names of hosts must hold no byte that they can't have, since they go into
 * nodes.conf, replies and the log. Numbers of 64 bits must be below 2^52: no cluster has counted so far, and there is
 * room to go on from there.
 */
import { Slice } from '../../base/slice.ts';
import { BITMAP } from '../slots.ts';
import {
  EXTENSION,
  EXTENSION_ALIGNMENT,
  GOSSIP,
  GOSSIP_BYTES,
  HEADER,
  HEADER_BYTES,
  HOSTNAME_EXTENSION,
  ID_BYTES,
  IP_BYTES,
  LONGEST_HOSTNAME,
  MESSAGE_FORCE_ACK,
  MESSAGE_HAS_EXTENSIONS,
  MESSAGE_PAUSED,
  MODULE,
  MODULE_ID_BYTES,
  PUBLISH,
  SIGNATURE,
  TYPES,
  UPDATE,
  UPDATE_BYTES,
  VERSION,
} from './layout.ts';
import type { Body, Gossip, Header, Heartbeat, Module, Packet, PacketType, Publish } from './packet.ts';

/** Why bytes are no packet. */
export interface Refused {
  readonly refused: string;
}

const HOST = /^[0-9A-Za-z.:%_-]*$/;
const ID = /^[0-9a-f]{40}$/;
const NO_ID = '\0'.repeat(ID_BYTES);
/** Of the upper 32 bits. */
const HIGHEST_HALF = 2 ** 20 - 1;

class Refusal extends Error {}

function refuse(reason: string): never {
  throw new Refusal(reason);
}

/** `bytes` are the whole packet. What is decoded may refer to them. */
export function decode(bytes: Uint8Array): Packet | Refused {
  try {
    return new Decoder(bytes).packet();
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.message };
    throw error;
  }
}

export function isRefused(packet: Packet | Refused): packet is Refused {
  return 'refused' in packet;
}

class Decoder {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  packet(): Packet {
    const { bytes, view } = this;
    if (bytes.length < HEADER_BYTES) refuse(`${bytes.length} bytes are less than a header`);
    if (view.getUint32(HEADER.signature) !== SIGNATURE) refuse('bad signature');
    if (view.getUint32(HEADER.length) !== bytes.length)
      refuse(`the length ${view.getUint32(HEADER.length)} is not that of the packet, ${bytes.length}`);
    if (view.getUint16(HEADER.version) !== VERSION) refuse(`unknown version ${view.getUint16(HEADER.version)}`);
    const type = TYPES[view.getUint16(HEADER.type)];
    if (type === undefined) refuse(`unknown packet type ${view.getUint16(HEADER.type)}`);
    return { header: this.header(), body: this.body(type) };
  }

  private header(): Header {
    const { view } = this;
    const flags = view.getUint8(HEADER.messageFlags);
    const state = view.getUint8(HEADER.state);
    if (state > 1) refuse(`unknown state ${state}`);
    return {
      sender: this.id(HEADER.sender),
      currentEpoch: this.int64(HEADER.currentEpoch, 'current epoch'),
      configEpoch: this.int64(HEADER.configEpoch, 'config epoch'),
      offset: this.int64(HEADER.offset, 'replication offset'),
      slots: this.piece(HEADER.slots, BITMAP),
      master: this.text(HEADER.master, ID_BYTES) === NO_ID ? '' : this.id(HEADER.master),
      ip: this.host(HEADER.ip, IP_BYTES),
      port: view.getUint16(HEADER.port),
      plainPort: view.getUint16(HEADER.plainPort),
      busPort: view.getUint16(HEADER.busPort),
      flags: view.getUint16(HEADER.flags),
      state: state === 0 ? 'ok' : 'fail',
      paused: (flags & MESSAGE_PAUSED) !== 0,
      forceAck: (flags & MESSAGE_FORCE_ACK) !== 0,
    };
  }

  private body(type: PacketType): Body {
    switch (type) {
      case 'ping':
      case 'pong':
      case 'meet':
        return this.heartbeat(type);
      case 'fail':
        this.expect(type, ID_BYTES);
        return { type, node: this.id(HEADER_BYTES) };
      case 'publish':
      case 'publishshard':
        return this.publish(type);
      case 'update':
        this.expect(type, UPDATE_BYTES);
        return {
          type,
          node: this.id(HEADER_BYTES + UPDATE.id),
          configEpoch: this.int64(HEADER_BYTES + UPDATE.configEpoch, 'config epoch'),
          slots: this.piece(HEADER_BYTES + UPDATE.slots, BITMAP),
        };
      case 'module':
        return this.module();
      case 'auth-req':
      case 'auth-ack':
      case 'mfstart':
        this.expect(type, 0);
        return { type };
    }
  }

  private heartbeat(type: Heartbeat['type']): Heartbeat {
    const { bytes, view } = this;
    const count = view.getUint16(HEADER.count);
    const end = HEADER_BYTES + count * GOSSIP_BYTES;
    if (end > bytes.length) refuse(`${count} gossips are more than the ${type} holds`);
    const gossips: Gossip[] = [];
    for (let at = HEADER_BYTES; at < end; at += GOSSIP_BYTES) gossips.push(this.gossip(at));
    return { type, gossips, ...this.extensions(type, end) };
  }

  private gossip(at: number): Gossip {
    const { view } = this;
    return {
      id: this.id(at + GOSSIP.id),
      pingSent: view.getUint32(at + GOSSIP.pingSent),
      pongReceived: view.getUint32(at + GOSSIP.pongReceived),
      ip: this.host(at + GOSSIP.ip, IP_BYTES),
      port: view.getUint16(at + GOSSIP.port),
      busPort: view.getUint16(at + GOSSIP.busPort),
      plainPort: view.getUint16(at + GOSSIP.plainPort),
      flags: view.getUint16(at + GOSSIP.flags),
    };
  }

  private extensions(type: string, start: number): Pick<Heartbeat, 'hostname' | 'unknownExtensions'> {
    const { bytes, view } = this;
    const has = (view.getUint8(HEADER.messageFlags) & MESSAGE_HAS_EXTENSIONS) !== 0;
    let [at, hostname] = [start, ''];
    const unknownExtensions: number[] = [];
    for (let left = has ? view.getUint16(HEADER.extensions) : 0; left > 0; left--) {
      if (bytes.length - at < EXTENSION.data) refuse(`an extension begins behind the end of the ${type}`);
      const length = view.getUint32(at + EXTENSION.length);
      if (length < EXTENSION.data || length > bytes.length - at) refuse(`an extension of ${length} bytes does not fit`);
      if (length % EXTENSION_ALIGNMENT !== 0) refuse(`an extension of ${length} bytes is not padded`);
      const kind = view.getUint16(at + EXTENSION.type);
      if (kind === HOSTNAME_EXTENSION) hostname = this.hostname(at + EXTENSION.data, length - EXTENSION.data);
      else unknownExtensions.push(kind);
      at += length;
    }
    if (at !== bytes.length) refuse(`${bytes.length - at} bytes are left behind the ${type}`);
    return { hostname, unknownExtensions };
  }

  private hostname(at: number, length: number): string {
    const end = this.bytes.subarray(at, at + length).indexOf(0);
    if (end < 0) refuse('a host name without its zero');
    if (end > LONGEST_HOSTNAME) refuse(`a host name of ${end} bytes`);
    return this.host(at, length);
  }

  private publish(type: Publish['type']): Publish {
    const start = HEADER_BYTES + PUBLISH.bytes;
    if (this.bytes.length < start) refuse(`a ${type} without its lengths`);
    const channel = this.view.getUint32(HEADER_BYTES + PUBLISH.channelLength);
    const message = this.view.getUint32(HEADER_BYTES + PUBLISH.messageLength);
    this.expect(type, PUBLISH.bytes + channel + message);
    return { type, channel: this.piece(start, channel), message: this.piece(start + channel, message) };
  }

  private module(): Module {
    const start = HEADER_BYTES + MODULE.bytes;
    if (this.bytes.length < start) refuse('a module without its length');
    const length = this.view.getUint32(HEADER_BYTES + MODULE.length);
    this.expect('module', MODULE.bytes + length);
    return {
      type: 'module',
      module: this.piece(HEADER_BYTES + MODULE.id, MODULE_ID_BYTES),
      messageType: this.view.getUint8(HEADER_BYTES + MODULE.type),
      payload: this.piece(start, length),
    };
  }

  /** Refuses where not exactly so many bytes follow the header. */
  private expect(type: string, length: number): void {
    if (this.bytes.length !== HEADER_BYTES + length)
      refuse(`a ${type} of ${this.bytes.length} bytes where ${HEADER_BYTES + length} were expected`);
  }

  private piece(at: number, length: number): Uint8Array {
    return this.bytes.subarray(at, at + length);
  }

  private text(at: number, length: number): string {
    return new Slice(this.bytes, at, length).beginning(LONGEST_HOSTNAME);
  }

  private id(at: number): string {
    const id = this.text(at, ID_BYTES);
    if (!ID.test(id)) refuse('an ID that is none');
    return id;
  }

  /** What stands before the first zero, of `length` bytes at most. */
  private host(at: number, length: number): string {
    const end = this.bytes.subarray(at, at + length).indexOf(0);
    const host = this.text(at, end < 0 ? length : end);
    if (!HOST.test(host)) refuse('an address that can be none');
    return host;
  }

  private int64(at: number, name: string): number {
    const high = this.view.getUint32(at);
    if (high > HIGHEST_HALF) refuse(`a ${name} beyond 2^52`);
    return high * 2 ** 32 + this.view.getUint32(at + 4);
  }
}
