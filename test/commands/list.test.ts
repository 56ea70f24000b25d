import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Effects } from '../support/effects.ts';
import { LONG } from '../support/long.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

let server: CinnabarServer;
let redis: ServerProcess;
let ours: Pipeline;
let theirs: Pipeline;

beforeAll(async () => {
  server = createServer({ port: await freePort(), settings: { 'enable-debug-command': 'yes' } });
  await server.listen();
  redis = await startRedis('--enable-debug-command', 'yes');
  ours = new Pipeline(server.port);
  theirs = new Pipeline(redis.port);
});

afterAll(async () => {
  ours.close();
  theirs.close();
  await server.close();
  await redis.stop();
});

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

function shown(answer: Answer): Answer {
  return answer instanceof Error ? `(error) ${answer.message}` : Array.isArray(answer) ? answer.map(shown) : answer;
}

/** Sends the commands to both servers and demands the same replies. */
async function same(commands: readonly (readonly string[])[]): Promise<void> {
  const [a, b] = await Promise.all([ours.send(commands), theirs.send(commands)]);
  for (let i = 0; i < commands.length; i++) {
    if (JSON.stringify(shown(a[i])) === JSON.stringify(shown(b[i]))) continue;
    const before = commands.slice(Math.max(0, i - 5), i + 1).map((words) => words.map((w) => w.slice(0, 80)).join(' '));
    expect(shown(a[i]), `reply ${i} to ${JSON.stringify(before)}`).toEqual(shown(b[i]));
  }
}

/** One command a line; words between quotes may hold spaces. */
function lines(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((found) => found[1] ?? found[2]))
    .filter((words) => words.length > 0);
}

