import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Beside } from '../support/beside.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

beforeEach(() => both.same('FLUSHALL'));

/** Times and what follows from them are only roughly the same. */
function timeless(_: readonly string[], answer: Answer): Answer {
  if (!Array.isArray(answer)) return answer;
  const pending = answer.length === 4 && typeof answer[1] === 'string' && typeof answer[2] === 'number';
  return answer.map((item, i) => {
    if (answer[i - 1] === 'idle' || (pending && i === 2)) return Math.floor(Number(item) / 10_000);
    return typeof item === 'number' && item > 1_000_000_000_000 ? 'a time' : timeless(_, item);
  });
}

describe('entries', () => {
  test('adding with every form of ID', () =>
    both.same(`
      XADD s 1-1 a b
      XADD s 1-1 a b
      XADD s 1-0 a b
      XADD s 1 a b
      XADD s 1-* a b
      XADD s 2-* a b c d
      XADD s 2 a b
      XADD s 3 a b
      XADD s 0-0 a b
      XADD t 0-0 a b
      XADD t 0-* a b
      XADD t 007-08 a b
      XADD t "  9-+9" a b
      XADD t -9-9 a b
      XADD t 9--9 a b
      XADD t 18446744073709551615-18446744073709551614 a b
      XADD t 18446744073709551615-* a b
      XADD t 18446744073709551615-* a b
      XADD t * a b
      XADD u 18446744073709551616-1 a b
      XADD u a-1 a b
      XADD u - a b
      XADD u + a b
      XADD u 5- a b
      XADD u *-5 a b
      XADD u 1-1 a
      XADD u 1-1 a b c
      XADD u 1-1
      XADD u NOMKSTREAM 1-1 a b
      EXISTS u
      XADD s NOMKSTREAM 9-9 field value
      XRANGE s - +
      XRANGE t - +
      XLEN s
      XLEN none
      XLEN
      SET string x
      XADD string * a b
      XLEN string
      XRANGE string - +
      TYPE s
      OBJECT ENCODING s
    `));

  test('ranges', async () => {
    await both.same(
      Array.from({ length: 500 }, (_, i) => ['XADD', 's', `${Math.floor(i / 3)}-${(i % 3) + 1}`, 'n', String(i)]),
    );
    await both.same(`
      XRANGE s - + COUNT 3
      XREVRANGE s + - COUNT 3
      XRANGE s 50 51
      XRANGE s (50-1 (51-2
      XREVRANGE s (51-2 (50-1
      XREVRANGE s 51 50
      XRANGE s (18446744073709551615-18446744073709551615 +
      XRANGE s - (0-0
      XRANGE s (- +
      XRANGE s - (+
      XRANGE s - + COUNT 0
      XRANGE s - + COUNT -5
      XRANGE s - + COUNT 2 COUNT 1
      XRANGE s - + COUNT
      XRANGE s - + COUNT x
      XRANGE s - + FOO 1
      XRANGE none - +
      XRANGE none - + COUNT 0
      XRANGE s 300 400
      XRANGE s + -
      XRANGE s x +
      XRANGE s - x
      XRANGE s 165 166
      XREVRANGE s 2 0
    `);
  });

  test('trimming', async () => {
    const fill = Array.from({ length: 350 }, (_, i) => ['XADD', 's', `${i + 1}-1`, 'n', String(i)]);
    for (const trim of [
      'MAXLEN 345',
      'MAXLEN = 340',
      'MAXLEN ~ 250',
      'MINID 15',
      'MINID = 120-1',
      'MINID ~ 250',
      'MAXLEN ~ 0 LIMIT 0',
      'MAXLEN ~ 0 LIMIT 150',
      'MINID ~ 1000 LIMIT 100',
      'MAXLEN 0',
    ]) {
      await both.same(fill);
      await both.same(`XTRIM s ${trim}\nXLEN s\nXINFO STREAM s\nXRANGE s - + COUNT 2\nDEL s`);
    }
    await both.same(`
      XTRIM s
      XTRIM s MAXLEN
      XTRIM s MAXLEN x
      XTRIM s MAXLEN -1
      XTRIM s MAXLEN 5 MINID 3
      XTRIM s MAXLEN 5 LIMIT 3
      XTRIM s MAXLEN ~ 5 LIMIT -3
      XTRIM s LIMIT 3
      XTRIM s FOO 3
      XTRIM s MINID x
      XTRIM s MAXLEN 5
      XADD s MAXLEN 2 1-1 a b
      XADD s MAXLEN = 2 2-1 a b
      XADD s MAXLEN ~ 2 3-1 a b
      XADD s MAXLEN 2 4-1 a b
      XADD s MINID 4 5-1 a b
      XADD s LIMIT 5 6-1 a b
      XADD s MAXLEN ~ 5 LIMIT 5 NOMKSTREAM 6-1 a b
      XADD s MAXLEN 5 MAXLEN 4 7-1 a b
      XADD s MAXLEN 5 LIMIT 5 7-1 a b
      XRANGE s - +
      XINFO STREAM s
    `);
  });

  test('deleting, and what is told of it', () =>
    both.same(`
      XADD s 1-1 a b
      XADD s 2-1 a b
      XADD s 3-1 a b
      XDEL s 2-1 2-1 9-9
      XINFO STREAM s
      XDEL s 1-1
      XINFO STREAM s
      XDEL s x
      XDEL none x
      XDEL s - +
      XDEL s 3
      XDEL s 3-1
      XINFO STREAM s
      EXISTS s
      XADD s 3-1 a b
      XADD s 4-1 a b
      XSETID s 3-1
      XSETID s 10-1 ENTRIESADDED 0
      XSETID s 10-1 ENTRIESADDED 100 MAXDELETEDID 5-5
      XSETID s 10-1 ENTRIESADDED -1
      XSETID s 10-1 MAXDELETEDID 11
      XSETID s 2-1 MAXDELETEDID 1
      XSETID s 4-5 ENTRIESADDED 0
      XSETID s 4-5
      XSETID s x
      XSETID none 1
      XSETID s 10-1 FOO
      XSETID s 10-1 ENTRIESADDED 9223372036854775807
      XADD s 11 a b
      XINFO STREAM s
    `));

  test('copies and digests', async () => {
    await both.same(
      Array.from({ length: 300 }, (_, i) => [
        'XADD',
        's',
        `${i + 1}-1`,
        `f${i % 3}`,
        String(i * 1e6),
        'x',
        'y'.repeat(i),
      ]),
    );
    await both.same(
      `
      XGROUP CREATE s g 5
      XGROUP CREATE s h 0 ENTRIESREAD 3
      XREADGROUP GROUP g alice COUNT 3 STREAMS s >
      XREADGROUP GROUP g bob COUNT 3 STREAMS s >
      XDEL s 1-1 7-1
      COPY s t
      XINFO STREAM t
      XPENDING t g - + 10
      XINFO GROUPS t
      DEBUG DIGEST-VALUE s t
      XADD t 1000 a b
      XACK t g 6-1
      XPENDING s g
      XPENDING t g
      RENAME t u
      XLEN u
      UNLINK u
      DEBUG DIGEST
    `,
      timeless,
    );
  });
});

