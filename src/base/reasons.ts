/** Something that holds for as long as anybody has a reason for it; each gives and takes back reasons of its own. */
export class Reasons {
  /** Few: an array is searched faster than a set takes names and forgets them, with every command of a master's. */
  private readonly given: string[] = [];

  /** Gives or takes back a reason, by its name; says whether any is left. */
  set(reason: string, on: boolean): boolean {
    const { given } = this;
    const at = given.indexOf(reason);
    if (on && at < 0) given.push(reason);
    else if (!on && at >= 0) {
      given[at] = given[given.length - 1];
      given.pop();
    }
    return given.length > 0;
  }
}
