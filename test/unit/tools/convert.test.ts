/**
 * convert: snapshots of redis-server to JSON, to commands, and back, with the same data at the end as redis-server's own
 * digest tells; bytes of every kind; old forms; and what is said of input that is wrong.
 */
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { convertCommand } from '../../../src/tools/convert/convert.ts';
import { oracle } from '../../support/oracle.ts';
import { type Answer, Pipeline } from '../../support/pipeline.ts';
import { double, file, intset, key, size, str, text, ziplist, zipmap } from '../../support/rdb-format.ts';
import { drawSeed } from '../../support/seed.ts';
import { type ServerProcess, startRedis } from '../../support/server-process.ts';

let folder: string;
let redis: ServerProcess;
let client: Pipeline;

const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-convert-'));
  redis = await startRedis('--enable-debug-command', 'yes', '--enable-protected-configs', 'yes', '--dir', folder);
  client = new Pipeline(redis.port);
});

afterAll(async () => {
  client.close();
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Converts, and gives the exit code and what was said. */
function convert(...args: string[]): { code: number; said: string } {
  let said = '';
  const spies = [process.stderr, process.stdout].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((more) => {
      said += String(more);
      return true;
    }),
  );
  try {
    return { code: convertCommand(args), said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

function converted(from: string, to: string): void {
  expect(convert(at(from), at(to), '--force')).toMatchObject({ code: 0 });
}

async function good(...commands: string[][]): Promise<Answer[]> {
  const answers = await client.send(commands);
  for (const [i, answer] of answers.entries())
    expect(answer, commands[i].join(' ').slice(0, 100)).not.toBeInstanceOf(Error);
  return answers;
}

/** What redis-server holds, in its own digest, times to live and libraries included. */
async function held(): Promise<unknown> {
  const [digest, libraries, space] = await good(
    ['DEBUG', 'DIGEST'],
    ['FUNCTION', 'LIST', 'WITHCODE'],
    ['INFO', 'keyspace'],
  );
  const [expiries] = await good(['SELECT', '0'], ['KEYS', 'expires:*']).then((answers) => [answers[1]]);
  const times = await client.send((expiries as string[]).sort().map((name) => ['PEXPIRETIME', name]));
  const streams = await client.send(
    ['stream', 'emptied', 'fresh'].map((name) => ['XINFO', 'STREAM', name, 'FULL', 'COUNT', '0']),
  );
  const sorted = (libraries as Answer[]).map((library) => JSON.stringify(library)).sort();
  return {
    digest,
    libraries: sorted,
    space: String(space).replaceAll(/avg_ttl=\d+/g, ''),
    times,
    streams: streams.map(settled),
  };
}

/** Radix trees differ in their nodes, and a server counts for itself when a consumer was seen. */
function settled(answer: Answer): Answer {
  if (!Array.isArray(answer)) return answer instanceof Error ? answer.message : answer;
  const skipped = new Set(['radix-tree-keys', 'radix-tree-nodes', 'seen-time']);
  const parts: Answer[] = [];
  for (let i = 0; i < answer.length; i++) {
    if (skipped.has(String(answer[i]))) i++;
    else parts.push(settled(answer[i]));
  }
  return parts;
}

/** Loads a snapshot of the folder into redis-server. */
async function load(name: string): Promise<unknown> {
  await good(['CONFIG', 'SET', 'dbfilename', name], ['DEBUG', 'RELOAD', 'NOSAVE']);
  return held();
}

async function save(name: string): Promise<unknown> {
  await good(['CONFIG', 'SET', 'dbfilename', name], ['SAVE']);
  return held();
}

const seed = drawSeed();

/** Random bytes, often text, sometimes a number, sometimes long. */
function word(random: SeededRandom): string {
  const kind = random.below(6);
  if (kind === 0) return String(random.below(100_000) - 50_000);
  if (kind === 1) return 'é€𝄞'.slice(0, 2 + random.below(2));
  const length = kind === 2 ? 60 + random.below(200) : random.below(12);
  const top = kind === 3 ? 256 : 95;
  const low = kind === 3 ? 0 : 32;
  return Array.from({ length }, () => String.fromCharCode(low + random.below(top))).join('');
}

/** Text as UTF-8, one character a byte, as a Pipeline sends it. */
const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Data of every type and encoding. */
function dataset(random: SeededRandom): string[][] {
  const commands: string[][] = [['FLUSHALL'], ['FUNCTION', 'FLUSH'], ['SELECT', '0']];
  const next = (): string => {
    const made = word(random);
    return /[^\x00-\xff]/.test(made) ? utf8(made) : made;
  };
  for (const [db, count] of [
    ['0', 40],
    ['7', 5],
  ] as const) {
    commands.push(['SELECT', db]);
    for (let i = 0; i < count; i++) {
      const many = random.below(4) === 0 ? 600 : 1 + random.below(8);
      const some = Array.from({ length: many }, next);
      commands.push(['SET', `string:${i}:${next()}`, next()]);
      commands.push(['RPUSH', `list:${i}`, ...some], ['SADD', `set:${i}`, ...some]);
      commands.push(['SADD', `ints:${i}`, ...some.map(() => String(random.below(1_000_000) - 500_000))]);
      commands.push(['HSET', `hash:${i}`, ...some.flatMap((field) => [field, next()])]);
      commands.push(['ZADD', `zset:${i}`, ...some.flatMap((member) => [String(random.below(2000) / 7 - 100), member])]);
      commands.push(['SET', `expires:${i}`, next(), 'PXAT', String(33_000_000_000_000 + random.below(1_000_000))]);
    }
  }
  commands.push(
    ['SELECT', '0'],
    ['ZADD', 'odd', 'inf', 'a', '-inf', 'b', '1e-320', 'c', '1.7976931348623157e308', 'd'],
  );
  commands.push(['SET', 'huge', 'ab'.repeat(300_000)], ['RPUSH', 'plain', 'x'.repeat(20_000), 'y']);
  commands.push(['SET', '', ''], ['SET', utf8('\ufeff"\\\n\u2028'), '\xff\xfe']);
  for (let i = 1; i <= 250; i++)
    commands.push(['XADD', 'stream', `${i}-${i}`, 'field', next(), ...(i % 3 ? [] : [next(), next()])]);
  commands.push(['XDEL', 'stream', '1-1', '100-100', '250-250'], ['XGROUP', 'CREATE', 'stream', 'g\xff', '0']);
  commands.push(['XREADGROUP', 'GROUP', 'g\xff', 'alice', 'COUNT', '30', 'STREAMS', 'stream', '>']);
  commands.push(
    ['XREADGROUP', 'GROUP', 'g\xff', 'bob', 'COUNT', '5', 'STREAMS', 'stream', '>'],
    ['XGROUP', 'CREATE', 'stream', 'idle', '$'],
  );
  commands.push(
    ['XADD', 'emptied', '18446744073709551615-18446744073709551614', 'f', 'v'],
    ['XTRIM', 'emptied', 'MAXLEN', '0'],
  );
  commands.push(['XGROUP', 'CREATE', 'fresh', 'g', '$', 'MKSTREAM', 'ENTRIESREAD', '9007199254740993']);
  commands.push(['FUNCTION', 'LOAD', "#!lua name=one\nredis.register_function('f1', function() return 1 end)"]);
  commands.push([
    'FUNCTION',
    'LOAD',
    "#!lua name=two\n-- \xc3\xa9\nredis.register_function('f2', function() return 2 end)",
  ]);
  return commands;
}

describe('data of every type', () => {
  let before: unknown;

  beforeAll(async () => {
    await good(...dataset(new SeededRandom(seed)));
    before = await save('original.rdb');
  }, 30_000);

  test('is the same after JSON and back', async () => {
    converted('original.rdb', 'data.jsonl');
    converted('data.jsonl', 'back.rdb');
    expect(await load('back.rdb')).toEqual(before);
    converted('back.rdb', 'again.jsonl');
    converted('again.jsonl', 'again.rdb');
    expect(await load('again.rdb')).toEqual(before);
  });

  test('is the same from one snapshot to another', async () => {
    converted('original.rdb', 'copy.rdb');
    expect(await load('copy.rdb')).toEqual(before);
  });

  test('is the same after commands and back', async () => {
    converted('original.rdb', 'data.aof');
    converted('data.aof', 'played.rdb');
    expect(await load('played.rdb')).toEqual(before);
    converted('data.aof', 'played.jsonl');
    converted('played.jsonl', 'replayed.rdb');
    expect(await load('replayed.rdb')).toEqual(before);
  });

  test('is what redis-server makes of the commands', async () => {
    converted('original.rdb', 'fed.aof');
    await good(['FLUSHALL'], ['FUNCTION', 'FLUSH'], ['SELECT', '0']);
    const fed = spawnSync(oracle('redis-cli'), ['-p', String(redis.port), '--pipe'], {
      input: readFileSync(at('fed.aof')),
    });
    expect(String(fed.stdout)).toContain('errors: 0');
    expect(await held()).toEqual(before);
  });

  test('is one line of JSON for each key, and nothing but JSON', () => {
    const lines = readFileSync(at('data.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const kinds = new Set(lines.map(({ type }) => type));
    expect([...kinds].sort()).toEqual(['aux', 'function', 'hash', 'list', 'set', 'stream', 'string', 'zset']);
    const found = (name: string): Record<string, unknown> => lines.find(({ key, db }) => key === name && db === 0);
    expect(found('odd')['value']).toEqual([
      ['b', '-inf'],
      ['c', 1e-320],
      ['d', Number.MAX_VALUE],
      ['a', 'inf'],
    ]);
    expect(found('\ufeff"\\\n\u2028')['value']).toEqual({ base64: '//4=' });
    expect(found('fresh')['value']).toMatchObject({ groups: [{ entriesRead: '9007199254740993' }] });
  });

  test('reads what redis-server appends, by its manifest', async () => {
    await load('original.rdb');
    await good(['CONFIG', 'SET', 'appendonly', 'yes']);
    await expect
      .poll(async () => String(await client.call('INFO', 'persistence')), { timeout: 20_000 })
      .toMatch(/aof_rewrite_in_progress:0[\s\S]*aof_rewrite_scheduled:0[\s\S]*aof_last_bgrewrite_status:ok/);
    await good(['SET', 'later', '1'], ['MULTI'], ['LPUSH', 'list:0', 'later'], ['DEL', 'huge'], ['EXEC']);
    const after = await held();
    await good(['CONFIG', 'SET', 'appendonly', 'no']);
    converted('appendonlydir/appendonly.aof.manifest', 'appended.rdb');
    expect(await load('appended.rdb')).toEqual(after);
  }, 60_000);
});

test('a zero below zero stays one, where there are scores in binary', async () => {
  // Only in a skiplist: in a listpack it would lose its sign, and so it would in commands.
  await good(['FLUSHALL'], ['ZADD', 'zero', '1', 'long'.repeat(20)], ['ZADD', 'zero', '-0', 'member']);
  const before = await save('zero.rdb');
  converted('zero.rdb', 'zero.jsonl');
  expect(readFileSync(at('zero.jsonl'), 'utf8')).toContain('["member","-0"]');
  converted('zero.jsonl', 'zero-again.rdb');
  expect(await load('zero-again.rdb')).toEqual(before);
});

test('old forms become those of today', async () => {
  const records = [
    key(9, 'zipmap', str(zipmap(['f', 'v']))),
    key(10, 'ziplist', str(ziplist(['a', '1', text(100)]))),
    key(11, 'intset', str(intset([1n, 300n], 2))),
    key(12, 'zset', str(ziplist(['a', '1.5']))),
    key(13, 'hash', str(ziplist(['f', 'v']))),
    key(3, 'scores', size(1), str('a'), str('2.5')),
    key(5, 'binary', size(1), str('a'), double(-0)),
  ];
  writeFileSync(at('old.rdb'), file(4, ...records));
  const before = await load('old.rdb');
  converted('old.rdb', 'old.jsonl');
  converted('old.jsonl', 'new.rdb');
  expect(readFileSync(at('new.rdb'), 'latin1').slice(0, 9)).toBe('REDIS0010');
  expect(await load('new.rdb')).toEqual(before);
});

describe('an output', () => {
  beforeAll(() => writeFileSync(at('one.rdb'), file(10, key(0, 'k', str('v')))));

  const LINE = '{"type":"string","db":0,"key":"k","value":"v"}\n';
  const parts = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.part'));

  test('that is a device is written to, and never replaced', () => {
    expect(convert(at('one.rdb'), '/dev/null', '--to', 'json', '--force').code).toBe(0);
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
    expect(convert(at('one.rdb'), '/dev/full', '--to', 'json')).toEqual({
      code: 1,
      said: 'Error: /dev/full: No space left on device\n',
    });
    expect(lstatSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  test('under a link goes where the link leads', () => {
    writeFileSync(at('target.json'), 'old');
    symlinkSync('target.json', at('link.json'));
    expect(convert(at('one.rdb'), at('link.json')).said).toContain('--force replaces it');
    converted('one.rdb', 'link.json');
    expect(lstatSync(at('link.json')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('target.json'), 'utf8')).toBe(LINE);
    expect(parts()).toEqual([]);
  });

  test('that is a folder is refused', () => {
    for (const force of [[], ['--force']])
      expect(convert(at('one.rdb'), folder, '--to', 'json', ...force).said).toContain('is a directory');
  });

  test('that is a file is replaced as a whole or not at all', () => {
    writeFileSync(at('cut.rdb'), readFileSync(at('one.rdb')).subarray(0, 12));
    writeFileSync(at('kept.json'), 'old');
    expect(convert(at('cut.rdb'), at('kept.json'), '--force').code).toBe(1);
    expect(readFileSync(at('kept.json'), 'utf8')).toBe('old');
    expect(parts()).toEqual([]);
  });
});

test('a manifest is known by what it says, under any name', () => {
  writeFileSync(at('part.aof'), '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n');
  writeFileSync(at('list'), '# what there is\nfile part.aof seq 1 type i\n');
  converted('list', 'listed.json');
  expect(readFileSync(at('listed.json'), 'utf8')).toContain('"key":"k","value":"v"');
  writeFileSync(at('list'), 'file none.aof seq 1 type i\n');
  expect(convert(at('list'), at('listed.json'), '--force').said).toContain('none.aof');
});

describe('what is wrong is said', () => {
  const wrong = (lines: string, to = 'wrong.rdb'): string => {
    writeFileSync(at('wrong.jsonl'), lines, 'latin1');
    const { code, said } = convert(at('wrong.jsonl'), at(to), '--force');
    expect(code).toBe(1);
    return said;
  };

  for (const [line, what] of [
    ['{"type":"string"', 'line 2: '],
    ['[]', 'line 2: a line should be an object'],
    ['{"type":"thing","key":"k","value":"v"}', 'line 2: type should be one of'],
    ['{"type":"string","value":"v"}', 'line 2: key should be a string, a number or {"base64":"..."}'],
    ['{"type":"string","key":"k","value":true}', 'line 2: value should be a string, a number or {"base64":"..."}'],
    ['{"type":"string","key":"k","ttl":5,"value":"v"}', "line 2: there is no 'ttl' in it"],
    ['{"type":"string","key":"k","value":"\\ud800"}', 'line 2: value should be without half characters'],
    ['{"type":"string","key":"\xff","value":"v"}', 'line 2 is not UTF-8'],
    ['{"type":"string","key":"k","value":"v","expireat":5}', "line 2: there is no 'expireat' in it: type, db, key, "],
    ['{"type":"function","key":"k","source":"x"}', "line 2: there is no 'key' in it: type, source"],
    ['{"type":"string","key":"k","value":{"base64":"?"}}', 'line 2: base64 should be in its usual form'],
    ['{"type":"string","db":-1,"key":"k","value":"v"}', 'line 2: db should be a whole number'],
    ['{"type":"string","key":"k","expireAt":"soon","value":"v"}', 'line 2: expireAt should be a whole number'],
    ['{"type":"string","key":"k","frequency":256,"value":"v"}', 'line 2: frequency should be at most 255'],
    ['{"type":"list","key":"k","value":[]}', 'line 2: value should be a list that is not empty'],
    ['{"type":"set","key":"k","value":["a","a"]}', 'line 2: value[1]: a set should be without doubles'],
    [
      '{"type":"hash","key":"k","value":[["a"]]}',
      'line 2: value[0]: an element of a hash should be a field and a value',
    ],
    ['{"type":"zset","key":"k","value":[["a","x"]]}', 'line 2: value[0]: a score should be a number'],
    ['{"type":"zset","key":"k","value":[["a",1],["a",2]]}', 'line 2: value[1]: a sorted set should be without doubles'],
    ['{"type":"stream","key":"k","value":{"entries":5}}', 'line 2: entries should be a list'],
    ['{"type":"stream","key":"k","value":{"entry":[]}}', "line 2: there is no 'entry' in it"],
    [
      '{"type":"stream","key":"k","value":{"entries":[["1-1",["f"]]]}}',
      "line 2: an entry's fields should be names and values",
    ],
    ['{"type":"stream","key":"k","value":{"entries":[["1",["f","v"]]]}}', "line 2: an entry's ID should be an ID"],
  ])
    test(line, () => {
      expect(wrong(`{"type":"string","key":"first","value":"v"}\n${line}\n`)).toContain(what);
      expect(readdirSync(folder)).not.toContain('wrong.rdb');
      expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
    });

  test('of files', () => {
    writeFileSync(at('none.rdb'), '');
    writeFileSync(at('cut.rdb'), file(10, key(0, 'k', str('v'))).subarray(0, 12));
    writeFileSync(
      at('tail.rdb'),
      Buffer.concat([file(10, key(0, 'k', str('v'))), Buffer.from('*1\r\n$4\r\nPING\r\n')]),
    );
    writeFileSync(at('module.rdb'), file(10, key(7, 'k', Buffer.of(0x81, 1, 2, 3, 4, 5, 6, 7, 8))));
    const summed = file(10, key(0, 'k', str('v')));
    summed[summed.length - 1] ^= 1;
    writeFileSync(at('sum.rdb'), summed);
    writeFileSync(at('bad.aof'), '*1\r\n$4\r\nNONE\r\n');
    writeFileSync(at('half.aof'), '*2\r\n$3\r\nGET\r\n$1');
    const said = (from: string): string => convert(at(from), at('out.jsonl')).said;
    expect(said('missing.rdb')).toContain('No such file or directory');
    expect(said('none.rdb')).toContain('none.rdb is empty');
    writeFileSync(at('odd.rdb'), 'what?');
    expect(said('odd.rdb')).toContain('what the input is can not be told');
    expect(said('cut.rdb')).toContain('offset 12: Unexpected EOF');
    expect(said('tail.rdb')).toContain('say --from aof');
    expect(said('module.rdb')).toContain("no matching module type 'AQIDBAUGB'");
    expect(said('sum.rdb')).toContain('the checksum is wrong');
    expect(said('bad.aof')).toContain("Unknown command 'NONE'");
    expect(said('half.aof')).toContain('Unexpected end of file');
    expect(readdirSync(folder).filter((name) => name.startsWith('out.jsonl'))).toEqual([]);
    expect(convert(at('tail.rdb'), at('out.jsonl'), '--from', 'aof').code).toBe(0);
    expect(convert(at('tail.rdb'), at('out.jsonl'), '--from', 'aof').said).toContain('--force replaces it');
    expect(convert(at('tail.rdb'), at('out.txt'), '--from', 'aof').said).toContain('say --to rdb, json or aof');
    expect(convert(at('tail.rdb'), at('out.rdb'), '--from', 'text')).toMatchObject({
      code: 1,
      said: expect.stringContaining("no format 'text'"),
    });
    expect(convert('only-one').code).toBe(1);
    expect(convert('--help')).toMatchObject({
      code: 0,
      said: expect.stringContaining('A line of JSON for each record'),
    });
  });
});
