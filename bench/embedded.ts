/**
 * What embedding costs, of the built library: `npm run bench:embedded`. Each figure is the median of several rounds, in ms of the
 * wall and of the processor (of all threads), which tells more on a machine that others use as well; a test that is reset is a restore and a command, as `useCinnabar` does it.
 */
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as Library from '../src/index.ts';

const DIST = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const KEYS = 100_000;
const ROUNDS = 9;
const TESTS = 200;
const SEEDED = 1000;

const { createServer } = (await import(pathToFileURL(DIST).href)) as typeof Library;
const results: string[] = [];

/** What one round took, in ms. */
interface Round {
  readonly wall: number;
  readonly processor: number;
}

function tell(what: string, rounds: readonly Round[], promised: string): void {
  const median = (of: (round: Round) => number): string =>
    rounds
      .map(of)
      .sort((a, b) => a - b)
      [rounds.length >> 1].toFixed(1);
  results.push(`| ${what} | ${median(({ wall }) => wall)} | ${median(({ processor }) => processor)} | ${promised} |`);
}

async function timed(work: () => Promise<unknown>): Promise<Round> {
  const [began, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wall: performance.now() - began, processor: (user + system) / 1000 };
}

async function starts(): Promise<void> {
  const times: Round[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    let server: Library.CinnabarServer | undefined;
    times.push(
      await timed(async () => {
        server = createServer({ port: 0 });
        await server.listen();
        await server.session().call('PING');
      }),
    );
    await server?.close();
  }
  tell('the first server of a process: created, listening and answering', times.slice(0, 1), '20');
  tell('another one', times.slice(1), '20');
}

async function images(): Promise<void> {
  const server = createServer();
  const session = server.session();
  for (let i = 0; i < KEYS; i += 1000)
    await session.pipeline(Array.from({ length: 1000 }, (_, j) => ['SET', `key:${i + j}`, `value:${i + j}`] as const));
  const [snapshots, restores]: Round[][] = [[], []];
  for (let i = 0; i < ROUNDS; i++) {
    let image: Uint8Array = new Uint8Array();
    snapshots.push(await timed(async () => (image = await server.snapshot())));
    restores.push(await timed(() => server.restore(image)));
  }
  await server.close();
  tell(`snapshot() of ${KEYS.toLocaleString('en')} keys`, snapshots, '50');
  tell('restore() of it', restores, '50');
}

async function tests(): Promise<void> {
  const server = createServer({ port: 0 });
  await server.listen();
  await server.seed(Object.fromEntries(Array.from({ length: SEEDED }, (_, i) => [`user:${i}`, `name ${i}`])));
  const seeded = await server.snapshot();
  const times: Round[] = [];
  for (let round = 0; round < 3; round++)
    times.push(
      await timed(async () => {
        for (let i = 0; i < TESTS; i++) {
          await server.restore(seeded);
          const session = server.session();
          await session.call('SET', `user:${i}`, 'changed');
          session.close();
        }
      }),
    );
  await server.close();
  tell(`${TESTS} tests that each begin with ${SEEDED.toLocaleString('en')} keys`, times, '3000');
}

await starts();
await images();
await tests();
console.log(['| | ms | of the processor | at most |', '|---|---|---|---|', ...results].join('\n'));
