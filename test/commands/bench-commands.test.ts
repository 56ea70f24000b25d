/** The rows of `npm run bench:commands`: they are of all commands, and what they measure is no error. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commandsOf, FAMILIES, NOT_MEASURED, SETTINGS, SMOKE_SIZES } from '../../bench/wire/commands/families.ts';
import { begin, type Words } from '../../bench/wire/commands/row.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';

const TRIED = [0, 77];

let folder: string;
let server: CinnabarServer;
let client: Pipeline;

async function start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
  server = createServer({ port: await freePort(), settings: { save: '', dir: folder, ...SETTINGS, ...settings } });
  await server.listen();
  client = new Pipeline(server.port);
}

/** Sends commands, a thousand at a time, and demands that none is refused. */
async function accepted(what: string, commands: Iterable<Words>): Promise<void> {
  const all = [...commands];
  for (let from = 0; from < all.length; from += 1000) {
    const answers = await client.send(all.slice(from, from + 1000));
    expect(
      answers.filter((answer) => answer instanceof Error),
      what,
    ).toEqual([]);
  }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-test-'));
});

afterEach(async () => {
  client.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

describe('the rows', () => {
  test('are of every command, or there is a reason why not', async () => {
    await start();
    const listed = (await client.call('COMMAND', 'LIST')) as string[];
    // Subcommands stand behind a bar.
    const names = listed.filter((name) => !name.includes('|'));
    const measured = commandsOf(FAMILIES.flatMap((family) => family.rows(SMOKE_SIZES)));
    const covered = [...measured, ...Object.keys(NOT_MEASURED)].sort();
    expect(covered).toEqual(names.map((name) => name.toUpperCase()).sort());
  });

  test.each(FAMILIES)('of $name are replied to without an error', async (family) => {
    await start(family.settings);
    await begin(
      family,
      (words) => client.call(...words),
      () => new Promise((done) => setTimeout(done, 50)),
    );
    await accepted(`data of ${family.name}`, family.data(SMOKE_SIZES));
    for (const { name, database = 0, step } of family.rows(SMOKE_SIZES)) {
      // What a connection that subscribes is told beyond its replies goes to a connection that is closed.
      await accepted(name, [['SELECT', String(database)], ...TRIED.flatMap(step)]);
      client.close();
      client = new Pipeline(server.port);
    }
  });
});
