/** The states in which commands are refused, and the roles of sessions that they don't concern. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sliceOf } from '../../src/base/slice.ts';
import { VirtualClock } from '../../src/base/time.ts';
import * as gates from '../../src/engine/gates.ts';
import { NULL_PORT as NOBODY } from '../../src/engine/null-port.ts';
import { OUTPUT_REPLICA } from '../../src/engine/ports.ts';
import { CLIENT, MASTER, REPLICA, type Role } from '../../src/engine/roles.ts';
import type { Session } from '../../src/engine/session.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Beside } from '../support/beside.ts';
import { Pipeline } from '../support/pipeline.ts';

const { GATE_MISCONF, GATE_OOM, GATE_READONLY, GATE_STALE } = gates;

describe('beside the real server', () => {
  let both: Beside;
  let admins: Pipeline[];

  beforeEach(async () => {
    both = await Beside.start();
    admins = [new Pipeline(both.server.port), new Pipeline(both.theirsPort)];
  });

  afterEach(async () => {
    for (const admin of admins) admin.close();
    await both.stop();
  });

  const COMMANDS = [
    ['SET', 'k', 'v'],
    ['GET', 'k'],
    ['PING'],
    ['PUBLISH', 'c', 'm'],
    ['INFO', 'nosuch'],
    ['EVAL', 'return 1', '0'],
    ['EVAL', "return redis.call('set', KEYS[1], 'v')", '1', 'k'],
    ['EVAL', "return redis.pcall('get', KEYS[1])", '1', 'k'],
    ['EVAL', '#!lua\nreturn 1', '0'],
    ['EVAL', '#!lua flags=no-writes\nreturn 1', '0'],
    ['EVAL', '#!lua flags=allow-stale,no-writes\nreturn 1', '0'],
    ['EVAL', '#!lua flags=allow-stale\nreturn 1', '0'],
    ['EVAL', "#!lua flags=allow-stale,no-writes\nreturn redis.call('get', 'k')", '0'],
    ['EVAL_RO', '#!lua\nreturn 1', '0'],
  ];

  /** By other connections than those that judge: to theirs, or to both. */
  async function theirs(...commands: string[]): Promise<void> {
    for (const command of commands) expect(await admins[1].send([command.split(' ')])).toEqual(['OK']);
  }

  async function set(name: string, value: string): Promise<void> {
    for (const admin of admins) expect(await admin.send([['CONFIG', 'SET', name, value]])).toEqual(['OK']);
  }

  function gate(bit: number, on: boolean): void {
    both.server.engine.gates.set(bit, 'test', on);
  }

  /** The commands by themselves, in a transaction each, and in transactions that the state comes upon. */
  async function judged(enter: () => Promise<void>, leave: () => Promise<void>): Promise<void> {
    await both.same([['SET', 'k', 'v']]);
    await enter();
    await both.same(COMMANDS);
    for (const command of COMMANDS) await both.same([['MULTI'], command, ['EXEC']]);
    await both.same([['MULTI'], ['CLIENT', 'GETNAME'], ['UNWATCH'], ['EXEC'], ['DISCARD']]);
    await leave();
    for (const command of COMMANDS) {
      await both.same([['MULTI'], command]);
      await enter();
      await both.same([['EXEC'], ['DISCARD']]);
      await leave();
    }
  }

  test('a read-only replica', () =>
    judged(
      async () => {
        await theirs('REPLICAOF 127.0.0.1 1');
        gate(GATE_READONLY, true);
      },
      async () => {
        await theirs('REPLICAOF NO ONE');
        gate(GATE_READONLY, false);
      },
    ));

  test('a replica that may not serve its stale data', async () => {
    await theirs('CONFIG SET replica-serve-stale-data no replica-read-only no');
    await judged(
      async () => {
        await theirs('REPLICAOF 127.0.0.1 1');
        gate(GATE_STALE, true);
      },
      async () => {
        await theirs('REPLICAOF NO ONE');
        gate(GATE_STALE, false);
      },
    );
  });

  test('one that is both', async () => {
    await theirs('CONFIG SET replica-serve-stale-data no');
    await judged(
      async () => {
        await theirs('REPLICAOF 127.0.0.1 1');
        for (const bit of [GATE_READONLY, GATE_STALE]) gate(bit, true);
      },
      async () => {
        await theirs('REPLICAOF NO ONE');
        for (const bit of [GATE_READONLY, GATE_STALE]) gate(bit, false);
      },
    );
  });

  test('too few good replicas', () =>
    judged(
      () => set('min-replicas-to-write', '1'),
      () => set('min-replicas-to-write', '0'),
    ));

  test('memory that is short', async () => {
    await judged(
      () => set('maxmemory', '1'),
      () => set('maxmemory', '0'),
    );
    for (const command of ['UNWATCH', 'WATCH k', 'MULTI', 'GET k', 'DISCARD', 'EXEC', 'RESET']) {
      await both.same('MULTI');
      await set('maxmemory', '1');
      await both.same([command.split(' '), ['DISCARD']]);
      await set('maxmemory', '0');
    }
  });
});

