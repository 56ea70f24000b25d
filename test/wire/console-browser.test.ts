/** The console in a real browser: what a person sees and does there, in light and dark, on a telephone and at a desk. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Redis } from 'ioredis';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { oracle } from '../support/oracle.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startCinnabar, startSentinel } from '../support/server-process.ts';

const VIEWS = ['overview', 'keys', 'shell', 'slow', 'pubsub', 'topology', 'server'];
const HOSTILE = '<img src=x onerror="alert(1)">';
/** Other work on the machine may keep the browser waiting. */
const PATIENT = { timeout: 15_000 };
const BINARY = Buffer.from([0, 255, 92, 120, 10, 13]);

let browser: Browser | null = null;
let server: ServerProcess;
let client: Redis;
let url: string;
/** What the browser has complained of. */
const complaints: string[] = [];

beforeAll(async () => {
  const port = await freePort();
  server = await startCinnabar('--console-port', String(port));
  client = new Redis(server.port, '127.0.0.1');
  // It is restarted under its clients.
  client.on('error', () => {});
  url = `http://127.0.0.1:${port}`;
  await seed();
  await client.config('SET', 'slowlog-log-slower-than', 0);
});

async function seed(): Promise<void> {
  await client.hset('user:1', { name: 'Ada Lovelace', born: '1815' });
  await client.rpush('queue', 'one', 'two', 'three');
  await client.zadd('board', 10, 'ann', 20.5, 'bob');
  await client.sadd(HOSTILE, HOSTILE);
  await client.xadd('events', '*', 'kind', HOSTILE);
  await client.set(BINARY, BINARY);
  await client.set('greeting', 'schöne neue Welt ☀');
}

afterAll(async () => {
  await browser?.close();
  client.disconnect();
  await server.stop();
});

afterEach(async () => {
  await closePages();
  expect(complaints.splice(0).join('\n')).toBe('');
});

async function closePages(): Promise<void> {
  for (const context of browser?.contexts() ?? []) await context.close();
}

/** Pages go before the server that they ask every second: one that misses it complains. */
async function during(other: ServerProcess, visits: () => Promise<void>): Promise<void> {
  try {
    await visits();
  } finally {
    await closePages();
    await other.stop();
  }
}

interface Visit {
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
  /** Where the console is. */
  readonly at?: string;
}

async function visit(view: string, { colorScheme = 'light', width = 1400, at = url }: Visit = {}): Promise<Page> {
  // A browser that is run by root has no sandbox.
  const args = ['--disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
  browser ??= await chromium.launch({ executablePath: pathOf(oracle('chromium')), args });
  const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
  page.setDefaultTimeout(PATIENT.timeout);
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => complaints.push(`a script has opened a dialog: ${dialog.message()}`));
  page.on('console', (message) => {
    // A login that fails is told to the console as well.
    if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(at)) complaints.push(`asks for ${request.url()}`);
  });
  await page.goto(`${at}/#${view}`);
  return page;
}

function pathOf(program: string): string {
  const paths = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program));
  return paths.find((path) => existsSync(path)) ?? program;
}

/** Runs in the page: controls without a name. */
const NAMELESS = `[...document.querySelectorAll('button, a, input, select, textarea, [role=img]')]
  .filter((element) => {
    const labels = [...(element.labels ?? [])].map((label) => label.textContent).join('');
    const name = (element.getAttribute('aria-label') ?? labels) + element.textContent;
    return name.trim() === '' && element.getClientRects().length > 0;
  })
  .map((element) => element.outerHTML.slice(0, 100))`;

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  test.each([400, 1400])('at %i pixels nothing is cut off, and all controls have names', async (width) => {
    const page = await visit('overview', { colorScheme, width });
    await page.waitForSelector('.tile strong');
    for (const view of VIEWS) {
      await page.goto(`${url}/#${view}`);
      await page.waitForSelector(`nav a[aria-current][href="#${view}"]`);
      await page.waitForTimeout(200);
      expect([view, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([view, width]);
      expect([view, await page.evaluate(NAMELESS)]).toEqual([view, []]);
    }
  });
});

test('figures move with what is done', async () => {
  const page = await visit('overview');
  const keys = page.locator('.tile', { hasText: 'Keys' }).locator('strong');
  await keys.filter({ hasText: /^\d+$/ }).waitFor();
  await client.mset(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`many:${i}`, '1'])));
  await keys.filter({ hasText: '1,007' }).waitFor();
  await client.flushdb();
  await seed();
  await page.locator('code', { hasText: 'FLUSHDB' }).waitFor();
  const latency = page.getByRole('img', { name: /^Latency of commands: Median \d/ });
  await latency.waitFor();
  await latency.focus();
  await page.keyboard.press('ArrowLeft');
  await page
    .locator('.moment', { hasText: /\d\d:\d\d:\d\d/ })
    .first()
    .waitFor();
});

