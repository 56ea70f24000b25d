/** What a build must keep to, looked at in dist/. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const DIST = join(import.meta.dirname, '../../../dist');

test('V8 keeps the text of each module at one byte a character, without comments', () => {
  for (const name of readdirSync(DIST).filter((name) => /\.c?js$/.test(name))) {
    const text = readFileSync(join(DIST, name));
    expect(
      text.every((byte) => byte < 0x80),
      name,
    ).toBe(true);
    expect(text.includes('\n/**'), name).toBe(false);
  }
});
