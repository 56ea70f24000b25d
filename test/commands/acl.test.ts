import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { sliceOf } from '../../src/base/slice.ts';
import { Config } from '../../src/config/config.ts';
import { ALL_COMMANDS } from '../../src/server/commands.ts';
import { ServerDirectives } from '../../src/server/directives.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { lines } from '../support/beside.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'cinnabar-acl-'));
const aclFile = join(folder, 'users.acl');
let server: CinnabarServer;
let redis: ServerProcess;
let admin: Twin;

/** A connection to each server; what is sent goes to both, and the replies must be equal. */
class Twin {
  private readonly ours: Pipeline;
  private readonly theirs: Pipeline;

  constructor(ours = server.port, theirs = redis.port) {
    this.ours = new Pipeline(ours);
    this.theirs = new Pipeline(theirs);
  }

  async same(text: string | readonly (readonly string[])[]): Promise<void> {
    for (const words of typeof text === 'string' ? lines(text) : text) {
      const [mine, real] = await Promise.all([this.ours.call(...words), this.theirs.call(...words)]);
      expect(normal(mine), `reply to ${JSON.stringify(words)}`).toEqual(normal(real));
    }
  }

  /** Whether both servers have closed the connection. */
  async closed(): Promise<void> {
    for (const side of [this.ours, this.theirs])
      await vi.waitFor(() => expect(String(side.unasked())).toContain('connection closed'));
  }

  close(): void {
    this.ours.close();
    this.theirs.close();
  }
}

/** Fields whose values differ from server to server. */
const VARYING = new Set(['age-seconds', 'id']);

/** Single commands stand in no order of their own, and what CLIENT LIST says of a client differs in its numbers. */
function normal(answer: Answer): Answer {
  if (answer instanceof Error) return `(error) ${answer.message}`;
  if (Array.isArray(answer)) {
    return answer.map((item, i) => (i > 0 && VARYING.has(String(answer[i - 1])) ? 'some' : normal(item)));
  }
  if (typeof answer !== 'string') return answer;
  if (answer.startsWith('id='))
    return answer
      .split(' ')
      .filter((field) => /^(name|flags|db|multi|cmd|user|resp)=/.test(field))
      .join(' ');
  return answer.replace(
    / [+-][a-z][^ )]*( [+-][a-z][^ )]*)*/g,
    (run) => ` ${run.slice(1).split(' ').sort().join(' ')}`,
  );
}

async function login(name: string, password = 'x'): Promise<Twin> {
  const twin = new Twin();
  await twin.same([['AUTH', name, password]]);
  return twin;
}

beforeAll(async () => {
  writeFileSync(aclFile, 'user default on nopass ~* &* +@all\n');
  server = createServer({ port: await freePort(), settings: { aclfile: aclFile } });
  await server.listen();
  redis = await startRedis('--aclfile', aclFile);
  admin = new Twin();
});

afterAll(async () => {
  admin.close();
  await server.close();
  await redis.stop();
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  writeFileSync(aclFile, 'user default on nopass ~* &* +@all\n');
  await admin.same('ACL LOAD\nACL LOG RESET\nFLUSHALL');
});

