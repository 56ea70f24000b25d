import { beforeEach, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Backoff } from '../../../src/links/backoff.ts';
import { authRequest, Conversation, type ConversationOptions } from '../../../src/links/conversation.ts';
import { LinkError } from '../../../src/links/link.ts';
import { ReplyError } from '../../../src/protocol/reply-error.ts';
import { Hosts, TARGET } from './net.ts';

let hosts: Hosts;

beforeEach(() => {
  hosts = new Hosts();
});

async function open(options: ConversationOptions = {}): Promise<Conversation> {
  const conversation = await hosts.run(Conversation.open(hosts.dialer, TARGET, options));
  if (conversation instanceof Error) throw conversation;
  return conversation;
}

const failure = (value: unknown): string => (value instanceof LinkError ? value.failure : String(value));

describe('replies', () => {
  test('come in the order of the requests, as bytes; a refusal is a value', async () => {
    await hosts.listen((stream, bytes) => {
      for (const _ of bytes.toString('latin1').matchAll(/PING/g)) stream.write('+PONG\r\n');
      if (bytes.includes('GET'))
        stream.write('$2\r\n\xff\x00\r\n-ERR n\xc3\xb6\r\n:7\r\n*2\r\n$-1\r\n:1\r\n', 'latin1');
    });
    const conversation = await open();
    const pings = Promise.all([1, 2, 3].map(() => conversation.call(['PING'], 100)));
    expect(String(await hosts.run(pings))).toBe('PONG,PONG,PONG');
    const sent = ['ECHO', 'ECHO', 'ECHO', 'GET'].map((word) => conversation.send([word, Uint8Array.of(255)], 100));
    await hosts.run(Promise.all(sent));
    const replies = Promise.all([1, 2, 3, 4].map(() => conversation.reply(100)));
    expect(await hosts.run(replies)).toEqual([Buffer.from([255, 0]), new ReplyError('ERR n\xc3\xb6'), 7, [null, 1]]);
    conversation.close();
  });

  test('that do not come in time end the link, and with it all who wait', async () => {
    await hosts.listen(() => {});
    const ended: string[] = [];
    const conversation = await open({ ended: (error) => ended.push(error.failure) });
    const [first, second] = [conversation.call(['ONE'], 50), conversation.call(['TWO'], 500)];
    const both = Promise.all([first.catch(failure), second.catch(failure)]);
    expect(await hosts.run(both)).toEqual(['late', 'late']);
    expect(ended).toEqual(['late']);
    expect(failure(await hosts.run(conversation.call(['THREE'], 50)))).toBe('late');
  });

  test('that are cut off by the end of the other side are lost', async () => {
    await hosts.listen((stream) => stream.end('$10\r\nabc'));
    const conversation = await open();
    expect(failure(await hosts.run(conversation.call(['GET', 'a'], 100)))).toBe('lost');
  });

  test('that nobody asked for, that are none, too deep or too long, end the link', async () => {
    const nonsense = ['+OK\r\n+OK\r\n', 'HTTP/1.1\r\n', '*1\r\n'.repeat(100_000), `$9999\r\n${'x'.repeat(3000)}`];
    await hosts.listen((stream) => stream.write(nonsense.shift() ?? ''));
    for (let i = 0; i < 4; i++) {
      const conversation = await open({ mostReply: i === 2 ? 1e6 : 2000 });
      await hosts.run(conversation.call(['GET', 'a'], 1000));
      await hosts.pass(10);
      expect(conversation.error?.failure, `case ${i}`).toBe('protocol');
    }
  });

  test('that nobody asked for go to who takes them', async () => {
    await hosts.listen((stream) => stream.write('+OK\r\n+one\r\n+two\r\n'));
    const heard: string[] = [];
    const conversation = await open({ unasked: (reply) => heard.push(String(reply)) });
    expect(String(await hosts.run(conversation.call(['SUBSCRIBE'], 100)))).toBe('OK');
    await hosts.pass(10);
    expect(heard).toEqual(['one', 'two']);
    conversation.close();
  });

  test('that nobody takes hold the other side back, and are all there later', async () => {
    await hosts.listen((stream) => {
      for (let i = 0; i < 60; i++) stream.write(`$10000\r\n${'x'.repeat(10_000)}\r\n`);
    });
    const conversation = await open({ mostReply: 20_000 });
    await hosts.run(Promise.all(Array.from({ length: 60 }, () => conversation.send([], 1000))));
    await hosts.pass(100);
    expect(hosts.accepted[0].writableLength).toBeGreaterThan(300_000);
    const lengths = new Set<number>();
    for (let i = 0; i < 60; i++) lengths.add(String(await hosts.run(conversation.reply(100))).length);
    expect([...lengths]).toEqual([10_000]);
    conversation.close();
  });
});

describe('requests', () => {
  test('are taken piece by piece, each within the time limit, and never mixed', async () => {
    const received: Buffer[] = [];
    await hosts.listen((_, bytes) => received.push(bytes));
    const conversation = await open();
    const values = ['a', 'b'].map((letter) => letter.repeat(500_000));
    const sent = values.map((value) => conversation.send(['SET', value], 1000));
    await hosts.run(Promise.all(sent));
    await hosts.pass(10);
    const text = Buffer.concat(received).toString('latin1');
    expect(text).toBe(values.map((value) => `*2\r\n$3\r\nSET\r\n$500000\r\n${value}\r\n`).join(''));
    conversation.close();
  });

  test('that the other side does not take end the link when the time is up', async () => {
    await hosts.listen(() => {});
    const conversation = await open();
    hosts.accepted[0].pause();
    expect(failure(await hosts.run(conversation.send(['SET', 'x'.repeat(5_000_000)], 200)))).toBe('late');
  });

  test('close() ends what waits', async () => {
    await hosts.listen(() => {});
    const conversation = await open();
    const waiting = conversation.call(['PING'], 1000);
    conversation.close();
    expect(failure(await hosts.run(waiting))).toBe('lost');
  });

  test('log in with a user or without', () => {
    expect([authRequest('', ''), authRequest('', 'p'), authRequest('u', 'p')]).toEqual([
      null,
      ['AUTH', 'p'],
      ['AUTH', 'u', 'p'],
    ]);
  });
});

test('an opening that comes to nothing rejects', async () => {
  expect(failure(await hosts.run(Conversation.open(hosts.dialer, TARGET)))).toBe('refused');
});

test('attempts are put off for longer and longer, within bounds, and not all to the same moment', () => {
  const backoff = new Backoff(100, 1000, new SeededRandom(7));
  const bounds = [100, 200, 400, 800, 1000, 1000, 1000];
  const waits = bounds.map(() => backoff.next());
  waits.forEach((wait, i) => {
    expect(wait).toBeGreaterThanOrEqual(bounds[i] / 2);
    expect(wait).toBeLessThanOrEqual(bounds[i]);
  });
  expect(new Set(waits.slice(4)).size).toBe(3);
  backoff.reset();
  expect(backoff.next()).toBeLessThanOrEqual(100);
});
