/** Scripts past their time: what others hear, how such a script ends, and that it stays one unit of work. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EffectSink, TO_ALL, TO_AOF, TO_REPLICAS } from '../../src/engine/propagation.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { RespReader } from '../support/resp.ts';

let server: CinnabarServer;
let lines: Pipeline[] = [];

beforeEach(async () => {
  server = createServer({
    port: await freePort(),
    settings: { save: '', 'busy-reply-threshold': '10', 'enable-debug-command': 'yes' },
  });
  await server.listen();
});

afterEach(async () => {
  for (const line of lines) line.close();
  lines = [];
  await server.close();
});

function connect(): Pipeline {
  const line = new Pipeline(server.port);
  lines.push(line);
  return line;
}

async function one(line: Pipeline, ...command: string[]): Promise<Answer> {
  const [answer] = await line.send([command]);
  return answer instanceof Error ? `(error) ${answer.message}` : answer;
}

/** Until a script has been suspended. */
async function suspended(): Promise<void> {
  while (!server.engine.propagation.held) await new Promise((done) => setTimeout(done, 1));
}

const BUSY = '(error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.';
const BUSY_FUNCTION = BUSY.replace('SCRIPT', 'FUNCTION');
const FOREVER = 'while true do end';
/** Goes on until there is a client of this name. */
const LISTENING = "while not string.find(redis.call('client', 'list'), 'name=stop') do end";

/** Collects effects as their sinks get them. */
class Recorder implements EffectSink {
  readonly target: number;
  readonly heard: string[] = [];

  constructor(target: number) {
    this.target = target;
    server.engine.propagation.attach(this);
  }

  effect(db: number, bytes: Uint8Array, from: number, to: number): void {
    const [command] = new RespReader(Buffer.from(bytes.slice(from, to))).all();
    this.heard.push(`${db} ${words(command)}`);
  }

  begin(): void {
    this.heard.push('begin');
  }

  end(): void {
    this.heard.push('end');
  }
}

function words(value: unknown): string {
  return ((value as { items?: unknown[] }).items ?? []).join(' ');
}

describe('a script that does not end', () => {
  test('lets everybody know, and can be killed', async () => {
    const [runner, other] = [connect(), connect()];
    const replies = runner.send([['EVAL', `\n\n${FOREVER}`, '0'], ['PING']]);
    await suspended();
    expect(await one(other, 'PING')).toBe(BUSY);
    expect(await one(other, 'FUNCTION', 'STATS')).toBe(BUSY);
    expect(await one(other, 'FUNCTION', 'KILL')).toBe(BUSY);
    expect(await one(other, 'SHUTDOWN')).toBe(BUSY);
    expect(await one(other, 'SHUTDOWN', 'SAVE')).toBe(BUSY);
    expect(await one(other, 'MULTI')).toBe('OK');
    expect(await one(other, 'SET', 'k', 'v')).toBe(BUSY);
    expect(await one(other, 'SCRIPT', 'KILL')).toBe('QUEUED');
    expect(await one(other, 'DISCARD')).toBe('OK');
    expect(await one(other, 'SCRIPT', 'KILL')).toBe('OK');
    const [killed, behind] = await replies;
    expect((killed as Error).message).toMatch(
      /^ERR Script killed by user with SCRIPT KILL\.\.\. script: [0-9a-f]{40}, on @user_script:3\.$/,
    );
    expect(behind).toBe('PONG');
    expect(await one(other, 'SCRIPT', 'KILL')).toBe('(error) NOTBUSY No scripts in execution right now.');
  });

  test('of a library is killed by FUNCTION KILL, and shown by FUNCTION STATS', async () => {
    const [runner, other] = [connect(), connect()];
    await one(other, 'FUNCTION', 'LOAD', `#!lua name=l\nredis.register_function('f', function() ${FOREVER} end)`);
    const reply = one(runner, 'FCALL', 'f', '1', 'k', 'a');
    await suspended();
    expect(await one(other, 'PING')).toBe(BUSY_FUNCTION);
    expect(await one(other, 'SCRIPT', 'KILL')).toBe(BUSY_FUNCTION);
    const stats = (await one(other, 'FUNCTION', 'STATS')) as Answer[];
    expect((stats[1] as Answer[]).slice(0, 4)).toEqual(['name', 'f', 'command', ['FCALL', 'f', '1', 'k', 'a']]);
    expect(await one(other, 'FUNCTION', 'KILL')).toBe('OK');
    expect(await reply).toMatch(/killed by user.* script: f, on @user_function:2\.$/);
  });

  test('is killed however it catches errors', async () => {
    const [runner, other] = [connect(), connect()];
    const loop = "local f = function() while 1 do redis.call('ping') end end while 1 do pcall(f) end";
    const reply = one(runner, 'EVAL', loop, '0');
    await suspended();
    expect(await one(other, 'SCRIPT', 'KILL')).toBe('OK');
    expect(await reply).toMatch(/killed by user/);
  });

  test('that has written is not killed', async () => {
    const [runner, other] = [connect(), connect()];
    void one(runner, 'EVAL', `redis.call('set', 'k', 'v') ${FOREVER}`, '0');
    await suspended();
    expect(await one(other, 'SCRIPT', 'KILL')).toMatch(/^\(error\) UNKILLABLE /);
    expect(await one(other, 'FUNCTION', 'KILL')).toMatch(/^\(error\) UNKILLABLE /);
    expect(await one(other, 'PING')).toBe(BUSY);
  });

  test('goes on without its client, and what that had in hand is let go', async () => {
    const [runner, other] = [connect(), connect()];
    void one(runner, 'EVAL', FOREVER, '0');
    await suspended();
    runner.close();
    while (server.engine.sessions.size > 1) await new Promise((done) => setTimeout(done, 1));
    expect(await one(other, 'PING')).toBe(BUSY);
    expect(await one(other, 'SCRIPT', 'KILL')).toBe('OK');
    while (server.engine.propagation.held) await new Promise((done) => setTimeout(done, 1));
    expect(await one(other, 'PING')).toBe('PONG');
  });
});

