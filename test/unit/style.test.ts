/**
 * The house rules, as a test (design: "Style is a test, ratcheted"):
 *   1. A room imports only rooms of a strictly lower rank, or itself.
 *   2. No module-level `let`: state lives in the small owners that createServer() builds.
 *   3. Only erasable, checked TypeScript: no enum, namespace, parameter property, `any` or suppressed error.
 *   4. Functions of at most 70 lines, files of at most 600; what is longer is listed in style-exemptions.json with its
 *      length, may not grow, and leaves the list once it is short enough.
 *   5. Files, network, time, chance and the process are handed in (base/environment.ts); whoever reaches for them by himself
 *      is listed with his reason.
 *   6. Bytes from outside, of any number, become no strings: those that stay short do by a bounded form (Slice.keyword,
 *      shown, beginning); whoever makes a text of all bytes is listed with the reason, and lives with TextTooLong.
 *   7. Within a room no files import one another's values in a circle; circles of types are listed with the number of their
 *      files, and may not grow.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from '@typescript/typescript6';
import { describe, expect, test } from 'vitest';
import exemptions from './style-exemptions.json' with { type: 'json' };

const ROOT = resolve(import.meta.dirname, '../..');
const MAX_FUNCTION_LINES = 70;
const MAX_FILE_LINES = 600;

const RANKS: Record<string, number> = {
  base: 0,
  memory: 1,
  protocol: 1,
  config: 1,
  structures: 2,
  values: 3,
  keyspace: 4,
  links: 4,
  engine: 5,
  commands: 6,
  persistence: 6,
  replication: 6,
  scripting: 6,
  cluster: 6,
  sentinel: 6,
  raft: 6,
  console: 6,
  net: 6,
  server: 7,
  embed: 8,
  'index.ts': 9,
  tools: 8,
  client: 8,
  'main.ts': 9,
  page: 9,
};

interface Source {
  /** Path from the repository's root, such as src/base/slice.ts. */
  path: string;
  text: string;
  tree: ts.SourceFile;
}

/** The first step below src/: a folder, or a file that stands there alone. */
function room(path: string): string {
  return path.split('/')[1]!;
}

function line(source: Source, position: number): number {
  return source.tree.getLineAndCharacterOfPosition(position).line + 1;
}

function at(source: Source, node: ts.Node): string {
  return `${source.path}:${line(source, node.getStart(source.tree))}`;
}

function everyNode(source: Source, visit: (node: ts.Node) => void): void {
  const walk = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, walk);
  };
  walk(source.tree);
}

function importedPaths(source: Source): Array<{ node: ts.Node; target: string }> {
  const found: Array<{ node: ts.Node; target: string }> = [];
  everyNode(source, (node) => {
    const from =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : undefined;
    if (from === undefined || !ts.isStringLiteral(from) || !from.text.startsWith('.')) return;
    found.push({ node, target: join(source.path, '..', from.text) });
  });
  return found;
}

/** Whether an import or export is of types only. */
function isTypeOnly(node: ts.Node): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node)) return true;
  const { importClause } = node;
  if (importClause === undefined) return false;
  if (importClause.isTypeOnly) return true;
  const { name, namedBindings } = importClause;
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}

/** Groups of files that reach one another by imports, of values only or of any kind. */
function circles(valuesOnly: boolean): string[][] {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      importedPaths(source)
        .filter(({ node }) => !valuesOnly || !isTypeOnly(node))
        .map(({ target }) => target),
    ]),
  );
  const reached = new Map([...edges.keys()].map((path) => [path, reachable(edges, path)]));
  const found = new Map<string, string[]>();
  for (const path of edges.keys()) {
    const group = [...edges.keys()].filter((other) => reached.get(path)!.has(other) && reached.get(other)!.has(path));
    if (group.length > 0) found.set(group.join(), group);
  }
  return [...found.values()];
}

function reachable(edges: ReadonlyMap<string, readonly string[]>, from: string): Set<string> {
  const seen = new Set<string>();
  const next = [...(edges.get(from) ?? [])];
  for (let path = next.pop(); path !== undefined; path = next.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    next.push(...(edges.get(path) ?? []));
  }
  return seen;
}

function functionName(node: ts.Node): string {
  const named = node as ts.NamedDeclaration;
  if (named.name !== undefined) return named.name.getText();
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  const { parent } = node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent)) {
    return parent.name.getText();
  }
  return '(anonymous)';
}

/** `Class.method`, `command.run`: the names of the declarations around a function, outermost first. */
function qualifiedName(node: ts.Node): string {
  const names = [functionName(node)];
  for (let outer = node.parent; outer !== undefined && !ts.isSourceFile(outer); outer = outer.parent) {
    if (!ts.isClassDeclaration(outer) && !ts.isFunctionDeclaration(outer) && !ts.isVariableDeclaration(outer)) continue;
    const name = outer.name?.getText();
    if (name !== undefined && name !== names[0]) names.unshift(name);
  }
  return names.join('.');
}

