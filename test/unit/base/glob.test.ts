import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globMatch } from '../../../src/base/glob.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import { Pipeline } from '../../support/pipeline.ts';
import { type ServerProcess, startRedis } from '../../support/server-process.ts';

const matches = (pattern: string, text: string, nocase = false): boolean =>
  globMatch(sliceOf(pattern), sliceOf(text), nocase);

describe('glob patterns', () => {
  test('each element', () => {
    const yes = ['* abc', 'a*c abc', 'a*c ac', '?b? abc', 'a[bc]c abc', '[^x]bc abc', '[a-c]bc bbc', '[c-a]bc bbc'];
    yes.push('a\\*c a*c', '[\\]] ]', '[a- a', '[abc c', '[b b', '*** x', 'a** a');
    for (const line of yes) {
      const [pattern, text] = line.split(' ');
      expect(matches(pattern, text), line).toBe(true);
    }
    const no = ['a abc', 'abc a', 'a*d abc', '? ab', '[^a]bc abc', '[b-c]bc abc', 'a\\*c abc', '[] ]', 'ab? ab'];
    for (const line of no) {
      const [pattern, text] = line.split(' ');
      expect(matches(pattern, text), line).toBe(false);
    }
  });

  test('case', () => {
    expect(matches('A*[X-Z]', 'abcy', true)).toBe(true);
    expect(matches('A*[X-Z]', 'abcy')).toBe(false);
    expect(matches('[\\A]', 'a', true)).toBe(false);
  });

  test('the empty text is matched by the empty pattern alone', () => {
    expect(matches('', '')).toBe(true);
    expect(matches('*', '')).toBe(false);
    expect(matches('', 'a')).toBe(false);
  });

  test('hostile patterns come to an end', () => {
    const text = 'a'.repeat(50_000);
    // Backtracking into earlier stars would take longer than the universe has.
    expect(matches('*?'.repeat(50_000), text)).toBe(true);
    expect(matches('*?'.repeat(50_000) + 'b', text)).toBe(false);
    expect(matches('*?'.repeat(50_000), 'aaa')).toBe(false);
    expect(matches('a*'.repeat(100) + 'b', text)).toBe(false);
    expect(matches('*a'.repeat(30) + 'b', 'a'.repeat(60))).toBe(false);
  });
});

describe('beside the real server', () => {
  let redis: ServerProcess;
  let client: Pipeline;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Pipeline(redis.port);
  });

  afterAll(async () => {
    client.close();
    await redis.stop();
  });

  test('KEYS and CONFIG GET pick alike', async () => {
    const random = new SeededRandom(8);
    const alphabet = ['a', 'b', 'c', 'B', '*', '?', '[', ']', '^', '-', '\\', '\xe9', '\x80', '*'];
    const word = (most: number): string => {
      let text = '';
      for (let n = random.below(most + 1); n > 0; n--) text += alphabet[random.below(alphabet.length)];
      return text;
    };
    const keys = [...new Set(Array.from({ length: 60 }, () => word(5)))];
    await client.send(keys.map((key) => ['SET', key, '1']));
    const patterns = Array.from({ length: 4000 }, () => word(8));
    const answers = await client.send(patterns.map((pattern) => ['KEYS', pattern]));
    for (let i = 0; i < patterns.length; i++) {
      // A lone star is answered without matching.
      if (patterns[i] === '*') continue;
      const ours = keys.filter((key) => matches(patterns[i], key)).sort();
      expect(ours, patterns[i]).toEqual((answers[i] as string[]).sort());
    }
    // stringmatch without case, through the names of options.
    const names = ['port', 'maxmemory', 'appendonly', 'save'];
    const letters = ['P', 'o', 'R', 't', '*', '?', '[', ']', 'A-Z', '^', '\\', 'M', 'a'];
    const caseless = Array.from({ length: 2000 }, () => {
      let text = '*';
      for (let n = 1 + random.below(6); n > 0; n--) text += letters[random.below(letters.length)];
      return text;
    });
    const lists = await client.send(caseless.map((pattern) => ['CONFIG', 'GET', pattern]));
    for (let i = 0; i < caseless.length; i++)
      for (const name of names)
        expect(matches(caseless[i], name, true), `${caseless[i]} ${name}`).toBe((lists[i] as string[]).includes(name));
  });
});