describe('groups', () => {
  test('making and removing', () =>
    both.same(
      `
      XGROUP CREATE s g $
      XGROUP CREATE s g $ MKSTREAM
      XGROUP CREATE s g $ MKSTREAM
      XGROUP CREATE s g $
      XGROUP CREATE s h x
      XGROUP CREATE s h 0 ENTRIESREAD -2
      XGROUP CREATE s h 0 ENTRIESREAD x
      XGROUP CREATE s h 0 ENTRIESREAD
      XGROUP CREATE s h 0 FOO
      XGROUP CREATE s h 0 ENTRIESREAD 5 MKSTREAM
      XGROUP CREATE s i 0 ENTRIESREAD 5 MKSTREAM MKSTREAM
      XGROUP CREATE s
      XGROUP FOO s g
      XGROUP SETID s g 5-5
      XGROUP SETID s g - ENTRIESREAD 3
      XGROUP SETID s g $ FOO 3
      XGROUP SETID s none 0
      XGROUP SETID none g 0
      XGROUP CREATECONSUMER s g zoe
      XGROUP CREATECONSUMER s g ann
      XGROUP CREATECONSUMER s g ann
      XGROUP CREATECONSUMER s none ann
      XGROUP DELCONSUMER s g ann
      XGROUP DELCONSUMER s g ann
      XGROUP DELCONSUMER none g ann
      XINFO GROUPS s
      XINFO CONSUMERS s g
      XINFO CONSUMERS s none
      XINFO CONSUMERS none g
      XINFO GROUPS none
      XINFO STREAM s FULL
      XINFO STREAM s FULL COUNT 0
      XINFO STREAM s FULL COUNT -1
      XINFO STREAM s FULL COUNT x
      XINFO STREAM s FULL 5
      XINFO STREAM s FOO
      XINFO STREAM
      XINFO FOO s
      XGROUP DESTROY s g
      XGROUP DESTROY s g
      XGROUP DESTROY none g
      SET string x
      XGROUP CREATE string g $
      XINFO STREAM string
      XREADGROUP GROUP g c STREAMS string >
      XACK string g 1
      XPENDING string g
      XCLAIM string g c 0 1
      XAUTOCLAIM string g c 0 x
      XAUTOCLAIM string g c 0 0
    `,
      timeless,
    ));

  test('reading, acknowledging, claiming', () =>
    both.same(
      `
      XGROUP CREATE s g 0 MKSTREAM
      XREADGROUP GROUP g a STREAMS s >
      XADD s 1-1 f 1
      XADD s 2-1 f 2
      XADD s 3-1 f 3
      XADD s 4-1 f 4
      XREADGROUP GROUP g a COUNT 1 STREAMS s >
      XREADGROUP GROUP g b COUNT 2 STREAMS s >
      XREADGROUP GROUP g c NOACK STREAMS s >
      XREADGROUP GROUP g a STREAMS s >
      XREADGROUP GROUP g a STREAMS s 0
      XREADGROUP GROUP g b COUNT 1 STREAMS s 0
      XREADGROUP GROUP g b STREAMS s 2-1
      XREADGROUP GROUP g d STREAMS s 0
      XPENDING s g
      XPENDING s g - + 10
      XPENDING s g - + 10 b
      XPENDING s g (2-1 + 10
      XPENDING s g - (2-1 10
      XPENDING s g - + 1
      XPENDING s g - + -1
      XPENDING s g - + 10 nobody
      XPENDING s g IDLE 100000 - + 10
      XPENDING s g IDLE 0 - + 10 b
      XPENDING s g IDLE 0 - +
      XPENDING s g -
      XPENDING s g x + 1
      XPENDING s none
      XACK s g 1-1 9-9
      XACK s g x
      XACK s none x
      XACK none g x
      XDEL s 2-1
      XREADGROUP GROUP g b STREAMS s 0
      XCLAIM s g e 0 2-1 3-1 9-9
      XPENDING s g
      XCLAIM s g e 0 4-1
      XCLAIM s g e 0 4-1 FORCE
      XCLAIM s g e 0 4-1 FORCE JUSTID
      XCLAIM s g f 0 4-1 RETRYCOUNT 77
      XCLAIM s g f 0 4-1 RETRYCOUNT 9223372036854775807
      XPENDING s g - + 10
      XCLAIM s g f 100000 4-1
      XCLAIM s g f 0 4-1 IDLE 50000 JUSTID
      XCLAIM s g a 40000 4-1 LASTID 77-7
      XCLAIM s g a 0 4-1 TIME 5
      XCLAIM s g a 0 4-1 FOO
      XCLAIM s g a x 4-1
      XCLAIM s g a 0 4-1 IDLE x
      XCLAIM s g a 0 4-1 TIME
      XCLAIM s g a 0 4-1 RETRYCOUNT x
      XCLAIM s none a 0 4-1
      XINFO GROUPS s
      XAUTOCLAIM s g z 0 -
      XAUTOCLAIM s g z 0 - COUNT 1
      XAUTOCLAIM s g z 0 - COUNT 1 JUSTID
      XDEL s 4-1
      XAUTOCLAIM s g z 0 -
      XAUTOCLAIM s g z 0 - COUNT 0
      XAUTOCLAIM s g z 0 - COUNT x
      XAUTOCLAIM s g z x -
      XAUTOCLAIM s g z 0 (18446744073709551615-18446744073709551615
      XAUTOCLAIM s g z 0 - FOO
      XAUTOCLAIM s none z 0 -
      XINFO STREAM s FULL
      XGROUP SETID s g 0
      XREADGROUP GROUP g b STREAMS s >
      XINFO CONSUMERS s g
      XGROUP DELCONSUMER s g b
      XPENDING s g
    `,
      timeless,
    ));

  test('arguments of the readers', () =>
    both.same(`
      XADD s 1-1 a b
      XGROUP CREATE s g 0
      XREAD
      XREAD STREAMS s
      XREAD STREAMS s t 0
      XREAD COUNT x STREAMS s 0
      XREAD BLOCK x STREAMS s 0
      XREAD BLOCK -1 STREAMS s 0
      XREAD BLOCK 9223372036854775807 STREAMS s 0
      XREAD GROUP g c STREAMS s 0
      XREAD NOACK STREAMS s 0
      XREAD FOO STREAMS s 0
      XREAD COUNT 1 BLOCK 1
      XREAD STREAMS s >
      XREAD STREAMS s x
      XREAD STREAMS s +
      XREAD COUNT -1 STREAMS s 0
      XREAD BLOCK 1 STREAMS s $
      XREAD STREAMS none 0
      XREADGROUP STREAMS s >
      XREADGROUP COUNT 1 NOACK BLOCK 1 STREAMS s >
      XREADGROUP GROUP g STREAMS s > x
      XREADGROUP GROUP g c STREAMS s $
      XREADGROUP GROUP g c STREAMS s
      XREADGROUP GROUP none c STREAMS s >
      XREADGROUP GROUP g c STREAMS none >
      XREADGROUP GROUP g c STREAMS s x
      MULTI
      XREAD BLOCK 0 STREAMS s $
      XREADGROUP GROUP g c BLOCK 0 STREAMS s >
      XREADGROUP GROUP g c BLOCK 0 STREAMS s >
      EXEC
    `));
});