const sources: Source[] = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => `src/${path.replaceAll('\\', '/')}`)
  .sort()
  .map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true) };
  });

function offences(find: (source: Source, report: (node: ts.Node, what: string) => void) => void): string[] {
  return sources.flatMap((source) => {
    const found: string[] = [];
    find(source, (node, what) => found.push(`${at(source, node)} ${what}`));
    return found;
  });
}

/** Rooms and files that may reach for the world, each with what and why. */
const WORLDLY: Record<string, readonly string[]> = {
  // Where the world is handed in from.
  'src/base/': ['*'],
  // Programs that work on files, without a server.
  'src/tools/': ['*'],
  // Programs that talk to a server, without being one.
  'src/client/': ['*'],
  // What runs in a browser.
  'src/page/': ['*'],
  // What the program does to its own process, and what it reads of its machine; a server in a library does neither.
  'src/server/process.ts': ['node:fs', 'process.pid'],
  'src/server/start.ts': ['node:fs', 'process.pid'],
  'src/server/banner.ts': ['process.pid'],
  'src/server/system.ts': ['node:fs'],
  // DEBUG SEGFAULT ends the real process.
  'src/commands/server/debug.ts': ['process.pid'],
  // Handles inside Node: there is no fast road but over the real network.
  'src/net/fast.ts': ['setImmediate'],
  // A thread's own loop.
  'src/net/io-threads/io-thread.ts': ['setImmediate'],
  // TLS opens nothing: it turns streams that were handed in into others, and settings into contexts.
  'src/net/tls.ts': ['node:tls'],
  'src/links/acceptor.ts': ['node:tls'],
  'src/links/link.ts': ['node:tls'],
  'src/config/tls-options.ts': ['node:tls'],
};
const WORLDLY_MODULES = /^node:(fs|net|tls|dns|dgram|child_process)\b/;
const WORLDLY_NAMES = new Set(['setTimeout', 'setInterval', 'setImmediate']);
const WORLDLY_PROPERTIES = new Set(['Date.now', 'Math.random', 'performance.now', 'process.pid', 'process.hrtime']);

/** What of the world a node reaches for; undefined for nearly all. */
function worldly(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier))
    return WORLDLY_MODULES.test(node.moduleSpecifier.text) ? node.moduleSpecifier.text : undefined;
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression))
    return WORLDLY_NAMES.has(node.expression.text) ? node.expression.text : undefined;
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const name = `${node.expression.text}.${node.name.text}`;
    return WORLDLY_PROPERTIES.has(name) ? name : undefined;
  }
  const isDate = ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'Date';
  return isDate && (node.arguments?.length ?? 0) === 0 ? 'new Date()' : undefined;
}

/** Who may make a string of all bytes of a slice, and why. */
const WHOLE_TEXTS: Record<string, string> = {
  'src/base/slice.ts': 'makes them',
  'src/engine/acl/acl.ts': 'a name, once it is known to be no longer than a string can be',
  'src/commands/acl/index.ts': 'rules and names of users are texts',
  'src/commands/client/client.ts': 'the name of a client is a text',
  'src/commands/server/config.ts': 'settings are texts',
  'src/sentinel/commands.ts': 'names, addresses and settings of masters are texts',
  'src/scripting/commands.ts': 'scripts are texts',
  'src/scripting/functions.ts': 'libraries are texts',
  'src/scripting/libraries.ts': 'libraries are texts',
  'src/scripting/queued-texts.ts': 'scripts and libraries are texts',
  'src/persistence/rdb/dump-libraries.ts': 'libraries are texts',
  'src/persistence/rdb/library.ts': 'libraries are texts',
  'src/scripting/arguments.ts': 'what is handed to a script is a text of Lua',
  'src/scripting/replies.ts': 'what is handed to a script is a text of Lua',
  'src/base/long-double.ts': 'numbers of so many bytes are refused before',
  'src/net/client.ts': 'the beginning of a query',
  'src/persistence/aof/manifest.ts': 'a line of a file of our own',
  'src/structures/dict-walk.ts': 'verify() only',
  'src/values/zset.ts': 'verify() only',
};

/** Whether a node makes a string of as many bytes as there are. */
function makesWholeText(node: ts.Node): boolean {
  if (!ts.isCallExpression(node)) return false;
  const { expression } = node;
  if (ts.isPropertyAccessExpression(expression))
    return expression.name.text === 'latin1' && node.arguments.length === 0;
  return ts.isIdentifier(expression) && expression.text === 'latin1';
}

