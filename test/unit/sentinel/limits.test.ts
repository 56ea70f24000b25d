/** What others may make a Sentinel keep has its limits. */
import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import type { Configuration } from '../../../src/sentinel/configuration.ts';
import { defaultSettings } from '../../../src/sentinel/configuration.ts';
import { MOST_HOSTS } from '../../../src/sentinel/rules/hosts.ts';
import { Sentinel } from '../../../src/sentinel/sentinel.ts';

const MASTER = {
  name: 'm',
  host: '10.0.0.1',
  port: 6379,
  settings: { ...defaultSettings(2, 1000, 1000), notificationScript: '/bin/notify' },
  configEpoch: 0,
  leaderEpoch: 0,
  replicas: [],
  sentinels: [],
};
const CONFIGURATION: Configuration = {
  myid: 'a'.repeat(40),
  currentEpoch: 0,
  announceIp: '',
  announcePort: 0,
  resolveHostnames: true,
  announceHostnames: false,
  denyScriptsReconfig: true,
  sentinelUser: '',
  sentinelPass: '',
  masters: [MASTER],
};

test('256 scripts are queued and 16 run; the oldest that waits gives way', () => {
  const sentinel = new Sentinel(CONFIGURATION, 26379, new SeededRandom(1), 1);
  sentinel.step(1, { kind: 'tick' });
  for (let epoch = 1; epoch <= 400; epoch++) {
    const text = `10.0.0.2,26379,${'b'.repeat(40)},${epoch},m,10.0.0.1,6379,0`;
    sentinel.step(1, { kind: 'hello', connection: null, text });
  }
  expect(sentinel.state.scripts.length).toBe(256);
  sentinel.step(2, { kind: 'tick' });
  const running = sentinel.state.scripts.filter((script) => script.running);
  expect(running.length).toBe(16);
  // The very first, +monitor, began to run before there were too many.
  expect(running[0].words[1]).toBe('+monitor');
  expect(sentinel.state.scripts.at(-1)?.words).toEqual(['/bin/notify', '+new-epoch', '400']);
});

test('names that others tell of are forgotten where there are too many, and those that are used are not', () => {
  const sentinel = new Sentinel(CONFIGURATION, 26379, new SeededRandom(1), 1);
  const tell = (runid: string, host: string): void => {
    const text = `10.0.0.2,26379,${runid},0,m,${host},6379,1`;
    for (const output of sentinel.step(1, { kind: 'hello', connection: null, text }))
      if (output.kind === 'resolve') sentinel.step(1, { kind: 'resolved', host: output.host, ips: [] });
  };
  const hello = `peer.example,26379,${'c'.repeat(40)},0,m,10.0.0.1,6379,0`;
  sentinel.step(1, { kind: 'hello', connection: null, text: hello });
  for (let i = 0; i < 2 * MOST_HOSTS; i++) tell('b'.repeat(40), `host${i}.example`);
  expect(sentinel.state.hosts.size).toBeLessThanOrEqual(MOST_HOSTS);
  expect(sentinel.state.hosts.has('peer.example')).toBe(true);
});
