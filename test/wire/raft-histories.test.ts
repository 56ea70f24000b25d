/** What clients of a group are answered while its members are killed, cut off and replaced: never what can't be explained. */
import { afterEach, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { membershipOf } from '../../src/raft/owners.ts';
import { History } from '../support/group-history.ts';
import { type Settings, TestGroup, type TestMember } from '../support/groups.ts';
import { drawSeed } from '../support/seed.ts';

const LIFE_MS = 8000;
const CLIENTS = 6;
const KEYS = 6;

let group: TestGroup;

afterEach(async () => {
  await group.stop();
}, 30_000);

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** Nothing is said by it, or heard, for a while. */
function cutOff({ server }: TestMember, ms: number): void {
  const { shell, peers } = membershipOf(server!.engine);
  const silent = { send: () => {}, sendSnapshot: () => {} };
  Object.assign(peers, silent);
  Object.assign(shell, { heard: () => {} });
  setTimeout(() => {
    for (const name of Object.keys(silent)) Reflect.deleteProperty(peers, name);
    Reflect.deleteProperty(shell, 'heard');
  }, ms);
}

/** Does something to the members. */
async function disturb(random: SeededRandom): Promise<void> {
  const down = group.members.filter(({ up }) => !up);
  if (down.length > 1 || (down.length === 1 && random.below(5) < 3)) return down[0].start();
  const leader = group.alive.find(({ serves }) => serves);
  const kind = random.below(6);
  if (kind === 0) await group.alive[random.below(group.alive.length)].kill();
  else if (kind === 1) {
    for (const member of group.alive) await member.kill();
    for (const member of group.members) await member.start();
  } else if (leader === undefined) return;
  else if (kind === 2) await leader.kill();
  else if (kind === 3) {
    const session = leader.server!.session();
    await session.call('RAFT', 'TRANSFER').catch(() => {});
    session.close();
  } else cutOff(leader, 300 + random.below(900));
}

const MODES: readonly (readonly [string, Settings])[] = [
  ['reads by the quorum', { 'raft-read': 'quorum' }],
  ['reads on a lease, and snapshots all the time', { 'raft-read': 'lease', 'raft-log-size': '20kb' }],
];

describe.each(MODES)('%s', (_name, settings) => {
  test('histories are linearizable', async () => {
    group = await TestGroup.start(3, settings);
    const random = new SeededRandom(drawSeed());
    const history = new History(() => random.double01(), KEYS, 'h');
    const clients = Array.from({ length: CLIENTS }, () => group.client());
    let stopped = false;
    const lives = clients.map((client) => history.live(client, () => stopped));
    const end = Date.now() + LIFE_MS;
    while (Date.now() < end) {
      await pause(200 + random.below(500));
      await disturb(random);
    }
    for (const member of group.members) if (!member.up) await member.start();
    stopped = true;
    await Promise.all(lives);
    for (const client of clients) client.close();
    expect(history.acknowledged).toBeGreaterThan(100);
    expect(history.faults).toEqual([]);
    expect(group.members.flatMap(({ lines }) => lines.filter((line) => line.includes('Guru Meditation')))).toEqual([]);
  }, 90_000);
});
