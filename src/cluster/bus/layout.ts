/**
 * Where the numbers and texts of a packet of the cluster bus lie. Numbers are big-endian; a text is filled up with zeros.
 *
 *   0     "RCmb"                       80    slots, a bit each [2048]
 *   4     length of the whole  u32     2128  master's ID [40], zeros where it has none
 *   8     version, 1           u16     2168  own IP address [46], empty where peers are to find it out
 *   10    port                 u16     2214  number of extensions  u16
 *   12    type                 u16     2216  reserved [30]
 *   14    number of gossips    u16     2246  port without TLS      u16     0 where `port` is that
 *   16    current epoch        u64     2248  port of the bus       u16
 *   24    config epoch         u64     2250  flags of the sender   u16
 *   32    replication offset   u64     2252  cluster's state       u8      0 ok, 1 fail
 *   40    sender's ID [40]             2253  flags of the message [3]
 *                                      2256  what the type has
 *
 *   PING, PONG, MEET   gossips of 104 bytes, extensions
 *   FAIL               ID [40]
 *   PUBLISH[SHARD]     length of the channel u32, of the message u32, channel, message
 *   UPDATE             config epoch u64, ID [40], slots [2048]
 *   MODULE             module's ID u64, length u32, type u8, bytes
 *   the others         nothing
 *
 *   gossip      0   ID [40]               94  port              u16
 *               40  PING sent, s      u32  96  port of the bus   u16
 *               44  PONG received, s  u32  98  flags             u16
 *               48  IP address [46]        100 port without TLS  u16, and two unused bytes
 *   extension   0   length with these eight bytes u32, a multiple of 8; type u16; unused u16; data
 */
import { assert } from '../../base/assert.ts';
import { BITMAP } from '../slots.ts';

export const SIGNATURE = 0x52436d62;
export const VERSION = 1;

export const ID_BYTES = 40;
export const IP_BYTES = 46;

export const HEADER = {
  signature: 0,
  length: 4,
  version: 8,
  port: 10,
  type: 12,
  count: 14,
  currentEpoch: 16,
  configEpoch: 24,
  offset: 32,
  sender: 40,
  slots: 80,
  master: 2128,
  ip: 2168,
  extensions: 2214,
  plainPort: 2246,
  busPort: 2248,
  flags: 2250,
  state: 2252,
  messageFlags: 2253,
} as const;
export const HEADER_BYTES = 2256;

/** What has to be there before a packet's length can be believed. */
export const PREFIX_BYTES = 16;

export const GOSSIP = {
  id: 0,
  pingSent: 40,
  pongReceived: 44,
  ip: 48,
  port: 94,
  busPort: 96,
  flags: 98,
  plainPort: 100,
} as const;
export const GOSSIP_BYTES = 104;

export const EXTENSION = { length: 0, type: 4, data: 8 } as const;
export const EXTENSION_ALIGNMENT = 8;
export const HOSTNAME_EXTENSION = 0;
/** Without its zero. */
export const LONGEST_HOSTNAME = 255;

/** Of what follows the header. */
export const PUBLISH = { channelLength: 0, messageLength: 4, bytes: 8 } as const;
export const UPDATE = { configEpoch: 0, id: 8, slots: 48 } as const;
export const UPDATE_BYTES = UPDATE.slots + BITMAP;
export const MODULE = { id: 0, length: 8, type: 12, bytes: 13 } as const;
export const MODULE_ID_BYTES = 8;

/** The first byte of the message's flags. */
export const MESSAGE_PAUSED = 1;
export const MESSAGE_FORCE_ACK = 2;
export const MESSAGE_HAS_EXTENSIONS = 4;

/** Types by their numbers. */
export const TYPES = [
  'ping',
  'pong',
  'meet',
  'fail',
  'publish',
  'auth-req',
  'auth-ack',
  'update',
  'mfstart',
  'module',
  'publishshard',
] as const;

assert(HEADER.slots + BITMAP === HEADER.master, 'the slots lie between the sender and its master');
assert(HEADER.messageFlags + 3 === HEADER_BYTES, 'the flags of the message end the header');
assert(GOSSIP.plainPort + 4 === GOSSIP_BYTES, 'two unused bytes end a gossip');