describe('users beside the real server', () => {
  test('rules of all kinds', () =>
    admin.same(`
      ACL SETUSER a
      ACL SETUSER a on
      ACL SETUSER a ON >p1 >p1 >p2 <p1 ~k* %R~r* %W~w* %RW~b %rw~c &ch +get +SET -set +config|get +select|0 +select|A +select|a
      ACL GETUSER a
      ACL SETUSER a %W~r* ~w* nopass
      ACL GETUSER a
      ACL SETUSER a >p allkeys allchannels allcommands
      ACL GETUSER a
      ACL SETUSER a resetkeys resetchannels nocommands resetpass
      ACL GETUSER a
      ACL SETUSER a skip-sanitize-payload
      ACL SETUSER a sanitize-payload +@all -@string -get +client|id
      ACL LIST
      ACL SETUSER a reset
      ACL GETUSER a
      ACL SETUSER a #5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
      ACL SETUSER a !5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
      ACL SETUSER a !5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
      ACL SETUSER "" on
      ACL LIST
      ACL USERS
      ACL WHOAMI
      ACL GETUSER none
      ACL DELUSER a none
      ACL DELUSER "" default
      ACL USERS
    `));

  test('rules that are refused', () =>
    admin.same(
      `foo|~* ~a|allkeys %R~a|&* &a|~a\tb|&a\tb|+foo|-foo|+@foo|-@foo|+|-|+@|%|%~|%~a|%RR~a|%X~a|%R|#a|!a|<nobody|@all|+foo,bar
      |+get,|+get,x|+get,x,y|+config,|+config,foo|-config,foo|-get,x|+config,get,x|-config,get,x|+foo,bar|+,|(+foo)|(on)|((+get)|(+get))
      |(~* ~a)|(reset)|)|>|#${'A'.repeat(64)}|on >p1 off foo|+get\0x|+foo\0x|~\0`
        .split('|')
        .map((rules) => ['ACL', 'SETUSER', 'refused', ...rules.trim().replaceAll(',', '|').split(' ')])
        .concat([['ACL', 'GETUSER', 'refused']]),
    ));

  test('selectors', () =>
    admin.same([
      ['ACL', 'SETUSER', 's', '(+get ~a)', '( +set ~b )', '(+get', '%R~c', '&x)', '()', '(%W~d', ')'],
      ['ACL', 'GETUSER', 's'],
      ['ACL', 'LIST'],
      ['ACL', 'SETUSER', 's', '(+get', '~a'],
      ['ACL', 'SETUSER', 's', 'on', '(+get', '(~a)', '+set'],
      ['ACL', 'SETUSER', 's', '('],
      ['ACL', 'SETUSER', 's', 'clearselectors'],
      ['ACL', 'GETUSER', 's'],
      ['ACL', 'SETUSER', 'a b', 'on'],
      ['ACL', 'SETUSER', 'a\0', 'on'],
    ]));

  test('channels of new users and selectors follow acl-pubsub-default', () =>
    admin.same(`
      CONFIG SET acl-pubsub-default allchannels
      ACL SETUSER p
      ACL SETUSER p &a
      ACL SETUSER q "(+get &a)"
      ACL SETUSER q "(+get)" resetchannels &a
      ACL LIST
      CONFIG SET acl-pubsub-default resetchannels
      ACL SETUSER p reset
      ACL LIST
    `));

  test('the other subcommands', () =>
    admin.same(`
      ACL
      ACL FOO
      ACL HELP
      ACL HELP x
      ACL CAT
      ACL CAT foo
      ACL CAT a b
      ACL CAT hash x
      ACL GENPASS 0
      ACL GENPASS 4097
      ACL GENPASS -1
      ACL GENPASS x
      ACL GENPASS 1 2
      ACL LOG
      ACL LOG x
      ACL LOG -1
      ACL LOG 1 2
      ACL LOG RESET x
      ACL SETUSER
      ACL GETUSER
      ACL DELUSER
      ACL DRYRUN default
      ACL DRYRUN nobody get k
      ACL DRYRUN default nothing
      ACL DRYRUN default get
      ACL DRYRUN default config
      ACL DRYRUN default config foo
      ACL DRYRUN default command foo
      ACL DRYRUN default get k
      ACL LIST x
      COMMAND INFO acl|cat acl|deluser acl|dryrun acl|genpass acl|getuser acl|list acl|load acl|log acl|save acl|setuser acl|users acl|whoami acl|help
    `));

  test('passwords that GENPASS makes', async () => {
    const session = server.session();
    for (const [bits, digits] of [
      [1, 1],
      [4, 1],
      [5, 2],
      [256, 64],
      [4096, 1024],
    ])
      expect(await session.call('ACL', 'GENPASS', bits)).toMatch(new RegExp(`^[0-9a-f]{${digits}}$`));
    expect(await session.call('ACL', 'GENPASS')).toMatch(/^[0-9a-f]{64}$/);
    session.close();
  });

  test('dry runs', () =>
    admin.same(`
      ACL SETUSER d +@all -config|set %R~r* %W~w* &c*
      ACL DRYRUN d get r
      ACL DRYRUN d get w
      ACL DRYRUN d set w 1
      ACL DRYRUN d set r 1
      ACL DRYRUN d set w 1 GET
      ACL DRYRUN d copy r w
      ACL DRYRUN d copy w r
      ACL DRYRUN d exists w
      ACL DRYRUN d exists x
      ACL DRYRUN d mget r r2 x
      ACL DRYRUN d zunion 2 r w
      ACL DRYRUN d zunion 0 r w
      ACL DRYRUN d zunion x r w
      ACL DRYRUN d config get x
      ACL DRYRUN d config set x y
      ACL DRYRUN d publish c x
      ACL DRYRUN d publish d x
      ACL DRYRUN d subscribe c1 c2 d
      ACL DRYRUN d psubscribe c*
      ACL DRYRUN d psubscribe c1*
      ACL DRYRUN d unsubscribe d
      ACL DRYRUN d spublish d x
      ACL DRYRUN d ping
      ACL DRYRUN d quit
    `));
});

