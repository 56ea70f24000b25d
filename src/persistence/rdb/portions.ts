/** Values of many elements are read in portions: a large one must not keep clients waiting while a snapshot is loaded. */
import type { RdbInput } from './input.ts';

/** Elements, and bytes, after which a portion ends. */
const PORTION = 64;
const PORTION_BYTES = 16 * 1024;

/** What follows of a value that is read element by element. */
export interface Elements {
  /** How many there are yet; one of several parts makes itself be asked again by adding to it. */
  left: number;
  /** Reads the next one; where its bytes have not all arrived, it throws before anything has changed. */
  readonly one: () => void;
  /** Finishes the value behind the last one. */
  readonly end: () => void;
}

/** Reads the next portion; whether the value is there now. */
export function readPortion(input: RdbInput, elements: Elements): boolean {
  const until = input.offset + PORTION_BYTES;
  for (let i = PORTION; i > 0 && elements.left > 0 && input.offset < until; i--, elements.left--) {
    elements.one();
    input.commit();
  }
  if (elements.left > 0) return false;
  elements.end();
  return true;
}
