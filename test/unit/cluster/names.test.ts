/** Look-ups of the hosts that other nodes name: few at once, of each name one, and so many that wait. */
import { beforeEach, expect, test } from 'vitest';
import type { Network } from '../../../src/base/network.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import { Names } from '../../../src/cluster/names.ts';

let clock: VirtualClock;
/** Look-ups under way, by name. */
let open: Map<string, (ips: string[]) => void>;
let asked: string[];
let found: string[];
let names: Names;

beforeEach(() => {
  clock = new VirtualClock();
  [open, asked, found] = [new Map(), [], []];
  const addresses = (host: string): Promise<string[]> => {
    asked.push(host);
    return new Promise((done) => open.set(host, done));
  };
  names = new Names({ addresses } as Network, clock, (host, ips) => found.push(`${host} ${ips.join()}`));
});

async function answer(host: string, ...ips: string[]): Promise<void> {
  const done = open.get(host)!;
  open.delete(host);
  done(ips);
  await new Promise((turn) => setImmediate(turn));
}

test('an address is known once it was found, for a while, and so is that there is none', async () => {
  expect(names.addresses('a')).toBeNull();
  expect(names.addresses('a')).toBeNull();
  await answer('a', '10.0.0.1');
  expect(found).toEqual(['a 10.0.0.1']);
  expect(names.addresses('a')).toEqual(['10.0.0.1']);
  clock.advance(5000);
  expect(names.addresses('a')).toBeNull();
  await answer('a');
  expect(names.addresses('a')).toEqual([]);
  expect(asked).toEqual(['a', 'a']);
});

test('two are under way at once, and the others follow in their order', async () => {
  for (const host of ['a', 'b', 'c', 'a', 'd']) names.ask(host);
  expect(asked).toEqual(['a', 'b']);
  await answer('b', '10.0.0.2');
  expect(asked).toEqual(['a', 'b', 'c']);
  await answer('c');
  await answer('a');
  expect(asked).toEqual(['a', 'b', 'c', 'd']);
});

test('so many wait, and so many are remembered', async () => {
  for (let i = 0; i < 5000; i++) names.ask(String(i));
  while (open.size > 0) for (const host of [...open.keys()]) await answer(host, '10.0.0.1');
  expect(asked.length).toBe(1000);
  names.ask('one more');
  await answer('one more', '10.0.0.1');
  expect(names.addresses('0')).toBeNull();
  expect(names.addresses('1')).toEqual(['10.0.0.1']);
});
