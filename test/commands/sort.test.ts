import { afterAll, beforeAll, describe, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Beside } from '../support/beside.ts';
import type { Answer } from '../support/pipeline.ts';

const SEED = 3;

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

/** For answers whose order is left to chance. */
function unordered(_: readonly string[], answer: Answer): Answer {
  return Array.isArray(answer) ? [...answer].sort() : answer;
}

describe('SORT beside the real server', () => {
  test('by value', () =>
    both.same(`
      FLUSHALL
      RPUSH l 3 1 10 2 -5 1.5 1 03
      SORT l
      SORT l DESC
      SORT l ALPHA
      SORT l ALPHA DESC LIMIT 1 3
      SORT l LIMIT 2 3
      SORT l LIMIT -2 3
      SORT l LIMIT 2 -1
      SORT l LIMIT 20 5
      SORT l LIMIT 0 0
      SORT l ASC DESC ASC
      SADD s 5 4 3 12
      SORT s DESC
      SORT_RO s LIMIT 0 2
      ZADD z 1 9 2 8 3 7
      SORT z
      OBJECT ENCODING z
      SORT none
      SORT none STORE d
      RPUSH words b a C "" aa
      SORT words
      SORT words ALPHA
      RPUSH odd 1 " 2" inf -inf 0x10 ""
      SORT odd
      RPUSH least 1.5 2.2250738585072014e-308 0x1p-1074 0e-400
      SORT least
      RPUSH worse 1 1e400
      SORT worse
      RPUSH small 1.5 1e-320
      SORT small
      RPUSH nan nan 1
      SORT nan
      SET str v
      SORT str
      SORT str ALPHA BY x LIMIT a b
      SORT l FOO
      SORT l LIMIT 1
      SORT l LIMIT a 1
      SORT l BY
      SORT_RO l STORE d
    `));

  test('by and get through keys and hashes', () =>
    both.same(`
      FLUSHALL
      RPUSH l 1 2 3 4
      MSET w_1 30 w_2 10 w_3 20 n_1 one n_2 two n_3 three
      HSET h_1 f 3 g x
      HSET h_2 f 1 g y
      HSET h_3 f 2
      SORT l BY w_*
      SORT l BY w_* DESC GET #
      SORT l BY w_* GET n_* GET # GET w_*
      SORT l BY h_*->f GET h_*->g GET h_*->
      SORT l BY h_*->nofield
      SORT l BY n_* ALPHA
      SORT l BY n_* ALPHA DESC
      SORT l BY n_*
      SORT l BY nosort
      SORT l BY nosort DESC LIMIT 1 2
      SORT l BY nosort GET constant GET #
      SORT l BY w_* LIMIT 0 2
      SORT l GET *->x GET h_*x->f
      SORT l GET nope_* STORE d
      LRANGE d 0 -1
      SORT l BY w_* GET n_* STORE d
      LRANGE d 0 -1
      OBJECT ENCODING d
      SORT l LIMIT 9 1 STORE d
      EXISTS d
      SORT l STORE l DESC
      LRANGE l 0 -1
      ZADD z 5 a 4 b 3 c 2 d 1 e
      SORT z BY nosort
      SORT z BY nosort DESC
      SORT z BY nosort LIMIT 1 2
      SORT z BY nosort DESC LIMIT 1 2
      SORT z BY nosort LIMIT 4 9
      SORT z BY nosort LIMIT 9 9
      SORT z
      SORT z ALPHA DESC STORE d
      LRANGE d 0 -1
      SADD s b a c 3
      SORT s BY nosort STORE d
      LRANGE d 0 -1
      COMMAND GETKEYS SORT l BY w_* STORE one STORE two
    `));

  test(`many elements, of which some are equal, and parts of them (seed ${SEED})`, async () => {
    const random = new SeededRandom(SEED);
    const numbers = Array.from({ length: 400 }, () => String(random.below(300) - 100));
    const words = Array.from({ length: 400 }, () => 'word' + 'ab'.repeat(random.below(5)) + String(random.below(40)));
    await both.same([
      ['FLUSHALL'],
      ['RPUSH', 'numbers', ...numbers],
      ['RPUSH', 'words', ...words],
      ...Array.from({ length: 100 }, (_, i) => ['SET', `w_${i}`, String(random.below(10))]),
      ...Array.from({ length: 100 }, (_, i) => ['HSET', `h_${i}`, 'name', `name ${random.below(10)}`]),
    ]);
    const limits = [[], ['LIMIT', '0', '10'], ['LIMIT', '37', '5'], ['LIMIT', '100', '200'], ['LIMIT', '390', '50']];
    for (const order of ['ASC', 'DESC'])
      for (const limit of limits)
        await both.same([
          ['SORT', 'numbers', order, ...limit],
          ['SORT', 'numbers', order, ...limit, 'ALPHA'],
          ['SORT', 'words', order, ...limit, 'ALPHA'],
          ['SORT', 'numbers', order, ...limit, 'BY', 'w_*', 'GET', '#', 'GET', 'h_*->name'],
          // Equal texts: their order is Redis's.
          ['SORT', 'numbers', order, ...limit, 'BY', 'w_*', 'ALPHA'],
          ['SORT', 'numbers', order, ...limit, 'BY', 'h_*->name', 'ALPHA', 'GET', '#'],
          ['SORT', 'numbers', order, ...limit, 'BY', 'h_*->name', 'ALPHA', 'STORE', 'made'],
          ['LRANGE', 'made', '0', '-1'],
        ]);
  });

  test('a set that is not sorted', () =>
    both.same(
      `
      FLUSHALL
      SADD s b a c
      SORT s BY nosort
      SORT s BY nosort DESC GET #
    `,
      unordered,
    ));
});
