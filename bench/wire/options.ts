import { type CommandLine, commandLine } from '../../test/support/command-line.ts';

/** The options of benches: `--name value`, `--name a,b`, and `--smoke` for a run that only shows that it works. */
export class Options {
  private readonly line: CommandLine;

  /** `program` is what is typed before the options; `names` are those that have a value. */
  constructor(program: string, names: readonly string[], flags: readonly string[] = []) {
    this.line = commandLine({ program, options: names, flags: ['smoke', ...flags] });
  }

  get smoke(): boolean {
    return this.flag('smoke');
  }

  flag(name: string): boolean {
    return this.line.flag(name);
  }

  list(name: string, usual: readonly string[]): readonly string[] {
    return this.line.word(name)?.split(',') ?? usual;
  }

  number(name: string, usual: number, smoke: number): number {
    return this.line.number(name, this.smoke ? smoke : usual);
  }
}

/** What benches of several figures are told: which of them, with how many keys, in how many rounds. */
export interface FigureOptions {
  readonly only: readonly string[];
  readonly keys: number;
  readonly repeat: number;
}

export function figureOptions(program: string, figures: readonly string[]): FigureOptions {
  const options = new Options(program, ['only', 'keys', 'repeat']);
  return {
    only: options.list('only', figures),
    keys: options.number('keys', 2_000_000, 20_000),
    repeat: options.number('repeat', 3, 1),
  };
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