describe('beside the real server', () => {
  test('pushing and popping', () =>
    same(
      lines(`
        FLUSHALL
        LPUSH l a b c
        RPUSH l 1 2 -3
        LRANGE l 0 -1
        OBJECT ENCODING l
        LPUSHX l x y
        RPUSHX none x
        EXISTS none
        LPOP l
        RPOP l
        LPOP l 2
        RPOP l 0
        RPOP l 100
        EXISTS l
        LPOP l
        LPOP l 1
        RPOP l x
        RPOP l -1
        LPOP l 1 2
        LPUSH l
        SET s 1
        LPUSH s a
        LPUSHX s a
        LPOP s
        LPOP s -1
        LLEN s
        LLEN none
      `),
    ));

  test('index, range, set, insert', () =>
    same(
      lines(`
        FLUSHALL
        RPUSH l a b c 4 5 99999999999 "" "with space"
        LINDEX l 0
        LINDEX l -1
        LINDEX l 100
        LINDEX l x
        LINDEX none x
        LINDEX l 9223372036854775807
        LRANGE l 2 1
        LRANGE l -100 1
        LRANGE l -2 100
        LRANGE l 9223372036854775807 9223372036854775807
        LRANGE l x 1
        LRANGE none 0 -1
        LSET l 0 A
        LSET l -1 Z
        LSET l 100 x
        LSET l x x
        LSET none x x
        LINSERT l BEFORE b before
        LINSERT l aFTER 5 55
        LINSERT l AFTER nothing x
        LINSERT l beside b x
        LINSERT none AFTER b x
        LRANGE l 0 -1
        SET s 1
        LINDEX s x
        LRANGE s 0 1
        LRANGE s x 1
        LSET s x 1
        LINSERT s AFTER x y
      `),
    ));

  test('remove, trim, position', () =>
    same(
      lines(`
        FLUSHALL
        RPUSH l a b a c a b 1 01 1 a
        LREM l 2 a
        LREM l -1 a
        LREM l 0 1
        LREM l x a
        LREM l 0 nothing
        LREM none 0 a
        LRANGE l 0 -1
        LTRIM l 1 -2
        LTRIM l 100 200
        EXISTS l
        LTRIM none x 1
        LTRIM none 0 1
        RPUSH p a b a c a b 1 01 1 a
        LPOS p a
        LPOS p a RANK 2
        LPOS p a RANK -1
        LPOS p a RANK -3 COUNT 0
        LPOS p a COUNT 0 MAXLEN 3
        LPOS p a COUNT 2
        LPOS p x
        LPOS p x COUNT 0
        LPOS none a COUNT 0
        LPOS none a
        LPOS p a RANK 0
        LPOS p a RANK 9223372036854775807
        LPOS p a RANK -9223372036854775807
        LPOS p a RANK -9223372036854775808
        LPOS p a COUNT -1
        LPOS p a MAXLEN -1
        LPOS p a RANK
        LPOS p a NOSUCH 1
        LREM p 0 a
        LREM p 0 b
        LREM p 0 c
        LREM p 0 1
        LREM p 0 01
        EXISTS p
      `),
    ));

  test('moving', () =>
    same(
      lines(`
        FLUSHALL
        RPUSH l 1 2 3
        RPOPLPUSH l m
        LMOVE l m LEFT RIGHT
        LMOVE l l LEFT LEFT
        LMOVE l m RIGHT LEFT
        EXISTS l
        LRANGE m 0 -1
        RPOPLPUSH m m
        LMOVE m m LEFT RIGHT
        LMOVE m m LEFT up
        LMOVE none m up LEFT
        LMOVE none m LEFT LEFT
        SET s 1
        LMOVE m s LEFT LEFT
        LMOVE s m LEFT LEFT
        RPOPLPUSH none s
        LRANGE m 0 -1
        LMPOP 2 none m LEFT
        LMPOP 2 none m RIGHT COUNT 100
        LMPOP 1 m LEFT
        LMPOP 2 s m LEFT
        LMPOP 0 m LEFT
        LMPOP 2 m LEFT
        LMPOP 1 m up
        LMPOP 1 m LEFT COUNT 0
        LMPOP 1 m LEFT COUNT 1 COUNT 1
        LMPOP 1 m LEFT COUNT
      `),
    ));

  test('blocking commands that need not block', () =>
    same(
      lines(`
        FLUSHALL
        RPUSH l 1 2 3 4 5 6
        BLPOP none l 0
        BRPOP l none 1
        BLMPOP 0 2 none l RIGHT COUNT 2
        BLMOVE l m LEFT RIGHT 0
        BRPOPLPUSH l m 0
        LRANGE m 0 -1
        SET s 1
        BLPOP none s m 0
        BLPOP m s 0
        BLMOVE s m LEFT LEFT 0
        BLPOP none x
        BLPOP none -1
        BLPOP none nan
        BLPOP none inf
        BLPOP none 1e400
        BLMOVE none m LEFT up 0
        BLMOVE none m LEFT LEFT x
        BLMPOP x 1 none LEFT
        BLMPOP x 0 none LEFT
        BLMPOP -1 1 none LEFT
        BLPOP none 0.01
        BLMOVE none m LEFT LEFT 0.01
        BRPOPLPUSH none m 0.001
        BLMPOP 0.001 2 none none2 LEFT
        MULTI
        BLPOP none 0
        BLMOVE none m LEFT LEFT 0
        BLMPOP 0 1 none LEFT
        BRPOPLPUSH none m 0
        EXEC
      `),
    ));

  test('large elements and many of them', async () => {
    const big = 'x'.repeat(20_000);
    await same([
      ['FLUSHALL'],
      ['RPUSH', 'l', ...Array.from({ length: 3000 }, (_, i) => `element ${i % 700}`), big],
      ['LINSERT', 'l', 'AFTER', 'element 350', big],
      ['LINDEX', 'l', '351'],
      ['LREM', 'l', '-2', big],
      ['LREM', 'l', '3', 'element 699'],
      ['LRANGE', 'l', '-200', '-100'],
      ['LPOS', 'l', 'element 600', 'RANK', '-2', 'COUNT', '2'],
      ['LTRIM', 'l', '100', '-100'],
      ['LSET', 'l', '1000', big],
      ['LRANGE', 'l', '990', '1010'],
      ['LPOP', 'l', '1500'],
      ['LLEN', 'l'],
    ]);
  });

  test('every element in a node of its own, and packed inner nodes', async () => {
    await same([
      ['FLUSHALL'],
      ['DEBUG', 'QUICKLIST-PACKED-THRESHOLD', '100b'],
      ['CONFIG', 'SET', 'list-compress-depth', '1'],
      ['CONFIG', 'SET', 'list-max-listpack-size', '3'],
    ]);
    await same(randomCommands(99, 2000));
    await same([
      ['DEBUG', 'QUICKLIST-PACKED-THRESHOLD', '0'],
      ['CONFIG', 'SET', 'list-compress-depth', '0'],
      ['CONFIG', 'SET', 'list-max-listpack-size', '-2'],
    ]);
  });

  for (const seed of [1, 2])
    test(`random commands, seed ${seed}`, async () => {
      await same([['FLUSHALL']]);
      await same(randomCommands(seed, LONG ? 3000 : 700));
    });

  test('keyspace events', async () => {
    const listeners = [new Pipeline(server.port), new Pipeline(redis.port)];
    await same([['FLUSHALL'], ['CONFIG', 'SET', 'notify-keyspace-events', 'KEA']]);
    for (const listener of listeners) await listener.send([['PSUBSCRIBE', '__key*__:*']]);
    await same(
      lines(`
        RPUSH l a b c d e f g h
        LPUSHX l x
        LSET l 0 y
        LINSERT l AFTER a x
        LINSERT l AFTER nothing x
        LREM l 1 x
        LREM l 1 x
        LTRIM l 0 100
        LTRIM l 1 -2
        LMOVE l m LEFT RIGHT
        RPOPLPUSH l l
        LMOVE l l LEFT LEFT
        LPOP l
        RPOP l 2
        BLPOP l 0
        LMPOP 1 l RIGHT COUNT 10
        BLMOVE m n LEFT LEFT 0
        LREM n 0 b
        LTRIM n 5 6
        LPOP none
      `),
    );
    await same([['CONFIG', 'SET', 'notify-keyspace-events', '']]);
    await pause(50);
    const [a, b] = listeners.map((listener) => listener.unasked());
    for (const listener of listeners) listener.close();
    expect(a).toEqual(b);
    expect(a.length).toBeGreaterThan(40);
  });
});