describe('waiting', () => {
  /** Runs the same on both servers: commands that wait, each of a client of its own, then others; all replies. */
  async function waiting(waits: string[], commands: string, hello = 2): Promise<void> {
    const told = await Promise.all(
      [both.server.port, both.theirsPort].map(async (port) => {
        const clients = waits.map(() => new Pipeline(port));
        const speaker = new Pipeline(port);
        const replies: Promise<Answer[]>[] = [];
        for (const [i, line] of waits.entries()) {
          if (hello === 3) await clients[i].send([['HELLO', '3']]);
          replies.push(clients[i].send([line.split(' ')]));
          await new Promise((done) => setTimeout(done, 15));
        }
        const spoken = await speaker.send(commands.split('|').map((line) => line.trim().split(' ')));
        await new Promise((done) => setTimeout(done, 30));
        const ended = Promise.all(clients.map((client) => client.send([])));
        const all = await Promise.race([
          Promise.all(replies),
          new Promise<string>((done) => setTimeout(() => done('still waiting'), 600)),
        ]);
        void ended;
        for (const client of clients) client.close();
        speaker.close();
        return JSON.stringify([spoken, all], (_, v: unknown) => (v instanceof Error ? v.message : v));
      }),
    );
    expect(told[0]).toBe(told[1]);
  }

  test('for entries', async () => {
    await both.same('XADD s 1-1 a b\nXGROUP CREATE s g $\nXGROUP CREATE s h $');
    await waiting(
      ['XREAD BLOCK 500 STREAMS s $', 'XREAD BLOCK 500 STREAMS none s $ 1-1'],
      'XADD s 2-1 a b|XADD s 2-2 a b',
    );
    await waiting(
      ['XREAD BLOCK 100 STREAMS s $', 'XREAD BLOCK 500 COUNT 1 STREAMS s 5-5'],
      'XADD s 3-1 a b|XADD s 6-1 a b|XADD s 6-2 a b',
    );
    await waiting(['XREAD BLOCK 500 STREAMS fresh $'], 'XADD fresh 1-1 a b', 3);
    await both.same('XGROUP SETID s g $\nXGROUP SETID s h $');
    await waiting(
      [
        'XREADGROUP GROUP g a BLOCK 500 STREAMS s >',
        'XREADGROUP GROUP g b BLOCK 500 STREAMS s >',
        'XREADGROUP GROUP h c BLOCK 500 NOACK STREAMS s >',
      ],
      'XADD s 7-1 a b|XADD s 8-1 a b',
    );
    await both.same('XPENDING s g\nXPENDING s h\nXINFO GROUPS s');
    await waiting(['XREAD BLOCK 120 STREAMS s $'], 'MULTI|XADD s 9-1 a b|XDEL s 9-1|EXEC|XDEL s 8-1|XTRIM s MAXLEN 1');
    await waiting(['XREAD BLOCK 120 STREAMS k $'], 'LPUSH k 1|DEL k|XADD k 1-1 a b');
  });

  test('for a group or key that goes', async () => {
    const wait = 'XREADGROUP GROUP g a BLOCK 300 STREAMS s >';
    for (const end of [
      'XGROUP DESTROY s g',
      'DEL s',
      'SET s x',
      'FLUSHALL',
      'FLUSHDB',
      'RENAME s t',
      'MULTI|DEL s|SADD s e|EXEC',
      'MULTI|DEL s|XADD s 9-9 a b|EXEC',
      'SWAPDB 0 1',
      'MOVE s 3',
      'XGROUP SETID s g 0',
      'XSETID s 77-7',
      'XGROUP DELCONSUMER s g a|XADD s 99-1 a b',
    ]) {
      await both.same('FLUSHALL\nXADD s 1-1 a b\nXGROUP CREATE s g $');
      await waiting([wait], end);
    }
  });
});

