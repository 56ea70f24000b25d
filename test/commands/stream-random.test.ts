/** Random commands of streams, good and bad ones, beside the real server. */
import { afterAll, beforeAll, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Beside } from '../support/beside.ts';
import type { Answer } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

/** Times are only roughly the same. */
function timeless(c: readonly string[], answer: Answer): Answer {
  if (!Array.isArray(answer)) return answer;
  const pending = answer.length === 4 && typeof answer[1] === 'string' && typeof answer[2] === 'number';
  return answer.map((item, i) => {
    if (answer[i - 1] === 'idle' || (pending && i === 2)) return Math.floor(Number(item) / 100_000);
    return typeof item === 'number' && item > 1_000_000_000_000 && item < 3e12 ? 'a time' : timeless(c, item);
  });
}
test.each([1, 2, 3, 4, 5])('4,000 random commands, seed %i', async (seed) => {
  const random = new SeededRandom(seed);
  const one = <T>(...choices: T[]): T => choices[random.below(choices.length)];
  const edge = [
    '0-0',
    '0-1',
    '18446744073709551615-18446744073709551615',
    '18446744073709551615-0',
    '9223372036854775808-1',
    '-',
    '+',
    '5-*',
    'x',
    '1-',
    '007-1',
    '0',
  ];
  const id = (): string =>
    random.below(25) === 0
      ? one(...edge)
      : random.below(4) === 0
        ? String(random.below(60))
        : `${random.below(60)}-${random.below(3)}`;
  const int = (): string | number =>
    random.below(30) === 0
      ? one('-1', '9223372036854775807', '-9223372036854775808', 'x', '1.5', '') || '""'
      : random.below(30);
  const steps: string[] = [
    'FLUSHALL',
    `CONFIG SET stream-node-max-entries ${one(100, 3, 10)}`,
    `CONFIG SET stream-node-max-bytes ${one(4096, 100, 0)}`,
  ];
  let top = 0;
  const key = (): string => one('s', 's', 's', 's', 't', 'none');
  for (let i = 0; i < 2000; i++) {
    const group = one('g', 'h', 'g', 'h', 'none');
    const consumer = one('a', 'b', 'c');
    const k = key();
    if (i % 300 === 0) {
      steps.push('DEL s t');
      top = 0;
    }
    steps.push(
      one(
        () => `XADD ${k} ${(top += random.below(3))}-* ${one('f v', 'f v g w', 'n 12', 'n -5000', 'n 123456789012')}`,
        () => `XADD ${k} ${(top += random.below(3))}-* ${one('f v', 'f v g w', 'n 12')}`,
        () =>
          `XADD ${k} ${one('NOMKSTREAM', '', '')} ${one('MAXLEN', 'MAXLEN ~', 'MAXLEN =', 'MINID', 'MINID ~')} ${one(int, id)()} ${one('', '', 'LIMIT 5')} ${id()} f v`,
        () => `XDEL ${k} ${id()} ${id()}`,
        () =>
          `XTRIM ${k} ${one('MINID', 'MINID ~', 'MAXLEN', 'MAXLEN ~')} ${one(int, id)()} ${one('', '', '', `LIMIT ${int()}`)}`,
        () =>
          `XGROUP CREATE ${k} ${group} ${one('0', '$', id())} ${one('MKSTREAM', '')} ${one('', `ENTRIESREAD ${int()}`)}`,
        () => `XGROUP SETID ${k} ${group} ${one('0', '$', id())} ${one('', `ENTRIESREAD ${int()}`)}`,
        () =>
          `XREADGROUP GROUP ${group} ${consumer} ${one('COUNT ' + int(), '')} ${one('NOACK', '')} STREAMS ${k} ${one('>', '>', '>', '0', id())}`,
        () => `XREADGROUP GROUP ${group} ${consumer} COUNT 2 STREAMS ${k} t > ${one('>', id())}`,
        () => `XREAD ${one('COUNT ' + int(), '')} STREAMS ${k} t ${id()} ${one(id(), '$')}`,
        () => `XACK ${k} ${group} ${id()} ${id()} ${id()}`,
        () =>
          `XCLAIM ${k} ${group} ${consumer} ${one('0', '0', '1000000', '-1', 'x')} ${id()} ${id()} ${one('FORCE', 'JUSTID', 'FORCE JUSTID', `RETRYCOUNT ${int()}`, '', `LASTID ${id()}`)}`,
        () =>
          `XAUTOCLAIM ${k} ${group} ${consumer} ${one('0', '0', '1000000', 'x')} ${one('', '', '(')}${id()} COUNT ${1 + random.below(3)} ${one('', 'JUSTID')}`,
        () =>
          `XSETID ${k} ${(top += random.below(2))}-${random.below(9)} ${one('', `ENTRIESADDED ${int()}`, `MAXDELETEDID ${id()}`)}`,
        () => `XGROUP DELCONSUMER ${k} ${group} ${consumer}`,
        () => `XGROUP CREATECONSUMER ${k} ${group} ${consumer}`,
        () => `XGROUP DESTROY ${k} ${one('none', 'none', 'none', group)}`,
        () =>
          `${one('XRANGE', 'XREVRANGE')} ${k} ${one('', '', '(')}${id()} ${one('', '', '(')}${id()} ${one('', 'COUNT ' + int())}`,
        () =>
          `XPENDING ${k} ${group} ${one('', 'IDLE 0 ')}${one('', '', '(')}${id()} ${one('', '', '(')}${id()} ${int()} ${one('', consumer)}`,
        () => `COPY s t REPLACE`,
        () => `XLEN ${k}`,
      )(),
    );
    steps.push(
      one(
        `XINFO GROUPS ${k}`,
        `XPENDING ${k} g`,
        `XINFO STREAM ${k} FULL COUNT 0`,
        `XRANGE ${k} - +`,
        `XINFO STREAM ${k}`,
        `XINFO CONSUMERS ${k} h`,
        `XPENDING ${k} g - + 100`,
      ),
    );
  }
  await both.same(steps.join('\n'), timeless);
  await both.same('DEBUG DIGEST');
});
