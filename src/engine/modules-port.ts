/** Modules: commands that came with files or from an owner's code (server/modules/), as the commands see them. */
import type { Registered } from './table.ts';

/** One that is loaded, as MODULE LIST tells of it. */
export interface LoadedModule {
  readonly name: string;
  readonly version: number;
  /** The file that it came from; '' where it came from code. */
  readonly path: string;
  readonly args: readonly string[];
  readonly commands: readonly Registered[];
}

export interface ModulesPort {
  /** In the order in which they were loaded. */
  readonly loaded: readonly LoadedModule[];
  /** Loads a file; why that can't be done, null where it was. */
  load(path: string, args: readonly string[]): string | null;
  /** Takes a module's commands away; why that can't be done, null where it was. */
  unload(name: string): string | null;
}
