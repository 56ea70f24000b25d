/**
 * The two sides of an I/O thread over real rings, without threads or sockets: what each does next is decided by a seed, and
 * compared with what must come of it.
 */
import { describe, expect, test } from 'vitest';
import { type Random, SeededRandom } from '../../../../src/base/random.ts';
import { WINDOW } from '../../../../src/net/io-threads/frames.ts';
import { type Accepted, MainSide, type ThreadedConnection } from '../../../../src/net/io-threads/main-side.ts';
import { makeRing, RingReader, RingWriter } from '../../../../src/net/io-threads/ring.ts';
import { ThreadSide, type ThreadSocket } from '../../../../src/net/io-threads/thread-side.ts';
import type { Receiver } from '../../../../src/net/transport.ts';

describe('a ring', () => {
  const filled = (length: number, seed: number): Uint8Array =>
    Uint8Array.from({ length }, (_, i) => (seed * 31 + i * 7) & 255);

  test.each([1, 2, 3, 4])('brings what was put, in order and whole, in any rhythm (seed %i)', (seed) => {
    const random = new SeededRandom(seed);
    const ring = makeRing(1024);
    const [writer, reader] = [new RingWriter(ring), new RingReader(ring)];
    const model: { kind: number; id: number; extra: number; bytes: Uint8Array }[] = [];
    let published = 0;
    for (let step = 0; step < 4000; step++) {
      if (random.below(2) === 0) {
        const bytes = filled(random.below(writer.longest + 1), step);
        const frame = { kind: 1 + random.below(5), id: random.below(1000), extra: random.bits32() | 0, bytes };
        if (writer.put(frame.kind, frame.id, frame.extra, bytes, 0, bytes.length)) model.push(frame);
        else expect(model.length).toBeGreaterThan(0);
        if (random.below(3) === 0) {
          writer.publish();
          published = model.length;
        }
      } else if (reader.next()) {
        expect(published--).toBeGreaterThan(0);
        const { kind, id, extra, bytes, from, to } = reader;
        expect({ kind, id, extra, bytes: bytes.slice(from, to) }).toEqual(model.shift());
        reader.release();
      } else expect(published).toBe(0);
    }
  });

  test('who goes to sleep, or waits for room, is not forgotten', () => {
    const ring = makeRing(256);
    const [writer, reader] = [new RingWriter(ring), new RingReader(ring)];
    expect(writer.claimSleeper()).toBe(false);
    expect(reader.sleep()).toBe(true);
    writer.put(1, 1, 0);
    writer.publish();
    expect([writer.claimSleeper(), writer.claimSleeper()]).toEqual([true, false]);
    // What came between the last look and the sleep is seen.
    expect(reader.next()).toBe(true);
    writer.put(1, 2, 0);
    writer.publish();
    expect(reader.release()).toBe(false);
    expect(reader.sleep()).toBe(false);
    expect(writer.claimSleeper()).toBe(false);
    while (writer.put(1, 3, 0));
    writer.publish();
    expect(writer.starve()).toBe(true);
    expect(reader.next()).toBe(true);
    expect(reader.release()).toBe(true);
    expect(reader.next() && reader.release()).toBe(false);
    // And so is room that was made between.
    while (writer.put(1, 3, 0));
    writer.publish();
    expect(reader.next()).toBe(true);
    reader.release();
    expect(writer.starve()).toBe(false);
    expect(writer.put(1, 4, 0)).toBe(true);
  });

  test('what breaks its invariants is found', () => {
    const ring = makeRing(256);
    const [writer, reader] = [new RingWriter(ring), new RingReader(ring)];
    writer.put(1, 1, 0, new Uint8Array(20), 0, 20);
    writer.publish();
    // The length of the frame, a word long, is spoilt.
    new Int32Array(ring, 256)[0] = 200;
    expect(() => reader.next()).toThrow('a frame lies whole');
    expect(() => writer.put(1, 1, 0, new Uint8Array(1000), 0, 1000)).toThrow('fits into the ring');
  });
});

/** A client, its socket in the thread, and the kernel between them that takes so much and no more. */
class Client implements ThreadSocket, Accepted {
  readonly address = '127.0.0.1:1';
  readonly localAddress = '127.0.0.1:2';
  readonly peer = '127.0.0.1';
  readonly unix = false;
  readonly fd = 9;
  id = -1;
  reads = false;
  closed = false;
  /** What the client has sent. */
  sent = 0;
  /** What was written, and what of it has reached the kernel; the rest is under way. */
  private wrote = 0;
  got = 0;
  readonly pending: number[] = [];
  ended = false;
  room = WINDOW;

  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }

  read(on: boolean): void {
    this.reads = on;
  }

  write(bytes: Uint8Array, from: number, to: number): boolean {
    expect(this.closed).toBe(false);
    for (let i = from; i < to; i++) if (bytes[i] !== byteOf(this.number, this.wrote++)) throw new Error('other bytes');
    const count = to - from;
    if (this.pending.length === 0 && count <= this.room) {
      this.room -= count;
      this.got += count;
      return true;
    }
    this.pending.push(count);
    return false;
  }

  setNoDelay(): void {}
  keepAlive(): void {}
  close(): void {
    this.closed = true;
  }
}

