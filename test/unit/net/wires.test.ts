/** Wires over streams and over handles: the same script against both, and the same events of it. */
import { once } from 'node:events';
import * as net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Listener, RealNetwork } from '../../../src/base/network.ts';
import { RealClock } from '../../../src/base/time.ts';
import { Acceptor, type Guest } from '../../../src/links/acceptor.ts';
import { Dialer, type Link, type LinkError, type LinkReceiver, type Target } from '../../../src/links/link.ts';
import type { FastWires } from '../../../src/links/wire.ts';
import { fastWiresOf } from '../../../src/net/fast-wires.ts';

const network = new RealNetwork();
const MIB = 1024 * 1024;

class Told implements LinkReceiver {
  readonly seen: string[] = [];
  readonly kept: Buffer[] = [];
  private waiting: (() => void)[] = [];

  opened(): void {
    this.note('opened');
  }

  data(bytes: Buffer, from: number, to: number): void {
    this.kept.push(bytes.subarray(from, to));
    this.stir();
  }

  closed(error: LinkError | string): void {
    this.note(typeof error === 'string' ? error : `${error.failure}: ${error.message}`);
  }

  get text(): string {
    return Buffer.concat(this.kept).toString('latin1');
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((wake) => this.waiting.push(wake));
  }

  private note(what: string): void {
    this.seen.push(what);
    this.stir();
  }

