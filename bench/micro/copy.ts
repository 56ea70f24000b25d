import { copyBytes } from '../../src/base/copy.ts';
import { measure } from './harness.ts';

const N = 100_000;
const shared = new Uint8Array(new SharedArrayBuffer(1 << 20));
const plain = new Uint8Array(1 << 16);

for (const length of [64, 128, 192, 256, 1024, 16_384]) {
  const rounds = Math.min(N, Math.ceil(5e7 / length));
  measure(`set() ${length} bytes into shared memory`, rounds, () => {
    for (let i = 0; i < rounds; i++) shared.set(plain.subarray(3, 3 + length), (i & 1023) + 5);
  });
  measure(`copyBytes() ${length} bytes into shared memory`, rounds, () => {
    for (let i = 0; i < rounds; i++) copyBytes(shared, (i & 1023) + 5, plain, 3, length);
  });
  measure(`copyBytes() ${length} bytes out of shared memory`, rounds, () => {
    for (let i = 0; i < rounds; i++) copyBytes(plain, 3, shared, (i & 1023) + 5, length);
  });
  for (const by of [8, 5]) {
    measure(`copyWithin() ${length} bytes by ${by}`, rounds, () => {
      for (let i = 0; i < rounds; i++) shared.copyWithin((i & 1023) + by, i & 1023, (i & 1023) + length);
    });
    measure(`copyBytes() ${length} bytes by ${by}`, rounds, () => {
      for (let i = 0; i < rounds; i++) copyBytes(shared, (i & 1023) + by, shared, i & 1023, length);
    });
  }
}
