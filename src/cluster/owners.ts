/** The cluster's shell of each server that is a node of one; several may live in one process. */
import type { Engine } from '../engine/engine.ts';
import type { Shell } from './shell.ts';

const owners = new WeakMap<Engine, Shell>();

export function attachShell(engine: Engine, shell: Shell): void {
  owners.set(engine, shell);
}

/** Undefined where the server is no node of a cluster. */
export function shellOf(engine: Engine): Shell | undefined {
  return owners.get(engine);
}
