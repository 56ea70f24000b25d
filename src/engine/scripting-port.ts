/** What INFO, MEMORY and the end of the server ask of scripting/. */

/** Counts, and bytes as far as they are known: a sandbox's own are a fixed reckoning and what its sources take. */
export interface ScriptingFigures {
  readonly scripts: number;
  readonly scriptBytes: number;
  readonly functions: number;
  readonly libraries: number;
  readonly functionBytes: number;
  readonly evalSandboxBytes: number;
  readonly functionSandboxBytes: number;
}

export interface ScriptingPort {
  figures(): ScriptingFigures;
  /** The server ends: a script that is suspended is not gone on with. */
  stop(): void;
}

/** Of a server that runs no scripts. */
export const NO_SCRIPTING: ScriptingPort = {
  figures: () => ({
    scripts: 0,
    scriptBytes: 0,
    functions: 0,
    libraries: 0,
    functionBytes: 0,
    evalSandboxBytes: 0,
    functionSandboxBytes: 0,
  }),
  stop: () => {},
};
