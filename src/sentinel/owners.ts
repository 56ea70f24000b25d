/** The Sentinel of each server that is one. */
import type { Engine } from '../engine/engine.ts';
import { Owners } from '../engine/owners.ts';
import type { Shell } from './shell.ts';

const owners = new Owners<Shell>('a Sentinel');

export function attachShell(engine: Engine, shell: Shell): void {
  owners.attach(engine, shell);
}

export function shellOf(engine: Engine): Shell {
  return owners.of(engine);
}