describe('a script that takes its time', () => {
  beforeEach(async () => {
    await one(connect(), 'DEBUG', 'SET-DISABLE-DENY-SCRIPTS', '1');
  });

  /** Lets what listens go on. */
  async function stop(): Promise<void> {
    await one(connect(), 'HELLO', '2', 'SETNAME', 'stop');
  }

  test('serves nobody who waits before its end', async () => {
    const [runner, waiter] = [connect(), connect()];
    const popped = one(waiter, 'BLPOP', 'l', '0');
    while (server.engine.blocking.count === 0) await new Promise((done) => setTimeout(done, 1));
    const reply = one(
      runner,
      'EVAL',
      `redis.call('lpush', 'l', 'y') ${LISTENING} redis.call('lpush', 'l', 'z') return 'end'`,
      '0',
    );
    await suspended();
    await stop();
    expect(await reply).toBe('end');
    expect(await popped).toEqual(['l', 'z']);
  });

  test('sees keys as they were at its start', async () => {
    const runner = connect();
    const script = `redis.call('set', 'k', 'v', 'PX', 20) ${LISTENING} return redis.call('exists', 'k')`;
    const reply = one(runner, 'EVAL', script, '0');
    await suspended();
    await new Promise((done) => setTimeout(done, 60));
    await stop();
    expect(await reply).toBe(1);
    expect(await one(runner, 'EXISTS', 'k')).toBe(0);
  });

  test('is one unit of work', async () => {
    const recorder = new Recorder(TO_ALL);
    const runner = connect();
    const reply = one(runner, 'EVAL', `redis.call('set', 'a', 1) ${LISTENING} redis.call('set', 'b', 2)`, '0');
    await suspended();
    expect(recorder.heard).toEqual([]);
    await stop();
    await reply;
    expect(recorder.heard).toEqual(['begin', '0 set a 1', '0 set b 2', 'end']);
  });

  test('stops its transaction, which goes on behind it', async () => {
    const recorder = new Recorder(TO_ALL);
    const [runner, other] = [connect(), connect()];
    const replies = runner.send([
      ['MULTI'],
      ['SET', 'a', '1'],
      ['EVAL', `redis.call('incr', 'a') ${LISTENING} return redis.call('incr', 'a')`, '0'],
      ['INCR', 'a'],
      ['EVAL', `${LISTENING} return redis.call('incr', 'a')`, '0'],
      ['GET', 'a'],
      ['EXEC'],
      ['GET', 'a'],
    ]);
    await suspended();
    expect(await one(other, 'GET', 'a')).toBe(BUSY);
    expect(recorder.heard).toEqual([]);
    await stop();
    expect((await replies).slice(-2)).toEqual([['OK', 3, 4, 5, '5'], '5']);
    expect(recorder.heard).toEqual(['begin', '0 SET a 1', '0 incr a', '0 incr a', '0 INCR a', '0 incr a', 'end']);
    expect(await one(other, 'INFO', 'commandstats')).toMatch(/cmdstat_exec:calls=1,/);
  });

  test('gives a large reply whole, in its place in a transaction', async () => {
    const items = 300_000;
    const script = `local t = {} for i = 1, ${items} do t[i] = i end return t`;
    const line = connect();
    const commands = [['MULTI'], ['SET', 'a', '1'], ['EVAL', script, '0'], ['GET', 'a'], ['EXEC'], ['PING']];
    const answers = await line.send(commands);
    const large = Array.from({ length: items }, (_, i) => i + 1);
    expect(answers.slice(4)).toEqual([['OK', large, '1'], 'PONG']);
    expect(await one(connect(), 'SCRIPT', 'KILL')).toMatch(/NOTBUSY/);
  });

  test('is silent where its client wants no reply', async () => {
    const [runner, other] = [connect(), connect()];
    runner.post(['CLIENT', 'REPLY', 'SKIP']);
    const reply = one(runner, 'EVAL', `${LISTENING} return 'unheard'`, '0');
    await suspended();
    await stop();
    runner.post(['ECHO', 'heard']);
    expect(await reply).toBe('heard');
    expect(await one(other, 'PING')).toBe('PONG');
  });

  test('finishes the transaction of a client that has gone', async () => {
    const [runner, other] = [connect(), connect()];
    void runner.send([['MULTI'], ['EVAL', `${LISTENING} redis.call('incr', 'a')`, '0'], ['INCR', 'a'], ['EXEC']]);
    await suspended();
    runner.close();
    while (server.engine.sessions.size > 2) await new Promise((done) => setTimeout(done, 1));
    await stop();
    while (server.engine.propagation.held) await new Promise((done) => setTimeout(done, 1));
    expect(await one(other, 'GET', 'a')).toBe('2');
  });

  test('is counted once, with all of its time', async () => {
    const [runner, other] = [connect(), connect()];
    await one(other, 'CONFIG', 'SET', 'slowlog-log-slower-than', '50000');
    const reply = one(runner, 'EVAL', `${LISTENING} return 'end'`, '0');
    await suspended();
    await new Promise((done) => setTimeout(done, 100));
    await stop();
    expect(await reply).toBe('end');
    expect(await one(other, 'INFO', 'commandstats')).toMatch(/cmdstat_eval:calls=1,/);
    const slow = (await one(other, 'SLOWLOG', 'GET', '-1')) as Answer[][];
    const whole = slow.filter((entry) => (entry[3] as Answer[])[0] === 'EVAL');
    expect(whole.length).toBe(1);
    expect(Number(whole[0][2])).toBeGreaterThan(100_000);
  });
});