function byteOf(number: number, at: number): number {
  return (number * 13 + at * 7 + (at >> 8)) & 255;
}

function pattern(number: number, at: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = byteOf(number, at + i);
  return bytes;
}

/** The main thread's view of one connection: replies as many bytes as it has heard, of a pattern of its own. */
class Server implements Receiver {
  heard = 0;
  replied = 0;
  ends: (string | null)[] = [];
  busy = false;
  quits = false;
  closed = false;

  readonly client: Client;
  readonly connection: ThreadedConnection;

  constructor(client: Client, connection: ThreadedConnection) {
    this.client = client;
    this.connection = connection;
    connection.receiver = this;
  }

  onData(buffer: Uint8Array, from: number, to: number): void {
    expect(this.closed).toBe(false);
    for (let i = from; i < to; i++)
      if (buffer[i] !== byteOf(this.client.number + 100, this.heard++)) throw new Error("another's bytes");
  }

  onWritten(): void {
    expect(this.closed).toBe(false);
    this.busy = false;
  }

  onEnd(error: string | null): void {
    this.ends.push(error);
  }

  /** Writes `count` bytes more, in one piece or several. */
  reply(count: number, random: Random): void {
    const bytes = pattern(this.client.number, this.replied, count);
    this.replied += count;
    const cut = random.below(count);
    const { connection } = this;
    const done = cut % 2 === 0 ? connection.write(bytes) : connection.writeAll([bytes.slice(0, cut), bytes.slice(cut)]);
    this.busy = !done;
  }
}

class World {
  readonly random: Random;
  readonly clients: Client[] = [];
  readonly servers: Server[] = [];
  readonly main: MainSide;
  readonly thread: ThreadSide;
  readonly counters = { ioThreads: 1, ioThreadedReads: 0, ioThreadedWrites: 0 };
  ended = false;
  private readonly handles: Client[] = [];
  /** What each thread has still to be called for. */
  private readonly ofMain = new Set<'look' | 'settle' | 'later'>();
  private wakesThread = false;

  constructor(seed: number, ringBytes: number) {
    this.random = new SeededRandom(seed);
    const [toThread, toMain] = [makeRing(ringBytes), makeRing(ringBytes)];
    this.main = new MainSide(
      new RingReader(toMain),
      new RingWriter(toThread),
      {
        wake: () => void (this.wakesThread = true),
        pass: (socket) => void this.handles.push(socket as Client),
        soon: () => void this.ofMain.add('settle'),
        later: () => void this.ofMain.add('later'),
        words: (status) => `E${status}`,
      },
      this.counters,
    );
    this.thread = new ThreadSide(new RingReader(toThread), new RingWriter(toMain), {
      wake: () => void this.ofMain.add('look'),
      // The other thread goes on meanwhile.
      hold: () => this.runMain(),
      end: () => void (this.ended = true),
    });
    this.main.look();
    this.runMain();
    this.thread.settle();
  }

  connect(): void {
    const client = new Client(this.clients.length);
    this.clients.push(client);
    this.servers.push(new Server(client, this.main.adopt(client)));
    this.main.passNext();
  }

  /** All that the main thread has been called for. */
  runMain(): void {
    for (let i = 0; this.ofMain.size > 0; i++) {
      expect(i).toBeLessThan(10_000);
      for (const what of ['settle', 'look', 'later'] as const) {
        if (!this.ofMain.delete(what)) continue;
        if (what === 'settle') this.main.settle();
        else if (what === 'look') this.main.look();
        else this.main.lookAgain();
        if (what === 'later') return;
      }
    }
  }

  /** What the thread is called for: a handle, or a wake. */
  runThread(): void {
    const handle = this.handles.shift();
    if (handle !== undefined) handle.id = this.thread.opened(handle);
    else if (!this.wakesThread) return;
    this.wakesThread = false;
    this.thread.settle();
  }

  /** A client's socket does something. */
  runSocket(client: Client): void {
    const { random, thread } = this;
    if (client.id === -1 || client.closed) return;
    const what = random.below(4);
    if (what === 0 && client.reads && !client.ended) {
      const count = 1 + random.below(random.below(4) === 0 ? 2000 : 100);
      const bytes = pattern(client.number + 100, client.sent, count);
      client.sent += count;
      thread.received(client.id, bytes, count);
    } else if (what === 1 && random.below(200) === 0 && !client.ended) {
      client.ended = true;
      thread.ended(client.id, 0);
    } else this.drain(client, random.below(3000));
    thread.settle();
  }

  /** The client reads `count` bytes. */
  drain(client: Client, count: number): void {
    client.room += count;
    while (client.pending.length > 0 && client.pending[0] <= client.room) {
      const done = client.pending.shift()!;
      client.room -= done;
      client.got += done;
      this.thread.written(client.id, done);
    }
  }

