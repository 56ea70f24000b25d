/** A Sentinel of ours and a real one over TLS alone: to servers, and to one another. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { ask, MASTER_NAME, waitFor } from '../support/sentinels.ts';
import { type ServerProcess, startCinnabar, startSentinel } from '../support/server-process.ts';

let certificates: Certificates;
const processes: ServerProcess[] = [];

beforeAll(() => {
  certificates = makeCertificates();
});

afterAll(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  certificates?.remove();
});

/** Settings of all: TLS to whom they connect, and at `port` for whoever connects to them. */
function tls(port: number): (readonly [string, string])[] {
  return [
    ['tls-port', String(port)],
    ['tls-replication', 'yes'],
    ['tls-cert-file', certificates.path('server.crt')],
    ['tls-key-file', certificates.path('server.key')],
    ['tls-ca-cert-file', certificates.path('ca.crt')],
  ];
}

async function server(port: number, ...more: string[]): Promise<ServerProcess> {
  const options = tls(port).flatMap(([name, value]) => [`--${name}`, value]);
  const started = await startCinnabar('--repl-diskless-sync-delay', '0', ...options, ...more);
  processes.push(started);
  return started;
}

async function sentinel(kind: 'cinnabar' | 'redis', masterPort: number): Promise<ServerProcess> {
  const started = await startSentinel(kind, [
    ...tls(await freePort()).map((words) => words.join(' ')),
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${MASTER_NAME} 1000`,
    `sentinel failover-timeout ${MASTER_NAME} 6000`,
  ]);
  processes.push(started);
  return started;
}

async function fieldsOf({ port }: ServerProcess, ...names: string[]): Promise<string> {
  const fields = (await ask(port, 'SENTINEL', 'MASTER', MASTER_NAME)) as string[];
  return names.map((name) => fields[fields.indexOf(name) + 1]).join(' ');
}

test('they know all, agree that the master is down, and promote its replica', async () => {
  const [masterPort, replicaPort] = [await freePort(), await freePort()];
  const master = await server(masterPort);
  await server(replicaPort, '--replicaof', '127.0.0.1', String(masterPort));
  const both = [await sentinel('cinnabar', masterPort), await sentinel('redis', masterPort)];
  for (const each of both)
    await waitFor('each knows the replica and the other', async () => {
      return (await fieldsOf(each, 'flags', 'num-slaves', 'num-other-sentinels')) === 'master 1 1';
    });
  const replicas = (await ask(both[0].port, 'SENTINEL', 'REPLICAS', MASTER_NAME)) as string[][];
  expect(replicas.map((fields) => fields[fields.indexOf('port') + 1])).toEqual([String(replicaPort)]);
  process.kill(master.pid, 'SIGKILL');
  for (const each of both)
    await waitFor('each names the replica as the master', async () => {
      return (await fieldsOf(each, 'port')) === String(replicaPort);
    });
}, 120_000);
