/** A group whose members meet over TLS: writes, a lost leader, and a stranger without the certificate of the group's authority. */
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { callOnce, GroupClient, inTurn, local, TestMember } from '../support/groups.ts';
import { freePort } from '../support/ports.ts';
import { waitFor } from '../support/sentinels.ts';

const BUS_DISTANCE = 10_000;
let certificates: Certificates;
const members: { readonly member: TestMember; readonly tlsPort: number }[] = [];

beforeAll(async () => {
  certificates = makeCertificates();
  for (let i = 0; i < 3; i++) {
    const [port, tlsPort] = [await freePort(), await freePort()];
    const member = new TestMember(port, {
      'tls-port': tlsPort,
      'tls-cluster': true,
      'tls-cert-file': certificates.path('server.crt'),
      'tls-key-file': certificates.path('server.key'),
      'tls-ca-cert-file': certificates.path('ca.crt'),
    });
    members.push({ member, tlsPort });
    await member.start();
    if (i === 0) await callOnce(port, 'RAFT', 'INIT');
    else await callOnce(port, 'RAFT', 'JOIN', '127.0.0.1', String(members[0].tlsPort));
  }
  await waitFor('all vote', async () => (await members[0].member.figure('raft_members')) === '3');
  await waitFor('none learns', async () => !(await infoOf(members[0].member)).includes('role=learner'));
}, 60_000);

afterAll(async () => {
  await Promise.all(members.map(({ member }) => member.kill()));
  certificates?.remove();
});

async function infoOf({ port }: TestMember): Promise<string> {
  return String(await callOnce(port, 'INFO', 'raft'));
}

/** What a TLS client hears of itself at the port where members meet. */
function knock(port: number, identity: object): Promise<string> {
  return new Promise((done) => {
    const ca = certificates.read('ca.crt');
    const socket = connectTls({ host: '127.0.0.1', port, ca, checkServerIdentity: () => undefined, ...identity });
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
    socket.on('error', (error) => done(error.message));
    socket.on('close', () => done(heard));
  });
}

test('it serves, and goes on without its leader', async () => {
  const clientOf = (): GroupClient => new GroupClient(inTurn(members.map(({ member }) => local(member.port))));
  const before = clientOf();
  for (let i = 0; i < 50; i++) await before.call('RPUSH', 'list', String(i));
  before.close();
  const leader = members.find(({ member }) => member.serves)!;
  await leader.member.kill();
  const after = clientOf();
  expect(await after.call('LLEN', 'list')).toBe(50);
  after.close();
  await leader.member.start();
  await waitFor('it has caught up', async () => {
    const index = await leader.member.figure('raft_applied_index');
    const others = members.filter((each) => each !== leader);
    return (await Promise.all(others.map(({ member }) => member.figure('raft_applied_index')))).every(
      (i) => i === index,
    );
  });
}, 60_000);

test('who has no certificate, or one of another authority, is no member', async () => {
  const { tlsPort, member } = members[0];
  const stranger = { cert: certificates.read('stranger.crt'), key: certificates.read('stranger.key') };
  for (const identity of [{}, stranger]) {
    const before = member.lines.length;
    // With TLS 1.3 a client has shaken hands before its certificate is looked at.
    expect(await knock(tlsPort + BUS_DISTANCE, identity)).toMatch(/^$|alert|ECONNRESET/);
    await waitFor('it is told', async () =>
      member.lines.slice(before).some((line) => line.startsWith('Error accepting cluster node connection')),
    );
  }
});
