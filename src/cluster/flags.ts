/** What a node is known as: the bits that packets carry, and their names in nodes.conf and CLUSTER NODES. */
export const MASTER = 1;
export const SLAVE = 2;
/** It does not answer us. */
export const PFAIL = 4;
/** A majority of the masters says so. */
export const FAIL = 8;
export const MYSELF = 16;
/** We have to hear from it before it counts: its ID is one that we made up. */
export const HANDSHAKE = 32;
/** Its address is not known. */
export const NOADDR = 64;
/** The first packet to it is a MEET. */
export const MEET = 128;
/** A master that once had replicas, or that took over from one that had: an orphan when it has none. */
export const MIGRATE_TO = 256;
/** It never takes over from its master by itself. */
export const NOFAILOVER = 512;

/** In the order in which they are written. */
const NAMES: readonly (readonly [string, number])[] = [
  ['myself', MYSELF],
  ['master', MASTER],
  ['slave', SLAVE],
  ['fail?', PFAIL],
  ['fail', FAIL],
  ['handshake', HANDSHAKE],
  ['noaddr', NOADDR],
  ['nofailover', NOFAILOVER],
];
const NONE = 'noflags';
const BY_NAME = new Map(NAMES);

/** `myself,master`; `noflags` where there is none that has a name. */
export function flagsText(flags: number): string {
  let text = '';
  for (const [name, bit] of NAMES) if ((flags & bit) !== 0) text += text === '' ? name : `,${name}`;
  return text === '' ? NONE : text;
}

/** Undefined where one of the names is none. */
export function parseFlags(text: string): number | undefined {
  let flags = 0;
  if (text === NONE) return flags;
  for (const name of text.split(',')) {
    const bit = BY_NAME.get(name);
    if (bit === undefined) return undefined;
    flags |= bit;
  }
  return flags;
}
