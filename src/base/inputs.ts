/**
 * What a machine of rules is given, one after another: an input that comes while another is looked at, as it does where an
 * effect of the one brings about the other, waits until that is done with.
 *
 * Invariant: `take` is never called within itself.
 */
export class Inputs<Input> {
  private readonly waiting: Input[] = [];
  private readonly take: (input: Input) => void;
  private taking = false;

  constructor(take: (input: Input) => void) {
    this.take = take;
  }

  put(input: Input): void {
    this.waiting.push(input);
    if (this.taking) return;
    this.taking = true;
    try {
      for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) this.take(next);
    } finally {
      this.taking = false;
    }
  }
}
