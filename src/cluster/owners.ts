/** The cluster's shell of each server that is a node of one. */
import type { Engine } from '../engine/engine.ts';
import { Owners } from '../engine/owners.ts';
import type { Shell } from './shell.ts';

const owners = new Owners<Shell>('a node of a cluster');

export function attachShell(engine: Engine, shell: Shell): void {
  owners.attach(engine, shell);
}

/** Undefined where the server is no node of a cluster. */
export function shellOf(engine: Engine): Shell | undefined {
  return owners.find(engine);
}
