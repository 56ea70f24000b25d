/**
 * Clients that abuse memory, one kind after another, against a limit on what clients may take: prints for each kind how far
 * the process grew beyond what it took before, and whether the clients that behaved are still there.
 *
 *   npx tsx test/stress/clients.ts [dist/main.js [kind]]
 *
 * Exits with 1 when it grew by more than the limit and 64 MiB, or a client that behaved was closed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { MAIN } from '../support/server-process.ts';

const MB = 1024 * 1024;
const LIMIT = 100 * MB;
const SLACK = 64 * MB;
const CLIENTS = 20;
const SECONDS = 5;

/** What one abusive client sends, again and again; `i` counts. */
type Abuse = (client: number, i: number) => string;

const command = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

const LARGE = 'v'.repeat(MB);
const KINDS: Readonly<Record<string, { readonly first: string; readonly more: Abuse }>> = {
  'replies that are never read': { first: '', more: () => command('GET', 'large') },
  'arguments that never end': { first: '*1\r\n$500000000\r\n', more: () => LARGE },
  'arguments without number': { first: '*2000000000\r\n', more: () => '$0\r\n\r\n'.repeat(10_000) },
  'transactions that are never run': { first: command('MULTI'), more: () => command('SET', 'k', LARGE) },
  'short commands in transactions': { first: command('MULTI'), more: () => command('PING').repeat(1000) },
  'watched keys': { first: '', more: (_, i) => command('WATCH', `${i}:${'w'.repeat(10_000)}`) },
  subscriptions: { first: '', more: (c, i) => command('SUBSCRIBE', `${c}:${i}:${'s'.repeat(10_000)}`) },
  'tracked prefixes': {
    first: '',
    more: (c, i) => command('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', `${c}:${1e6 + i}:${'p'.repeat(10_000)}`),
  },
};

function resident(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024;
}

function abuse(port: number, client: number, first: string, more: Abuse): Socket {
  const socket = connect(port, '127.0.0.1');
  let i = 0;
  socket.on('error', () => {});
  socket.pause();
  socket.write(first);
  const go = (): void => {
    while (!socket.destroyed && socket.write(more(client, i++)));
    if (!socket.destroyed) socket.once('drain', go);
  };
  go();
  return socket;
}

async function run(main: string, name: string): Promise<boolean> {
  const port = await freePort();
  const options = ['--port', String(port), '--save', '', '--maxmemory-clients', String(LIMIT)];
  const server: ChildProcess = spawn(process.execPath, [main, ...options], { stdio: 'ignore' });
  await new Promise((done) => setTimeout(done, 1500));
  const pid = server.pid ?? 0;
  const good = Array.from({ length: 5 }, () => new Pipeline(port));
  for (const client of good) await client.send([['SET', 'large', LARGE], ['GET', 'large'], ['PING']]);
  const before = resident(pid);
  const kind = KINDS[name];
  const sockets: Socket[] = [];
  let peak = before;
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end) {
    for (let i = sockets.length - 1; i >= 0; i--) if (sockets[i].destroyed) sockets.splice(i, 1);
    while (sockets.length < CLIENTS) sockets.push(abuse(port, sockets.length, kind.first, kind.more));
    await new Promise((done) => setTimeout(done, 20));
    peak = Math.max(peak, resident(pid));
  }
  for (const socket of sockets) socket.destroy();
  const replies = await Promise.all(good.map((client) => client.send([['PING']])));
  const alive = replies.filter(([reply]) => reply === 'PONG').length;
  const [text] = await good[0].send([['INFO', 'stats']]);
  const evicted = /evicted_clients:(\d+)/.exec(String(text))?.[1];
  for (const client of good) client.close();
  server.kill('SIGKILL');
  const grown = peak - before;
  const fits = grown <= LIMIT + SLACK && alive === good.length;
  console.log(
    `${fits ? 'ok ' : 'BAD'} ${name}: +${Math.round(grown / MB)} MiB, ${evicted} evicted, ${alive} of 5 good left`,
  );
  return fits;
}

const main = resolve(process.argv[2] ?? MAIN);
let fine = true;
const chosen = Object.keys(KINDS).filter((name) => name.includes(process.argv[3] ?? ''));
for (const name of chosen) fine = (await run(main, name)) && fine;
process.exit(fine ? 0 : 1);
