/** A slice of the world of whole servers in a group; `npm run test:simulation -- raft-servers` plays it in full. */
import { expect, test } from 'vitest';
import { createServer } from '../../src/server/server.ts';
import { LONG } from '../support/long.ts';
import { course } from './raft-servers-world.ts';
import { type Machine, World } from './world.ts';

const SEEDS = LONG ? 40 : 3;

test(`seeds 1 to ${SEEDS} of the world of whole groups break nothing`, async () => {
  let elections = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { broken, counts } = await course(seed);
    expect(broken, `seed ${seed}`).toBe('');
    elections += counts['elections'];
  }
  expect(elections).toBeGreaterThan(SEEDS);
}, 300_000);

test.each([
  ['vote-not-synced', 5],
  ['early-reply', 2],
  ['snapshot-skips', 1],
] as const)(
  'what goes wrong with %s is seen',
  async (bug, seed) => {
    expect((await course(seed, { bug })).broken).not.toBe('');
  },
  60_000,
);

test('who refuses the snapshot is not sent it again without a pause', async () => {
  const world = new World(1);
  const lines: string[] = [];
  const names = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  const settings = { port: 6379, 'protected-mode': false, 'raft-enabled': true, 'raft-log-size': 4000 };
  const machines = names.map((name) => world.machine(name));
  const start = async (machine: Machine): Promise<void> => {
    machine.onLog = (line) => lines.push(line);
    const own = { ...settings, bind: machine.name };
    const process = machine.launch((surroundings) =>
      createServer({ ...surroundings, persistent: true, settings: own }),
    );
    await world.run(process.listening);
  };
  for (const machine of machines) await start(machine);
  const [first, , last] = machines;
  const client = first.process!.client();
  await client.call('RAFT', 'INIT');
  for (const { process } of machines.slice(1))
    expect(await process!.client().call('RAFT', 'JOIN', names[0], '6379')).toBe('OK');
  last.replace();
  await start(last);
  for (let i = 0; i < 100; i++) expect(await client.call('SET', `key:${i}`, 'x'.repeat(100))).toBe('OK');
  await world.pass(10_000);
  const sent = lines.filter((line) => line.includes('Sending the snapshot')).length;
  expect(sent).toBeGreaterThan(1);
  expect(sent).toBeLessThan(12);
  world.end();
}, 60_000);
