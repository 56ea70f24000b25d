/** The thread of restore-fuzz.ts: a server over the debug allocator, fed with damaged payloads. */
import { parentPort, workerData } from 'node:worker_threads';
import { SeededRandom } from '../../src/base/random.ts';
import { RealClock } from '../../src/base/time.ts';
import { VerifiedMemory } from '../../src/memory/verified.ts';
import type { LocalSession } from '../../src/server/local.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { corpus, type Payload } from './payloads.ts';
import { CASE, type FuzzReport, type FuzzTask } from './restore-task.ts';
import { traffic } from './traffic.ts';

const TRAFFIC = 12;
const FAILURES_TOLD = 20;
/** Cases between two looks at guards, poison and leaks. */
const CASES_PER_LOOK = 1000;
const FOOT = 10;
const BYTES = [0, 1, 0x7f, 0x80, 0xfe, 0xff, 0x0c, 0x40, 0xc3, 0xf0];
const REFUSALS = ['ERR Bad data format', 'ERR DUMP payload version or checksum are wrong'];

/** Payloads that hold a time are the same whenever they are made. */
class StillClock extends RealClock {
  override now(): number {
    return 1_700_000_000_000;
  }

  override micros(): number {
    return this.now() * 1000;
  }
}

class Fuzz {
  readonly failures: string[] = [];
  accepted = 0;
  commands = 0;
  slowest: [number, number] = [0, -1];
  private readonly task: FuzzTask;
  private server!: CinnabarServer;
  private session!: LocalSession;
  private atCase = -1;
  private broken = false;
  /** Why a payload was refused, as the log told. */
  private refusal = '';
  private used = 0;

  constructor(task: FuzzTask) {
    this.task = task;
  }

  /** A server of its own; what went wrong in the one before shall not be blamed on later cases. */
  async begin(): Promise<void> {
    this.broken = false;
    this.server = createServer({
      settings: { port: 0, 'enable-debug-command': 'yes', 'sanitize-dump-payload': this.task.mode },
      clock: new StillClock(),
      log: {
        debug() {},
        verbose: (message) => this.remember(message),
        notice() {},
        warning: (message) => this.heard(message),
      },
    });
    this.session = this.server.session();
    await this.session.call('DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', '1');
    await this.session.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
  }

  private remember(message: string): void {
    this.refusal = message;
  }

  private heard(message: string): void {
    if (message.startsWith('Command ')) this.fail(message);
  }

  private fail(what: string): void {
    this.broken = true;
    if (this.failures.length < FAILURES_TOLD) this.failures.push(`case ${this.atCase}: ${what}`);
  }

  async run(): Promise<void> {
    const { from, to, control } = this.task;
    await this.begin();
    const payloads = await corpus(this.session);
    await this.session.call('FLUSHALL');
    this.used = this.server.engine.memory.used;
    for (let i = from; i < to; i++) {
      control[CASE] = i;
      this.atCase = i;
      const start = performance.now();
      await this.one(payloads);
      const took = performance.now() - start;
      if (took > this.slowest[0]) this.slowest = [took, i];
      if (i % CASES_PER_LOOK === 0) await this.look();
      if (this.broken) await this.renew();
    }
    await this.look();
    await this.server.close();
  }

  private async renew(): Promise<void> {
    await this.server.close();
    await this.begin();
    await this.session.call('FLUSHALL');
    this.used = this.server.engine.memory.used;
  }

  private async one(payloads: readonly Payload[]): Promise<void> {
    const random = new SeededRandom(this.task.seed, this.atCase);
    const { kind, bytes, name } = payloads[random.below(payloads.length)];
    const damaged = mutate(random, bytes);
    const told = `${name} ${damaged.toString('hex')}`;
    const reply = await this.call(['RESTORE', 'k', '0', damaged, 'REPLACE']);
    if (reply instanceof Error) {
      if (!REFUSALS.includes(reply.message)) this.fail(`${told}: RESTORE replied ${reply.message}`);
      return;
    }
    this.accepted++;
    await this.again(`${told}, as it came`);
    const commands = traffic(random, kind, TRAFFIC);
    this.commands += commands.length;
    const replies = await Promise.all(commands.map((command) => this.call(command)));
    for (let i = 0; i < replies.length; i++)
      if (isCrash(replies[i])) this.fail(`${told}: ${commands[i].join(' ')} replied ${replies[i]}`);
    await Promise.all([
      this.again(`${told}, after ${commands.map((command) => command.join(' ')).join('; ')}`),
      this.call(['DEL', 'k', 'other', 'fresh', 'again']),
    ]);
  }

  /** What was accepted can be dumped, and the dump restored. */
  private async again(told: string): Promise<void> {
    const dump = await this.session.callBuffer('DUMP', 'k').catch((error: Error) => error);
    if (dump === null) return;
    const reply = Buffer.isBuffer(dump) ? await this.call(['RESTORE', 'again', '0', dump, 'REPLACE']) : dump;
    if (reply !== 'OK') this.fail(`${told}: what it dumps is refused: ${reply} ${this.refusal}`);
  }

  private call(command: (string | Buffer)[]): Promise<unknown> {
    return this.session.call(...command).catch((error: unknown) => error);
  }

  /** Guards, poison, and nothing left behind. */
  private async look(): Promise<void> {
    const { memory } = this.server.engine;
    if (!(memory instanceof VerifiedMemory)) throw new Error('the debug allocator is not in use');
    await this.call(['FLUSHALL', 'SYNC']);
    for (let wait = 0; wait < 100 && memory.used !== this.used; wait++)
      await new Promise((done) => setTimeout(done, 10));
    if (memory.used !== this.used) this.fail(`leaks ${memory.used - this.used} bytes`);
    try {
      memory.verifyBlocks();
    } catch (error) {
      this.fail(String(error));
    }
  }

  report(): FuzzReport {
    const { task, accepted, commands, slowest, failures } = this;
    return { mode: task.mode, cases: task.to - task.from, accepted, commands, slowest, failures };
  }
}

function mutate(random: SeededRandom, bytes: Buffer): Buffer {
  const damaged = Buffer.from(bytes);
  for (let left = 1 + random.below(8); left > 0; left--) {
    const at = random.below(bytes.length - FOOT);
    const way = random.below(4);
    if (way === 0) damaged[at] ^= 1 << random.below(8);
    else if (way === 1) damaged[at] = random.below(256);
    else if (way === 2) damaged[at] = BYTES[random.below(BYTES.length)];
    else damaged[at] += random.below(2) === 0 ? 1 : 255;
  }
  return damaged;
}

function isCrash(reply: unknown): boolean {
  return reply instanceof Error && /internal error|closed|OOM/.test(reply.message);
}

const fuzz = new Fuzz(workerData as FuzzTask);
await fuzz.run();
parentPort?.postMessage(fuzz.report());
