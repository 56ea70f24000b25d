/** The programs that talk to a server: which is asked for, and how each ends. */
import { printer } from '../base/standard-output.ts';
import { systemError } from '../base/system-error.ts';

const PROGRAMS: Readonly<Record<string, () => Promise<(args: readonly string[]) => Promise<number>>>> = {
  cli: async () => (await import('./cli.ts')).runCli,
  doctor: async () => (await import('./doctor.ts')).runDoctor,
  bench: async () => (await import('./bench.ts')).runBench,
};

/** Runs the program that the first word names, and gives its exit code; undefined where there is none of that name. */
export function runProgram([name = '', ...args]: readonly string[]): Promise<number> | undefined {
  return Object.hasOwn(PROGRAMS, name) ? run(name, args) : undefined;
}

async function run(name: string, args: readonly string[]): Promise<number> {
  try {
    const program = await PROGRAMS[name]();
    return await program(args);
  } catch (error) {
    // Commander has said what was wrong with the options, or printed its help.
    if (error instanceof Error && 'exitCode' in error) return Number(error.exitCode);
    printer(2)(`cinnabar ${name}: ${systemError(error)}\n`);
    return 1;
  }
}
