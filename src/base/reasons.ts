/** Something that holds for as long as anybody has a reason for it; each gives and takes back reasons of its own. */
export class Reasons {
  private readonly given = new Set<string>();

  /** Gives or takes back a reason, by its name; says whether any is left. */
  set(reason: string, on: boolean): boolean {
    if (on) this.given.add(reason);
    else this.given.delete(reason);
    return this.given.size > 0;
  }
}
