import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Effects } from '../support/effects.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

let server: CinnabarServer;
let redis: ServerProcess;
let ours: Pipeline;
let theirs: Pipeline;

beforeAll(async () => {
  server = createServer({ port: await freePort() });
  await server.listen();
  redis = await startRedis();
  ours = new Pipeline(server.port);
  theirs = new Pipeline(redis.port);
});

afterAll(async () => {
  ours.close();
  theirs.close();
  await server.close();
  await redis.stop();
});

type Commands = readonly (readonly string[])[];

function shown(answer: Answer): Answer {
  return answer instanceof Error ? `(error) ${answer.message}` : answer;
}

/** Sends the commands to both servers and demands the same replies. */
async function same(commands: Commands): Promise<void> {
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
  test('SET and its options', () =>
    same(
      lines(`
        FLUSHALL
        SET k v
        SET k 12
        OBJECT ENCODING k
        SET k v NX
        SET n v NX
        SET absent v XX
        SET k w XX
        SET k x GET
        SET absent x GET
        SET absent y NX GET
        SET absent2 y NX GET
        SET absent3 y XX GET
        SET k v XX NX
        SET k v NX XX
        SET k v nx nx
        SET k v GET GET NX NX
        SET k v EX 10 EX 20
        TTL k
        SET k v EX 10 PX 20
        SET k v KEEPTTL EX 10
        SET k v EX 10 KEEPTTL
        SET k v KEEPTTL KEEPTTL
        TTL k
        SET k v
        TTL k
        SET k v EX
        SET k v EX abc
        SET k v EX 0
        SET k v EX -5
        SET k v PX 0
        SET k v EX 9223372036854775807
        SET k v EX 9223372036854776
        SET k v EX 9223372036854775
        SET k v PX 9223372036854775807
        SET k v PXAT 9223372036854775807
        SET k v EXAT 9223372036854775
        SET k v EXAT 9223372036854776
        SET k v EX 1.5
        SET k v EX 99999999999999999999
        SET k v PXAT 33177117420000
        PEXPIRETIME k
        SET k v EXAT 33177117420
        PEXPIRETIME k
        SET k w KEEPTTL
        PEXPIRETIME k
        SET k w GET KEEPTTL
        PEXPIRETIME k
        SET k v PXAT 1
        EXISTS k
        SET k v bogus
        SET k v PERSIST
        SET k
        LPUSH list a
        SET list v GET
        SET list v
        TYPE list
        SETNX k v
        SETNX k w
        SETEX k 10 v
        TTL k
        SETEX k 0 v
        SETEX k abc v
        SETEX k 9223372036854775807 v
        SETEX k -1 v
        PSETEX k 100000 v
        PSETEX k 0 v
        PSETEX k 9223372036854775807 v
        GETSET k w
        TTL k
        GETSET absent4 w
        LPUSH list2 a
        GETSET list2 w
        MSET a 1 b 2 a 3
        MGET a b c list2
        MSET a
        MSET a 1 b
        MSETNX a 1 z 2
        EXISTS z
        MSETNX z 1 z 2
        GET z
        MSETNX z1 1 z2
        SET "" empty
        GET ""
        SET empty ""
        GET empty
        STRLEN empty
      `),
    ));

  test('reading', () =>
    same(
      lines(`
        FLUSHALL
        LPUSH list a
        GET list
        GET absent
        STRLEN list
        STRLEN absent
        SET k "Hello World"
        SET n 1234567890
        STRLEN k
        STRLEN n
        GETRANGE k 0 -1
        GETRANGE k -5 -1
        GETRANGE k -1 -5
        GETRANGE k 4 2
        GETRANGE k 0 9223372036854775807
        GETRANGE k -9223372036854775808 9223372036854775807
        GETRANGE k -9223372036854775808 -9223372036854775808
        GETRANGE k 100 200
        GETRANGE k -100 3
        GETRANGE k -100 -50
        GETRANGE n 2 4
        GETRANGE absent 0 -1
        GETRANGE list 0 -1
        GETRANGE list a -1
        GETRANGE k 0 b
        SUBSTR k 0 4
        SET e ""
        GETRANGE e 0 -1
        GETDEL k
        GETDEL k
        GETDEL list
        SET k v EX 100
        GETEX k
        TTL k
        GETEX k PERSIST
        TTL k
        GETEX k PERSIST
        GETEX k EX 100
        TTL k
        GETEX k PXAT 33177117420000
        PEXPIRETIME k
        GETEX k EXAT 33177117420
        PEXPIRETIME k
        GETEX k PX 100000
        TTL k
        GETEX k KEEPTTL
        GETEX k NX
        GETEX k EX
        GETEX k EX 10 PX 10
        GETEX k EX 10 PERSIST
        GETEX k PERSIST EX 10
        GETEX k EX abc
        GETEX k EX 0
        GETEX k EX -1
        GETEX k EX 9223372036854775807
        GETEX absent EX abc
        GETEX absent EX 10 bogus
        GETEX list EX abc
        GETEX k PXAT 1
        EXISTS k
        MGET
        GET
        GET a b
      `),
    ));

  test('changing in place', () =>
    same(
      lines(`
        FLUSHALL
        APPEND k 12
        OBJECT ENCODING k
        APPEND k 34
        OBJECT ENCODING k
        INCR k
        OBJECT ENCODING k
        APPEND k ""
        OBJECT ENCODING k
        APPEND new ""
        EXISTS new
        OBJECT ENCODING new
        LPUSH list a
        APPEND list x
        SETRANGE list 0 x
        SETRANGE absent 0 ""
        EXISTS absent
        SETRANGE absent 3 abc
        GET absent
        OBJECT ENCODING absent
        SETRANGE absent 1 XY
        GET absent
        SETRANGE absent 536870912 ""
        SETRANGE absent 536870912 x
        SETRANGE absent 536870910 xyz
        SETRANGE absent 9223372036854775807 x
        SETRANGE nothing 536870912 x
        EXISTS nothing
        SETRANGE absent -1 x
        SETRANGE absent -1 ""
        SETRANGE absent abc x
        SET n 12345
        SETRANGE n 1 99
        GET n
        OBJECT ENCODING n
        SETRANGE n 0 ""
        SET c 9223372036854775806
        INCR c
        INCR c
        DECR c
        SET c -9223372036854775807
        DECR c
        DECR c
        SET c 9007199254740991
        INCR c
        INCR c
        GET c
        DECR c
        DECR c
        DECR c
        DECRBY c -9223372036854775808
        INCRBY c -9223372036854775808
        INCRBY c -9223372036854775808
        INCRBY c 9223372036854775807
        GET c
        OBJECT ENCODING c
        INCRBY c 9223372036854775808
        INCRBY c abc
        INCRBY c 1.5
        INCRBY c ""
        INCRBY c " 1"
        DECRBY c 5
        DECRBY c -5
        SET c " 11"
        INCR c
        SET c "11 "
        INCR c
        SET c ""
        INCR c
        SET c 0x10
        INCR c
        SET c 1.0
        INCR c
        INCR list
        INCRBY list abc
        DECRBY list -9223372036854775808
        SET c 5 PXAT 33177117420000
        INCR c
        PEXPIRETIME c
        INCRBYFLOAT c 1.5
        PEXPIRETIME c
        OBJECT ENCODING c
        INCRBYFLOAT c 0.5
        OBJECT ENCODING c
        INCR c
        OBJECT ENCODING c
        INCRBYFLOAT c abc
        INCRBYFLOAT c inf
        INCRBYFLOAT c -inf
        INCRBYFLOAT c nan
        INCRBYFLOAT c ""
        INCRBYFLOAT list 1
        INCRBYFLOAT list abc
        SET c abc
        INCRBYFLOAT c 1
        INCRBYFLOAT newfloat 1e40
        OBJECT ENCODING newfloat
        INCRBYFLOAT newfloat2 1e50
        OBJECT ENCODING newfloat2
        INCRBYFLOAT newfloat3 3
        OBJECT ENCODING newfloat3
        INCR newfloat3
      `),
    ));

  test('the limit on size follows the setting', () =>
    same([
      ['FLUSHALL'],
      ['CONFIG', 'SET', 'proto-max-bulk-len', '1mb'],
      ['SET', 'k', 'x'.repeat(1048570)],
      ['APPEND', 'k', '123456'],
      ['APPEND', 'k', '7'],
      ['SETRANGE', 'k', '1048575', 'ab'],
      ['SETRANGE', 'k', '1048574', 'ab'],
      ['STRLEN', 'k'],
      ['SET', 'a', 'x'.repeat(1000)],
      ['SET', 'b', 'y'.repeat(1000)],
      ['LCS', 'a', 'b'],
      ['CONFIG', 'SET', 'proto-max-bulk-len', '512mb'],
      ['LCS', 'a', 'b', 'LEN'],
    ]));

  test('LCS', () =>
    same(
      lines(`
        FLUSHALL
        MSET a ohmytext b mynewtext n 12345 m 1345
        LPUSH list x
        LCS a b
        LCS a b LEN
        LCS a b IDX
        LCS a b IDX WITHMATCHLEN
        LCS a b IDX MINMATCHLEN 4
        LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
        LCS a b IDX MINMATCHLEN -4
        LCS a b MINMATCHLEN
        LCS a b MINMATCHLEN x
        LCS a b IDX LEN
        LCS a b WITHMATCHLEN
        LCS a b LEN MINMATCHLEN 4
        LCS a b bogus
        LCS a absent IDX
        LCS absent absent2
        LCS a list
        LCS list a bogus
        LCS n m
        LCS n m IDX
        LCS a a IDX WITHMATCHLEN
        LCS a
      `),
    ));

  test('LCS of random strings', async () => {
    const random = new SeededRandom(21);
    const word = (): string => Array.from({ length: random.below(30) }, () => 'abc'[random.below(3)]).join('');
    const commands: string[][] = [['FLUSHALL']];
    for (let i = 0; i < 300; i++) {
      commands.push(['MSET', 'a', word(), 'b', word()], ['LCS', 'a', 'b'], ['LCS', 'a', 'b', 'LEN']);
      commands.push(['LCS', 'a', 'b', 'IDX', 'WITHMATCHLEN', 'MINMATCHLEN', String(random.below(4))]);
    }
    await same(commands);
  });

  for (const seed of [31, 32, 33]) {
    test(`random commands, seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const commands: string[][] = [['FLUSHALL']];
      for (let i = 0; i < 8000; i++) {
        const words = randomCommand(random);
        commands.push(words);
        const key = words[1] ?? 'k0';
        if (random.below(3) === 0) commands.push(['OBJECT', 'ENCODING', key], ['PEXPIRETIME', key], ['GET', key]);
      }
      await same(commands);
    });
  }

  test('keyspace events', async () => {
    const listeners = [new Pipeline(server.port), new Pipeline(redis.port)];
    await same([['FLUSHALL'], ['CONFIG', 'SET', 'notify-keyspace-events', 'KEAn']]);
    for (const listener of listeners) await listener.send([['PSUBSCRIBE', '__key*__:*']]);
    await same(
      lines(`
        SET k v
        SET k v EX 100
        SET k v XX KEEPTTL
        SET k v NX
        SETNX k2 v
        SETEX k 100 v
        PSETEX k 100000 v
        GETSET k v
        GETEX k EX 100
        GETEX k PERSIST
        GETEX k PERSIST
        GETEX k
        GETEX k PXAT 1
        SET k v
        GETDEL k
        MSET a 1 b 2
        MSETNX c 1 d 2
        MSETNX c 1 e 2
        APPEND a 1
        APPEND f 1
        SETRANGE a 1 x
        SETRANGE a 1 ""
        SETRANGE g 1 x
        INCR h
        DECR h
        INCRBY h 5
        DECRBY h 5
        INCRBYFLOAT h 1.5
        INCRBYFLOAT i 1.5
        INCR c1
        LCS a b
      `),
    );
    await same([['CONFIG', 'SET', 'notify-keyspace-events', '']]);
    const [a, b] = await Promise.all(
      listeners.map(async (listener) => {
        await listener.send([['PUNSUBSCRIBE']]);
        // The reply to PUNSUBSCRIBE came after every message; its place was taken by the first of them.
        await new Promise((done) => setTimeout(done, 50));
        return listener.unasked();
      }),
    );
    for (const listener of listeners) listener.close();
    expect(a).toEqual(b);
    expect(a.length).toBeGreaterThan(60);
  });
});

/** A string command on one of a few keys, sometimes malformed. */
function randomCommand(random: SeededRandom): string[] {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)];
  const key = (): string => `k${random.below(12)}`;
  const number = (): string =>
    pick([
      String(random.below(100)),
      String(-random.below(100)),
      String(random.below(2 ** 53)),
      '9223372036854775807',
      '-9223372036854775808',
      '9007199254740992',
      'x',
      '1.5',
    ]);
  const value = (): string =>
    pick([
      number(),
      '',
      'abc',
      'v'.repeat(random.below(60)),
      'w'.repeat(random.below(300)),
      '\x00\xff\r\n',
      '3.25',
      '1e3',
    ]);
  const future = (): string => String(33177117420000 + random.below(1000));
  const option = (): string[] =>
    pick([
      ['NX'],
      ['XX'],
      ['GET'],
      ['KEEPTTL'],
      ['PXAT', future()],
      ['EXAT', '33177117420'],
      ['EX', '0'],
      ['px'],
      ['PERSIST'],
    ]);
  switch (random.below(20)) {
    case 0:
    case 1:
      return ['SET', key(), value()];
    case 2:
      return ['SET', key(), value(), ...option()];
    case 3:
      return ['SET', key(), value(), ...option(), ...option()];
    case 4:
      return ['GETEX', key(), ...option()];
    case 5:
      return [pick(['INCR', 'DECR']), key()];
    case 6:
    case 7:
      return [pick(['INCRBY', 'DECRBY']), key(), number()];
    case 8:
      return ['INCRBYFLOAT', key(), pick([number(), '0.1', '-2.75', '1e10', '3.0e-5'])];
    case 9:
      return ['APPEND', key(), value()];
    case 10:
      return [
        'SETRANGE',
        key(),
        pick([String(random.below(80)), number().slice(0, 6)]).replace(/\d{5,}/, '7'),
        value(),
      ];
    case 11:
      return [pick(['GETRANGE', 'SUBSTR']), key(), number(), number()];
    case 12:
      return ['STRLEN', key()];
    case 13:
      return ['MGET', key(), key(), key()];
    case 14:
      return [pick(['MSET', 'MSETNX']), key(), value(), key(), value()];
    case 15:
      return [pick(['GETSET', 'SETNX']), key(), value()];
    case 16:
      return ['GETDEL', key()];
    case 17:
      return ['LCS', key(), key(), ...pick([[], ['LEN'], ['IDX'], ['IDX', 'WITHMATCHLEN']])];
    case 18:
      return [pick(['SETEX', 'PSETEX']), key(), pick(['0', '-1', 'x', '9223372036854775807']), value()];
    default:
      return random.below(8) === 0 ? ['LPUSH', key(), value()] : ['DEL', key()];
  }
}

describe('what is propagated', () => {
  const sink = new Effects();
  const { seen } = sink;

  beforeAll(() => server.engine.propagation.attach(sink));
  afterAll(() => server.engine.propagation.detach(sink));

  test('the command, or what has the same effect at any time and on any machine', async () => {
    await ours.call('FLUSHALL');
    const cases: [command: string, effect: RegExp | string | null][] = [
      ['SET k v', 'SET k v'],
      ['SET k v NX', null],
      ['SET k v XX GET', 'SET k v XX'],
      ['SET k v GET KEEPTTL get', 'SET k v KEEPTTL'],
      ['SET k v EX 100', /^SET k v PXAT \d{13}$/],
      ['SET k v GET EXAT 33177117420', 'SET k v PXAT 33177117420000'],
      ['SET k v PXAT 33177117420000 XX', 'SET k v PXAT 33177117420000'],
      ['SETEX k 100 v', /^SET k v PXAT \d{13}$/],
      ['PSETEX k 100000 v', /^SET k v PXAT \d{13}$/],
      ['GETEX k', null],
      ['GETEX k EX 100', /^PEXPIREAT k \d{13}$/],
      ['GETEX k PERSIST', 'PERSIST k'],
      ['GETEX k PERSIST', null],
      ['GETEX k EXAT 1', 'DEL k'],
      ['GETSET k 10', 'SET k 10'],
      ['INCR k', 'INCR k'],
      ['INCRBYFLOAT k 1.5', 'SET k 12.5 KEEPTTL'],
      ['APPEND k x', 'APPEND k x'],
      ['SETRANGE k 0 y', 'SETRANGE k 0 y'],
      ['GETDEL k', 'DEL k'],
      ['GETDEL k', null],
      ['MSET a 1 b 2', 'MSET a 1 b 2'],
      ['MSETNX a 1 c 2', null],
    ];
    for (const [command, effect] of cases) {
      seen.length = 0;
      await ours.call(...command.split(' '));
      if (effect === null) expect(seen, command).toEqual([]);
      else if (typeof effect === 'string') expect(seen, command).toEqual([effect]);
      else expect(seen.join(), command).toMatch(effect);
    }
  });
});

test('memory goes back to where it was', async () => {
  await ours.call('FLUSHALL');
  const before = server.engine.memory.used;
  const random = new SeededRandom(41);
  await ours.send(Array.from({ length: 3000 }, () => randomCommand(random)));
  await ours.call('FLUSHALL');
  expect(server.engine.memory.used).toBe(before);
});
