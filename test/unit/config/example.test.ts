import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sliceOf } from '../../../src/base/slice.ts';
import { Config } from '../../../src/config/config.ts';
import { ConfigReader } from '../../../src/config/file.ts';
import { exampleText } from '../../support/conf-example.ts';

const FILE = join(import.meta.dirname, '../../../redis.conf.example');
const NONE = {
  renameCommand: () => undefined,
  user: () => undefined,
  loadModule: () => undefined,
  sentinel: () => undefined,
};

/** UPDATE_EXAMPLE=1 writes the file anew. */
test('redis.conf.example holds every setting, as it is declared', () => {
  if (process.env['UPDATE_EXAMPLE']) writeFileSync(FILE, exampleText());
  expect(readFileSync(FILE, 'utf8')).toBe(exampleText());
});

test('redis.conf.example can be read, and changes nothing', () => {
  const usual = new Config();
  const read = new Config();
  new ConfigReader(read, NONE).readText(readFileSync(FILE, 'utf8'));
  for (const [name, text] of usual.get([sliceOf('*')])) expect([name, read.text(name)]).toEqual([name, text]);
});
