/**
 * Suite 13: every command against every way to be denied it. A command, key or channel that was not granted is never
 * touched; what is granted and what is denied, and where the keys of a command stand, is what redis-server says.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { Slice } from '../../src/base/slice.ts';
import { flagBit } from '../../src/engine/derive.ts';
import { hasKeys } from '../../src/engine/keys.ts';
import type { Registered } from '../../src/engine/table.ts';
import type { LocalSession } from '../../src/server/local.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Beside } from '../support/beside.ts';
import { Invocations } from '../support/invocations.ts';

const SEED = Number(process.env['SEED'] ?? 13);
const INVOCATIONS = 25;
const GRANTED = ['g:1', 'g:2', 'g:3'];
const SECRET = ['s:1', 's:2'];
const NO_AUTH = flagBit('no_auth');
const NO_MULTI = flagBit('no_multi');
/** They would end the server or take the session to where it can't answer. */
const NOT_RUN = new Set(['shutdown', 'debug', 'monitor', 'client|reply', 'client|pause', 'sync', 'psync', 'migrate']);

/** Every command that can be called, subcommands in place of their containers. */
function callable(server: CinnabarServer): Registered[] {
  return server.engine.acl.commands.all.filter((registered) => registered.run !== null);
}

/** Sees which keys are asked for, at all or for a change. */
class Spy {
  readonly seen = new Set<string>();

  constructor(server: CinnabarServer) {
    for (const db of server.engine.keyspaces.databases) {
      const hash = db.hash.bind(db);
      db.hash = (key: Slice): number => {
        this.seen.add(key.latin1());
        return hash(key);
      };
    }
  }

  during(): Set<string> {
    const seen = new Set(this.seen);
    this.seen.clear();
    return seen;
  }
}

