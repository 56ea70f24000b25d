/** One channel and very many subscribers: every message reaches all of them, in order, and none of them costs a buffer. */
import { startCinnabar } from '../support/server-process.ts';
import { atOnce, MIB, Raw, resident, until } from './harness.ts';

export interface AudienceReport {
  readonly subscribers: number;
  readonly messages: number;
  readonly milliseconds: number;
  readonly grownMiB: number;
}

export async function wideAudience(subscribers: number, messages: number): Promise<AudienceReport> {
  const server = await startCinnabar('--maxclients', String(subscribers + 10));
  const all: Raw[] = [];
  const publisher = new Raw(server.port);
  try {
    const confirmed = '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n';
    await atOnce(subscribers, 200, async (i) => {
      const raw = new Raw(server.port);
      all.push(raw);
      if (i % 2 === 0) {
        raw.call('SUBSCRIBE', 'c');
        await raw.expect(confirmed);
      } else {
        raw.call('HELLO', 3);
        raw.call('SUBSCRIBE', 'c');
        await until(() => raw.received.endsWith(confirmed.slice(1)), 'a confirmation');
        raw.received = '';
      }
    });
    const memory = resident(server.pid);
    let expected = '';
    const start = performance.now();
    let most = memory;
    for (let i = 0; i < messages; i++) {
      const text = `message-${i}`;
      expected += `3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$${text.length}\r\n${text}\r\n`;
      const told = await publisher.ask('PUBLISH', 'c', text);
      if (told !== `:${subscribers}\r\n`) throw new Error(`PUBLISH reached ${told}`);
      most = Math.max(most, resident(server.pid));
    }
    const wanted = new Set([expected.replaceAll('3\r\n$7', '*3\r\n$7'), expected.replaceAll('3\r\n$7', '>3\r\n$7')]);
    const length = [...wanted][0].length;
    await until(() => all.every((raw) => raw.received.length >= length), 'all messages to arrive');
    const milliseconds = performance.now() - start;
    for (const raw of all) if (!wanted.has(raw.received)) throw new Error(`got ${raw.received.slice(0, 200)}`);
    return { subscribers, messages, milliseconds, grownMiB: (most - memory) / MIB };
  } finally {
    for (const raw of [...all, publisher]) raw.reset();
    await server.stop();
  }
}
