/** Live figures: when they are taken, and what they say. */
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/base/time.ts';
import { Sampler } from '../../../src/console/sampler.ts';
import type { Sample } from '../../../src/console/wire.ts';
import { LatencyHistogram } from '../../../src/engine/histogram.ts';

function stage() {
  const clock = new VirtualClock();
  const histogram = new LatencyHistogram();
  const counted = { name: 'get', calls: 0, microseconds: 0, histogram };
  const fields: Record<string, number | string> = { total_commands_processed: 0 };
  let looks = 0;
  const sampler = new Sampler({
    clock,
    info: () => {
      looks++;
      return Object.entries(fields)
        .map(([name, value]) => `${name}:${value}\r\n`)
        .join('');
    },
    commands: () => [counted],
  });
  const call = (microseconds: number): void => {
    counted.calls++;
    counted.microseconds += microseconds;
    histogram.record(microseconds);
  };
  return { clock, sampler, fields, counted, call, looks: () => looks };
}

test('nobody looks, nothing is taken; all who look share one look', () => {
  const { clock, sampler, looks } = stage();
  clock.advance(10_000);
  expect(looks()).toBe(0);
  const seen: Sample[] = [];
  const one = (sample: Sample): void => void seen.push(sample);
  const two = (sample: Sample): void => void seen.push(sample);
  sampler.watch(one);
  sampler.watch(two);
  clock.advance(3000);
  expect(looks()).toBe(4);
  expect(seen).toHaveLength(6);
  sampler.leave(one);
  clock.advance(1000);
  expect(seen).toHaveLength(7);
  sampler.leave(two);
  expect(clock.untilNext).toBeUndefined();
  expect(sampler.latest).toEqual([]);
});

test('rates are a second, and a counter that was reset counts from there on', () => {
  const { clock, sampler, fields } = stage();
  const seen: number[] = [];
  sampler.watch(({ operations }) => seen.push(operations));
  fields['total_commands_processed'] = 500;
  clock.advance(1000);
  fields['total_commands_processed'] = 20;
  clock.advance(1000);
  expect(seen).toEqual([500, 20]);
});

test('latencies are of the last second only', () => {
  const { clock, sampler, call } = stage();
  call(5000);
  const seen: (Sample['latency'] | Sample['commands'])[] = [];
  sampler.watch(({ latency, commands }) => seen.push(latency, commands));
  for (let i = 0; i < 99; i++) call(10);
  call(20);
  clock.advance(1000);
  clock.advance(1000);
  expect(seen).toEqual([{ median: 10, p99: 10, p999: 20 }, [{ name: 'get', calls: 100, time: 1010 }], null, []]);
});

test('five minutes are kept for who comes later', () => {
  const { clock, sampler } = stage();
  sampler.watch(() => {});
  clock.advance(400_000);
  expect(sampler.latest).toHaveLength(300);
});
