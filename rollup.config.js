/**
 * The second half of a build: joins the modules that tsc made, and removes them; the declarations stay.
 *
 *   main.js, index.js, vitest.js ...   the entries
 *   server.js, shared.js               the server, as one scope, and what programs that talk to servers need of it
 *   early.js                           what is needed before it is known whether a server is
 *   check-rdb.js, cli.js ...           the tools and programs, loaded when asked for
 *   worker.js, io-thread.js ...        the threads, each by itself
 *   page/                              the console's page, as browsers load it
 *   index.cjs, jest.cjs ...            the entries again for who can only require: Jest loads modules by itself
 *
 * To find 370 modules takes Node longer than all the rest of a start. A thread is found by
 * `new URL('./worker.js', import.meta.url)`, beside its starter before as after: all lies in dist/ itself, under the names
 * of the modules.
 */
import { chmodSync, copyFileSync, readdirSync, unlinkSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import ts from '@typescript/typescript6';

const REQUIRED = ['embed/jest', 'embed/redis-memory-server', 'embed/ioredis'];
const EMBED = ['embed/vitest', ...REQUIRED];
const THREADS = [
  'persistence/save/worker',
  'commands/persistence/migrate-thread',
  'net/io-threads/io-thread',
  'memory/last-owner-thread',
];
/** The console's page: its script is joined as well, the rest lies beside it as it is. */
const PAGE_SCRIPT = join('page', 'page.js');
const PAGE_FILES = ['index.html', 'page.css', 'icon.svg'];
/** What is started where no server is wanted. */
const CLIENTS = ['client/cli', 'client/doctor', 'client/bench'];
/** What imports the server; nothing of the server imports these. */
const ABOVE = /^(main$|index$|embed\/|tools\/|client\/)/;

const SHORT = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  removeComments: true,
  verbatimModuleSyntax: true,
};

/** The modules that are loaded with this one. */
function loadedWith(id, getModuleInfo, found = new Set()) {
  if (!found.has(id)) for (const next of getModuleInfo(id).importedIds) loadedWith(next, getModuleInfo, found.add(id));
  return found.add(id);
}

/** `rollup -c --configDist FOLDER` for modules that are not in dist/. */
export default ({ configDist: folder = 'dist' }) => {
  const nameOf = (id) => relative(folder, id).replaceAll('\\', '/').replace(/\.js$/, '');
  const manualChunks = (id, { getModuleInfo }) => {
    if (ABOVE.test(nameOf(id))) return undefined;
    const serves = (name) => loadedWith(resolve(folder, `${name}.js`), getModuleInfo).has(id);
    if (serves('main')) return 'early';
    return CLIENTS.some(serves) ? 'shared' : 'server';
  };
  // V8 holds a program's text as long as it runs, and at two bytes a character where one is not of Latin 1, as in the
  // drawings of comments. The declarations keep their comments.
  const texts = new Map();
  const shortText = {
    name: 'short-text',
    transform: (code, id) => {
      if (!texts.has(id)) texts.set(id, ts.transpileModule(code, { compilerOptions: SHORT }).outputText);
      return texts.get(id);
    },
    renderChunk: (code) =>
      code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  };
  const finish = {
    name: 'finish',
    writeBundle() {
      for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
        if (dirname(path) !== '.' && path.endsWith('.js') && path !== PAGE_SCRIPT) unlinkSync(join(folder, path));
      chmodSync(join(folder, 'main.js'), 0o755);
    },
  };
  const copyPage = {
    name: 'copy-page',
    writeBundle() {
      for (const name of PAGE_FILES) copyFileSync(join('src', 'page', name), join(folder, 'page', name));
    },
  };
  const build = (names, output = {}, plugins = []) => ({
    input: Object.fromEntries(names.map((name) => [basename(name), `${folder}/${name}.js`])),
    output: { dir: folder, chunkFileNames: '[name].js', hoistTransitiveImports: false, ...output },
    plugins: [shortText, ...plugins],
    external: /^(node:|commander$|vitest$|ioredis$)/,
    onwarn({ message }) {
      throw new Error(message);
    },
  });
  const required = {
    format: 'cjs',
    exports: 'named',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    manualChunks: (id) => (ABOVE.test(nameOf(id)) ? undefined : 'server'),
  };
  return [
    ...THREADS.map((name) => build([name])),
    build(['page/page'], { dir: join(folder, 'page') }, [copyPage]),
    build(['index', ...REQUIRED], required),
    build(['main', 'index', ...EMBED], { manualChunks }, [finish]),
  ];
};