/** List commands on few keys, sometimes malformed. */
function randomCommands(seed: number, count: number): string[][] {
  const random = new SeededRandom(seed);
  const roll = (n: number): number => random.below(n);
  const pick = <T>(...from: T[]): T => from[roll(from.length)];
  const key = (): string => (roll(20) < 18 ? pick('a', 'b', 'c') : pick('s', 'none'));
  const odd = ['x', '', '99999999999999999999', '9223372036854775807', '-9223372036854775808', ' 1', '1.5'];
  const index = (): string => (roll(15) === 0 ? pick(...odd) : String(roll(40) - 20));
  const value = (): string =>
    pick(String(roll(6)), `v${roll(5)}`, 'x'.repeat(roll(150)), String(roll(1e9) * 77777 - 5), '\xff\x00\r\n');
  const end = (): string => (roll(17) ? pick('LEFT', 'RIGHT', 'left', 'right') : 'up');
  const several = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make);
  const makers: (() => string[])[] = [
    () => ['RPUSH', key(), ...several(1 + roll(6), value)],
    () => ['LPUSH', key(), ...several(1 + roll(6), value)],
    () => [pick('RPUSH', 'LPUSH'), key(), ...several(1 + roll(9), value)],
    () => [pick('LPUSHX', 'RPUSHX'), key(), value()],
    () => [pick('LPOP', 'RPOP'), key(), ...(roll(2) ? [] : [index()])],
    () => [pick('LLEN', 'LPOP', 'RPOP'), key()],
    () => ['LINDEX', key(), index()],
    () => ['LINSERT', key(), roll(12) ? pick('BEFORE', 'after') : 'at', value(), value()],
    () => ['LRANGE', key(), index(), index()],
    () => ['LSET', key(), index(), value()],
    () => (roll(4) ? ['LLEN', key()] : ['LTRIM', key(), index(), index()]),
    () => ['LREM', key(), index(), value()],
    () => [
      'LPOS',
      key(),
      value(),
      ...several(roll(4), () => [roll(20) ? pick('RANK', 'COUNT', 'MAXLEN') : 'x', index()]).flat(),
    ],
    () => ['LMOVE', key(), key(), end(), end()],
    () => ['RPOPLPUSH', key(), key()],
    () => ['LMPOP', roll(20) ? '2' : index(), key(), key(), end(), ...(roll(2) ? ['COUNT', index()] : [])],
    () => [pick('BLPOP', 'BRPOP'), key(), key(), roll(30) ? '0.001' : pick('-1', 'x', 'inf')],
    () => ['BLMOVE', key(), key(), end(), end(), '0.001'],
    () => ['BLMPOP', '0.001', '2', key(), key(), end(), ...(roll(2) ? ['COUNT', index()] : [])],
    () => (roll(20) ? ['SET', 's', 'x'] : ['DEL', key()]),
  ];
  return several(count, () => pick(...makers)());
}

