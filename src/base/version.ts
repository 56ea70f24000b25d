/** Which program this is, and which version of Redis it behaves as. */
import { assert } from './assert.ts';

/** The server's own version; package.json says the same. */
export const VERSION = '0.1.0';

/** A version of Redis whose behaviour is kept. What came into Redis later is not there: see `existsIn`. */
export interface Version {
  /** As INFO and HELLO tell it to clients. */
  readonly text: string;
  /** As scripts see it: a byte each for major, minor and patch. */
  readonly number: number;
  /** The version of the RDB files and payloads that it writes. */
  readonly rdb: number;
}

/** `text` is three decimal numbers with dots between them. */
export function versionOf(text: string, rdb: number): Version {
  return Object.freeze({ text, number: numberOf(text), rdb });
}

/** Whether a command, an argument or a setting that came with version `since` is there; without `since` it always was. */
export function existsIn(version: Version, since: string | undefined): boolean {
  return since === undefined || numberOf(since) <= version.number;
}

function numberOf(text: string): number {
  const parts = text.split('.').map(Number);
  assert(parts.length === 3 && parts.every((part) => part >= 0 && part <= 255), `no version: ${text}`);
  return (parts[0] << 16) | (parts[1] << 8) | parts[2];
}

export const REDIS_7_0 = versionOf('7.0.15', 10);
/** What a server behaves as when nothing else is asked for. */
export const REDIS_VERSION = REDIS_7_0.text;
