/** The options of benches: `--name value`, `--name a,b`, and `--smoke` for a run that only shows that it works. */
export class Options {
  private readonly argv: readonly string[];
  readonly smoke: boolean;

  constructor(argv: readonly string[]) {
    this.argv = argv;
    this.smoke = argv.includes('--smoke');
  }

  /** What follows `--name`. */
  private given(name: string): string | undefined {
    const at = this.argv.indexOf(`--${name}`);
    return at < 0 ? undefined : this.argv[at + 1];
  }

  list(name: string, usual: readonly string[]): readonly string[] {
    return this.given(name)?.split(',') ?? usual;
  }

  number(name: string, usual: number, smoke: number): number {
    return Number(this.given(name) ?? (this.smoke ? smoke : usual));
  }
}

/** What benches of several figures are told: which of them, with how many keys, in how many rounds. */
export interface FigureOptions {
  readonly only: readonly string[];
  readonly keys: number;
  readonly repeat: number;
}

export function figureOptions(argv: readonly string[], figures: readonly string[]): FigureOptions {
  const options = new Options(argv);
  return {
    only: options.list('only', figures),
    keys: options.number('keys', 2_000_000, 20_000),
    repeat: options.number('repeat', 3, 1),
  };
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
