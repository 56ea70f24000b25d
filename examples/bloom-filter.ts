/**
 * A Bloom filter in a bitmap: a set that answers "surely not" or "perhaps", in 10 bits an item for 1 % of false "perhaps".
 *
 * Items can't be removed. Put an item in before it is written to the database: a filter that does not know yet what exists
 * would answer "surely not" for it, and that answer is believed.
 */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

export interface BloomFilterOptions {
  readonly bits: number;
  /** How many bits each item sets; bits / items * ln 2 is the best. */
  readonly hashes: number;
}

export class BloomFilter {
  private readonly redis: Redis;
  private readonly key: string;
  private readonly options: BloomFilterOptions;

  constructor(redis: Redis, key: string, options: BloomFilterOptions) {
    this.redis = redis;
    this.key = key;
    this.options = options;
  }

  /** One command for all bits: nobody sees an item that is half in. */
  async add(item: string): Promise<void> {
    const sets = this.positions(item).flatMap((position) => ['SET', 'u1', position, '1']);
    await this.redis.call('BITFIELD', this.key, ...sets);
  }

  async mayContain(item: string): Promise<boolean> {
    const gets = this.positions(item).flatMap((position) => ['GET', 'u1', position]);
    const bits = (await this.redis.call('BITFIELD_RO', this.key, ...gets)) as number[];
    return bits.every((bit) => bit === 1);
  }

  /** Two numbers of one digest make as many hashes as are wanted: first + i * second (Kirsch and Mitzenmacher). */
  private positions(item: string): string[] {
    const digest = createHash('sha256').update(item).digest();
    const first = digest.readUIntBE(0, 6);
    // Odd, so that no item puts all of its bits at one place of a filter of 2^n bits.
    const second = digest.readUInt32BE(8) | 1;
    const { bits, hashes } = this.options;
    return Array.from({ length: hashes }, (_, i) => String((first + i * second) % bits));
  }
}