/** Compares lengths over a limit with the list of exemptions. */
function overLimit(lengths: Map<string, number>, limit: number, exempt: Record<string, number>): string[] {
  const problems: string[] = [];
  for (const [name, length] of lengths) {
    const allowed = exempt[name] ?? limit;
    if (length > allowed) problems.push(`"${name}": ${length}, over ${allowed}`);
  }
  for (const name of Object.keys(exempt)) {
    if ((lengths.get(name) ?? 0) <= limit) problems.push(`"${name}" needs its exemption no more: remove it`);
  }
  return problems;
}

describe('the house rules', () => {
  test('every room has a rank, and imports only lower ranks or itself', () => {
    const found = offences((source, report) => {
      const own = room(source.path);
      if (RANKS[own] === undefined) return report(source.tree, `is in a room without a rank: ${own}`);
      for (const { node, target } of importedPaths(source)) {
        const other = room(target);
        if (other === own) continue;
        const allowed = target.startsWith('src/') && RANKS[other] !== undefined && RANKS[other] < RANKS[own];
        if (!allowed) report(node, `${own} (${RANKS[own]}) imports ${target} (${RANKS[other]})`);
      }
    });
    expect(found).toEqual([]);
  });

  test('no module-level let', () => {
    const found = offences((source, report) => {
      for (const statement of source.tree.statements) {
        if (!ts.isVariableStatement(statement)) continue;
        if ((statement.declarationList.flags & ts.NodeFlags.Const) === 0) report(statement, statement.getText());
      }
    });
    expect(found).toEqual([]);
  });

  test('only erasable syntax, and no way around the type checker', () => {
    const found = offences((source, report) => {
      everyNode(source, (node) => {
        if (ts.isEnumDeclaration(node)) report(node, 'enum');
        if (ts.isModuleDeclaration(node)) report(node, 'namespace');
        if (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent))
          report(node, 'parameter property');
        if (node.kind === ts.SyntaxKind.AnyKeyword) report(node, 'any');
      });
      const suppressed = /@ts-(ignore|nocheck|expect-error)/.exec(source.text);
      if (suppressed !== null) report(source.tree, suppressed[0]);
    });
    expect(found).toEqual([]);
  });

  test('the world is handed in', () => {
    const used = new Set<string>();
    const found = offences((source, report) => {
      everyNode(source, (node) => {
        const what = worldly(node);
        if (what === undefined) return;
        const listed = Object.keys(WORLDLY).find((path) => source.path.startsWith(path));
        const allowed = listed === undefined ? [] : WORLDLY[listed]!;
        if (listed !== undefined)
          for (const each of allowed) if (each === '*' || each === what) used.add(`${listed} ${each}`);
        if (!allowed.includes('*') && !allowed.includes(what)) report(node, what);
      });
    });
    expect(found).toEqual([]);
    const stale = Object.entries(WORLDLY).flatMap(([path, all]) => all.map((what) => `${path} ${what}`));
    expect(stale.filter((each) => !used.has(each))).toEqual([]);
  });

  test('bytes of any number become no strings', () => {
    const used = new Set<string>();
    const found = offences((source, report) => {
      everyNode(source, (node) => {
        if (!makesWholeText(node)) return;
        if (WHOLE_TEXTS[source.path] === undefined) report(node, 'makes a string of all bytes');
        used.add(source.path);
      });
    });
    expect(found).toEqual([]);
    expect(Object.keys(WHOLE_TEXTS).filter((path) => !used.has(path))).toEqual([]);
  });

  test('no circles of values, and no larger circles of types', () => {
    const sizes = (groups: string[][]): Map<string, number> => {
      const found = new Map<string, number>();
      for (const group of groups) {
        const folder = dirname(group.at(-1)!);
        found.set(folder, (found.get(folder) ?? 0) + group.length);
      }
      return found;
    };
    expect(overLimit(sizes(circles(true)), 0, exemptions.valueCircles)).toEqual([]);
    expect(overLimit(sizes(circles(false)), 0, exemptions.typeCircles)).toEqual([]);
  });

  test(`functions of at most ${MAX_FUNCTION_LINES} lines`, () => {
    const lengths = new Map<string, number>();
    for (const source of sources) {
      everyNode(source, (node) => {
        if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
        const length = line(source, node.getEnd()) - line(source, node.getStart(source.tree)) + 1;
        const name = `${source.path}#${qualifiedName(node)}`;
        lengths.set(name, Math.max(length, lengths.get(name) ?? 0));
      });
    }
    expect(overLimit(lengths, MAX_FUNCTION_LINES, exemptions.functions)).toEqual([]);
  });

  test(`files of at most ${MAX_FILE_LINES} lines`, () => {
    const lengths = new Map(sources.map((source) => [source.path, source.text.split('\n').length - 1]));
    expect(overLimit(lengths, MAX_FILE_LINES, exemptions.files)).toEqual([]);
  });
});
