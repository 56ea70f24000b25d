import { beforeEach, expect, test } from 'vitest';
import { Hosts, Notes, TARGET } from './net.ts';

let hosts: Hosts;
let notes: Notes;

beforeEach(() => {
  hosts = new Hosts();
  notes = new Notes();
});

test('bytes go both ways, and the end of the other side is told once', async () => {
  await hosts.listen((stream, bytes) => stream.write(bytes));
  const link = hosts.dialer.open(TARGET, notes);
  expect(link.state).toBe('opening');
  await hosts.pass(10);
  expect([link.state, link.localAddress]).toEqual(['open', expect.stringMatching(/^us:\d+$/)]);
  const before = link.lastRead;
  let taken = 0;
  link.write(Buffer.from('one '), () => taken++);
  link.write(Buffer.from('two'), () => taken++);
  await hosts.pass(10);
  expect([notes.received, taken, link.unsent]).toEqual(['one two', 2, 0]);
  expect(link.lastRead).toBeGreaterThan(before);
  hosts.accepted[0].destroy();
  await hosts.pass(10);
  expect(notes.seen).toEqual(['opened', 'lost: connection lost']);
  link.write(Buffer.from('nobody hears this'));
  link.close();
});

test('where nobody listens it is refused, in the words of the system', async () => {
  hosts.dialer.open(TARGET, notes);
  expect(notes.seen).toEqual([]);
  await hosts.pass(10);
  expect(notes.seen).toEqual(['refused: Connection refused']);
});

test('a host without a name, a port that is none and TLS that is not configured are told later as well', async () => {
  const more = [new Notes(), new Notes(), new Notes()];
  hosts.dialer.open({ ...TARGET, host: '' }, more[0]);
  hosts.dialer.open({ ...TARGET, port: 65536 }, more[1]);
  hosts.dialer.open({ ...TARGET, secure: true }, more[2]);
  expect(more.flatMap(({ seen }) => seen)).toEqual([]);
  await hosts.pass(1);
  expect(more.map(({ error }) => error?.failure)).toEqual(['unresolved', 'unresolved', 'refused']);
});

test('a direction that is cut costs the time limit and no more', async () => {
  await hosts.listen(() => {});
  hosts.wires.cut('them', 'us');
  hosts.dialer.open(TARGET, notes);
  await hosts.pass(999);
  expect(notes.seen).toEqual([]);
  await hosts.pass(1);
  expect(notes.seen).toEqual(['late: Connection timed out']);
  hosts.wires.healAll();
  await hosts.pass(10);
  expect(notes.seen).toEqual(['late: Connection timed out']);
});

test('without a limit of its own it is its owner who gives up', async () => {
  await hosts.listen(() => {});
  hosts.wires.cut('us', 'them');
  const link = hosts.dialer.open({ ...TARGET, timeout: null }, notes);
  await hosts.pass(5000);
  expect([notes.seen, link.state]).toEqual([[], 'opening']);
  link.close();
});

test('a host that has vanished is found out by a write, once it is there again', async () => {
  await hosts.listen(() => {});
  const link = hosts.dialer.open(TARGET, notes);
  await hosts.pass(10);
  hosts.them.cutOff(true);
  link.write(Buffer.from('hello'));
  await hosts.pass(3000);
  expect(notes.seen).toEqual(['opened']);
  hosts.wires.listeners.set('them:2', { accept: () => {}, network: hosts.them });
  await hosts.pass(3000);
  expect(notes.seen).toEqual(['opened', 'lost: Connection reset by peer']);
});

test('its owner ends it without a word, also from within what it is told', async () => {
  await hosts.listen((stream) => stream.write('x'));
  const first = hosts.dialer.open(TARGET, notes);
  first.close();
  await hosts.pass(2000);
  expect(notes.seen).toEqual([]);
  const second = hosts.dialer.open(TARGET, {
    opened: () => second.write(Buffer.from('hello')),
    data: () => second.close(),
    closed: (error) => notes.closed(error),
  });
  await hosts.pass(2000);
  expect([notes.seen, second.state]).toEqual([[], 'closed']);
});

test('while it pauses, nothing is read, and the other side is held back', async () => {
  await hosts.listen((stream) => {
    for (let i = 0; i < 64; i++) stream.write(Buffer.alloc(16 * 1024, 'x'));
  });
  const link = hosts.dialer.open(TARGET, notes);
  await hosts.pass(10);
  link.write(Buffer.from('go'));
  link.pause();
  await hosts.pass(100);
  const before = notes.received.length;
  expect(before).toBeLessThan(1024 * 1024);
  expect(hosts.accepted[0].writableLength).toBeGreaterThan(0);
  link.resume();
  await hosts.pass(100);
  expect(notes.received.length).toBe(1024 * 1024);
});

test('what the other side does not take waits here, and is counted', async () => {
  await hosts.listen(() => {});
  const link = hosts.dialer.open(TARGET, notes);
  await hosts.pass(10);
  hosts.accepted[0].pause();
  let taken = 0;
  for (let i = 0; i < 64; i++) link.write(Buffer.alloc(16 * 1024), () => taken++);
  await hosts.pass(100);
  expect(taken).toBeLessThan(64);
  expect(link.unsent).toBeGreaterThan(512 * 1024);
  hosts.accepted[0].resume();
  await hosts.pass(100);
  expect([taken, link.unsent]).toEqual([64, 0]);
});

test('it goes out from where it is told; from anywhere, where that can not be had', async () => {
  await hosts.listen(() => {});
  for (const source of ['us', '10.1.2.3', 'elsewhere', '']) hosts.dialer.open({ ...TARGET, source }, notes);
  await hosts.pass(10);
  expect(notes.seen).toEqual(['opened', 'opened', 'opened', 'opened']);
});