describe('effects', () => {
  test('go where the script says', async () => {
    const [file, replicas] = [new Recorder(TO_AOF), new Recorder(TO_REPLICAS)];
    const line = connect();
    const script = `redis.call('set', 'a', 1)
      redis.set_repl(redis.REPL_NONE) redis.call('set', 'b', 2)
      redis.set_repl(redis.REPL_AOF) redis.call('set', 'c', 3)
      redis.set_repl(redis.REPL_REPLICA) redis.call('set', 'd', 4)
      redis.set_repl(redis.REPL_ALL) redis.call('select', 5) redis.call('set', 'e', 5)
      redis.set_repl(redis.REPL_NONE)`;
    await one(line, 'EVAL', script, '0');
    await one(line, 'SET', 'f', '6');
    expect(file.heard).toEqual(['begin', '0 set a 1', '0 set c 3', '5 set e 5', 'end', '0 SET f 6']);
    expect(replicas.heard).toEqual(['begin', '0 set a 1', '0 set d 4', '5 set e 5', 'end', '0 SET f 6']);
  });

  test('of one write are that write; scripts themselves are none, libraries are', async () => {
    const recorder = new Recorder(TO_ALL);
    const library = "#!lua name=l\nredis.register_function('f', function() return redis.call('incr', 'x') end)";
    const payload = String(await one(connect(), 'FUNCTION', 'DUMP'));
    const line = connect();
    for (const command of [
      ['SCRIPT', 'LOAD', "return redis.call('incr', 'x')"],
      ['EVAL', "return redis.call('incr', 'x')", '0'],
      ['EVAL', "redis.call('get', 'x') redis.pcall('lpush', 'x', 1) return redis.call('expire', 'none', 1)", '0'],
      ['EVAL', "redis.call('incr', 'x') error('x')", '0'],
      ['SCRIPT', 'FLUSH'],
      ['FUNCTION', 'LOAD', library],
      ['FUNCTION', 'LOAD', library],
      ['FCALL', 'f', '0'],
      ['FUNCTION', 'DELETE', 'l'],
      ['FUNCTION', 'DELETE', 'l'],
      ['FUNCTION', 'RESTORE', payload],
      ['FUNCTION', 'FLUSH'],
    ])
      await one(line, ...command);
    expect(recorder.heard).toEqual([
      '0 incr x',
      '0 incr x',
      `0 FUNCTION LOAD ${library}`,
      '0 incr x',
      '0 FUNCTION DELETE l',
      `0 FUNCTION RESTORE ${payload}`,
      '0 FUNCTION FLUSH',
    ]);
  });
});
