import { addLongDouble, formatLongDouble, parseLongDouble } from '../../src/base/long-double.ts';
import { formatDouble, parseDouble, parseInteger, writeInteger } from '../../src/base/numbers.ts';
import { sliceOf } from '../../src/base/slice.ts';
import { keep, measure } from './harness.ts';

const N = 500_000;
const target = new Uint8Array(32);

for (const text of ['7', '12345', '1234567890123', '9223372036854775807']) {
  const slice = sliceOf(text);
  measure(`parse integer ${text}`, N, () => {
    let sum = 0;
    for (let i = 0; i < N; i++) sum += parseInteger(slice);
    keep(sum);
  });
}
for (const value of [7, 12345, 1234567890123]) {
  measure(`write integer ${value}`, N, () => {
    for (let i = 0; i < N; i++) keep(writeInteger(target, 0, value + (i & 1)));
  });
}
for (const text of ['3', '3.25', '0.30000000000000004', '1e10']) {
  const slice = sliceOf(text);
  measure(`parse double ${text}`, N, () => {
    let sum = 0;
    for (let i = 0; i < N; i++) sum += parseDouble(slice) ?? 0;
    keep(sum);
  });
}
for (const value of [3, 3.25, 0.1, 1e-10]) {
  measure(`format double ${value}`, 100_000, () => {
    for (let i = 0; i < 100_000; i++) keep(formatDouble(value + (i & 1)).length);
  });
}
const a = sliceOf('10.5');
const b = sliceOf('0.1');
measure('INCRBYFLOAT: parse two, add, format', 20_000, () => {
  for (let i = 0; i < 20_000; i++)
    keep(formatLongDouble(addLongDouble(parseLongDouble(a)!, parseLongDouble(b)!)).length);
});