async function answer(session: LocalSession, words: readonly string[]): Promise<string> {
  try {
    return JSON.stringify(await session.call(...words));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function fill(session: LocalSession, keys: readonly string[]): Promise<void> {
  for (const key of keys) await session.call('DEL', key);
  const [a, b, c] = keys;
  await session.call('SET', a, '10');
  await session.call('RPUSH', b, '1', '2', '3');
  if (c !== undefined) await session.call('ZADD', c, '1', 'a', '2', 'b');
}

describe('in one process', () => {
  let server: CinnabarServer;
  let root: LocalSession;
  let spy: Spy;

  beforeAll(async () => {
    server = createServer({ settings: { 'enable-debug-command': 'yes' } });
    root = server.session();
    spy = new Spy(server);
  });

  afterAll(() => server.close());

  async function login(name: string, ...rules: string[]): Promise<LocalSession> {
    await root.call('ACL', 'SETUSER', name, 'reset', 'on', 'nopass', ...rules);
    const session = server.session();
    await session.call('AUTH', name, 'any');
    return session;
  }

  test('a denied command is refused, at once and in a transaction, and touches nothing', async () => {
    const invocations = new Invocations(new SeededRandom(SEED), [...GRANTED, ...SECRET]);
    let tried = 0;
    for (const registered of callable(server)) {
      if ((registered.flags & NO_AUTH) !== 0) continue;
      const words = invocations.of(registered);
      const session = await login('denied', '+@all', `-${registered.name}`, '~*', '&*');
      const aborted = registered.name === 'exec' ? 'EXECABORT Transaction discarded because of: ' : '';
      const refusal = `${aborted}NOPERM this user has no permissions to run the '${registered.name}' command`;
      spy.during();
      expect(await answer(session, words), words.join(' ')).toBe(refusal);
      if ((registered.flags & NO_MULTI) === 0 && !['multi', 'exec'].includes(registered.name)) {
        await session.call('MULTI');
        expect(await answer(session, words), words.join(' ')).toBe(refusal);
        expect(await answer(session, ['EXEC'])).toContain('EXECABORT');
      }
      expect([...spy.during()]).toEqual([]);
      session.close();
      await root.call('ACL', 'SETUSER', 'allowed', 'reset', `+${registered.name}`, '~*', '&*');
      expect(await answer(root, ['ACL', 'DRYRUN', 'allowed', ...words]), words.join(' ')).toBe('"OK"');
      tried++;
    }
    expect(tried).toBeGreaterThan(200);
  });

  test('no key is touched that was not granted', async () => {
    const random = new SeededRandom(SEED);
    const some = new Invocations(random, [...GRANTED, ...SECRET]);
    const granted = new Invocations(random, GRANTED);
    const session = await login('keys', '+@all', '~g:*', '&*');
    let denied = 0;
    let ran = 0;
    for (const registered of callable(server)) {
      if (!hasKeys(registered) || NOT_RUN.has(registered.name)) continue;
      for (let i = 0; i < INVOCATIONS; i++) {
        await fill(root, GRANTED);
        const words = (i % 3 === 0 ? granted : some).of(registered);
        spy.during();
        const reply = await answer(session, words);
        const touched = [...spy.during()];
        const line = `${words.join(' ')} -> ${reply}`;
        expect(
          touched.filter((key) => !key.startsWith('g:')),
          line,
        ).toEqual([]);
        if (reply.startsWith('NOPERM')) {
          expect(touched, line).toEqual([]);
          denied++;
        } else ran++;
      }
    }
    expect(denied).toBeGreaterThan(500);
    expect(ran).toBeGreaterThan(500);
  });

  test('what may only be read is not changed, and what may only be written is not told', async () => {
    const some = new Invocations(new SeededRandom(SEED), GRANTED);
    const reader = await login('reader', '+@all', '%R~g:*', '&*');
    const writer = await login('writer', '+@all', '%W~g:*', '&*');
    await fill(root, GRANTED);
    const digest = await root.call('DEBUG', 'DIGEST');
    for (const registered of callable(server)) {
      if (!hasKeys(registered) || NOT_RUN.has(registered.name)) continue;
      for (let i = 0; i < INVOCATIONS; i++) {
        await answer(reader, some.of(registered));
        if (registered.command.flags.includes('readonly') && /ACCESS/.test(registered.keySpecs[0]?.access ?? '')) {
          const words = some.of(registered);
          const reply = await answer(writer, words);
          if (!reply.includes('numkeys') && !reply.includes('Number of keys'))
            expect(reply, words.join(' ')).toMatch(/^(NOPERM|NOSCRIPT|ERR)/);
        }
      }
      expect(await root.call('DEBUG', 'DIGEST'), registered.name).toEqual(digest);
    }
  });

  test('no channel is spoken on or listened to that was not granted', async () => {
    const listener = server.session();
    const heard: unknown[] = [];
    listener.onPush = (message) => heard.push(message);
    await listener.call('SUBSCRIBE', 'secret');
    await listener.call('SSUBSCRIBE', 'secret');
    const session = await login('channels', '+@all', '~*', '&open', '&o*');
    for (const words of ['PUBLISH secret x', 'SPUBLISH secret x', 'SUBSCRIBE open secret', 'SSUBSCRIBE open secret'])
      expect(await answer(session, words.split(' '))).toContain('NOPERM');
    for (const words of ['PSUBSCRIBE *', 'PSUBSCRIBE op*', 'PSUBSCRIBE o* s*'])
      expect(await answer(session, words.split(' '))).toContain('NOPERM');
    expect(await root.call('PUBSUB', 'NUMSUB', 'open', 'secret')).toEqual(['open', 0, 'secret', 1]);
    expect(await root.call('PUBSUB', 'NUMPAT')).toBe(0);
    expect(await answer(session, ['PUBLISH', 'open', 'x'])).toBe('0');
    expect(heard).toEqual([]);
    listener.close();
  });
});

describe('beside redis-server', () => {
  let both: Beside;

  beforeAll(async () => {
    both = await Beside.start();
    for (const rules of [
      'keys +@all ~g:*',
      'reader +@all %R~*',
      'writer +@all %W~*',
      'mixed +@all %R~g:* (%W~s:* +@all)',
    ])
      await both.same(`ACL SETUSER ${rules.replace('(', '"(').replace(')', ')"')} &*`);
  });

  afterAll(() => both.stop());

  test('the same keys are found and the same is denied', async () => {
    const invocations = new Invocations(new SeededRandom(SEED), [...GRANTED, ...SECRET]);
    for (const registered of callable(both.server)) {
      if (!hasKeys(registered)) continue;
      const asked: string[][] = [];
      for (let i = 0; i < INVOCATIONS; i++) {
        const words = invocations.of(registered);
        asked.push(['COMMAND', 'GETKEYSANDFLAGS', ...words]);
        for (const user of ['keys', 'reader', 'writer', 'mixed']) asked.push(['ACL', 'DRYRUN', user, ...words]);
      }
      await both.same(asked);
    }
  });

  test('keys at every arity', async () => {
    const random = new SeededRandom(SEED);
    const odd = ['1', '2', '0', '-1', '9999999999', 'STORE', 'KEYS', 'STREAMS', 'BY', 'x', ''];
    for (const registered of callable(both.server)) {
      const asked: string[][] = [];
      for (let length = 0; length <= 12; length++) {
        const words = registered.name.split('|');
        while (words.length < length) words.push(odd[random.below(odd.length)]);
        asked.push(['COMMAND', 'GETKEYS', ...words], ['ACL', 'DRYRUN', 'keys', ...words]);
      }
      await both.same(asked);
    }
  });
});
