/** Two hosts over a network in memory and a virtual clock: we dial from `us`, at `them` a script answers. */
import type { Duplex } from 'node:stream';
import { MemoryNetwork, Wires } from '../../../src/base/memory-network.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import { Dialer, type LinkError, type LinkReceiver, type Target } from '../../../src/links/link.ts';

export const TARGET: Target = { host: 'them', port: 1, secure: false, timeout: 1000 };

export class Hosts {
  readonly clock = new VirtualClock();
  readonly wires = new Wires(this.clock, new SeededRandom(1));
  readonly us = new MemoryNetwork(this.wires, 'us');
  readonly them = new MemoryNetwork(this.wires, 'them');
  readonly dialer = new Dialer({ network: this.us, fast: null, clock: this.clock, tls: () => null });
  /** The other ends, in the order in which they were accepted. */
  readonly accepted: Duplex[] = [];

  /** Takes connections, and does with what comes what `answer` says. */
  async listen(answer: (stream: Duplex, bytes: Buffer) => void): Promise<void> {
    await this.them.listen({ port: 1 }, 10, (stream) => {
      this.accepted.push(stream);
      stream.on('error', () => {});
      stream.on('data', (bytes: Buffer) => answer(stream, bytes));
      stream.on('end', () => stream.destroy());
    });
  }

  async pass(ms: number): Promise<void> {
    for (let i = 0; i < ms; i++) {
      await new Promise((done) => setImmediate(done));
      this.clock.advance(1);
    }
    await new Promise((done) => setImmediate(done));
  }

  /** Lets time pass until it is settled; what it answers, or the error with which it was rejected. */
  async run<T>(work: Promise<T>): Promise<T | Error> {
    let result: { value: T | Error } | null = null;
    work.then(
      (value) => (result = { value }),
      (error: Error) => (result = { value: error }),
    );
    for (let i = 0; i < 100_000 && result === null; i++) await this.pass(1);
    if (result === null) throw new Error('it never settles');
    return (result as { value: T | Error }).value;
  }
}

/** Notes what happens to a link. */
export class Notes implements LinkReceiver {
  readonly seen: string[] = [];
  received = '';
  error: LinkError | null = null;

  opened(): void {
    this.seen.push('opened');
  }

  data(bytes: Buffer, from: number, to: number): void {
    this.received += bytes.toString('latin1', from, to);
  }

  closed(error: LinkError): void {
    this.error = error;
    this.seen.push(`${error.failure}: ${error.message}`);
  }
}