describe('permissions beside the real server', () => {
  test('commands, keys and channels', async () => {
    await admin.same(`
      ACL SETUSER u on nopass +get +mget +set ~k* %R~r +config|get +select|1 +publish +subscribe +psubscribe &c* "(+del ~d)"
      SET k 1
      SET x 1
    `);
    const user = await login('u');
    await user.same(`
      GET k
      GET r
      SET r 1
      GET x
      MGET k x k1
      DEL d
      DEL k
      DEL d k
      PING
      CONFIG GET maxmemory
      CONFIG SET maxmemory 0
      CONFIG
      SELECT 0
      SELECT 1
      PUBLISH c 1
      PUBLISH d 1
      SUBSCRIBE d
      PSUBSCRIBE c
      PSUBSCRIBE c*
    `);
    user.close();
    await admin.same('ACL LOG 20');
  });

  test('transactions', async () => {
    await admin.same('ACL SETUSER u on nopass +get +set +multi +exec +discard +publish ~k* &c');
    const user = await login('u');
    await user.same('MULTI\nGET x\nEXEC\nMULTI\nGET k\nSET k 1\nPUBLISH c 1');
    await admin.same('ACL SETUSER u -set resetchannels');
    await user.same('EXEC\nMULTI\nGET k');
    await admin.same('ACL SETUSER u resetkeys');
    await user.same('EXEC\nMULTI\nGET k\nDISCARD');
    await admin.same('ACL SETUSER u -exec ~*');
    await user.same('MULTI\nGET k\nEXEC');
    user.close();
    await admin.same('ACL LOG 20');
  });

  test('patterns of SORT lead to any key', async () => {
    await admin.same('ACL SETUSER u on nopass +@all %R~l %R~w_* %W~o\nRPUSH l 2 1');
    const user = await login('u');
    await user.same('SORT_RO l BY w_*\nSORT_RO l GET #\nSORT_RO l BY none\nSORT l STORE o\nSORT l STORE x');
    await admin.same('ACL SETUSER u %R~*');
    await user.same('SORT_RO l BY w_*\nSORT_RO l GET #');
    user.close();
  });

  test('failed logins are logged, the same ones together', async () => {
    await admin.same('ACL SETUSER u on >p\nACL SETUSER off >p');
    const guest = new Twin();
    await guest.same(`
      AUTH u bad
      AUTH u bad
      auth nobody bad
      AUTH off p
      HELLO 3 AUTH u bad SETNAME a
      HELLO 2 AUTH u p SETNAME a
      AUTH a b c
      AUTH a
      ACL WHOAMI
      RESET
      ACL WHOAMI
      ACL LOG
      ACL LOG 1
      CONFIG SET acllog-max-len 1
      AUTH x y
      ACL LOG
      CONFIG SET acllog-max-len 128
    `);
    guest.close();
  });

  test('the default user', async () => {
    const early = new Twin();
    await early.same('PING');
    await admin.same('CONFIG SET requirepass secret\nACL LIST\nCONFIG GET requirepass');
    const late = new Twin();
    await late.same('PING\nHELLO 3\nHELLO 2 SETNAME x\nQUIT');
    const guest = new Twin();
    await guest.same('GET k\nACL WHOAMI\nAUTH wrong\nAUTH default wrong');
    await early.same('PING');
    await admin.same('ACL SETUSER default nopass\nCONFIG GET requirepass');
    await guest.same('PING\nHELLO 2\nAUTH x');
    await admin.same('ACL SETUSER default off');
    await guest.same('PING\nAUTH default x');
    await admin.same('ACL SETUSER default on >other\nCONFIG SET requirepass secret');
    await guest.same('PING\nAUTH secret\nAUTH other\nPING\nRESET\nPING');
    await admin.same('CONFIG SET requirepass ""\nACL LIST\nACL DELUSER default');
    await admin.same('ACL SETUSER default -get\nGET k\nACL SETUSER default reset\nPING');
    for (const twin of [early, late, guest]) twin.close();
    const again = new Twin();
    await again.same('PING\nACL LIST');
    again.close();
    // Nobody may set it right again but from inside.
    server.engine.acl.setUser('default', ['on', 'nopass', '+@all', '~*', '&*'], null);
    await redis.stop();
    redis = await startRedis('--aclfile', aclFile);
    admin.close();
    admin = new Twin();
  });

  test('sessions of users that go', async () => {
    await admin.same('ACL SETUSER u on nopass +@all ~*\nACL SETUSER v on nopass +@all ~*');
    const [u, v, w] = [await login('u'), await login('v'), await login('v')];
    await admin.same('ACL DELUSER u');
    await u.closed();
    await v.same('CLIENT KILL USER nobody\nCLIENT KILL USER default SKIPME yes ID 0\nCLIENT KILL USER v');
    await w.closed();
    await v.same('ACL DELUSER v');
    await v.closed();
  });

  test('subscribers that lose their channels', async () => {
    await admin.same('ACL SETUSER u on nopass +@all ~* &a &b*');
    const subscribers: Twin[] = [];
    for (const words of ['SUBSCRIBE a', 'SUBSCRIBE b1', 'PSUBSCRIBE b*', 'SSUBSCRIBE b2']) {
      const twin = await login('u');
      await twin.same(words);
      subscribers.push(twin);
    }
    await admin.same('ACL SETUSER u &c\nACL SETUSER u (&d) -get');
    for (const twin of subscribers) await twin.same('PING');
    await admin.same('ACL SETUSER u resetchannels &a (&b1)');
    await subscribers[0].same('PING');
    await subscribers[1].same('PING');
    await subscribers[2].closed();
    await subscribers[3].closed();
    await admin.same('ACL SETUSER u resetchannels &*\nACL SETUSER u clearselectors reset');
    await subscribers[0].closed();
    await subscribers[1].closed();
  });
});