/** The same play on both servers: `A: command` is sent by client A, whose replies are compared at the end. */
async function play(text: string): Promise<Map<string, Answer[]>> {
  const casts = [server.port, redis.port].map((port) => ({ port, clients: new Map<string, Pipeline>() }));
  await same([['FLUSHALL']]);
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [, name, words] = /^\s*(\w+): (.*)$/.exec(line)!;
    for (const { port, clients } of casts) {
      let client = clients.get(name);
      if (!client) clients.set(name, (client = new Pipeline(port)));
      if (words === '(leaves)') client.close();
      else client.post(lines(words)[0]);
    }
    await pause(12);
    await same([['PING']]);
  }
  await pause(60);
  const [a, b] = casts.map(({ clients }) => {
    const heard = new Map<string, Answer[]>();
    for (const [name, client] of clients) {
      heard.set(name, client.unasked().map(shown));
      client.close();
    }
    return heard;
  });
  expect([...a]).toEqual([...b]);
  return a;
}

describe('waiting', () => {
  test('first come, first served; several keys; the same key twice', async () => {
    const heard = await play(`
      A: BLPOP k k k2 0
      B: BRPOP k2 k 0
      C: BLMPOP 0 2 k3 k LEFT COUNT 10
      D: RPUSH k 1
      D: RPUSH k2 2 3
      D: RPUSH k 4 5 6
      D: LRANGE k2 0 -1
      D: LLEN k
    `);
    expect(heard.get('C')).toEqual([['k', ['4', '5', '6']]]);
  });

  test('variadic pushes serve with the whole list there', () =>
    play(`
      A: BLPOP k 0
      B: BRPOP k 0
      D: LPUSH k 1 2 3 4
      D: LRANGE k 0 -1
    `));

  test('chains of moves', () =>
    play(`
      A: BRPOPLPUSH k1 k2 0
      B: BLMOVE k2 k3 LEFT RIGHT 0
      C: BLPOP k3 0
      D: RPUSH k1 x
      D: EXISTS k1 k2 k3
      E: BRPOPLPUSH same same 0
      D: RPUSH same y
      D: LRANGE same 0 -1
    `));

  test('a destination of another type; a source of another type', () =>
    play(`
      D: SET s 1
      A: BLMOVE k s LEFT LEFT 0
      D: RPUSH k 1 2
      D: LRANGE k 0 -1
      B: BLPOP j s 0
      B: BLPOP j i 0
      D: SET j 1
      D: RPUSH i 7
      D: DEL j
      D: LRANGE i 0 -1
    `));

  test('transactions are served at their end', () =>
    play(`
      A: BLPOP k 0
      D: MULTI
      D: LPUSH k 1
      D: DEL k
      D: EXEC
      D: MULTI
      D: LPUSH k 2
      D: LPUSH k 3
      D: EXEC
      D: LRANGE k 0 -1
    `));

  test('of several keys made at once, the one that was ready first', () =>
    play(`
      A: BLPOP k1 k2 0
      B: BLMPOP 0 2 k3 k4 LEFT
      C: BZPOPMIN z1 z2 0
      D: MULTI
      D: RPUSH k2 2
      D: RPUSH k4 4
      D: ZADD z2 2 two
      D: RPUSH k1 1
      D: RPUSH k3 3
      D: ZADD z1 1 one
      D: EXEC
      D: EXISTS k1 k2 k3 k4 z1 z2
    `));

  test('time runs out; clients leave', () =>
    play(`
      A: BLPOP k 0.02
      B: BLMOVE k j LEFT LEFT 0.02
      C: BLMPOP 0.02 1 k LEFT
      E: BLPOP k 0
      E: (leaves)
      D: RPUSH k 1
      D: LRANGE k 0 -1
    `));

  test('a key that becomes a list by other means', () =>
    play(`
      A: BLPOP k 0
      D: RPUSH other 1 2
      D: RENAME other k
      B: BLPOP l 0
      D: COPY k l
      C: BLPOP m 0
      D: SORT k STORE m
      D: EXISTS k l m
    `));

  test('pipelined commands behind a blocked one wait', () =>
    play(`
      A: BLPOP k 0
      A: GET s
      A: RPUSH k a
      D: SET s v
      D: RPUSH k 1
      D: LRANGE k 0 -1
    `));
});