describe('gates', () => {
  let server: CinnabarServer;

  beforeEach(() => {
    server = createServer();
  });

  afterEach(() => server.close());

  test('memory that is scarce stays scarce when maxmemory goes', async () => {
    const session = server.session();
    server.engine.memory.onScarce(true);
    await session.call('CONFIG', 'SET', 'maxmemory', '1gb');
    await session.call('CONFIG', 'SET', 'maxmemory', '0');
    await expect(session.call('SET', 'k', 'v')).rejects.toThrow(/^OOM /);
    server.engine.memory.onScarce(false);
    expect(await session.call('SET', 'k', 'v')).toBe('OK');
  });

  test('a client that must not run commands makes no room', async () => {
    const admin = server.session();
    await admin.call('SET', 'k', 'v');
    await admin.call('ACL', 'SETUSER', 'default', '-get');
    await admin.call('CONFIG', 'SET', 'maxmemory', '1');
    const { gatekeeper } = server.engine;
    expect(gatekeeper.crowded).toBe(true);
    await expect(admin.call('GET', 'k')).rejects.toThrow(/^NOPERM/);
    expect(server.engine.gates.any(GATE_OOM)).toBe(false);
    expect(await admin.call('EXISTS', 'k')).toBe(1);
    expect(server.engine.gates.any(GATE_OOM)).toBe(true);
    await expect(admin.call('SET', 'k', 'v')).rejects.toThrow(/^OOM/);
  });

  test('every state of the server has a branch', async () => {
    const session = server.session();
    await session.call('SET', 'k', 'v');
    for (const [name, bit] of Object.entries(gates)) {
      if (typeof bit !== 'number' || !name.startsWith('GATE_') || name.startsWith('GATE_PAUSED')) continue;
      if ((bit & gates.GATES_OF_SESSIONS) !== 0) continue;
      server.engine.gates.set(bit, 'test', true);
      for (const command of [['GET', 'k'], ['SET', 'k', 'v'], ['PING'], ['MULTI'], ['GET', 'k'], ['EXEC']]) {
        const answer = await session.call(...command).catch(String);
        expect(String(answer), name).not.toMatch(/internal error/);
      }
      server.engine.gates.set(bit, 'test', false);
    }
  });

  test('a state lasts as long as there is a reason for it', () => {
    const { engine } = server;
    engine.gates.set(GATE_READONLY, 'a', true);
    engine.gates.set(GATE_READONLY, 'b', true);
    engine.gates.set(GATE_READONLY, 'a', false);
    expect(engine.gates.any(GATE_READONLY)).toBe(true);
    engine.gates.set(GATE_READONLY, 'b', false);
    expect(engine.gates.any(GATE_READONLY)).toBe(false);
    expect(() => engine.gates.set(gates.GATE_AUTH, 'a', true)).toThrow();
  });

  test("the end of a pause lets no keys go that a replica's master keeps", async () => {
    const session = server.session();
    server.engine.keyspaces.keepExpired('replica', true);
    await session.call('CLIENT', 'PAUSE', '1000', 'WRITE');
    await session.call('CLIENT', 'UNPAUSE');
    expect(server.engine.keyspaces.removesExpired).toBe(false);
  });
});

