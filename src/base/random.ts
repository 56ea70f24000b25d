/**
 * Chance is handed in: a `Random` seeded by the machine in service, by a printed number in tests. The generator is
 * sfc32: three words of state and a counter, no multiplication, period of at least 2^32.
 */
import { randomFillSync } from 'node:crypto';

export interface Random {
  /** 32 random bits, as an unsigned number. */
  bits32(): number;
  /** A whole number from 0 to `limit` - 1, even; `limit` up to 2^53. */
  below(limit: number): number;
  /** A number from 0 (included) to 1 (excluded), of 53 random bits. */
  double01(): number;
}

export class SeededRandom implements Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(a: number, b = 0, c = 0) {
    this.a = a | 0;
    this.b = b | 0;
    this.c = c | 0;
    for (let i = 0; i < 15; i++) this.bits32();
  }

  bits32(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  double01(): number {
    return ((this.bits32() >>> 5) * 0x4000000 + (this.bits32() >>> 6)) / 0x20000000000000;
  }

  below(limit: number): number {
    return Math.floor(this.double01() * limit);
  }
}

/** Words that nobody can foretell. */
export function randomWords(count: number): Uint32Array<ArrayBuffer> {
  return randomFillSync(new Uint32Array(count));
}

/** A generator that nobody can foretell from outside: for service, not for secrets. */
export function realRandom(): Random {
  const seed = randomWords(3);
  return new SeededRandom(seed[0], seed[1], seed[2]);
}