test('in RESP3', async () => {
  const commands =
    `HELLO 3|XADD s 1-1 a b|XADD s 2-1 a b c d|XADD s 3-1 a b|XDEL s 2-1|XGROUP CREATE s g 0|XREAD STREAMS s none 0 0
    |XREAD STREAMS none 0|XRANGE s - +|XRANGE s - + COUNT 0|XRANGE none - +|XADD none NOMKSTREAM 1-1 a b|XREADGROUP GROUP g c STREAMS s >
    |XREADGROUP GROUP g c STREAMS s 0|XREADGROUP GROUP g c STREAMS s >|XPENDING s g|XDEL s 1-1|XREADGROUP GROUP g c STREAMS s 0
    |XINFO STREAM s|XINFO GROUPS s|XAUTOCLAIM s g d 0 -|XCLAIM s g d 0 3-1|XDEL s 3-1|XINFO STREAM s|XGROUP SETID s g 1-1|XINFO GROUPS s|XACK s g 3-1|XPENDING s g`
      .split('|')
      .map((line) => line.trim());
  const [ours, theirs] = await Promise.all(
    [both.server.port, both.theirsPort].map(async (port) => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      socket.write(commands.join('\r\n') + '\r\n');
      await new Promise((done) => setTimeout(done, 200));
      socket.destroy();
      return text.slice(text.indexOf('modules'));
    }),
  );
  expect(ours).toBe(theirs);
  expect(ours).toContain('%10');
});

