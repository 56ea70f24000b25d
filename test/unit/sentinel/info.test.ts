/** The reply to INFO, as far as a Sentinel reads it. */
import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { type InfoReport, parseInfo } from '../../../src/sentinel/info.ts';

const NOTHING: InfoReport = {
  runid: '',
  role: 'master',
  replicas: [],
  masterHost: null,
  masterPort: null,
  masterLinkUp: null,
  masterLinkDownTime: 0,
  priority: null,
  offset: null,
  announced: null,
};

function parsed(...lines: string[]): InfoReport | null {
  return parseInfo(Buffer.from(lines.join('\r\n'), 'latin1'));
}

test('of a master its replicas are read', () => {
  const report = parsed(
    '# Server',
    'redis_version:7.0.15',
    'run_id:f91f7dd3c7f88e8d3497462b7273a5107070f0d5',
    '',
    '# Replication',
    'role:master',
    'connected_slaves:2',
    'slave0:ip=127.0.0.1,port=27012,state=online,offset=559,lag=0',
    'slave1:ip=two.example,port=6379,state=wait_bgsave,offset=0,lag=0',
    'slave2:ip=10.0.0.2,port=99999,state=online,offset=0,lag=0',
    'master_failover_state:no-failover',
  );
  expect(report).toEqual({
    ...NOTHING,
    runid: 'f91f7dd3c7f88e8d3497462b7273a5107070f0d5',
    replicas: [
      { host: '127.0.0.1', port: 27012 },
      { host: 'two.example', port: 6379 },
    ],
  });
});

test('of a replica its master and its own state are read', () => {
  const report = parsed(
    'role:slave',
    'master_host:10.0.0.1',
    'master_port:6379',
    'master_link_status:down',
    'master_link_down_since_seconds:12',
    'slave_read_repl_offset:700',
    'slave_repl_offset:600',
    'slave_priority:50',
    'replica_announced:0',
    '',
  );
  expect(report).toEqual({
    ...NOTHING,
    role: 'slave',
    masterHost: '10.0.0.1',
    masterPort: 6379,
    masterLinkUp: false,
    masterLinkDownTime: 12_000,
    priority: 50,
    offset: 600,
    announced: false,
  });
});

test('what is no INFO is none, and a value that is no number is not told', () => {
  expect(parsed('')).toBeNull();
  expect(parsed('OK')).toBeNull();
  expect(parsed('role')).toBeNull();
  expect(parsed('run_id:x')).toBeNull();
  expect(parsed('role:master', 'slave_priority:x', 'slave_repl_offset:99999999999999999999')).toEqual(NOTHING);
  expect(parsed('role:master', `master_host:${'x'.repeat(10_000)}`)).toEqual(NOTHING);
});

test('no bytes are too wild', () => {
  const random = new SeededRandom(20261128);
  const pieces = ['role:', 'slave0:', 'ip=', 'port=', ',', ':', '\r\n', '\n', 'master', 'slave', '1', '\xff', '\0'];
  for (let round = 0; round < 5000; round++) {
    let text = '';
    for (let i = random.below(30); i > 0; i--) text += pieces[random.below(pieces.length)];
    const report = parseInfo(Buffer.from(text, 'latin1'));
    if (report !== null) expect(['master', 'slave']).toContain(report.role);
  }
});
