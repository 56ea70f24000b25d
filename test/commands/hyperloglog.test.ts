import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Beside } from '../support/beside.ts';

let beside: Beside;

beforeAll(async () => {
  beside = await Beside.start();
});

afterAll(() => beside.stop());

/** Random bytes of a random length, so that every tail of the hash is taken. */
function element(random: SeededRandom): string {
  return Array.from({ length: random.below(40) }, () => String.fromCharCode(random.below(256))).join('');
}

describe('beside the real server', () => {
  test('the bytes of a sparse value while it grows, until it is dense', async () => {
    const random = new SeededRandom(1);
    for (const sparseMax of ['3000', '100', '0', '16000']) {
      await beside.same([['FLUSHALL'], ['CONFIG', 'SET', 'hll-sparse-max-bytes', sparseMax]]);
      const commands: string[][] = [];
      for (let i = 0; i < 3000; i++) {
        const elements = Array.from({ length: random.below(3) }, () => element(random));
        commands.push(['PFADD', 'h', ...elements]);
        if (i % 10 === 0) commands.push(['GET', 'h'], ['PFCOUNT', 'h'], ['PFDEBUG', 'ENCODING', 'h']);
      }
      commands.push(['GET', 'h'], ['PFDEBUG', 'GETREG', 'h'], ['GET', 'h'], ['PFCOUNT', 'h']);
      await beside.same(commands);
    }
    await beside.same([['CONFIG', 'SET', 'hll-sparse-max-bytes', '3000']]);
  });

  test('estimates from few to many', async () => {
    await beside.same('FLUSHALL');
    const random = new SeededRandom(2);
    for (let i = 0; i < 60; i++) {
      const elements = Array.from({ length: 1000 }, () => String(random.below(0x7fffffff)));
      await beside.same([
        ['PFADD', 'h', ...elements],
        ['PFCOUNT', 'h'],
        ['PFCOUNT', 'h', 'none'],
      ]);
    }
    await beside.same([['GET', 'h']]);
  });

  test('unions and merges', async () => {
    const random = new SeededRandom(3);
    for (let i = 0; i < 40; i++) {
      const keys = ['a', 'b', 'c'];
      const commands: string[][] = [['FLUSHALL']];
      for (const key of keys) {
        const count = [0, 3, 300, 3000][random.below(4)];
        commands.push(['PFADD', key, ...Array.from({ length: count }, () => String(random.below(5000)))]);
      }
      commands.push(['PFCOUNT', ...keys], ['PFMERGE', 'd', ...keys], ['GET', 'd'], ['PFCOUNT', 'd']);
      commands.push(
        ['PFMERGE', 'a', 'b'],
        ['GET', 'a'],
        ['PFMERGE', 'c'],
        ['GET', 'c'],
        ['PFMERGE', 'new'],
        ['GET', 'new'],
      );
      await beside.same(commands);
    }
  });

  test('errors, encodings, commands for debugging', () =>
    beside.same([
      ['FLUSHALL'],
      ['PFCOUNT', 'none'],
      ['PFCOUNT', 'none', 'nothing'],
      ['PFADD', 'h'],
      ['PFADD', 'h'],
      ['OBJECT', 'ENCODING', 'h'],
      ['PFDEBUG', 'DECODE', 'h'],
      ['PFADD', 'h', 'a', 'b', 'c', ''],
      ['PFDEBUG', 'DECODE', 'h'],
      ['PFDEBUG', 'ENCODING', 'h'],
      ['PFDEBUG', 'TODENSE', 'h'],
      ['PFDEBUG', 'TODENSE', 'h'],
      ['PFDEBUG', 'DECODE', 'h'],
      ['PFDEBUG', 'ENCODING', 'h'],
      ['PFDEBUG', 'NOPE', 'h'],
      ['PFDEBUG', 'ENCODING', 'none'],
      ['SET', 's', 'HYLL'],
      ['PFADD', 's', 'x'],
      ['SET', 's', '12345'],
      ['PFCOUNT', 's'],
      ['PFMERGE', 'h', 's'],
      ['PFDEBUG', 'ENCODING', 's'],
      ['RPUSH', 'l', 'x'],
      ['PFADD', 'l', 'x'],
      ['PFCOUNT', 'l'],
      ['PFCOUNT', 'h', 'l'],
      ['PFMERGE', 'l', 'h'],
      ['SET', 'e', 'HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff'],
      ['OBJECT', 'ENCODING', 'e'],
      ['PFCOUNT', 'e', 'none'],
      ['OBJECT', 'ENCODING', 'e'],
      ['PFCOUNT', 'e'],
      ['OBJECT', 'ENCODING', 'e'],
      ['SET', 'e', 'HYLL\x01\x00\x00\x00\x2a\x00\x00\x00\x00\x00\x00\x7f\x7f\xff'],
      ['PFCOUNT', 'e'],
      ['PFADD', 'e', 'x'],
      ['PFCOUNT', 'e'],
      ['SET', 'e', 'HYLL\x02\x00\x00\x00\x2a\x00\x00\x00\x00\x00\x00\x7f\x7f\xff'],
      ['PFCOUNT', 'e'],
      ['SET', 'e', 'HYLL\x00\x00\x00\x00\x2a\x00\x00\x00\x00\x00\x00\x7f\x7f\xff'],
      ['PFCOUNT', 'e'],
      ['SET', 'e', 'HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xfe'],
      ['PFCOUNT', 'e'],
      ['PFCOUNT', 'e', 'none'],
      ['PFMERGE', 'd', 'e'],
      ['PFDEBUG', 'GETREG', 'e'],
      ['PFDEBUG', 'TODENSE', 'e'],
      ['SET', 'e', 'HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff\x00'],
      ['PFCOUNT', 'e'],
      ['PFSELFTEST'],
    ]));
});

test('corrupt values do no harm', async () => {
  const random = new SeededRandom(5);
  const call = async (...command: string[]): Promise<unknown> => (await beside.ours.send([command]))[0];
  for (let round = 0; round < 300; round++) {
    await call('DEL', 'h', 'd');
    await call('PFADD', 'h', ...Array.from({ length: random.below(200) }, () => String(random.below(1000))));
    const length = Number(await call('STRLEN', 'h'));
    for (let i = 1 + random.below(4); i > 0; i--)
      await call('SETRANGE', 'h', String(16 + random.below(length - 16)), String.fromCharCode(random.below(256)));
    const answers = [];
    for (const command of [
      ['PFADD', 'h', 'x', 'y', 'z'],
      ['PFCOUNT', 'h'],
      ['PFMERGE', 'd', 'h'],
      ['PFDEBUG', 'GETREG', 'h'],
    ])
      answers.push(await call(...command));
    for (const answer of answers)
      if (answer instanceof Error) expect(answer.message).toBe('INVALIDOBJ Corrupted HLL object detected');
  }
  expect(await call('PING')).toBe('PONG');
});

test('what is propagated', async () => {
  await beside.ours.send([['FLUSHALL']]);
  expect(await beside.propagated('PFADD h a b')).toEqual(['PFADD h a b']);
  expect(await beside.propagated('PFADD h a b')).toEqual([]);
  expect(await beside.propagated('PFCOUNT h')).toEqual(['PFCOUNT h']);
  expect(await beside.propagated('PFCOUNT h')).toEqual([]);
  expect(await beside.propagated('PFMERGE d h')).toEqual(['PFMERGE d h']);
});
