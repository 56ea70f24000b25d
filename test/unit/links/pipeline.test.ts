import type { Duplex } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import type { LinkError } from '../../../src/links/link.ts';
import { Pipeline, type PipelineOptions } from '../../../src/links/pipeline.ts';
import { Hosts, TARGET } from './net.ts';

let hosts: Hosts;
let seen: string[];

beforeEach(() => {
  hosts = new Hosts();
  seen = [];
});

function open(options: Partial<PipelineOptions> = {}): Pipeline {
  return new Pipeline(hosts.dialer, TARGET, {
    opened: () => seen.push('opened'),
    ended: (error: LinkError) => seen.push(`ended: ${error.failure}`),
    ...options,
  });
}

const note = (name: string) => (reply: unknown) => void seen.push(`${name}: ${reply}`);

test('what is sent before it is open waits, and each reply goes to its own taker', async () => {
  const requests: string[] = [];
  await hosts.listen((stream, bytes) => {
    for (const [, word] of bytes.toString('latin1').matchAll(/ECHO\r\n\$1\r\n(.)/g)) requests.push(word);
    while (requests.length > 0) stream.write(`+${requests.shift()}\r\n`);
  });
  const pipeline = open();
  for (const word of ['a', 'b']) pipeline.send(['ECHO', word], note(word));
  expect(seen).toEqual([]);
  await hosts.pass(20);
  pipeline.send(['ECHO', 'c'], note('c'));
  await hosts.pass(20);
  expect(seen).toEqual(['opened', 'a: a', 'b: b', 'c: c']);
});

test('a refusal is a reply, and what nobody asked for goes to who takes it', async () => {
  await hosts.listen((stream) => stream.write('-ERR no\r\n+one\r\n*2\r\n$1\r\na\r\n:2\r\n'));
  const pipeline = open({ unasked: note('unasked') });
  pipeline.send(['X'], note('x'));
  await hosts.pass(20);
  expect(seen).toEqual(['opened', 'x: ReplyError: ERR no', 'unasked: one', 'unasked: a,2']);
});

test.each([
  ['a reply that nobody asked for', '+OK\r\n+OK\r\n', 'protocol'],
  ['bytes of another protocol', 'HTTP/1.1\r\n', 'protocol'],
  ['arrays that are too deep', '*1\r\n'.repeat(100_000), 'protocol'],
  ['a reply that is too long', `$9999\r\n${'x'.repeat(3000)}`, 'protocol'],
])('%s end the link', async (_, bytes, failure) => {
  await hosts.listen((stream) => void stream.write(bytes));
  const pipeline = open({ mostReply: bytes.startsWith('*') ? 1e6 : 2000 });
  pipeline.send(['X'], () => {});
  await hosts.pass(50);
  expect(seen).toEqual(['opened', `ended: ${failure}`]);
});

test('it ends when the other side does, once, and silently when it is closed', async () => {
  let other: Duplex | undefined;
  await hosts.listen((stream) => {
    other = stream;
  });
  const first = open();
  first.send(['X'], note('x'));
  await hosts.pass(20);
  other?.destroy();
  await hosts.pass(20);
  first.send(['Y'], note('y'));
  const second = open();
  await hosts.pass(20);
  second.close();
  second.send(['Z'], note('z'));
  await hosts.pass(20);
  expect(seen).toEqual(['opened', 'ended: lost', 'opened']);
});
