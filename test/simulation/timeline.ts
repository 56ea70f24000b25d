/** Virtual time for the simulation of rules: what is to happen, in the order of its time, from a heap. */

export class Timeline {
  /** Milliseconds, of which fractions count. */
  now = 1;
  /** How much has happened. */
  happened = 0;
  private readonly times: number[] = [];
  private readonly orders: number[] = [];
  private readonly actions: (() => void)[] = [];
  private next = 0;

  /** Does `action` in `ms` milliseconds; what is due at the same time is done in the order of the calls. */
  after(ms: number, action: () => void): void {
    let at = this.times.length;
    const [time, order] = [this.now + ms, this.next++];
    this.times.push(time);
    this.orders.push(order);
    this.actions.push(action);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(time, order, parent)) break;
      this.move(parent, at);
      at = parent;
    }
    this.put(at, time, order, action);
  }

  /** Lets `ms` milliseconds pass. */
  run(ms: number): void {
    const until = this.now + ms;
    while (this.times.length > 0 && this.times[0] <= until) {
      this.now = this.times[0];
      this.happened++;
      this.take()();
    }
    this.now = until;
  }

  private take(): () => void {
    const first = this.actions[0];
    const [time, order, action] = [this.times.pop()!, this.orders.pop()!, this.actions.pop()!];
    const { length } = this.times;
    if (length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.isBefore(this.times[child + 1], this.orders[child + 1], child)) child++;
      if (this.isBefore(time, order, child)) break;
      this.move(child, at);
      at = child;
    }
    this.put(at, time, order, action);
    return first;
  }

  private isBefore(time: number, order: number, at: number): boolean {
    return time < this.times[at] || (time === this.times[at] && order < this.orders[at]);
  }

  private move(from: number, to: number): void {
    this.put(to, this.times[from], this.orders[from], this.actions[from]);
  }

  private put(at: number, time: number, order: number, action: () => void): void {
    this.times[at] = time;
    this.orders[at] = order;
    this.actions[at] = action;
  }
}
