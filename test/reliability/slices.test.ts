/** A slice of each suite with a fixed seed; `npm run test:reliability` plays them in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { longTest } from '../support/long-test.ts';
import { memoryAbuse } from './abuse.ts';
import { wideAudience } from './audience.ts';
import { hostileBus } from './bus.ts';
import { churn, idleAndActive, pastTheLimit } from './connections.ts';
import { hostilePeers } from './hostile-peers.ts';
import { raftRounds } from './raft.ts';
import { sentinelRounds } from './sentinel.ts';
import { sigtermUnderLoad } from './sigterm.ts';
import { teardowns } from './teardown.ts';
import { badHandshakes } from './tls.ts';
import { resynchronizationTorture } from './torture.ts';

test('300 bad handshakes', async () => {
  const report = await badHandshakes(300, 15);
  expect(report.descriptorsAfter).toBeLessThanOrEqual(report.descriptorsBefore);
});

test('2,000 connections that come and go in any state', async () => {
  const report = await churn(2000, 19);
  expect(report.descriptorsAfter).toBeLessThanOrEqual(report.descriptorsBefore);
});

test('past maxclients there is one error and an end', () => pastTheLimit(50, 20));

test('idle connections take little, active ones are served beside them', async () => {
  const report = await idleAndActive(2000, LONG ? 200 : 50);
  expect(report.bytesEach).toBeLessThan(10 * 1024);
});

longTest('clients that take memory and give nothing', async () => {
  const reports = await memoryAbuse(10);
  expect(reports.map((report) => report.disconnected)).toEqual([10, 0, 10, 2, 10]);
});

test('a channel with 1,000 subscribers', () => wideAudience(1000, 20));

longTest("clients that are ended with much owed to them get nobody else's bytes", async () => {
  const { failures, bytes } = await teardowns(1, ['kill', 'deluser']);
  expect(failures).toEqual([]);
  expect(bytes).toBeGreaterThan(0);
});

test('SIGTERM under load loses nothing that was acknowledged', async () => {
  expect((await sigtermUnderLoad(3, 22)).lost).toBe(0);
});

longTest(
  'three Sentinels carry their servers over what fails',
  async () => {
    const report = await sentinelRounds(4, 3);
    expect(report.failures).toEqual([]);
    expect([report.kills, report.stops, report.partitions, report.silences]).toEqual([1, 1, 1, 1]);
  },
  240_000,
);

longTest(
  'a group of Raft loses nothing by what fails, each once',
  async () => {
    const { all, unexplained } = await raftRounds(8, 17);
    expect(all).toMatchObject({ rounds: 8, lost: 0, doubled: 0 });
    expect(unexplained).toEqual([]);
    expect(all.appended).toBeGreaterThan(300);
  },
  240_000,
);

test('hostile packets at the bus of a cluster', async () => {
  const { strangers, impostors } = await hostileBus(LONG ? 20_000 : 3000, 8);
  expect([...strangers.failures, ...impostors.failures]).toEqual([]);
});

test('hostile replicas and hostile masters', async () => {
  const { failures, links } = await hostilePeers(2000, 8, 1000);
  expect(failures).toEqual([]);
  expect(links).toBeGreaterThan(100);
});

longTest('replicas that are cut off go on partially whenever the backlog lets them, in 20 combinations', async () => {
  const { failures, partial } = await resynchronizationTorture(1, 9);
  expect(failures).toEqual([]);
  expect(partial).toBe(40);
});
