/** /metrics beside what redis_exporter says of the same server: names, types, labels, and the values that stand still. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type CinnabarServer, createServer } from '../../src/index.ts';
import { send } from '../support/http.ts';
import { oracle } from '../support/oracle.ts';
import { freePort } from '../support/ports.ts';

/** All metrics that a master shows that has done a little of everything: one `name type labels` a line. */
const EXPECTED = readFileSync(join(import.meta.dirname, 'metrics.txt'), 'utf8')
  .trim()
  .split('\n');
/** What the exporter tells of itself. */
const ITS_OWN = /^(go_|process_|promhttp_|redis_exporter_|redis_target_scrape_|redis_last_key_groups_)/;
/** It asks as well, and sees its own asking. */
const MOVING =
  /^redis_(uptime|start_time|cpu|memory|mem|allocator|client|connect|commands|net|total_|latency|slowlog|last_slow|instance|db_avg_ttl)/;

/** Other work on the machine may keep this process waiting. */
const PATIENT = { timeout: 30_000 };

const servers: CinnabarServer[] = [];
let exporter: ChildProcess | null = null;

afterEach(async () => {
  exporter?.kill('SIGKILL');
  exporter = null;
  for (const server of servers.splice(0)) await server.close();
});

async function started(settings: object = {}): Promise<CinnabarServer & { readonly metrics: () => Promise<Shown> }> {
  const consolePort = await freePort();
  const server = createServer({ port: 0, settings: { 'console-port': consolePort, ...settings } });
  servers.push(server);
  await server.listen();
  const metrics = async (): Promise<Shown> => shown((await send(consolePort, '/metrics')).text);
  return Object.assign(server, { metrics });
}

interface Shown {
  /** `name type label,label` */
  readonly kinds: Set<string>;
  /** By name with labels. */
  readonly values: Map<string, number>;
}

function shown(text: string): Shown {
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const kinds = new Set<string>();
  const values = new Map<string, number>();
  for (const [, name, labels = '', value] of text.matchAll(/^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/gm)) {
    if (ITS_OWN.test(name)) continue;
    const pairs = [...labels.matchAll(/([a-z_0-9]+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([, label, text]) => [label, text])
      .sort();
    const family = types.get(name) ?? types.get(name.replace(/_(sum|count)$/, ''));
    kinds.add(`${name} ${family} ${pairs.map(([label]) => label).join()}`.trim());
    values.set(`${name} ${JSON.stringify(pairs)}`, Number(value));
  }
  return { kinds, values };
}

async function exporterOn(server: CinnabarServer): Promise<Shown> {
  const port = await freePort();
  const args = ['-redis.addr', server.url, '-web.listen-address', `127.0.0.1:${port}`];
  exporter = spawn(oracle('prometheus-redis-exporter'), args, { stdio: 'ignore' });
  for (;;) {
    const answer = await send(port, '/metrics').catch(() => null);
    if (answer !== null) return shown(answer.text);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Something for each family that is there only once something has happened. */
async function aLittle(server: CinnabarServer): Promise<void> {
  const session = server.session();
  await session.call('CONFIG', 'SET', 'slowlog-log-slower-than', 0, 'latency-monitor-threshold', 1);
  await session.pipeline([
    ['SET', 'a', '1', 'EX', 1000],
    ['LPUSH', 'l', 'a', 'b'],
    ['GET', 'none'],
    ['NO SUCH "COMMAND"\n'],
    ['EVAL', 'for i = 1, 3000000 do end', 0],
  ]);
  await session.call('SELECT', 3);
  await session.call('SET', 'b', '1');
  await expect.poll(() => session.call('INFO', 'keyspace'), PATIENT).toMatch(/db0:.*avg_ttl=[1-9]/);
  session.close();
}

test('the names, types and labels of a master', async () => {
  const server = await started();
  await aLittle(server);
  expect([...(await server.metrics()).kinds].sort()).toEqual(EXPECTED);
});

describe('beside redis_exporter', () => {
  test('a master', async () => {
    const server = await started();
    await aLittle(server);
    const theirs = await exporterOn(server);
    const ours = await server.metrics();
    expect([...ours.kinds].sort()).toEqual([...theirs.kinds].sort());
    for (const [name, value] of theirs.values)
      if (!MOVING.test(name)) expect([name, ours.values.get(name)]).toEqual([name, value]);
  });

  test('a master with a replica, and the replica', async () => {
    oracle('prometheus-redis-exporter');
    const master = await started();
    const replica = await started({ replicaof: `127.0.0.1 ${master.port}` });
    await expect.poll(() => replica.session().call('INFO', 'replication'), PATIENT).toContain('master_link_status:up');
    await expect.poll(() => master.session().call('INFO', 'replication'), PATIENT).toMatch(/state=online/);
    for (const server of [master, replica]) {
      const theirs = await exporterOn(server);
      const { kinds } = await server.metrics();
      expect([...kinds].filter(isOfReplication).sort()).toEqual([...theirs.kinds].filter(isOfReplication).sort());
      exporter?.kill('SIGKILL');
    }
  });

  test('a node of a cluster with a log', async () => {
    oracle('prometheus-redis-exporter');
    const server = await started({ 'cluster-enabled': true, appendonly: true });
    await server.session().call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
    const theirs = await exporterOn(server);
    const { kinds, values } = await server.metrics();
    const ofCluster = (kind: string): boolean => /^redis_(cluster|aof)_/.test(kind);
    expect([...kinds].filter(ofCluster).sort()).toEqual([...theirs.kinds].filter(ofCluster).sort());
    expect(values.get('redis_cluster_slots_assigned []')).toBe(16384);
  });
});

function isOfReplication(kind: string): boolean {
  return /^redis_(connected_slave|master_|slave_|replica|repl_|second_)/.test(kind);
}

test('who may not run INFO is told that nothing can be seen', async () => {
  const port = await freePort();
  const server = createServer({ port: 0, settings: { 'console-port': port } });
  servers.push(server);
  await server.listen();
  await server.session().call('ACL', 'SETUSER', 'none', 'on', '>pw', '+ping');
  const headers = { Authorization: `Basic ${Buffer.from('none:pw').toString('base64')}` };
  expect((await send(port, '/metrics', { headers })).text).toMatch(
    /^# HELP redis_up .*\n# TYPE redis_up gauge\nredis_up 0\n$/,
  );
});