describe('roles', () => {
  let server: CinnabarServer;
  let clock: VirtualClock;

  beforeEach(() => {
    clock = new VirtualClock();
    server = createServer({ clock });
  });

  afterEach(() => server.close());

  /** A session of a role, and what it replies to a command. */
  function session(role: Role): { session: Session; ask: (...command: string[]) => string } {
    const { engine } = server;
    const made = engine.open(NOBODY, role);
    return {
      session: made,
      ask(...command) {
        engine.execute(made, command.map(sliceOf), command.length);
        return Buffer.from(made.reply.take()).toString('latin1');
      },
    };
  }

  test("a master's commands are refused by no state of ours, a client's are", async () => {
    const master = session(MASTER);
    const client = session(CLIENT);
    client.ask('CONFIG', 'SET', 'requirepass', 'x');
    client.ask('ACL', 'SETUSER', 'default', '-@all');
    expect(client.ask('SET', 'k', 'v')).toMatch(/^-NOPERM/);
    for (const bit of [GATE_READONLY, GATE_STALE, GATE_MISCONF, gates.GATE_REPLICAS, GATE_OOM]) {
      server.engine.gates.set(bit, 'test', true);
      expect(master.ask('SET', 'k', 'v')).toBe('+OK\r\n');
      expect(master.ask('EVAL', "#!lua\nreturn redis.call('incr', KEYS[1])", '1', 'n')).toMatch(/^:/);
      server.engine.gates.set(bit, 'test', false);
    }
  });

  test("a master's commands see keys whose time is up, and those of others don't", () => {
    const master = session(MASTER);
    const client = session(CLIENT);
    server.engine.keyspaces.keepExpired('replica', true);
    client.ask('SET', 'k', '1', 'PX', '10');
    clock.advance(20);
    server.engine.keyspaces.refresh();
    expect(client.ask('GET', 'k')).toBe('$-1\r\n');
    expect(master.ask('INCR', 'k')).toBe(':2\r\n');
    master.ask('MULTI');
    master.ask('INCR', 'k');
    master.ask('INCR', 'k');
    expect(master.ask('EXEC')).toBe('*2\r\n:3\r\n:4\r\n');
    expect(master.ask('EVAL', "return redis.call('get', KEYS[1])", '1', 'k')).toBe('$1\r\n4\r\n');
    expect(client.ask('GET', 'k')).toBe('$-1\r\n');
  });

  test('a replica is never paused and may not touch the keyspace', () => {
    const replica = session(CLIENT);
    replica.session.become(REPLICA);
    replica.ask('CLIENT', 'PAUSE', '100000', 'ALL');
    expect(replica.ask('PING')).toBe('+PONG\r\n');
    expect(replica.ask('GET', 'k')).toBe("-ERR Replica can't interact with the keyspace\r\n");
    expect(replica.ask('RESET')).toBe('-ERR can only reset normal client connections\r\n');
    expect(replica.ask('CLIENT', 'INFO')).toMatch(/ flags=S .* user=default /);
    expect(replica.ask('INFO', 'clients')).toMatch(/connected_clients:0\r/);
    expect(replica.session.mayIdleOut).toBe(false);
    expect(replica.session.outputClass).toBe(OUTPUT_REPLICA);
  });

  test('a master is one of the connected clients, and is told apart', () => {
    const master = session(MASTER);
    expect(master.ask('CLIENT', 'LIST', 'TYPE', 'master')).toMatch(/ flags=M /);
    expect(master.ask('CLIENT', 'LIST', 'TYPE', 'normal')).not.toMatch(/flags/);
    expect(master.ask('INFO', 'clients')).toMatch(/connected_clients:1\r/);
  });
});