async function open(page: Page, name: string): Promise<void> {
  await page.locator('.keys button', { has: page.locator('.name', { hasText: name }) }).click();
  await page.locator('.key-name', { hasText: name }).waitFor();
}

describe('keys', () => {
  test('are found, and bytes are edited without loss', async () => {
    const page = await visit('keys');
    const shown = '\\x00\\xff\\\\x\\n\\r';
    await open(page, shown);
    const area = page.getByRole('textbox', { name: 'Value' });
    expect(await area.inputValue()).toBe(shown);
    await area.fill(`${shown}\\xfe`);
    await page.getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => client.getBuffer(BINARY), PATIENT).toEqual(Buffer.concat([BINARY, Buffer.from([254])]));
    await area.fill('\\q');
    await page.getByRole('button', { name: 'Save' }).click();
    expect(await client.getBuffer(BINARY)).toHaveLength(BINARY.length + 1);
    await open(page, 'greeting');
    expect(await page.getByRole('textbox', { name: 'Value' }).inputValue()).toBe('schöne neue Welt ☀');
  });

  test('of all types show what they hold, as text whatever it is', async () => {
    const page = await visit('keys');
    for (const [name, text] of [
      ['user:1', 'Ada Lovelace'],
      ['queue', 'two'],
      ['board', '20.5'],
      [HOSTILE, HOSTILE],
      ['events', `kind: ${HOSTILE}`],
    ]) {
      await open(page, name);
      await page.locator('.contents td', { hasText: text }).first().waitFor();
    }
    expect(await page.locator('main img').count()).toBe(0);
  });

  test('are changed element by element', async () => {
    const page = await visit('keys');
    await open(page, 'queue');
    await page.getByRole('button', { name: 'Edit 1' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill('zwei');
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => client.lrange('queue', 0, -1), PATIENT).toEqual(['one', 'zwei', 'three']);
    await page.getByRole('button', { name: 'Remove 0' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expect.poll(() => client.lrange('queue', 0, -1), PATIENT).toEqual(['zwei', 'three']);
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill('four');
    await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
    await expect.poll(() => client.lrange('queue', 0, -1), PATIENT).toEqual(['zwei', 'three', 'four']);
  });

  test('are made, made to expire, renamed and deleted', async () => {
    const page = await visit('keys');
    const dialog = page.getByRole('dialog').last();
    await page.getByRole('button', { name: 'New key' }).click();
    await dialog.getByRole('combobox').selectOption('zset');
    await dialog.getByRole('button', { name: 'Go on' }).click();
    await dialog.getByRole('textbox', { name: 'Key' }).fill('made');
    await dialog.getByRole('textbox', { name: 'Member' }).fill('m');
    await dialog.getByRole('textbox', { name: 'Score' }).fill('1.5');
    await dialog.getByRole('button', { name: 'Create' }).click();
    await expect.poll(() => client.zscore('made', 'm'), PATIENT).toBe('1.5');
    await page.getByRole('button', { name: 'Expiry' }).click();
    await dialog.getByRole('textbox').fill('1000');
    await dialog.getByRole('button', { name: 'Set' }).click();
    await expect.poll(() => client.ttl('made'), PATIENT).toBeGreaterThan(900);
    await page.getByRole('button', { name: 'Rename' }).click();
    await dialog.getByRole('textbox').fill('renamed');
    await dialog.getByRole('button', { name: 'Rename' }).click();
    await expect.poll(() => client.exists('renamed'), PATIENT).toBe(1);
    await page.locator('.key-name', { hasText: 'renamed' }).waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await expect.poll(() => client.exists('renamed'), PATIENT).toBe(0);
  });
});

test('the command line completes, replies as redis-cli does, and tells of messages', async () => {
  const page = await visit('shell');
  const input = page.getByRole('combobox', { name: 'Command' });
  await input.fill('get greeting');
  await input.press('Enter');
  await page.locator('.log .reply', { hasText: '"sch\\xc3\\xb6ne neue Welt \\xe2\\x98\\x80"' }).waitFor();
  await input.pressSequentially('config g');
  await page.getByRole('option', { name: /CONFIG GET/ }).waitFor();
  await input.press('Tab');
  expect(await input.inputValue()).toBe('CONFIG GET ');
  await input.pressSequentially('maxmemory');
  await input.press('Enter');
  await page.locator('.log .reply', { hasText: '1) "maxmemory"' }).waitFor();
  await input.fill('SUBSCRIBE news');
  await input.press('Enter');
  await page.locator('.log .reply', { hasText: '(integer) 1' }).waitFor();
  await client.publish('news', 'hello');
  await page.locator('.log .push', { hasText: '3) "hello"' }).waitFor();
  await input.press('ArrowUp');
  expect(await input.inputValue()).toBe('SUBSCRIBE news');
});

test('what blocks can be cancelled', async () => {
  const page = await visit('shell');
  const input = page.getByRole('combobox', { name: 'Command' });
  await input.fill('BLPOP none 0');
  await input.press('Enter');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.locator('.log .wrong', { hasText: 'Cancelled' }).waitFor();
  await expect.poll(() => client.info('clients'), PATIENT).toContain('blocked_clients:0');
});

test('messages are watched', async () => {
  const page = await visit('pubsub');
  await page.getByLabel('To a').selectOption('pattern');
  await page.getByLabel('Name').fill('news.*');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.locator('.chip', { hasText: 'news.*' }).waitFor();
  await client.publish('news.sport', HOSTILE);
  await page.locator('.messages li', { hasText: HOSTILE }).waitFor();
  expect(await page.locator('.messages img').count()).toBe(0);
});

test('slow commands, clients and settings are shown', async () => {
  await client.call('HSET', 'user:1', 'name', 'Ada Lovelace');
  const page = await visit('slow');
  await page.locator('td code', { hasText: 'HSET user:1 name Ada Lovelace' }).first().waitFor();
  await page.goto(`${url}/#server`);
  await page.locator('td', { hasText: 'cinnabar-console' }).first().waitFor();
  await page.getByRole('searchbox', { name: 'Settings that match' }).fill('maxmemory-p');
  await page.locator('td', { hasText: 'noeviction' }).waitFor();
  await page.getByRole('button', { name: 'Save a snapshot' }).click();
  await page.locator('.notes', { hasText: 'Background saving started' }).waitFor();
});

describe('the topology is a picture', () => {
  test('of a master', async () => {
    const page = await visit('topology');
    await page.getByRole('img', { name: `master 127.0.0.1:${server.port}` }).waitFor();
  });

  test('of a cluster and its slots', async () => {
    const port = await freePort();
    const node = await startCinnabar('--cluster-enabled', 'yes', '--console-port', String(port));
    await during(node, async () => {
      const admin = new Redis(node.port, '127.0.0.1');
      await admin.cluster('ADDSLOTSRANGE', 0, 8191, 10_000, 16_383);
      admin.disconnect();
      const page = await visit('topology', { at: `http://127.0.0.1:${port}` });
      await page.getByRole('img', { name: 'Shard 1: 14,576 slots' }).waitFor();
      await page.getByRole('img', { name: `master ` }).waitFor();
      expect(await page.locator('.slots rect').count()).toBe(2);
    });
  });

  test('of what a Sentinel watches, which has no keys to show', async () => {
    const port = await freePort();
    const lines = [`console-port ${port}`, `sentinel monitor mymaster 127.0.0.1 ${server.port} 1`];
    const sentinel = await startSentinel('cinnabar', lines);
    await during(sentinel, async () => {
      const page = await visit('topology', { at: `http://127.0.0.1:${port}` });
      await page.getByRole('img', { name: `master 127.0.0.1:${server.port}, well; sentinel` }).waitFor();
      expect(await page.getByRole('link', { name: 'Keys' }).count()).toBe(0);
      await page.getByRole('link', { name: 'Server' }).click();
      await page.getByText('A Sentinel keeps no data.').waitFor();
    });
  });
});

test('the page finds its server again', async () => {
  const port = await freePort();
  const options = ['--console-port', String(port)];
  let other = await startCinnabar(...options);
  const page = await visit('overview', { at: `http://127.0.0.1:${port}` });
  await page.locator('.tile').first().waitFor();
  await other.stop();
  await page.getByText('the server is not there').waitFor();
  other = await startCinnabar(...options);
  await during(other, () => page.locator('.status.up').waitFor());
  // That it was not there is told to the console as well.
  complaints.length = 0;
});

test('who may do little sees that, view by view', async () => {
  await client.call('ACL', 'SETUSER', 'ada', 'on', '>lovelace', '+ping');
  await client.config('SET', 'requirepass', 'secret');
  try {
    const page = await visit('overview');
    await page.getByLabel('User').fill('ada');
    await page.getByLabel('Password').fill('lovelace');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('This user may not run INFO').waitFor();
    for (const [view, command] of [
      ['keys', 'scan'],
      ['slow', 'slowlog|get'],
      ['pubsub', 'pubsub|channels'],
      ['topology', 'info'],
      ['server', 'client|list'],
    ]) {
      await page.goto(`${url}/#${view}`);
      await page
        .locator('main .error', { hasText: `no permissions to run the '${command}' command` })
        .first()
        .waitFor();
    }
  } finally {
    await client.config('SET', 'requirepass', '');
    await client.call('ACL', 'DELUSER', 'ada');
  }
});

test('a password is asked for where one is needed', async () => {
  await client.config('SET', 'requirepass', 'secret');
  try {
    const page = await visit('keys');
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').filter({ hasText: 'password' }).waitFor();
    await page.getByLabel('Password').fill('secret');
    await page.getByRole('button', { name: 'Log in' }).click();
    await open(page, 'greeting');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Password').waitFor();
  } finally {
    await client.config('SET', 'requirepass', '');
  }
});
