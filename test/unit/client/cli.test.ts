/** `cinnabar cli` beside redis-cli: the same bytes for the same replies; and at its prompt. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { interact } from '../../../src/client/interactive.ts';
import type { Reply } from '../../../src/client/reply.ts';
import { ReplyReader } from '../../../src/client/reply-reader.ts';
import { Session } from '../../../src/client/session.ts';
import { ProtocolError } from '../../../src/protocol/resp-parser.ts';
import { createServer } from '../../../src/server/server.ts';
import { type Certificates, makeCertificates } from '../../support/certificates.ts';
import { oracle } from '../../support/oracle.ts';
import { freePort } from '../../support/ports.ts';
import { MAIN, type ServerProcess, startCinnabar } from '../../support/server-process.ts';

let server: ServerProcess;

beforeAll(async () => {
  server = await startCinnabar('--enable-debug-command', 'yes');
});

afterAll(() => server?.stop());

interface Result {
  readonly out: string;
  readonly err: string;
  readonly code: number | null;
}

function run(program: string, args: readonly string[], input: string): Result {
  const env = { ...process.env, NO_COLOR: '1' };
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'latin1', input, env });
  return { out: stdout, err: stderr, code: status };
}

const ours = (args: readonly string[], input = '', port = server.port): Result =>
  run(process.execPath, [MAIN, 'cli', '-p', String(port), ...args], input);
const theirs = (args: readonly string[], input = '', port = server.port): Result =>
  run(oracle('redis-cli'), ['-p', String(port), ...args], input);

/** Replies of every kind, and lists in lists of every kind. */
const LINES = [
  'flushall',
  'ping',
  'get none',
  'set key "a\\xff\\n\\"b\\\\ \\t\\a"',
  'get key',
  'nosuch',
  'get "open',
  "set spaced 'it\\'s'",
  'rpush list a b c d e f g h i j k',
  'lrange list 0 -1',
  'lrange none 0 -1',
  'hset hash f 1 g 2',
  'hgetall hash',
  'hgetall none',
  'sadd set a',
  'smembers set',
  'smembers none',
  'zadd zset 1.5 a',
  'zrange zset 0 -1 withscores',
  'zscore zset a',
  'debug protocol verbatim',
  'debug protocol true',
  'debug protocol false',
  'debug protocol null',
  'debug protocol map',
  'debug protocol set',
  'xadd stream 1-1 f v',
  'xinfo stream stream full',
  'xread streams stream 0',
  'acl getuser default',
  'command info get config',
  'command docs get xinfo',
  'config get *max*',
  'xinfo help',
  'eval "return {map={a={{1,2}}}}" 0',
  'eval "return {map={a={{1}}}}" 0',
  'eval "return {map={a={map={x={map={y={1,2}}}}}}}" 0',
  'eval "return {1,{2,{3,{}},\'x\'},{},{{{}}}}" 0',
  'multi',
  'incr counter',
  'exec',
  '3 incr counter',
  'select 3',
  'select 99',
  '',
  'get key',
  'quit',
  'get key',
].join('\n');

describe('the same as redis-cli:', () => {
  test.each(['-2 --raw', '-2 --no-raw', '-3 --raw', '-3 --no-raw'])('replies with %s', (options) => {
    const args = options.split(' ');
    const wanted = theirs(args, LINES).out;
    expect(wanted.length).toBeGreaterThan(3000);
    expect(ours(args, LINES)).toEqual({ out: wanted, err: '', code: 0 });
  });

  test.each([
    ['ping'],
    ['--no-raw', 'ping'],
    ['nosuch'],
    ['-e', 'nosuch'],
    ['-e', '--no-raw', 'nosuch'],
    ['-n', '3', 'set', 'in three', 'x'],
    ['-n', '99', 'ping'],
    ['-a', 'wrong', 'ping'],
    ['--user', 'nobody', '--pass', 'wrong', '--no-auth-warning', 'ping'],
    ['-r', '3', 'incr', 'repeated'],
    ['set', 'ключ', 'значение'],
    ['get', 'ключ'],
  ])('%j %j %j %j %j', (...args) => {
    if (args.includes('incr')) theirs(['del', 'repeated']);
    const wanted = theirs(args);
    if (args.includes('incr')) theirs(['del', 'repeated']);
    expect(ours(args)).toEqual(wanted);
  });

  test('-x takes the last argument from the standard input', () => {
    expect(ours(['-x', 'set', 'given'], 'bytes \xff').out).toBe('OK\n');
    expect(theirs(['get', 'given']).out).toBe('bytes \xff\n');
  });

  test('nobody there', () => {
    expect(ours(['ping'], '', 1)).toEqual(theirs(['ping'], '', 1));
    expect(ours([], 'ping\n', 1).code).toBe(1);
  });
});

