/** The scripts and functions of each server; several servers may live in one process. */
import type { Engine } from '../engine/engine.ts';
import { Libraries } from './libraries.ts';
import { leaveToOthers } from './lua/heap.ts';
import { queuedTexts } from './queued-texts.ts';
import { Scripts } from './scripts.ts';

interface Owners {
  readonly scripts: Scripts;
  readonly libraries: Libraries;
}

const owners = new WeakMap<Engine, Owners>();

function ownersOf(engine: Engine): Owners {
  let found = owners.get(engine);
  if (found === undefined) {
    const scripts = new Scripts(engine);
    found = { scripts, libraries: new Libraries(engine, scripts) };
    owners.set(engine, found);
  }
  return found;
}

export function scriptsOf(engine: Engine): Scripts {
  return ownersOf(engine).scripts;
}

export function librariesOf(engine: Engine): Libraries {
  return ownersOf(engine).libraries;
}

/** Hangs scripting into a server: snapshots carry its libraries, INFO shows its figures. */
export function attachScripting(engine: Engine): void {
  leaveToOthers();
  engine.server.persistence.libraries = {
    get edition() {
      return librariesOf(engine).edition;
    },
    sources: () => librariesOf(engine).sources(),
    load: (source, replace) => librariesOf(engine).load(source, replace),
    replacing: (sources) => librariesOf(engine).replacing(sources),
    clear: () => librariesOf(engine).clear(),
  };
  engine.prepare = (c, queue) => {
    const { scripts, libraries } = ownersOf(engine);
    return scripts.compilations.prepare(c, queuedTexts(c, queue, scripts, libraries));
  };
  engine.scripting = {
    figures: () => {
      const { scripts, libraries } = ownersOf(engine);
      return {
        scripts: scripts.count,
        scriptBytes: scripts.bytes,
        functions: libraries.functionCount,
        libraries: libraries.libraryCount,
        functionBytes: libraries.bytes,
        evalSandboxBytes: scripts.sandboxBytes,
        functionSandboxBytes: libraries.sandboxBytes,
      };
    },
    stop: () => scriptsOf(engine).runner.stop(),
  };
}
