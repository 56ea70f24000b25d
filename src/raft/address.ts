/** Where a member is found, as its configuration holds it: `host port tls-port bus-port`, 0 for a port that there is not. */
import type { Ids } from '../base/ids.ts';
import { PORT_MAX } from '../base/network.ts';
import { bytesOf } from '../base/slice.ts';
import type { NodeId } from './configuration.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tlsPort: number;
  readonly busPort: number;
}

const TEXT = /^(\S{1,255}) (\d{1,5}) (\d{1,5}) (\d{1,5})$/;
const ID_DIGITS = 40;
/** An ID is below 2^53. */
const ID_BYTES = 6;

export function formatAddress({ host, port, tlsPort, busPort }: Address): string {
  return `${host} ${port} ${tlsPort} ${busPort}`;
}

/** Undefined where it is none. */
export function parseAddress(text: string): Address | undefined {
  const found = TEXT.exec(text);
  if (found === null) return undefined;
  const [port, tlsPort, busPort] = found.slice(2).map(Number);
  if (Math.max(port, tlsPort, busPort) > PORT_MAX || busPort === 0 || bytesOf(text).length !== text.length)
    return undefined;
  return { host: found[1], port, tlsPort, busPort };
}

/** The port at which a client that has come over TLS, or without, reaches a member. */
export function portFor({ port, tlsPort }: Address, secure: boolean): number {
  return secure && tlsPort !== 0 ? tlsPort : port || tlsPort;
}

/** A member's ID in the form of a cluster's. */
export function nameOf(id: NodeId): string {
  return id.toString(16).padStart(ID_DIGITS, '0');
}

/** An ID that nobody else has. */
export function newId(ids: Ids): NodeId {
  return ids.secret(ID_BYTES).readUIntBE(0, ID_BYTES) || 1;
}

/** The ID that is written so, as a name or in decimal; NaN where it is neither. */
export function idOf(text: string): NodeId {
  if (/^[0-9a-f]{40}$/i.test(text)) return safe(Number.parseInt(text, 16));
  return /^\d{1,16}$/.test(text) ? safe(Number(text)) : Number.NaN;
}

function safe(id: number): NodeId {
  return Number.isSafeInteger(id) && id > 0 ? id : Number.NaN;
}
