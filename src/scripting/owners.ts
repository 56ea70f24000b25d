/** The scripts and functions of each server; several servers may live in one process. */
import type { Engine } from '../engine/engine.ts';
import { Libraries } from './libraries.ts';
import { Scripts } from './scripts.ts';

const scripts = new WeakMap<Engine, Scripts>();
const libraries = new WeakMap<Engine, Libraries>();

export function scriptsOf(engine: Engine): Scripts {
  let found = scripts.get(engine);
  if (found === undefined) scripts.set(engine, (found = new Scripts(engine)));
  return found;
}

export function librariesOf(engine: Engine): Libraries {
  let found = libraries.get(engine);
  if (found === undefined) libraries.set(engine, (found = new Libraries(scriptsOf(engine))));
  return found;
}
