import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RealDisk } from '../../../src/base/disk.ts';
import { RealClock } from '../../../src/base/time.ts';
import { Config } from '../../../src/config/config.ts';
import { LatencyMonitor } from '../../../src/engine/latency.ts';
import { LogFile } from '../../../src/persistence/aof/log-file.ts';
import { AofWriter } from '../../../src/persistence/aof/writer.ts';

const disk = new RealDisk();
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-writer-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');
const SELECT = '*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n';

function writerWith(appendfsync: 'everysec' | 'always' | 'no'): AofWriter {
  const silent = (): void => {};
  return new AofWriter({
    settings: { ...new Config().settings, appendfsync },
    clock: new RealClock(),
    log: { debug: silent, verbose: silent, notice: silent, warning: silent },
    latency: new LatencyMonitor(),
    busy: () => false,
    changed: silent,
    die: silent,
  });
}

test.each(['everysec', 'always', 'no'] as const)(
  '%s: what follows an increment is written behind it',
  async (policy) => {
    const writer = writerWith(policy);
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    writer.open(LogFile.create(disk, first));
    writer.effect(0, PING, 0, PING.length);
    writer.flush(false);
    expect(readFileSync(first, 'latin1')).toBe(`${SELECT}${PING}`);
    writer.open(LogFile.create(disk, second));
    writer.effect(0, PING, 0, PING.length);
    writer.flush(false);
    // Only everysec has what was written to the first one still to be synced, and promises anything about it.
    expect(readFileSync(second, 'latin1')).toBe(policy === 'everysec' ? '' : `${SELECT}${PING}`);
    while (writer.pending > 0) await new Promise((done) => setTimeout(done, 1));
    expect(readFileSync(second, 'latin1')).toBe(`${SELECT}${PING}`);
    writer.close();
  },
);

test('everysec: what must not be lost with the process is written without waiting', () => {
  const writer = writerWith('everysec');
  writer.open(LogFile.create(disk, join(folder, 'first')));
  writer.open(LogFile.create(disk, join(folder, 'second')));
  writer.effect(0, PING, 0, PING.length);
  writer.flush(true);
  expect(readFileSync(join(folder, 'second'), 'latin1')).toBe(`${SELECT}${PING}`);
  writer.close();
});