test('what is propagated', async () => {
  const effects = async (command: string): Promise<string[]> =>
    (await both.propagated(command)).map((line) => line.replace(/\b\d{13}\b/g, 'T'));
  expect(await effects('XADD s * a b')).toEqual(['XADD s T-0 a b']);
  expect(await effects('XADD t 5-* a b')).toEqual(['XADD t 5-0 a b']);
  expect(await effects('XADD t 6-1 a b')).toEqual(['XADD t 6-1 a b']);
  expect(await effects('XADD t MAXLEN ~ 1 7-1 a b')).toEqual(['XADD t MAXLEN = 3 7-1 a b']);
  expect(await effects('XADD t MINID ~ 7 LIMIT 5 8-1 a b')).toEqual(['XADD t MINID = 5-0 LIMIT 5 8-1 a b']);
  expect(await effects('XTRIM t MAXLEN ~ 0 LIMIT 100')).toEqual(['XTRIM t MAXLEN = 0 LIMIT 100']);
  expect(await effects('XTRIM t MAXLEN ~ 0')).toEqual([]);
  await effects('XADD t 9-1 a b');
  expect(await effects('XGROUP CREATE t g 0')).toEqual(['XGROUP CREATE t g 0']);
  expect(await effects('XREADGROUP GROUP g c STREAMS t >')).toEqual([
    'XCLAIM t g c 0 9-1 TIME T RETRYCOUNT 1 FORCE JUSTID LASTID 9-1',
    'XGROUP SETID t g 9-1 ENTRIESREAD 5',
  ]);
  expect(await effects('XREADGROUP GROUP g d NOACK STREAMS t 0')).toEqual(['XGROUP CREATECONSUMER t g d']);
  expect(await effects('XREADGROUP GROUP g c STREAMS t 0')).toEqual([]);
  expect(await effects('XCLAIM t g e 0 9-1')).toEqual([
    'XCLAIM t g e 0 9-1 TIME T RETRYCOUNT 3 FORCE JUSTID LASTID 9-1',
  ]);
  expect(await effects('XCLAIM t g e 0 55 LASTID 60-1')).toEqual(['XGROUP SETID t g 60-1 ENTRIESREAD 5']);
  expect(await effects('XAUTOCLAIM t g f 0 -')).toEqual([
    'XCLAIM t g f 0 9-1 TIME T RETRYCOUNT 4 FORCE JUSTID LASTID 60-1',
  ]);
  expect(await effects('XACK t g 9-1')).toEqual(['XACK t g 9-1']);
  expect(await effects('XACK t g 9-1')).toEqual([]);
  expect(await effects('XDEL t 9-1')).toEqual(['XDEL t 9-1']);
});

test('commands describe themselves as Redis does', async () => {
  const names =
    'XADD XTRIM XDEL XSETID XRANGE XREVRANGE XLEN XREAD XREADGROUP XGROUP XACK XPENDING XCLAIM XAUTOCLAIM XINFO';
  const sorted = (answer: Answer): Answer => (Array.isArray(answer) ? answer.map((item) => sorted(item)) : answer);
  await both.same(
    names.split(' ').map((name) => ['COMMAND', 'INFO', name]),
    (_, answer) => {
      const walk = (value: Answer): Answer => {
        if (!Array.isArray(value)) return value;
        if (value.every((item) => typeof item === 'string' && !item.includes('|'))) return [...value].sort();
        if (value.every((item) => Array.isArray(item) && typeof item[0] === 'string' && item[0].includes('|')))
          return [...value]
            .sort((a, b) => (String((a as Answer[])[0]) < String((b as Answer[])[0]) ? -1 : 1))
            .map(walk);
        return value.map(walk);
      };
      return walk(sorted(answer));
    },
  );
});
