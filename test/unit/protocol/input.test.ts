import { expect, test } from 'vitest';
import { bytesOf, Slice } from '../../../src/base/slice.ts';
import { SmallBuffers, Waiting } from '../../../src/protocol/input.ts';
import { MORE, READY, RequestParser } from '../../../src/protocol/request.ts';

const LENGTH = 1024 * 1024;

/** Takes a command with a large argument in two reads, as a connection does. */
function received(): { waiting: Waiting; parser: RequestParser; large: Uint8Array } {
  const parser = new RequestParser({ protoMaxBulkLen: 2 * LENGTH });
  const waiting = new Waiting(new SmallBuffers(), parser);
  const bytes = bytesOf(`*2\r\n$3\r\nGET\r\n$${LENGTH}\r\n${'x'.repeat(LENGTH)}\r\n`);
  parser.start(0);
  expect(parser.next(bytes, 1000, true)).toBe(MORE);
  waiting.keep(bytes, 1000);
  waiting.append(bytes, 1000, bytes.length);
  expect(parser.next(waiting.bytes, waiting.length, true)).toBe(READY);
  expect(parser.args[0].latin1()).toBe('GET');
  expect(parser.args[1].length).toBe(LENGTH);
  return { waiting, parser, large: waiting.bytes };
}

test('a large buffer that is let go of is kept alive by no argument and by no slice that shows it', () => {
  const { waiting, parser, large } = received();
  const shown = new Slice().like(parser.args[1]);
  parser.start(parser.at);
  waiting.clear();
  expect(shown.buffer, 'it is kept for the next one').toBe(large);
  waiting.drop();
  expect(shown.buffer.length).toBe(0);
  for (const arg of parser.args) expect(arg.buffer).not.toBe(large);
});

test('arguments of a command that is not complete move with the buffer', () => {
  const parser = new RequestParser({ protoMaxBulkLen: 4 * LENGTH });
  const waiting = new Waiting(new SmallBuffers(), parser);
  const bytes = bytesOf(
    `*3\r\n$3\r\nSET\r\n$${LENGTH}\r\n${'k'.repeat(LENGTH)}\r\n$${2 * LENGTH}\r\n${'v'.repeat(2 * LENGTH)}\r\n`,
  );
  parser.start(0);
  expect(parser.next(bytes, 1000, true)).toBe(MORE);
  waiting.keep(bytes, 1000);
  for (let at = 1000; at < bytes.length; at += 500_000) {
    waiting.append(bytes, at, Math.min(bytes.length, at + 500_000));
    const outcome = parser.next(waiting.bytes, waiting.length, true);
    expect(outcome).toBe(at + 500_000 >= bytes.length ? READY : MORE);
  }
  expect(parser.args.slice(0, 3).map((arg) => `${arg.latin1().slice(0, 3)} ${arg.length}`)).toEqual([
    'SET 3',
    `kkk ${LENGTH}`,
    `vvv ${2 * LENGTH}`,
  ]);
});
