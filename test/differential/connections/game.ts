/** A run: the same steps of several connections on both servers, and after each burst every byte of each connection compared. */
import { SeededRandom } from '../../../src/base/random.ts';
import { allowed } from './allowed.ts';
import { drawn, RAW, REOPEN, type Run, type Step, WAIT } from './draw.ts';
import { Player } from './player.ts';

export interface Difference {
  /** Of the last step before it was seen. */
  readonly index: number;
  readonly connection: number;
  readonly ours: string;
  readonly theirs: string;
}

/** A short life is 20 ms, longer than a burst takes, so that within one a key lives for both; after this many it has ended for both. */
const SHORT_LIFE = 25;
/** A difference is one when it is still there after so many more settlings. */
const LOOKS = 20;

export class Game {
  readonly steps: readonly Step[];
  private readonly run: Run;
  private readonly ours: Player;
  private readonly theirs: Player;

  constructor(ours: Player, theirs: Player, run: Run) {
    this.ours = ours;
    this.theirs = theirs;
    this.run = run;
    this.steps = run.steps;
  }

  /** What else it depends on. */
  get setting(): string {
    return this.run.events === '' ? '' : `, events ${this.run.events}`;
  }

  /** Plays the steps on emptied servers; the first difference, if there is one. */
  async play(steps: readonly Step[]): Promise<Difference | undefined> {
    const { ours, theirs } = this;
    await Promise.all([ours.reset(this.run.events), theirs.reset(this.run.events)]);
    for (let at = 0; at < this.run.connections; at++) await this.open(at);
    for (let at = 0; at < steps.length; ) {
      const end = await this.burst(steps, at);
      const found = await this.compare(end - 1);
      // What is allowed has left the two in different states.
      if (found !== undefined) return allowed(steps.slice(at, end), found) ? undefined : found;
      ours.take();
      theirs.take();
      at = end;
    }
    return undefined;
  }

  private async open(at: number): Promise<void> {
    const id = await this.ours.open(at, 0);
    const other = await this.theirs.open(at, id);
    if (other > id) await this.ours.open(at, other);
  }

  /** Sends the step at `at`, with those that are joined to it; where the next begins. */
  private async burst(steps: readonly Step[], at: number): Promise<number> {
    const { connection } = steps[at];
    const [what] = steps[at].command;
    if (what === REOPEN) await this.open(connection);
    if (what === WAIT) await new Promise((done) => setTimeout(done, SHORT_LIFE));
    if (what === REOPEN || what === WAIT) return at + 1;
    let end = at;
    do end++;
    while (end < steps.length && steps[end].joined && steps[end].connection === connection);
    for (const player of [this.ours, this.theirs]) {
      const parts = steps
        .slice(at, end)
        .map(({ command }) => (command[0] === RAW ? command[1] : player.encoded(command)));
      player.send(connection, parts.join(''));
    }
    return end;
  }

  private async compare(index: number): Promise<Difference | undefined> {
    const { ours, theirs } = this;
    for (let look = 1; ; look++) {
      await Promise.all([ours.settle(), theirs.settle()]);
      const [a, b] = [ours.peek(), theirs.peek()];
      const [endedOurs, endedTheirs] = [ours.closed(), theirs.closed()];
      const at = a.findIndex((text, i) => text !== b[i] || endedOurs[i] !== endedTheirs[i]);
      if (at < 0) return undefined;
      if (look < LOOKS) continue;
      const end = (closed: boolean): string => (closed ? '(closed)' : '');
      const difference = {
        index,
        connection: at,
        ours: a[at] + end(endedOurs[at]),
        theirs: b[at] + end(endedTheirs[at]),
      };
      return difference;
    }
  }
}

/** Two servers in step, for one run after another. */
export class Pair {
  readonly ours: Player;
  readonly theirs: Player;

  constructor(portOurs: number, portTheirs: number) {
    this.ours = new Player(portOurs);
    this.theirs = new Player(portTheirs);
  }

  /** Before the first run: keys go only when they are looked at, and both give the same ids. */
  async prepare(): Promise<void> {
    for (const player of [this.ours, this.theirs]) await player.ask(['DEBUG', 'SET-ACTIVE-EXPIRE', '0']);
  }

  game(seed: number, count: number): Game {
    return this.gameOf(drawn(new SeededRandom(seed), count));
  }

  gameOf(run: Run): Game {
    return new Game(this.ours, this.theirs, run);
  }

  end(): void {
    this.ours.end();
    this.theirs.end();
  }
}

/** Steps as they are told: a line each, `2: GET a`, and `2:+ GET b` where it is sent in one piece with the one before. */
export function read(text: string): Step[] {
  return text.split('\n').flatMap((line) => {
    const [, connection, joined, words] = /^\s*(\d):(\+?)\s+(.*?)\s*$/.exec(line) ?? [];
    return words === undefined
      ? []
      : [
          {
            connection: Number(connection),
            command: words.replaceAll('\\r\\n', '\r\n').split(' '),
            joined: joined === '+',
          },
        ];
  });
}

export function shown(step: Step): string {
  const words = step.command.map((word) => (/^[\w*:.@#()+[-]+$/.test(word) ? word : JSON.stringify(word)));
  return `${step.connection}:${step.joined ? '+' : ' '} ${words.join(' ')}`;
}
