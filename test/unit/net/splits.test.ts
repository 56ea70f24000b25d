/** Commands are run as they were sent, however the reads cut them; and who sends without end holds little. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { command } from '../../reliability/harness.ts';
import { FakeServer } from '../../support/fake-transport.ts';

const SEEDS = 40;
const READ = 64 * 1024;

let fake: FakeServer;

beforeEach(async () => {
  fake = new FakeServer({ save: '' });
  await fake.listen();
});

afterEach(() => fake.close());

/** One request of any form and size, and its reply. */
function request(random: SeededRandom): [string, string] {
  const kind = random.double01();
  const text = 'x'.repeat(random.below(kind < 0.9 ? 100 : kind < 0.95 ? 20_000 : 200_000));
  if (random.double01() < 0.1) return ['\r\n', ''];
  if (random.double01() < 0.1) return ['*0\r\n', ''];
  if (random.double01() < 0.2)
    return [`ECHO "${text.slice(0, 1000)}"\r\n`, `$${text.slice(0, 1000).length}\r\n${text.slice(0, 1000)}\r\n`];
  return [command('ECHO', text), `$${text.length}\r\n${text}\r\n`];
}

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('requests that are cut anywhere, seed %i', async (seed) => {
  const random = new SeededRandom(seed);
  const requests = Array.from({ length: 200 }, () => request(random));
  const sent = requests.map(([bytes]) => bytes).join('');
  const connection = fake.connect();
  for (let at = 0; at < sent.length; ) {
    const some = 1 + random.below(random.double01() < 0.5 ? 50 : READ);
    connection.arrive(sent.slice(at, at + some));
    at += some;
    if (random.double01() < 0.3) await fake.turn();
  }
  await fake.turn();
  expect(connection.sent).toBe(requests.map(([, reply]) => reply).join(''));
});

test('a client that is held by a command keeps its place in what it sends', async () => {
  const connection = fake.connect();
  const other = fake.connect();
  const first = command('SET', 'a', 'x'.repeat(40));
  connection.arrive(first.slice(0, 20));
  connection.arrive(
    first.slice(20) + command('BLPOP', 'list', 0) + command('APPEND', 'a', 'y') + command('GET', 'b').slice(0, 9),
  );
  connection.arrive(command('GET', 'b').slice(9) + command('STRLEN', 'a'));
  await fake.turn();
  expect(connection.sent).toBe('+OK\r\n');
  other.command('RPUSH', 'list', 'v');
  await fake.turn();
  expect(connection.sent).toBe('+OK\r\n*2\r\n$4\r\nlist\r\n$1\r\nv\r\n:41\r\n$-1\r\n:41\r\n');
});

test('who sends small commands without end holds a small buffer', async () => {
  const connection = fake.connect();
  const sent = command('SETRANGE', 'key', 0, 'x'.repeat(100)).repeat(5000);
  for (let at = 0; at < sent.length; at += READ) {
    connection.arrive(sent.slice(at, at + READ));
    expect(fake.net.held).toBeLessThanOrEqual(17 * 1024);
    await fake.turn();
  }
  expect(connection.sent).toBe(':100\r\n'.repeat(5000));
});
