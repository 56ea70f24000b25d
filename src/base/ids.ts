/** Names that nothing else bears, and bytes that nobody can foretell, handed in like time. */
import { randomBytes } from 'node:crypto';
import type { Random } from './random.ts';

export interface Ids {
  /** The number of the process, as the log and INFO show it. */
  readonly process: number;
  /** Bytes for run IDs and passwords. */
  secret(bytes: number): Buffer;
}

export class RealIds implements Ids {
  readonly process = process.pid;

  secret(bytes: number): Buffer {
    return randomBytes(bytes);
  }
}

/** What a seed decides: for simulations, where nothing is secret. */
export class SeededIds implements Ids {
  readonly process: number;
  private readonly random: Random;

  constructor(random: Random, process = 1) {
    this.random = random;
    this.process = process;
  }

  secret(bytes: number): Buffer {
    return Buffer.from(Uint8Array.from({ length: bytes }, () => this.random.below(256)));
  }
}
