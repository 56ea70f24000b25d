/** Settings that nothing reads are known, and whoever sets one is told. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { fieldName } from '../../../src/config/option.ts';
import { OPTIONS } from '../../../src/config/settings.ts';
import { createServer } from '../../../src/server/server.ts';
import { UNREAD } from '../../../src/server/unread.ts';

const SOURCE = resolve(import.meta.dirname, '../../../src');

/** Where settings are declared, where those without a reader are listed, and where some are only shown. */
const NO_READERS = ['config/options', 'server/unread.ts', 'console/metrics'];

function sourceText(): string {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts') && !NO_READERS.some((place) => file.startsWith(place)))
    .map((file) => readFileSync(join(SOURCE, file), 'utf8'))
    .join('\n')
    .replace(/from '[^']*'/g, '');
}

test('the settings that no code names are those that are said to have no effect', () => {
  const words = new Set(sourceText().match(/[\w-]+/g));
  const unread = OPTIONS.map(({ name }) => name).filter((name) => !words.has(fieldName(name)) && !words.has(name));
  expect(unread.sort()).toEqual(Object.keys(UNREAD).sort());
});

test('CONFIG SET of one is told in the log', async () => {
  const told: string[] = [];
  const log = { debug() {}, verbose() {}, notice() {}, warning: (line: string) => void told.push(line) };
  const server = createServer({ settings: { save: '', 'disable-thp': 'no' }, log });
  const session = server.session();
  await session.call('CONFIG', 'SET', 'crash-log-enabled', 'no', 'maxmemory', '0');
  expect(told.filter((line) => line.includes('no effect'))).toEqual([
    'The setting disable-thp has no effect: huge pages are left as the system has them.',
    'The setting crash-log-enabled has no effect: no report is written of a crash.',
  ]);
  await server.close();
});
