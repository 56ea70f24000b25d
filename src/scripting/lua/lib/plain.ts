/**
 * The search for a text as it stands. V8's own takes long only for what is longer than SHORT, where it may compare the
 * whole text at each place; so long ones are found by the sums of their characters, which move along the subject: places
 * with the same sum are compared.
 */

import { MORE, type Runtime } from '../runtime.ts';
import type { Result } from '../value.ts';
import { BYTES_SHIFT } from '../work.ts';

const SHORT = 128;
/** Characters of the subject that are gone over in one go. */
const STRETCH = 65_536;
/** Comparisons of characters that are few however bad they are. */
const FEW = 1 << 20;
const BASE = 0x01000193;

/** [first place, last place] of the text from `from` on, or nil. */
export function plainlyFound(rt: Runtime, subject: string, text: string, from: number): Result {
  const { length } = text;
  const places = subject.length - from - length;
  if (places < STRETCH && (length <= SHORT || places * length < FEW)) {
    rt.charge(Math.max(0, places) >>> 3);
    return found(subject.indexOf(text, from), length);
  }
  return length <= SHORT ? byStretches(rt, subject, text, from) : bySums(rt, subject, text, from);
}

function found(at: number, length: number): Result {
  return at < 0 ? undefined : [at + 1, at + length];
}

function byStretches(rt: Runtime, subject: string, text: string, from: number): Result {
  let at = from;
  return rt.inPieces(() => {
    const stretch = subject.slice(at, at + STRETCH + text.length);
    const place = stretch.indexOf(text);
    rt.charge(STRETCH >>> 3);
    if (place >= 0) return found(at + place, text.length);
    at += STRETCH;
    return at + text.length > subject.length ? undefined : MORE;
  });
}

function bySums(rt: Runtime, subject: string, text: string, from: number): Result {
  const { length } = text;
  let [wanted, sum, power] = [0, 0, 1];
  let summed = 0;
  let at = from;
  const begin = (): void => {
    for (const until = Math.min(length, summed + STRETCH); summed < until; summed++) {
      wanted = (Math.imul(wanted, BASE) + text.charCodeAt(summed)) | 0;
      sum = (Math.imul(sum, BASE) + subject.charCodeAt(from + summed)) | 0;
      if (summed > 0) power = Math.imul(power, BASE);
    }
    rt.charge(STRETCH >>> 3);
  };
  const places = subject.length - length;
  return rt.inPieces(() => {
    if (summed < length) {
      begin();
      return MORE;
    }
    rt.charge(Math.min(STRETCH, places - at + 1) >>> 2);
    for (let left = STRETCH; left > 0; left--) {
      if (at > places) return undefined;
      if (sum === wanted) {
        rt.charge(length >>> BYTES_SHIFT);
        if (subject.startsWith(text, at)) return found(at, length);
        left -= length;
      }
      sum = (Math.imul(sum - Math.imul(subject.charCodeAt(at), power), BASE) + subject.charCodeAt(at + length)) | 0;
      at++;
    }
    return MORE;
  });
}
