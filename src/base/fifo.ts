/** First in, first out, however many there are: an array's own `shift` moves all that is behind. */
export class Fifo<T> {
  private items: (T | undefined)[] = [];
  private head = 0;

  get size(): number {
    return this.items.length - this.head;
  }

  /** The oldest. */
  get first(): T | undefined {
    return this.items[this.head];
  }

  /** The newest. */
  get last(): T | undefined {
    return this.size === 0 ? undefined : this.items[this.items.length - 1];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Takes out the oldest. */
  shift(): T | undefined {
    const { first, head } = this;
    if (head === this.items.length) return undefined;
    // Nothing that has left is kept alive; its places go when they are half of all.
    this.items[head] = undefined;
    this.head++;
    if (this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return first;
  }

  /** Takes out the newest. */
  pop(): T | undefined {
    return this.size === 0 ? undefined : this.items.pop();
  }

  /** All of them, which stay. */
  all(): T[] {
    return this.items.slice(this.head) as T[];
  }

  /** Takes out all. */
  takeAll(): T[] {
    const all = this.all();
    this.items = [];
    this.head = 0;
    return all;
  }
}