  runServer(server: Server): void {
    const { random } = this;
    if (server.closed) return;
    if (server.quits) {
      if (server.busy || !server.connection.finish()) return;
      expect(server.client.got).toBe(server.replied);
      this.close(server);
    } else if (random.below(300) === 0) server.quits = true;
    else if (random.below(900) === 0) this.close(server);
    else if (random.below(20) === 0) server.connection.pause();
    else if (random.below(5) === 0) server.connection.resume();
    else if (!server.busy) server.reply(1 + random.below(random.below(10) === 0 ? 400_000 : 2000), random);
  }

  close(server: Server): void {
    server.closed = true;
    server.connection.close();
  }

  /** Until nothing is left to be done. */
  calm(): void {
    for (let i = 0; i < 1000; i++) {
      this.runMain();
      this.runThread();
      for (const client of this.clients) {
        if (client.id !== -1 && !client.closed) this.drain(client, 1_000_000);
      }
      this.thread.settle();
    }
  }
}

describe('the two sides', () => {
  test.each(Array.from({ length: 6 }, (_, seed) => seed))('bring all bytes to whom they belong (seed %i)', (seed) => {
    const world = new World(seed, seed % 2 === 0 ? 4096 : 262_144);
    const { random } = world;
    for (let step = 0; step < 6000; step++) {
      if (random.below(200) === 0) world.connect();
      const client = world.clients[random.below(world.clients.length + 1)];
      const what = random.below(4);
      if (what === 0) world.runMain();
      else if (what === 1) world.runThread();
      else if (client !== undefined && what === 2) world.runSocket(client);
      else if (client !== undefined) world.runServer(world.servers[client.number]);
    }
    for (const server of world.servers) if (!server.closed) server.connection.resume();
    world.calm();
    for (const { client, closed, heard, replied, ends, busy } of world.servers) {
      if (closed) {
        // Only one whose handle never left is closed without the thread.
        expect(client.closed).toBe(true);
        continue;
      }
      expect({ busy, heard, got: client.got }).toEqual({ busy: false, heard: client.sent, got: replied });
      expect(ends.length).toBe(client.ended ? 1 : 0);
      expect(client.reads).toBe(true);
    }
    expect(world.main.size).toBe(world.servers.filter(({ closed }) => !closed).length);
    world.main.end();
    world.calm();
    expect(world.ended && world.clients.every(({ closed }) => closed)).toBe(true);
  });

  test('a client that does not read costs its thread the window, and no more', () => {
    const world = new World(1, 262_144);
    world.connect();
    const [server] = world.servers;
    world.runMain();
    world.runThread();
    world.runMain();
    server.client.room = 0;
    expect(server.connection.write(pattern(0, 0, 10))).toBe(true);
    server.replied = 10;
    server.reply(1_000_000, world.random);
    for (let i = 0; i < 20; i++) {
      world.runMain();
      world.runThread();
    }
    expect(server.client.pending.reduce((sum, count) => sum + count, 0)).toBe(WINDOW);
    expect([server.busy, server.connection.finish()]).toEqual([true, false]);
    world.calm();
    expect([server.busy, server.connection.finish(), server.client.got]).toEqual([false, true, 1_000_010]);
  });

  test('what a socket brings without end is answered meanwhile', () => {
    const world = new World(3, 1024 * 1024);
    world.connect();
    world.calm();
    const [client] = world.clients;
    const [server] = world.servers;
    server.reply(100, world.random);
    world.runMain();
    const bring = (): void => {
      const bytes = pattern(client.number + 100, client.sent, 16_384);
      client.sent += bytes.length;
      world.thread.received(client.id, bytes, bytes.length);
    };
    for (let i = 0; i < 3; i++) bring();
    expect(client.got).toBe(0);
    bring();
    expect(client.got).toBe(100);
    world.calm();
  });

  test('when the thread is lost, each of its connections is', () => {
    const world = new World(2, 4096);
    world.connect();
    world.connect();
    world.calm();
    world.main.lost();
    for (const { ends, connection } of world.servers) {
      expect(ends).toEqual(['ECONNRESET']);
      connection.close();
    }
    // What it had still to say is about nobody.
    world.thread.received(world.clients[0].id, new Uint8Array(10), 10);
    world.main.look();
    world.runMain();
    expect([world.main.size, world.servers[0].heard]).toEqual([0, 0]);
  });
});

test('one turn takes in as much as one read without threads would, so that replies leave in between', () => {
  const world = new World(3, 1024 * 1024);
  world.connect();
  const [{ client }] = world.servers;
  world.calm();
  const reads: number[] = [];
  world.servers[0].connection.receiver = {
    onData: (_, from, to) => void reads.push(to - from),
    onWritten() {},
    onEnd() {},
  };
  for (let i = 0; i < 8; i++) world.thread.received(client.id, new Uint8Array(40_000), 40_000);
  world.main.look();
  expect(reads.length).toBe(2);
  world.calm();
  expect(reads.length).toBe(8);
});
