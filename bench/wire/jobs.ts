/**
 * A queue of BullMQ, which is mostly long scripts, on redis-server and ours in one run: `npm run bench:jobs [-- options]`
 *
 *   --jobs N     added one by one, and then processed, 50 at a time (5,000)
 *   --repeat N   rounds, each on one server after the other (5); the median counts
 *   --smoke      200 jobs: does it work
 *
 * The client is this process, on both servers alike; the first round of each counts for nothing, since code is compiled then.
 */
import { cpus } from 'node:os';
import { Queue, Worker } from 'bullmq';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { threadSecondsOf } from './commands/driver.ts';
import { type Line, Results } from './figures.ts';
import { Options } from './options.ts';

const CONCURRENCY = 50;

const LINES: readonly Line[] = [
  { figure: 'add', unit: 'ms', pick: 'middle', ratio: ['<=', 1] },
  { figure: 'add cpu', unit: 'ms', pick: 'middle', ratio: ['<=', 1] },
  { figure: 'process', unit: 'ms', pick: 'middle', ratio: ['<=', 1] },
  { figure: 'process cpu', unit: 'ms', pick: 'middle', ratio: ['<=', 1] },
];

type Told = (figure: string, value: number) => void;

/** Does `work`, and tells what it took of time and of the server's processor. */
async function timed(server: ServerProcess, figure: string, told: Told, work: () => Promise<void>): Promise<void> {
  const cpu = threadSecondsOf(server.pid);
  const begin = performance.now();
  await work();
  told(figure, performance.now() - begin);
  told(`${figure} cpu`, (threadSecondsOf(server.pid) - cpu) * 1000);
}

async function round(server: ServerProcess, jobs: number, told: Told): Promise<void> {
  const connection = { host: '127.0.0.1', port: server.port, maxRetriesPerRequest: null };
  const queue = new Queue('bench', { connection });
  try {
    await queue.waitUntilReady();
    await timed(server, 'add', told, async () => {
      await Promise.all(Array.from({ length: jobs }, (_, i) => queue.add('job', { number: i, text: 'x'.repeat(64) })));
    });
    await timed(server, 'process', told, async () => {
      let done = 0;
      const worker = new Worker('bench', async () => {}, { connection, concurrency: CONCURRENCY });
      await new Promise<void>((all) => {
        worker.on('completed', () => {
          if (++done === jobs) all();
        });
      });
      await worker.close();
    });
    await queue.obliterate({ force: true });
  } finally {
    await queue.close();
  }
}

const options = new Options('npm run bench:jobs --', ['jobs', 'repeat']);
const jobs = options.number('jobs', 5000, 200);
const repeat = options.number('repeat', 5, 1);
const servers = { redis: await startRedis(), ours: await startCinnabar() };
try {
  console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${jobs} jobs, ${repeat} rounds`);
  for (const server of Object.values(servers)) await round(server, jobs, () => {});
  const results = new Results();
  for (let i = 0; i < repeat; i++) {
    await round(servers.redis, jobs, (figure, value) => results.add(figure, 'redis', value));
    await round(servers.ours, jobs, (figure, value) => results.add(figure, 'ours', value));
  }
  results.print(LINES);
} finally {
  for (const server of Object.values(servers)) await server.stop();
}