describe('ACL files beside the real server', () => {
  const broken = [
    'user',
    'nobody here',
    '# comment',
    'user a on\n\n  user b on  \r\nuser a off',
    'user default on\nuser default off',
    'user a +foo',
    'user a on foo +bar &* &x',
    'user a (+get ~b',
    'user a\tb on',
    'user  a on',
    'user a (+get +foo)',
  ];

  test.each(broken)('what is wrong with %j', async (text) => {
    writeFileSync(aclFile, `${text}\n`);
    await admin.same('ACL LOAD\nACL LIST');
  });

  test('loading and saving', async () => {
    writeFileSync(aclFile, 'user zoe on nopass   +get (+set ~a)\nuser alice >p +@all -config &x ~y\n');
    await admin.same('ACL LOAD\nACL LIST\nACL SETUSER bob on\nACL SAVE');
    const text = readFileSync(aclFile, 'latin1');
    await admin.same('ACL LOAD\nACL LIST\nACL SAVE');
    expect(readFileSync(aclFile, 'latin1').split('\n').length).toBe(text.split('\n').length);
  });

  test('sessions of all users but the default one are closed by a load', async () => {
    await admin.same('ACL SETUSER u on nopass +@all ~*\nACL SAVE');
    const user = await login('u');
    await admin.same('ACL LOAD\nACL WHOAMI');
    await user.closed();
  });

  test('a file that is gone', async () => {
    rmSync(aclFile);
    await admin.same('ACL LOAD');
    await admin.same('ACL SAVE\nACL LOAD');
  });
});

