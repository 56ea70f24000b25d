/** Servers that live through the loss of their power, twice the same way from one seed. */
import { expect, test } from 'vitest';
import { type Client, World } from './world.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

async function saved(client: Client): Promise<void> {
  expect(await client.call('BGSAVE')).toBe('Background saving started');
  while (String(await client.call('INFO', 'persistence')).includes('rdb_bgsave_in_progress:1'));
  expect(String(await client.call('INFO', 'persistence'))).toContain('rdb_last_bgsave_status:ok');
}

/** Two servers: one saves a snapshot, the other keeps a log; both lose their power and are started again. */
async function course(seed: number): Promise<readonly string[]> {
  const world = new World(seed);
  const [a, b] = [world.machine('a'), world.machine('b')];
  const snapshot = (await a.start()).client();
  const log = (await b.start({ appendonly: 'yes', appendfsync: 'always' })).client();
  expect(await snapshot.call('SET', 'k', 'saved')).toBe('OK');
  await saved(snapshot);
  expect(await snapshot.call('SET', 'later', 'x')).toBe('OK');
  expect(await log.call('SET', 'k', 'logged')).toBe('OK');
  const unanswered = log.send('SET', 'k', 'perhaps').catch(() => {});
  await world.pass(world.random.below(4));
  a.powerCut();
  b.powerCut();
  await world.pass(1000);
  const again = [(await a.start()).client(), (await b.start({ appendonly: 'yes' })).client()];
  expect(await again[0].call('GET', 'k'), `seed ${seed}`).toBe('saved');
  expect(await again[0].call('GET', 'later'), `seed ${seed}`).toBe(null);
  expect(['logged', 'perhaps'], `seed ${seed}`).toContain(await again[1].call('GET', 'k'));
  world.end();
  void unanswered;
  return world.trace;
}

test.each(SEEDS)(
  'what was saved is there after a loss of power, and all goes the same way twice: seed %i',
  async (seed) => {
    const first = await course(seed);
    expect(await course(seed)).toEqual(first);
    expect(first.length).toBeGreaterThan(50);
  },
);

test('other seeds go other ways', async () => {
  const traces = [await course(1), await course(2)].map((trace) => trace.join());
  expect(traces[0]).not.toBe(traces[1]);
});

test('what commands change while a snapshot waits to be written is not in it', async () => {
  const world = new World(11);
  const machine = world.machine('a');
  world.wires.delay = [0.01, 0.02];
  const client = (await machine.start()).client();
  await client.call('SET', 'k', 'old');
  const replies = [client.send('BGSAVE'), client.send('SET', 'k', 'new'), client.send('INFO', 'persistence')];
  const [, , info] = await world.run(Promise.all(replies));
  expect(String(info)).toContain('rdb_bgsave_in_progress:1');
  await world.pass(10);
  expect(await client.call('GET', 'k')).toBe('new');
  machine.powerCut();
  const after = (await machine.start()).client();
  expect(await after.call('GET', 'k')).toBe('old');
  world.end();
});

test('a process that is killed leaves what it wrote; its clients are told, those of a host without power are not', async () => {
  const world = new World(5);
  const machine = world.machine('a');
  const client = (await machine.start({ appendonly: 'yes', appendfsync: 'no' })).client();
  await client.call('SET', 'k', 'v');
  machine.kill();
  await expect(client.call('PING')).rejects.toThrow();
  const second = (await machine.start({ appendonly: 'yes' })).client();
  expect(await second.call('GET', 'k')).toBe('v');
  machine.powerCut();
  let told = false;
  const lost = second.send('PING').catch(() => {
    told = true;
  });
  await world.pass(60_000);
  expect(told).toBe(false);
  await machine.start({ appendonly: 'yes' });
  const reset = second.send('PING');
  await expect(world.run(reset)).rejects.toThrow('ECONNRESET');
  await world.run(lost);
  world.end();
});

test('time passes by itself: a key expires in the middle of an hour that takes no time', async () => {
  const world = new World(3);
  const client = (await world.machine('a').start()).client();
  await client.call('SET', 'k', 'v', 'EX', '1800');
  await world.pass(1_799_000);
  expect(await client.call('GET', 'k')).toBe('v');
  await world.pass(1000);
  expect(await client.call('GET', 'k')).toBe(null);
  world.end();
});

test('a key moves from one server to the other, and stays where the way between them is cut', async () => {
  const world = new World(7);
  const [a, b] = [world.machine('a'), world.machine('b')];
  const [from, to] = [(await a.start()).client(), (await b.start()).client()];
  await from.call('SET', 'k', 'v');
  await from.call('SET', 'other', 'x');
  expect(await from.call('MIGRATE', 'b', '6379', 'k', '0', '1000')).toBe('OK');
  expect([await from.call('EXISTS', 'k'), await to.call('GET', 'k')]).toEqual([0, 'v']);
  world.wires.part(['a'], ['b']);
  await expect(from.call('MIGRATE', 'b', '6379', 'other', '0', '1000')).resolves.toHaveProperty(
    'message',
    'IOERR error or timeout reading to target instance',
  );
  expect(await from.call('EXISTS', 'other')).toBe(1);
  world.end();
});
