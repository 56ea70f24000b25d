/** The Sentinel of each server that is one; several may live in one process. */
import type { Engine } from '../engine/engine.ts';
import type { Shell } from './shell.ts';

const owners = new WeakMap<Engine, Shell>();

export function attachShell(engine: Engine, shell: Shell): void {
  owners.set(engine, shell);
}

export function shellOf(engine: Engine): Shell {
  const found = owners.get(engine);
  if (found === undefined) throw new Error('a Sentinel is attached before any command runs');
  return found;
}
