/** What CLUSTER replies, to the byte, beside a real node that is asked the same. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNode } from '../support/clusters.ts';
import { ask, waitFor } from '../support/sentinels.ts';
import type { ServerProcess } from '../support/server-process.ts';

const ANNOUNCED = ['--cluster-announce-port', '7777', '--cluster-announce-bus-port', '17777'];
const UNKNOWN = 'f'.repeat(40);

let ours: ServerProcess;
let theirs: ServerProcess;

beforeAll(async () => {
  [ours, theirs] = await Promise.all([startNode('cinnabar', ...ANNOUNCED), startNode('redis', ...ANNOUNCED)]);
  // For its first two seconds Redis has not counted the masters, and says that there is one.
  await waitFor('the masters are counted', async () =>
    String(await ask(theirs.port, 'CLUSTER', 'INFO')).includes('cluster_size:0'),
  );
}, 60_000);

afterAll(async () => {
  await ours?.stop();
  await theirs?.stop();
});

/** All that a node replies to a line of words, with the same word for its ID. */
async function replied(port: number, hello: string, line: string): Promise<string> {
  const id = String(await ask(port, 'CLUSTER', 'MYID'));
  const socket = connect(port, '127.0.0.1');
  let text = '';
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.endsWith('$3\r\nend\r\n')) resolve();
    });
  });
  socket.write(`HELLO ${hello}\r\nECHO begun\r\n${line.replaceAll('MYID', id)}\r\nECHO end\r\n`);
  await done;
  socket.destroy();
  return text.slice(text.indexOf('begun\r\n') + 7).replaceAll(id, 'I'.repeat(40));
}

async function same(line: string): Promise<void> {
  for (const hello of ['2', '3'])
    expect(`${line}: ${await replied(ours.port, hello, line)}`).toBe(
      `${line}: ${await replied(theirs.port, hello, line)}`,
    );
}

const LINES = `
CLUSTER NODES
CLUSTER SLOTS
CLUSTER SHARDS
CLUSTER LINKS
CLUSTER NOSUCH
CLUSTER NODES x
CLUSTER
CLUSTER KEYSLOT foo
CLUSTER KEYSLOT {foo}bar
CLUSTER KEYSLOT
CLUSTER COUNTKEYSINSLOT 1
CLUSTER COUNTKEYSINSLOT -1
CLUSTER COUNTKEYSINSLOT 16384
CLUSTER COUNTKEYSINSLOT x
CLUSTER GETKEYSINSLOT 1 1
CLUSTER GETKEYSINSLOT 1 -1
CLUSTER GETKEYSINSLOT 16384 1
CLUSTER GETKEYSINSLOT x 1
CLUSTER GETKEYSINSLOT 1 x
CLUSTER ADDSLOTS x
CLUSTER ADDSLOTS 16384
CLUSTER ADDSLOTS -1
CLUSTER ADDSLOTS 1 1
CLUSTER ADDSLOTSRANGE 1
CLUSTER ADDSLOTSRANGE 1 2 3
CLUSTER ADDSLOTSRANGE 3 2
CLUSTER ADDSLOTSRANGE 1 3 2 5
CLUSTER ADDSLOTSRANGE 1 16384
CLUSTER DELSLOTS 1
CLUSTER DELSLOTSRANGE 1 2
CLUSTER ADDSLOTSRANGE 0 100 200 200 300 400
CLUSTER NODES
CLUSTER SLOTS
CLUSTER SHARDS
CLUSTER ADDSLOTS 100
CLUSTER DELSLOTS 5 200
CLUSTER DELSLOTS 5
CLUSTER NODES
CLUSTER SETSLOT
CLUSTER SETSLOT x STABLE
CLUSTER SETSLOT 1 NOSUCH
CLUSTER SETSLOT 1 STABLE x
CLUSTER SETSLOT 1 MIGRATING
CLUSTER SETSLOT 1 MIGRATING ${UNKNOWN}
CLUSTER SETSLOT 150 MIGRATING ${UNKNOWN}
CLUSTER SETSLOT 1 IMPORTING MYID
CLUSTER SETSLOT 150 IMPORTING ${UNKNOWN}
CLUSTER SETSLOT 1 NODE ${UNKNOWN}
CLUSTER SETSLOT 1 STABLE
CLUSTER SETSLOT 150 IMPORTING MYID
CLUSTER NODES
CLUSTER SETSLOT 150 NODE MYID
CLUSTER NODES
CLUSTER BUMPEPOCH
CLUSTER BUMPEPOCH
CLUSTER SET-CONFIG-EPOCH x
CLUSTER SET-CONFIG-EPOCH -1
CLUSTER SET-CONFIG-EPOCH 5
CLUSTER FORGET MYID
CLUSTER FORGET ${UNKNOWN}
CLUSTER FORGET short
CLUSTER REPLICATE MYID
CLUSTER REPLICATE ${UNKNOWN}
CLUSTER REPLICAS MYID
CLUSTER SLAVES MYID
CLUSTER REPLICAS ${UNKNOWN}
CLUSTER COUNT-FAILURE-REPORTS MYID
CLUSTER COUNT-FAILURE-REPORTS ${UNKNOWN}
CLUSTER FAILOVER
CLUSTER FAILOVER NOSUCH
CLUSTER FAILOVER FORCE x
CLUSTER MEET 127.0.0.1 x
CLUSTER MEET 127.0.0.1 7000 x
CLUSTER MEET nosuch 7000
CLUSTER MEET 127.0.0.1 0
CLUSTER MEET 127.0.0.1 99999
CLUSTER MEET 127.0.0.1 7000 17000 x
CLUSTER SAVECONFIG
CLUSTER SAVECONFIG x
CLUSTER FLUSHSLOTS
CLUSTER NODES
CLUSTER INFO
CLUSTER RESET NOSUCH
CLUSTER RESET SOFT x
CLUSTER RESET
CLUSTER INFO
CLUSTER SET-CONFIG-EPOCH 7
CLUSTER NODES
REPLICAOF 127.0.0.1 1
REPLICAOF NO ONE
FAILOVER
SELECT 1
SELECT 0
ROLE
DEBUG CLUSTERLINK KILL all ${UNKNOWN}
INFO cluster
CONFIG SET cluster-announce-hostname host.example
CONFIG SET cluster-announce-hostname in_valid
CONFIG SET cluster-preferred-endpoint-type hostname
CLUSTER ADDSLOTS 7
CLUSTER SLOTS
CLUSTER SHARDS
CONFIG SET cluster-preferred-endpoint-type unknown-endpoint
CLUSTER SLOTS
CLUSTER SHARDS
CLUSTER NODES
`
  .trim()
  .split('\n');

test('CLUSTER replies as a real node does, in both protocols', async () => {
  for (const line of LINES) await same(line);
}, 120_000);

test('HELP names the same subcommands', async () => {
  const names = async (port: number): Promise<string[]> => {
    const lines = (await ask(port, 'CLUSTER', 'HELP')) as string[];
    return lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split(' ')[0]);
  };
  expect(await names(ours.port)).toEqual(await names(theirs.port));
});
