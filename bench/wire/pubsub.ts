/**
 * PUBLISH to 50 subscribers, redis-server and ours in one run: `npm run bench:pubsub [-- --requests N --subscribers N]`
 *
 * The subscribers are raw sockets of this process, the publishers redis-benchmark's; A B A B, the better run of each
 * counts. A run ends when the last message has arrived everywhere, so it measures delivery and not acceptance.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { commandLine } from '../../test/support/command-line.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';

const MESSAGE = 'x'.repeat(16);
const FRAME = `*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$${MESSAGE.length}\r\n${MESSAGE}\r\n`.length;
const CONFIRMATION = '*3\r\n$9\r\nsubscribe\r\n$7\r\nchannel\r\n:1\r\n'.length;

const line = commandLine({ program: 'npm run bench:pubsub --', options: ['requests', 'subscribers'] });

interface Run {
  perSecond: number;
  cpu: number;
}

class Audience {
  received = 0;
  private readonly sockets: Socket[] = [];
  private wanted = 0;
  private done: () => void = () => {};

  constructor(port: number, size: number) {
    for (let i = 0; i < size; i++) {
      const socket = connect({
        port,
        host: '127.0.0.1',
        onread: {
          buffer: Buffer.alloc(256 * 1024),
          callback: (count) => {
            this.received += count;
            if (this.received >= this.wanted) this.done();
            return true;
          },
        },
      });
      socket.write('SUBSCRIBE channel\r\n');
      this.sockets.push(socket);
    }
  }

  /** Waits until so many bytes have come in all. */
  async until(bytes: number): Promise<void> {
    if (this.received >= bytes) return;
    this.wanted = bytes;
    await new Promise<void>((resolve) => {
      this.done = resolve;
    });
  }

  leave(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function measure(server: ServerProcess, subscribers: number, requests: number, pipeline: number): Promise<Run> {
  const audience = new Audience(server.port, subscribers);
  await audience.until(subscribers * CONFIRMATION);
  const ticks = cpuTicks(server.pid);
  const start = performance.now();
  const args = ['-h', '127.0.0.1', '-p', server.port, '-c', 10, '-n', requests, '-P', pipeline, '-q'].map(String);
  const publishers = spawn('redis-benchmark', [...args, 'PUBLISH', 'channel', MESSAGE], { stdio: 'ignore' });
  await new Promise((resolve) => publishers.on('close', resolve));
  await audience.until(subscribers * (CONFIRMATION + FRAME * requests));
  const seconds = (performance.now() - start) / 1000;
  const cpu = ((cpuTicks(server.pid) - ticks) * 10_000) / requests;
  audience.leave();
  return { perSecond: requests / seconds, cpu };
}

async function main(): Promise<void> {
  const redis = await startRedis();
  const ours = await startCinnabar();
  try {
    const subscribers = line.number('subscribers', 50);
    for (const pipeline of [1, 16]) {
      const best = new Map<ServerProcess, Run>();
      for (let i = 0; i < 2; i++)
        for (const server of [redis, ours]) {
          const run = await measure(
            server,
            subscribers,
            line.number('requests', 20_000) * (pipeline > 1 ? 4 : 1),
            pipeline,
          );
          if (run.perSecond > (best.get(server)?.perSecond ?? 0)) best.set(server, run);
        }
      const [theirs, mine] = [best.get(redis)!, best.get(ours)!];
      const figures = [theirs, mine].map((run) => `${run.perSecond.toFixed(0)}/s at ${run.cpu.toFixed(0)} us`);
      const ratio = (mine.perSecond / theirs.perSecond).toFixed(2);
      console.log(
        `PUBLISH, ${subscribers} subscribers, pipeline ${pipeline}: redis ${figures[0]}, ours ${figures[1]}, ratio ${ratio}`,
      );
    }
  } finally {
    await redis.stop();
    await ours.stop();
  }
}

await main();