test('an address in one, and what makes no sense', () => {
  const uri = `redis://127.0.0.1:${server.port}/5`;
  expect(ours(['-u', uri, 'set', 'a', '5'])).toEqual({ out: 'OK\n', err: '', code: 0 });
  expect(ours(['-n', '5', 'get', 'a']).out).toBe('5\n');
  expect(ours(['-u', 'http://x', 'ping'])).toEqual({ out: '', err: 'cinnabar cli: Invalid URI scheme\n', code: 1 });
  expect(ours(['-p', 'x', 'ping']).err).toContain("a number from 0 to 65535 is expected, not 'x'");
  expect(ours(['--bogus'])).toMatchObject({ err: "error: unknown option '--bogus'\n", code: 1 });
  expect(ours(['--help'])).toMatchObject({ code: 0, err: '' });
});

describe('reading replies', () => {
  function read(text: string, step: number): Reply[] {
    const replies: Reply[] = [];
    const reader = new ReplyReader((reply) => replies.push(reply));
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; at += step) reader.read(bytes.subarray(at, at + step));
    return replies;
  }

  const MIXED =
    '+OK\r\n$5\r\na\r\nb\xff\r\n|1\r\n+ttl\r\n:1\r\n*3\r\n:1\r\n*-1\r\n%1\r\n+k\r\n~1\r\n#t\r\n$-1\r\n_\r\n' +
    ',1.5\r\n(123\r\n=7\r\ntxt:abc\r\n>2\r\n+message\r\n*0\r\n-ERR no\r\n';

  test('it does not matter in which pieces they come', () => {
    const whole = read(MIXED, MIXED.length);
    expect(whole.map(({ kind }) => kind).join()).toBe('status,bulk,array,null,null,double,big,verbatim,push,error');
    expect(whole[1]).toEqual({ kind: 'bulk', text: 'a\r\nb\xff' });
    for (let step = 1; step < 40; step++) expect(read(MIXED, step)).toEqual(whole);
  });

  test('what is no reply is refused', () => {
    for (const text of ['x\r\n', '$x\r\n', '*-2\r\n', '$99999999999\r\n'])
      expect(() => read(text, 100)).toThrow(ProtocolError);
  });
});

