/** What is computed while a chunk is compiled. */

/** The number that the reference computes while it compiles. */
export function computed(op: string, a: number, b: number): number | undefined {
  if (op === '+') return a + b;
  if (op === '-') return a - b;
  if (op === '*') return a * b;
  if (op === '^') return a ** b;
  if (b === 0) return undefined;
  if (op === '/') return a / b;
  return op === '%' ? a - Math.floor(a / b) * b : undefined;
}

/** A count as the reference's instructions can express it: four digits and an exponent, rounded up. */
export function roundedCount(count: number): number {
  let exponent = 0;
  while (count >= 16) {
    count = (count + 1) >> 1;
    exponent++;
  }
  return count << exponent;
}
