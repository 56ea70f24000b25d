/** The process behind loader.ts. Its high-water mark of memory is set back before each start, which needs Linux. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MAIN } from '../support/server-process.ts';
import type { LoadRequest, LoadResult } from './loader.ts';

/** The server as it was built: the one whose files are loaded. */
const built = pathToFileURL(join(dirname(MAIN), 'index.js')).href;
const { createServer } = (await import(built)) as typeof import('../../src/index.ts');

const stray = { text: null as string | null };

function status(field: string): number {
  const text = readFileSync('/proc/self/status', 'latin1');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024;
}

/** How long a member of a group may have no leader. */
const LEADERLESS_MS = 3000;
/** A leader that is not one any more ends its sessions. */
const LEADERLESS = /^-(CLUSTERDOWN|The session is closed)/;

/** The reply, an error as a text; where a group has no leader yet, it is asked again. */
async function answer(server: ReturnType<typeof createServer>, command: readonly string[]): Promise<unknown> {
  const words = command.map((word) => Buffer.from(word, 'latin1'));
  const end = performance.now() + LEADERLESS_MS;
  for (;;) {
    const session = server.session();
    const reply = await session.call(...words).catch((error: Error) => `-${error.message}`);
    session.close();
    if (typeof reply !== 'string' || !LEADERLESS.test(reply) || performance.now() > end) return reply;
    await new Promise((done) => setTimeout(done, 5));
  }
}

async function load({ settings, first = [], ask }: LoadRequest): Promise<LoadResult> {
  const log: string[] = [];
  const keep = (message: string): void => void log.push(message);
  globalThis.gc?.();
  writeFileSync('/proc/self/clear_refs', '5');
  const before = status('VmRSS');
  const start = performance.now();
  const server = createServer({
    port: 0,
    settings: { save: '', 'enable-debug-command': 'yes', ...settings },
    persistent: true,
    log: { debug() {}, verbose() {}, notice: keep, warning: keep },
    onExit: (code) => keep(`EXIT ${code}`),
  });
  const { memory } = server.engine;
  const empty = memory.used;
  let started = true;
  try {
    await server.listen();
  } catch {
    started = false;
  }
  const milliseconds = performance.now() - start;
  const grown = status('VmHWM') - before;
  const replies: unknown[] = [];
  if (started) {
    for (const command of first) await answer(server, command);
    for (const command of ask) replies.push(await answer(server, command));
  }
  const image = memory.peak - empty;
  await server.close();
  const { text } = stray;
  stray.text = null;
  return { started, log, replies, grown, image, milliseconds, stray: text };
}

const strayed = (error: unknown): void => {
  stray.text = error instanceof Error ? (error.stack ?? error.message) : String(error);
};
process.on('uncaughtException', strayed);
process.on('unhandledRejection', strayed);
process.on('message', (request: LoadRequest) => {
  void load(request).then((result) => process.send?.(result));
});
