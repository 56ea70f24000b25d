/** A packet as bytes; layout.ts draws them. */
import { assert } from '../../base/assert.ts';
import { bytesOf } from '../../base/slice.ts';
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
import type { Body, Gossip, Header, Heartbeat, Packet } from './packet.ts';

export function encode({ header, body }: Packet): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + bodyBytes(body));
  const writer = new Writer(bytes);
  writer.header(header, body);
  writer.body(body);
  return bytes;
}

function bodyBytes(body: Body): number {
  switch (body.type) {
    case 'ping':
    case 'pong':
    case 'meet':
      return body.gossips.length * GOSSIP_BYTES + extensionBytes(body.hostname);
    case 'fail':
      return ID_BYTES;
    case 'publish':
    case 'publishshard':
      return PUBLISH.bytes + body.channel.length + body.message.length;
    case 'update':
      return UPDATE_BYTES;
    case 'module':
      return MODULE.bytes + body.payload.length;
    case 'auth-req':
    case 'auth-ack':
    case 'mfstart':
      return 0;
  }
}

/** Of the host name, with its zero and the padding; 0 where there is none. */
function extensionBytes(hostname: string): number {
  if (hostname === '') return 0;
  return EXTENSION.data + Math.ceil((hostname.length + 1) / EXTENSION_ALIGNMENT) * EXTENSION_ALIGNMENT;
}

class Writer {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  header(header: Header, body: Body): void {
    const { view, bytes } = this;
    assert(header.slots.length === BITMAP, 'a bit a slot');
    const hostname = 'hostname' in body && body.hostname !== '';
    view.setUint32(HEADER.signature, SIGNATURE);
    view.setUint32(HEADER.length, bytes.length);
    view.setUint16(HEADER.version, VERSION);
    view.setUint16(HEADER.port, header.port);
    view.setUint16(HEADER.type, TYPES.indexOf(body.type));
    view.setUint16(HEADER.count, 'gossips' in body ? body.gossips.length : 0);
    this.int64(HEADER.currentEpoch, header.currentEpoch);
    this.int64(HEADER.configEpoch, header.configEpoch);
    this.int64(HEADER.offset, header.offset);
    this.text(HEADER.sender, ID_BYTES, header.sender);
    bytes.set(header.slots, HEADER.slots);
    this.text(HEADER.master, ID_BYTES, header.master);
    this.text(HEADER.ip, IP_BYTES, header.ip);
    view.setUint16(HEADER.extensions, hostname ? 1 : 0);
    view.setUint16(HEADER.plainPort, header.plainPort);
    view.setUint16(HEADER.busPort, header.busPort);
    view.setUint16(HEADER.flags, header.flags);
    view.setUint8(HEADER.state, header.state === 'ok' ? 0 : 1);
    const paused = header.paused ? MESSAGE_PAUSED : 0;
    const forceAck = header.forceAck ? MESSAGE_FORCE_ACK : 0;
    view.setUint8(HEADER.messageFlags, paused | forceAck | (hostname ? MESSAGE_HAS_EXTENSIONS : 0));
  }

  body(body: Body): void {
    const { view, bytes } = this;
    switch (body.type) {
      case 'ping':
      case 'pong':
      case 'meet':
        this.heartbeat(body);
        break;
      case 'fail':
        this.text(HEADER_BYTES, ID_BYTES, body.node);
        break;
      case 'publish':
      case 'publishshard':
        view.setUint32(HEADER_BYTES + PUBLISH.channelLength, body.channel.length);
        view.setUint32(HEADER_BYTES + PUBLISH.messageLength, body.message.length);
        bytes.set(body.channel, HEADER_BYTES + PUBLISH.bytes);
        bytes.set(body.message, HEADER_BYTES + PUBLISH.bytes + body.channel.length);
        break;
      case 'update':
        this.int64(HEADER_BYTES + UPDATE.configEpoch, body.configEpoch);
        this.text(HEADER_BYTES + UPDATE.id, ID_BYTES, body.node);
        bytes.set(body.slots, HEADER_BYTES + UPDATE.slots);
        break;
      case 'module':
        assert(body.module.length === MODULE_ID_BYTES, "a module's ID has eight bytes");
        bytes.set(body.module, HEADER_BYTES + MODULE.id);
        view.setUint32(HEADER_BYTES + MODULE.length, body.payload.length);
        view.setUint8(HEADER_BYTES + MODULE.type, body.messageType);
        bytes.set(body.payload, HEADER_BYTES + MODULE.bytes);
        break;
      case 'auth-req':
      case 'auth-ack':
      case 'mfstart':
        break;
    }
  }

  private heartbeat({ gossips, hostname }: Heartbeat): void {
    let at = HEADER_BYTES;
    for (const gossip of gossips) {
      this.gossip(at, gossip);
      at += GOSSIP_BYTES;
    }
    if (hostname === '') return;
    assert(hostname.length <= LONGEST_HOSTNAME, 'a host name fits');
    this.view.setUint32(at + EXTENSION.length, extensionBytes(hostname));
    this.view.setUint16(at + EXTENSION.type, HOSTNAME_EXTENSION);
    this.text(at + EXTENSION.data, LONGEST_HOSTNAME, hostname);
  }

  private gossip(at: number, gossip: Gossip): void {
    const { view } = this;
    this.text(at + GOSSIP.id, ID_BYTES, gossip.id);
    view.setUint32(at + GOSSIP.pingSent, gossip.pingSent);
    view.setUint32(at + GOSSIP.pongReceived, gossip.pongReceived);
    this.text(at + GOSSIP.ip, IP_BYTES, gossip.ip);
    view.setUint16(at + GOSSIP.port, gossip.port);
    view.setUint16(at + GOSSIP.busPort, gossip.busPort);
    view.setUint16(at + GOSSIP.flags, gossip.flags);
    view.setUint16(at + GOSSIP.plainPort, gossip.plainPort);
  }

  /** What is not filled stays zero. */
  private text(at: number, room: number, text: string): void {
    assert(text.length <= room, 'a text fits into its field');
    this.bytes.set(bytesOf(text), at);
  }

  private int64(at: number, value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'epochs and offsets are below 2^53');
    this.view.setUint32(at, Math.floor(value / 2 ** 32));
    this.view.setUint32(at + 4, value >>> 0);
  }
}
