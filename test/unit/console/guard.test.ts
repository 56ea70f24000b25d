/** Whose requests are answered. */
import { describe, expect, test } from 'vitest';
import { type RequestHead, refusal } from '../../../src/console/guard.ts';

const HEAD: RequestHead = {
  method: 'GET',
  path: '/',
  host: '127.0.0.1:8379',
  origin: undefined,
  site: undefined,
  mode: undefined,
  contentType: undefined,
};

function refuses(head: Partial<RequestHead>, hosts: readonly string[] = []): boolean {
  return refusal({ ...HEAD, ...head }, hosts) !== undefined;
}

describe('Host', () => {
  test.each([
    'localhost',
    'localhost:8379',
    'LOCALHOST:1',
    'a.localhost:8379',
    '127.0.0.1',
    '[::1]:8379',
    '192.0.2.7:80',
  ])('%s is ours', (host) => expect(refuses({ host })).toBe(false));

  test.each([
    undefined,
    '',
    'evil.example:8379',
    'localhost.evil.example',
    'localhost.',
    '127.0.0.1.evil.example',
    '127.0.0.1:8379@evil.example',
    'notlocalhost',
    '[::1].evil.example',
    '[]',
    '0x7f.1',
    '2130706433',
    'console.example.org',
  ])('%s is not', (host) => expect(refuses({ host })).toBe(true));

  test('names that the settings give are ours', () => {
    expect(refuses({ host: 'console.example.org' }, ['Console.Example.org'])).toBe(false);
    expect(refuses({ host: 'a.console.example.org' }, ['console.example.org'])).toBe(true);
  });
});

describe('Origin', () => {
  test('our own page may', () => {
    expect(refuses({ origin: 'http://127.0.0.1:8379' })).toBe(false);
    expect(refuses({ host: 'x.example', origin: 'https://x.example' }, ['x.example'])).toBe(false);
  });

  test.each([
    'null',
    'http://127.0.0.1:3000',
    'http://localhost:8379',
    'http://evil.example',
    'http://127.0.0.1:8379.evil',
  ])('a page of %s may not', (origin) => expect(refuses({ origin })).toBe(true));
});

describe('Sec-Fetch-Site', () => {
  test.each(['same-site', 'cross-site', 'whatever'])('what comes from %s is refused', (site) => {
    expect(refuses({ site, mode: 'cors' })).toBe(true);
    expect(refuses({ site, mode: 'no-cors' })).toBe(true);
    expect(refuses({ site })).toBe(true);
    expect(refuses({ site, mode: 'navigate', method: 'POST', contentType: 'application/json' })).toBe(true);
  });

  test('a link to the page may be followed', () => {
    expect(refuses({ site: 'cross-site', mode: 'navigate' })).toBe(false);
    for (const path of ['/events', '/metrics', '/page.js'])
      expect(refuses({ site: 'cross-site', mode: 'navigate', path })).toBe(true);
    expect(refuses({ site: 'none', mode: 'navigate' })).toBe(false);
    expect(refuses({ site: 'same-origin', mode: 'cors' })).toBe(false);
  });
});

test.each([
  undefined,
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/application/json',
])('a body of type %s, which any page can send, is refused', (contentType) =>
  expect(refuses({ method: 'POST', contentType })).toBe(true),
);

test('JSON is taken', () => {
  expect(refuses({ method: 'POST', contentType: 'application/json' })).toBe(false);
  expect(refuses({ method: 'POST', contentType: 'application/json; charset=utf-8' })).toBe(false);
});
