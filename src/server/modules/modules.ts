/** The modules of one server: what they declare becomes commands of its table, with permissions and documentation as others. */
import { basename, extname, resolve } from 'node:path';
import { loadModuleFile } from '../../base/module-file.ts';
import { narrow, widen } from '../../base/text.ts';
import type { Declaration } from '../../engine/declaration.ts';
import type { Engine } from '../../engine/engine.ts';
import * as grammar from '../../engine/grammar.ts';
import type { LoadedModule, ModulesPort } from '../../engine/modules-port.ts';
import { Registered } from '../../engine/table.ts';
import { ModuleCalls } from './calls.ts';
import { declarationOf, isName, ModuleError } from './declared.ts';
import type { CustomCommand, ModuleFile } from './define.ts';
import { isPromised } from './promised.ts';

/** A file with commands. */
export interface ModuleRequest {
  readonly path: string;
  /** What the file's function is given as `argv`. */
  readonly args?: readonly string[];
}

interface GivenModules {
  readonly commands?: readonly CustomCommand[];
  readonly modules?: readonly ModuleRequest[];
}

/** The module that commands of an owner's code are told of as. */
const EMBEDDED = 'embedded';

export class Modules implements ModulesPort {
  readonly loaded: LoadedModule[] = [];
  private readonly engine: Engine;
  private readonly calls: ModuleCalls;

  constructor(engine: Engine) {
    this.engine = engine;
    this.calls = new ModuleCalls(engine);
  }

  /** What a server begins with; throws a ModuleError. */
  begin({ commands = [], modules = [] }: GivenModules): void {
    this.embed(commands);
    for (const { path, args = [] } of modules) {
      const refused = this.load(narrow(path), args.map(narrow));
      if (refused !== null)
        throw new ModuleError(`Can't load module from ${path}: server aborting`, { cause: refused });
    }
  }

  /** Takes in the commands of an owner's code; throws a ModuleError. */
  private embed(commands: readonly CustomCommand[]): void {
    if (commands.length > 0) this.add({ name: EMBEDDED, version: 1, path: '', args: [] }, commands);
  }

  load(path: string, args: readonly string[]): string | null {
    const { log } = this.engine.server;
    try {
      this.loadFile(path, args);
    } catch (error) {
      const reason = error instanceof ModuleError ? error.message : ((error as Error)?.stack ?? String(error));
      log.warning(`Module ${path} failed to load: ${narrow(reason)}`);
      return reason;
    }
    log.notice(`Module '${this.loaded.at(-1)!.name}' loaded from ${path}`);
    return null;
  }

  unload(name: string): string | null {
    const at = this.loaded.findIndex((module) => module.name === name);
    if (at < 0) return 'no such module with that name';
    const [{ commands, path }] = this.loaded.splice(at, 1);
    if (path === '') {
      this.loaded.splice(at, 0, { name, version: 1, path, args: [], commands });
      return 'the module is part of the program';
    }
    for (const { word } of commands) this.engine.table.remove(word);
    this.engine.server.log.notice(`Module ${name} unloaded`);
    return null;
  }

  private loadFile(path: string, args: readonly string[]): void {
    const file = resolve(widen(path));
    const exported = loadModuleFile(file) as Partial<ModuleFile> | null;
    const given = exported?.default ?? (exported as ModuleFile['default'] | null);
    const { log } = this.engine.server;
    const context = { args: grammar, argv: args.map(widen), log: (text: string) => log.notice(narrow(text)) };
    const made = typeof given === 'function' ? given(context) : given;
    const { name = basename(file, extname(file)), version = 1 } = exported ?? {};
    if (!isName(name)) throw new ModuleError(`'${name}' is no name of a module`);
    if (!Number.isSafeInteger(version) || version < 0) throw new ModuleError('version should be a whole number');
    if (isPromised(made) || made === null || typeof made !== 'object')
      throw new ModuleError('its default export should be a command, a list of them, or a function that returns these');
    this.add({ name, version, path, args }, Array.isArray(made) ? made : [made as CustomCommand]);
  }

  /** All of the commands, or none. */
  private add(module: Omit<LoadedModule, 'commands'>, given: readonly CustomCommand[]): void {
    const { table, acl } = this.engine;
    if (this.loaded.some(({ name }) => name === module.name))
      throw new ModuleError(`a module '${module.name}' is loaded already`);
    const commands = given.map((command) => this.registered(command, module.name));
    const words = commands.map(({ word }) => word);
    const taken = words.find((word, i) => table.all().some((other) => other.word === word) || words.indexOf(word) < i);
    if (taken !== undefined) throw new ModuleError(`there is a command '${taken}' already`);
    if (!acl.commands.hasRoom(commands)) throw new ModuleError('there are too many commands');
    for (const command of commands) {
      table.add(command);
      acl.commands.add(command);
    }
    this.loaded.push({ ...module, commands });
  }

  private registered(command: CustomCommand, module: string): Registered {
    const declaration = declarationOf(command, module);
    const run: Declaration['run'] = (c: never) => this.calls.run(c, command);
    try {
      return new Registered({ ...declaration, run }, declaration.name.toLowerCase(), null);
    } catch (error) {
      throw new ModuleError(`'${command.name}': ${(error as Error).message}`);
    }
  }
}
