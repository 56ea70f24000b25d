/** Who was told that a value had been appended, and whether it is there: once, and not twice. */
import type { Asking } from '../support/group-history.ts';
import { Unknown } from '../support/groups.ts';

export class Ledger {
  lost = 0;
  doubled = 0;
  private readonly name: string;
  private readonly lists: number;
  private readonly acknowledged = new Map<string, string[]>();
  private appended = 0;

  /** `name` is what its keys begin with, which nobody else has used. */
  constructor(name: string, lists: number) {
    this.name = name;
    this.lists = lists;
  }

  async append(client: Asking): Promise<void> {
    const value = String(this.appended++);
    const key = `${this.name}-list-${Number(value) % this.lists}`;
    const told = this.acknowledged.get(key) ?? [];
    this.acknowledged.set(key, told);
    try {
      await client.call('RPUSH', key, value);
      told.push(value);
    } catch (error) {
      if (!(error instanceof Unknown)) throw error;
    }
  }

  get count(): number {
    return [...this.acknowledged.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Looks whether all is there. */
  async audit(client: Asking): Promise<void> {
    for (const [key, told] of this.acknowledged) {
      const values = (await client.call('LRANGE', key, '0', '-1')) as string[];
      const there = new Set(values);
      this.doubled += values.length - there.size;
      this.lost += told.filter((value) => !there.has(value)).length;
    }
  }
}