describe('at the prompt', () => {
  /** What is typed, and what is printed by then. */
  async function type(lines: string, port: number): Promise<{ printed: string; complaints: string; history: string }> {
    const folder = mkdtempSync(join(tmpdir(), 'cinnabar-cli-'));
    const historyFile = join(folder, 'history');
    let printed = '';
    let complaints = '';
    // Without what moves the cursor.
    const plain = (): string => printed.replace(/\x1b\[[\d;]*[A-Za-z]/g, '');
    const print = (text: string): void => {
      printed += text;
    };
    const complain = (text: string): void => {
      complaints += text;
    };
    const target = { host: '127.0.0.1', port, database: 0, resp: 2 as const };
    const session = new Session(target, { print, complain, forPeople: true, pushes: true, strict: false });
    const output = new PassThrough();
    output.on('data', (bytes: Buffer) => print(bytes.toString()));
    const input = new PassThrough();
    const over = interact(session, { input, output, isTerminal: true, historyFile });
    const state = { over: false };
    void over.finally(() => {
      state.over = true;
    });
    // Key by key: a Tab among what is pasted completes nothing. After a line the next prompt is waited for.
    for (const key of lines) {
      if (state.over) break;
      input.write(key);
      do await new Promise((done) => setImmediate(done));
      while (key === '\n' && !state.over && !plain().endsWith('> '));
    }
    input.end();
    await over;
    session.close();
    const history = readFileSync(historyFile, 'utf8');
    rmSync(folder, { recursive: true, force: true });
    return { printed: plain(), complaints, history };
  }

  test('Tab completes, shows arguments; help tells; the prompt knows database and transaction; passwords are not kept', async () => {
    const lines = 'config ge\tport\nget \t\nselect 2\nmulti\nexec\nhelp incr\nauth secret\n2 incr n\nquit\nping\n';
    const { printed, history } = await type(lines, server.port);
    const prompt = `127.0.0.1:${server.port}`;
    expect(printed).toContain(`1) "port"\r\n2) "${server.port}"`.replace('\r', ''));
    expect(printed).toContain('GET key\n');
    expect(printed).toContain(`${prompt}[2]> `);
    expect(printed).toContain(`${prompt}[2](TX)> `);
    expect(printed).toContain(
      'INCR key\n  summary: Adds one to the integer under a key.\n  since: 1.0.0\n  group: string',
    );
    expect(printed).toContain('(integer) 1\n(integer) 2\n');
    expect(printed).not.toContain('PONG');
    expect(history).toContain('config get port\n');
    expect(history).not.toContain('secret');
  });

  test('a connection that was lost is made again, in the same database', async () => {
    const shown: string[] = [];
    const show = (text: string): void => void shown.push(text);
    const target = { host: '127.0.0.1', port: server.port, database: 0, resp: 2 as const };
    const session = new Session(target, { print: show, complain: show, forPeople: true, pushes: true, strict: false });
    for (const line of ['select 4', 'set here x', 'client kill type normal skipme no'])
      await session.run(line.split(' '));
    while (session.prompt !== 'not connected> ') await new Promise((done) => setImmediate(done));
    await session.run(['get', 'here']);
    session.close();
    expect(shown).toEqual(['OK\n', 'OK\n', '(integer) 1\n', '"x"\n']);
  });

  test('who is not there yet', async () => {
    const own = createServer({ port: 0, settings: { save: '' } });
    await own.listen();
    const { port } = own;
    await own.close();
    const { printed, complaints } = await type('ping\n', port);
    expect(printed).toContain('not connected> ');
    expect(complaints).toContain(`Could not connect to Redis at 127.0.0.1:${port}: Connection refused\n`);
  });
});

describe('over TLS', () => {
  let certificates: Certificates;
  let secure: ServerProcess;
  let port: string;

  beforeAll(async () => {
    certificates = makeCertificates();
    port = String(await freePort());
    const file = (name: string): string => certificates.path(name);
    secure = await startCinnabar(
      ...['--tls-port', port, '--tls-cert-file', file('server.crt'), '--tls-key-file', file('server.key')],
      ...['--tls-ca-cert-file', file('ca.crt'), '--requirepass', 'secret'],
    );
  });

  afterAll(async () => {
    await secure?.stop();
    certificates?.remove();
  });

  const client = (): string[] => {
    const { path } = certificates;
    return ['--tls', '--cert', path('client.crt'), '--key', path('client.key'), '-p', port, '-a', 'secret'];
  };
  const say = (...args: string[]): Result => run(process.execPath, [MAIN, 'cli', ...args], '');
  const trusted = (): string[] => [...client(), '--cacert', certificates.path('ca.crt'), '--sni', 'server'];

  test('a command is answered, as redis-cli is', () => {
    const args = [...client(), '--cacert', certificates.path('ca.crt'), '--no-auth-warning', 'SET', 'k', 'v'];
    expect(run(oracle('redis-cli'), args, '').out).toBe('OK\n');
    expect(say(...trusted(), 'GET', 'k')).toMatchObject({ out: 'v\n', code: 0 });
    const uri = `rediss://:secret@127.0.0.1:${port}`;
    const { path } = certificates;
    expect(
      say('-u', uri, '--cert', path('client.crt'), '--key', path('client.key'), '--insecure', 'PING'),
    ).toMatchObject({ out: 'PONG\n', code: 0 });
  });

  test('so are doctor and bench', () => {
    const doctor = run(process.execPath, [MAIN, 'doctor', ...trusted()], '');
    expect(doctor.out + doctor.err).not.toContain('Could not connect');
    expect([0, 2]).toContain(doctor.code);
    const bench = run(process.execPath, [MAIN, 'bench', ...trusted(), '-t', 'ping', '-n', '100', '-c', '2'], '');
    expect(bench).toMatchObject({ code: 0 });
  });

  test('and a bench that is refused ends', () => {
    const refused = run(process.execPath, [MAIN, 'bench', ...trusted(), '--dbnum', '99', '-c', '5'], '');
    expect(refused).toMatchObject({ code: 1, err: 'cinnabar bench: SELECT 99 failed: ERR DB index is out of range\n' });
  });

  test('a server that is not trusted, and one that asks for a certificate, end it with the reason', () => {
    const { path } = certificates;
    const strange = say(...client(), '--cacert', path('other-ca.crt'), 'PING');
    expect(strange.code).toBe(1);
    expect(strange.err + strange.out).toMatch(/Could not connect|certificate/);
    const anonymous = say('--tls', '--cacert', path('ca.crt'), '--sni', 'server', '-p', port, 'PING');
    expect(anonymous.code).toBe(1);
    const plain = say('-p', port, 'PING');
    expect(plain.code).toBe(1);
  });
});