describe('propagation', () => {
  const sink = new Effects({ brackets: true });
  const { seen } = sink;

  beforeAll(() => server.engine.propagation.attach(sink));
  afterAll(() => server.engine.propagation.detach(sink));

  test('commands that block go out as those that do not', async () => {
    await ours.send(lines('FLUSHALL\nRPUSH k 1 2 3 4 5 6 7 8 9'));
    const cases: [command: string, effect: string | null][] = [
      ['BLPOP none k 0', 'LPOP k'],
      ['BRPOP k 0', 'RPOP k'],
      ['LMPOP 1 k LEFT', 'LPOP k 1'],
      ['BLMPOP 0 1 k RIGHT COUNT 2', 'RPOP k 2'],
      ['BLMOVE k j left RIGHT 0', 'LMOVE k j left RIGHT'],
      ['BRPOPLPUSH k j 0', 'RPOPLPUSH k j'],
      ['LMOVE k j left left', 'LMOVE k j left left'],
      ['LPUSHX none 1', null],
      ['LTRIM k 0 -1', null],
      ['LREM k 0 nothing', null],
      ['LINSERT k AFTER nothing x', null],
      ['LPOP none 1', null],
      ['LMPOP 1 k LEFT COUNT 50', 'LPOP k 1'],
    ];
    for (const [words, effect] of cases) {
      seen.length = 0;
      await ours.send(lines(words));
      expect(seen, words).toEqual(effect === null ? [] : [effect]);
    }
  });

  test('a served client goes out behind the push that served it', async () => {
    await ours.call('FLUSHALL');
    const waiting = new Pipeline(server.port);
    waiting.post(['BLMOVE', 'k', 'j', 'LEFT', 'LEFT', '0']);
    await pause(20);
    seen.length = 0;
    await ours.call('RPUSH', 'k', 'a', 'b');
    await pause(20);
    expect(seen.filter((line) => line.length > 1)).toEqual(['RPUSH k a b', 'LMOVE k j left left']);
    waiting.close();
  });
});