  private stir(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

describe.each([
  { road: 'streams', make: (): FastWires | null => null },
  { road: 'handles', make: (): FastWires | null => fastWiresOf(network, 'fast') },
])('links and guests over $road', ({ make }) => {
  const undo: (() => void)[] = [];
  let fast: FastWires | null;
  let dialer: Dialer;
  let server: net.Server;
  let target: Target;
  let told: Told;

  const accepted = async (): Promise<net.Socket> => {
    const [socket] = (await once(server, 'connection')) as [net.Socket];
    return socket;
  };
  const dial = (more: Partial<Target> = {}): Link => {
    const link = dialer.open({ ...target, ...more }, told);
    undo.push(() => link.close());
    return link;
  };
  const opened = async (more: Partial<Target> = {}): Promise<[Link, net.Socket]> => {
    const coming = accepted();
    const link = dial(more);
    expect([link.state, link.localAddress, told.seen]).toEqual(['opening', '', []]);
    await told.until(() => told.seen.length > 0);
    return [link, await coming];
  };
  const guest = async (host = '127.0.0.1'): Promise<[Guest, net.Socket, Told, Listener]> => {
    const acceptor = new Acceptor({ network, fast, tls: () => null, log: { verbose: () => {} } });
    let welcome: (guest: Guest) => void = () => {};
    const coming = new Promise<Guest>((settle) => (welcome = settle));
    const heard = new Told();
    const listener = await acceptor.listen(
      { host, port: 0, backlog: 5 },
      () => false,
      (one) => {
        one.receiver = heard;
        welcome(one);
      },
    );
    const socket = net.connect(listener.port, host);
    socket.on('error', () => {});
    undo.push(
      () => listener.close(),
      () => socket.destroy(),
    );
    const one = await coming;
    undo.push(() => one.close());
    return [one, socket, heard, listener];
  };

  beforeEach(async () => {
    fast = make();
    dialer = new Dialer({ network, fast, clock: new RealClock(), tls: () => null });
    told = new Told();
    server = net.createServer({ allowHalfOpen: true }, (socket) => {
      undo.push(() => socket.destroy());
      socket.on('error', () => {});
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as net.AddressInfo;
    target = { host: '127.0.0.1', port, secure: false, timeout: null };
  });

  afterEach(async () => {
    for (const step of undo.splice(0)) step();
    await new Promise((done) => server.close(done));
  });

  test('bytes go both ways, parts in their order, and what is received stays as it was', async () => {
    const [link, socket] = await opened();
    expect(link.localAddress).toBe(`127.0.0.1:${socket.remotePort}`);
    expect(link.localIp).toBe('127.0.0.1');
    socket.on('data', (bytes) => socket.write(bytes));
    let taken = 0;
    link.write(Buffer.from('one '), () => taken++);
    expect(taken).toBe(0);
    await told.until(() => told.text.length === 4);
    link.writeAll([Buffer.from('two '), Buffer.from('three '), Buffer.alloc(0), Buffer.from('four')]);
    await told.until(() => told.text.length === 18);
    expect([told.text, taken, link.unsent]).toEqual(['one two three four', 1, 0]);
    link.setNoDelay(false);
    link.keepAlive(10);
    link.keepAlive(0);
    link.hold(false);
    link.hold(true);
    link.close();
    await once(socket, 'end');
    link.write(Buffer.from('nobody hears this'));
    link.writeAll([Buffer.from('nor'), Buffer.from('this')]);
    await turn();
    expect(told.seen).toEqual(['opened']);
  });

  test('a fleeting receiver gets all bytes too', async () => {
    let sum = 0;
    const coming = accepted();
    const ended = new Promise<LinkError>((settle) => {
      const link = dialer.open(
        { ...target, fleeting: true },
        {
          opened: () => {},
          data: (bytes, from, to) => {
            for (let i = from; i < to; i++) sum += bytes[i];
          },
          closed: settle,
        },
      );
      undo.push(() => link.close());
    });
    (await coming).end(Buffer.alloc(MIB, 1));
    expect((await ended).message).toBe('connection lost');
    expect(sum).toBe(MIB);
  });

  test('the end of the other side and its reset are told once, each in its words', async () => {
    const [, first] = await opened();
    first.end('bye');
    await told.until(() => told.seen.length > 1);
    expect([told.text, told.seen]).toEqual(['bye', ['opened', 'lost: connection lost']]);
    told = new Told();
    const [link, second] = await opened();
    second.resetAndDestroy();
    await told.until(() => told.seen.length > 1);
    link.write(Buffer.from('x'));
    await turn();
    expect([told.seen, link.state]).toEqual([['opened', 'lost: Connection reset by peer'], 'closed']);
  });

  test('writing to one who has gone fails, while nothing is read', async () => {
    const [link, socket] = await opened();
    link.pause();
    socket.resetAndDestroy();
    await once(socket, 'close');
    for (let i = 0; i < 100 && told.seen.length < 2; i++) {
      link.write(Buffer.from('x'));
      await turn();
    }
    expect(told.seen.length).toBe(2);
    expect(told.seen[1]).toMatch(/^lost: (Broken pipe|Connection reset by peer)$/);
  });

  test('where nobody listens, and where there is no such network, it is refused later', async () => {
    const other = net.createServer();
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const { port } = other.address() as net.AddressInfo;
    await new Promise((done) => other.close(done));
    dial({ port });
    expect(told.seen).toEqual([]);
    await told.until(() => told.seen.length > 0);
    expect(told.seen).toEqual(['refused: Connection refused']);
    told = new Told();
    dial({ host: '255.255.255.255' });
    expect(told.seen).toEqual([]);
    await told.until(() => told.seen.length > 0);
    expect(told.seen).toEqual([expect.stringMatching(/^refused: (Network is unreachable|Permission denied)$/)]);
  });

  test('names are looked up, and one that stands for nothing is told as that', async () => {
    await opened({ host: 'localhost' });
    told = new Told();
    dial({ host: 'no-such-host.invalid' });
    await told.until(() => told.seen.length > 0);
    expect(told.seen).toEqual(['unresolved: Name or service not known']);
  });

  test('it goes out from where it is told, and from anywhere where that can not be had', async () => {
    const from: (string | undefined)[] = [];
    for (const source of ['127.0.0.9', 'localhost', '192.0.2.1', '::1', 'no-such-host.invalid', '']) {
      told = new Told();
      const [, socket] = await opened({ source });
      from.push(socket.remoteAddress);
    }
    expect(from).toEqual(['127.0.0.9', ...Array.from({ length: 5 }, () => '127.0.0.1')]);
  });

  test('one that is given up while it opens says nothing', async () => {
    const link = dial();
    link.close();
    for (let i = 0; i < 10; i++) await turn();
    expect([told.seen, link.state]).toEqual([[], 'closed']);
  });

  test('what the other side does not take waits, is counted, and goes in its order', async () => {
    const [link, socket] = await opened();
    socket.pause();
    const order: number[] = [];
    for (let i = 0; i < 64; i++) link.write(Buffer.alloc(MIB / 4, i), () => order.push(i));
    link.writeAll([Buffer.from('the '), Buffer.from('end')]);
    await turn();
    expect(order.length).toBeLessThan(64);
    // A write that is under way counts as a whole, until it is over.
    expect(link.unsent).toBe((64 - order.length) * (MIB / 4) + 7);
    const got: Buffer[] = [];
    let count = 0;
    socket.on('data', (bytes) => {
      got.push(bytes);
      count += bytes.length;
    });
    socket.resume();
    while (count < 16 * MIB + 7) await once(socket, 'data');
    const all = Buffer.concat(got);
    for (let i = 0; i < 64; i++) {
      const piece = all.subarray((i * MIB) / 4, ((i + 1) * MIB) / 4);
      expect(piece.equals(Buffer.alloc(MIB / 4, i))).toBe(true);
    }
    expect(all.toString('latin1', 16 * MIB)).toBe('the end');
    while (link.unsent > 0) await turn();
    expect(order).toEqual(Array.from({ length: 64 }, (_, i) => i));
  });

  test('whoever writes on when a piece is taken does so from no depth', async () => {
    const [link, socket] = await opened();
    socket.resume();
    let left = 20_000;
    await new Promise<void>((done) => {
      const next = (): void => {
        if (left-- === 0) done();
        else link.write(Buffer.from('x'), next);
      };
      next();
    });
    expect(told.seen).toEqual(['opened']);
  });

  test('while it pauses nothing is told, not the end either', async () => {
    const [link, socket] = await opened();
    link.pause();
    socket.end(Buffer.alloc(4 * MIB, 'x'));
    for (let i = 0; i < 20; i++) await turn();
    expect(told.text.length).toBeLessThan(4 * MIB);
    expect(told.seen).toEqual(['opened']);
    link.resume();
    await told.until(() => told.seen.length > 1);
    expect([told.text.length, told.seen[1]]).toEqual([4 * MIB, 'lost: connection lost']);
  });

  test('a receiver that ends it from within what it is told hears nothing more', async () => {
    const coming = accepted();
    const seen: string[] = [];
    const link = dialer.open(target, {
      opened: () => seen.push('opened'),
      data: () => {
        seen.push('data');
        link.close();
      },
      closed: () => seen.push('closed'),
    });
    (await coming).end(Buffer.alloc(4 * MIB));
    while (link.state !== 'closed') await turn();
    await turn();
    expect(seen).toEqual(['opened', 'data']);
  });

  test('a guest has addresses, hears and answers, and his end is told once', async () => {
    const [one, socket, heard] = await guest();
    expect([one.ip, one.localIp]).toEqual(['127.0.0.1', '127.0.0.1']);
    socket.end('hello');
    one.write(Buffer.from('welcome'));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    await heard.until(() => heard.seen.length > 0);
    one.write(Buffer.from('too late'));
    await turn();
    expect([answer.toString(), heard.text, heard.seen]).toEqual(['welcome', 'hello', ['connection lost']]);
  });

  test('a guest who resets is told so; what he does not take is counted', async () => {
    const [one, socket, heard] = await guest();
    socket.pause();
    one.write(Buffer.alloc(32 * MIB));
    one.write(Buffer.alloc(5));
    expect(one.unsent).toBe(32 * MIB + 5);
    socket.resetAndDestroy();
    await heard.until(() => heard.seen.length > 0);
    expect(heard.seen).toEqual([expect.stringMatching(/^(Connection reset by peer|Broken pipe)$/)]);
  });

  test('guests come over IPv6 too, and links go there', async () => {
    const [one, , , { port }] = await guest('::1');
    expect([one.ip, one.localIp]).toEqual(['::1', '::1']);
    const link = dial({ host: '::1', port });
    await told.until(() => told.seen.length > 0);
    expect([told.seen, link.localAddress]).toEqual([['opened'], expect.stringMatching(/^\[::1\]:\d+$/)]);
  });

  test('a place that is taken is refused with its code', async () => {
    const acceptor = new Acceptor({ network, fast, tls: () => null, log: { verbose: () => {} } });
    const place = { host: '127.0.0.1', port: target.port, backlog: 5 };
    const listening = acceptor.listen(
      place,
      () => false,
      () => {},
    );
    await expect(listening).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

test('there are handles over the network of the machine, unless the setting says otherwise', () => {
  expect(fastWiresOf(network, 'fast')).not.toBeNull();
  expect(fastWiresOf(network, 'plain')).toBeNull();
});