describe('users of the configuration', () => {
  function directives(config = new Config()): ServerDirectives {
    return new ServerDirectives(ALL_COMMANDS, config);
  }

  test('lines that can be told to be wrong when they are read', () => {
    const reader = directives();
    expect(reader.user(['foo', 'on', '+unknown'])).toBeUndefined();
    expect(reader.user(['foo', 'on'])).toContain("'foo': Duplicate user found.");
    expect(reader.user(['bar', 'nonsense'])).toBe("Error in user declaration 'nonsense': Syntax error");
    expect(reader.user(['bar', 'on', '(+get'])).toContain("Error in user declaration '(+get'");
  });

  test('a server with users of its own', async () => {
    const reader = directives();
    reader.user(['alice', 'on', '>p', '+get', '(+set', '~a)']);
    reader.user(['default', 'on', 'nopass', '+@all', '-debug']);
    const own = createServer({ users: reader.users, settings: { requirepass: 'ignored' } });
    const session = own.session();
    expect(await session.call('ACL', 'LIST')).toEqual([
      `user alice on #148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940 resetchannels -@all +get (~a resetchannels -@all +set)`,
      'user default on nopass sanitize-payload resetchannels +@all -debug',
    ]);
    await own.close();
  });

  test('users and a file of users are too much', () => {
    const reader = directives();
    reader.user(['alice', 'on']);
    expect(() => createServer({ users: reader.users, settings: { aclfile: aclFile } })).toThrow(
      'please define either an ACL file or declare users directly in your redis.conf, but not both.',
    );
    const unknown = directives();
    unknown.user(['bob', '+unknown']);
    expect(() => createServer({ users: unknown.users })).toThrow(
      "Error loading ACL rule '+unknown' for the user named 'bob': Unknown command or category name in ACL",
    );
    expect(() => createServer({ settings: { aclfile: join(folder, 'none') } })).toThrow('No such file or directory');
  });

  test('CONFIG REWRITE writes them', async () => {
    const config = new Config();
    config.file = join(folder, 'redis.conf');
    writeFileSync(config.file, '# mine\nuser old on\nuser default on nopass +@all\nport 0\n');
    const own = createServer({ config });
    const session = own.session();
    await session.call('ACL', 'SETUSER', 'zoe', 'on', '+get');
    expect(await session.call('CONFIG', 'REWRITE')).toBe('OK');
    const written = readFileSync(config.file, 'latin1').split('\n');
    expect(written.slice(0, 4)).toEqual([
      '# mine',
      'user default on nopass ~* &* +@all',
      'user zoe on resetchannels -@all +get',
      'port 6379',
    ]);
    await own.close();
  });
});

test('a session that waits loses what its user may no longer do', async () => {
  const own = createServer();
  const [root, waiter] = [own.session(), own.session()];
  await root.call('ACL', 'SETUSER', 'w', 'on', 'nopass', '+blpop', '~k');
  await waiter.call('AUTH', 'w', 'x');
  const popped = waiter.call('BLPOP', 'k', 0);
  await root.call('ACL', 'SETUSER', 'w', 'resetkeys');
  await root.call('RPUSH', 'k', 'v');
  await expect(popped).rejects.toThrow('NOPERM this user has no permissions to access one of the keys');
  expect(await root.call('LLEN', 'k')).toBe(1);
  await own.close();
});

test('passwords are kept as hashes only', async () => {
  const own = createServer();
  const root = own.session();
  await root.call('ACL', 'SETUSER', 'a', '>open sesame');
  expect(JSON.stringify(own.engine.acl.find(sliceOf('a'))?.passwords)).not.toContain('sesame');
  await own.close();
});
