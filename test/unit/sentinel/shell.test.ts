/** The shell around the rules: what leaves before and after the disk, and what it makes of time, scripts and messages. */
import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryNetwork, Wires } from '../../../src/base/memory-network.ts';
import type { ProgramEnd, Programs } from '../../../src/base/programs.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { SystemError } from '../../../src/base/system-error.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import { PubSub } from '../../../src/engine/pubsub.ts';
import { Dialer } from '../../../src/links/link.ts';
import type { Configuration } from '../../../src/sentinel/configuration.ts';
import { SentinelLines } from '../../../src/sentinel/file.ts';
import type { Answer, Command } from '../../../src/sentinel/messages.ts';
import { Shell } from '../../../src/sentinel/shell.ts';

const ID = 'a'.repeat(40);
const PEER = 'b'.repeat(40);

/** Programs that end when the test says so. */
class FakePrograms implements Programs {
  readonly started: { readonly words: readonly string[]; readonly end: (end: ProgramEnd) => void }[] = [];

  runnable(): boolean {
    return true;
  }

  start(_: string, words: readonly string[], end: (end: ProgramEnd) => void): { pid: number; kill: () => void } {
    this.started.push({ words, end });
    return { pid: 40 + this.started.length, kill: () => end({ exitCode: 0, signal: 9 }) };
  }
}

let clock: VirtualClock;
let programs: FakePrograms;
let written: Configuration[];
let log: string[];
let failing: boolean;
let shell: Shell;

function configuration(...lines: string[]): Configuration {
  const reader = new SentinelLines(ID, () => true);
  lines.forEach((line, i) => {
    reader.add(line.split(' '), { number: i, line, where: `line ${i}` });
  });
  return reader.read();
}

function start(lines: readonly string[] = ['monitor m 10.0.0.1 6379 1'], fresh = false): void {
  const network = new MemoryNetwork(new Wires(clock, new SeededRandom(1)), 'us');
  const note = (text: string): void => void log.push(text);
  shell = new Shell({
    configuration: configuration(...lines),
    fresh,
    port: 26379,
    settings: { tlsReplication: false, bindSourceAddr: '', requirepass: '' },
    clock,
    random: new SeededRandom(2),
    network,
    programs,
    folder: () => '/srv',
    dialer: new Dialer({ network, fast: null, clock, tls: () => null }),
    pubsub: new PubSub(new Uint32Array(4)),
    log: { debug: note, verbose: note, notice: note, warning: note },
    write(written_) {
      if (failing) throw new SystemError('ENOSPC', 'write', 'sentinel.conf');
      written.push(written_);
    },
    exit: (code) => void log.push(`exit ${code}`),
  });
  shell.start();
}

beforeEach(() => {
  clock = new VirtualClock();
  programs = new FakePrograms();
  written = [];
  log = [];
  failing = false;
});

function ask(command: Command): Answer[] {
  const answers: Answer[] = [];
  shell.ask(command, (answer) => void answers.push(answer));
  return answers;
}

const SET: Command = { name: 'set', master: 'm', words: ['quorum', '2'], executable: () => true };
const VOTE: Command = { name: 'is-master-down-by-addr', host: '10.0.0.1', port: 6379, epoch: 5, runid: PEER };

describe('the file', () => {
  test('an id that is new is written before anything is watched', () => {
    start(undefined, true);
    expect(written).toHaveLength(1);
    expect(log.slice(0, 3)).toEqual([
      'Sentinel new configuration saved on disk',
      `Sentinel ID is ${ID}`,
      '+monitor master m 10.0.0.1 6379 quorum 1',
    ]);
    shell.stop();
  });

  test('what was set is on the disk when it is answered', () => {
    start();
    expect(ask(SET)).toEqual([{ kind: 'ok' }]);
    expect(written.at(-1)?.masters[0].settings.quorum).toBe(2);
    shell.stop();
  });

  test('where the disk refuses, an administrator is told', () => {
    start();
    failing = true;
    expect(ask(SET)).toEqual([{ kind: 'error', text: 'ERR Failed to save config file' }]);
    expect(log.at(-1)).toBe(
      'WARNING: Sentinel was not able to save the new configuration on disk!!!: No space left on device',
    );
    shell.stop();
  });

  test('a vote that can not be kept is not given before it can', () => {
    start();
    failing = true;
    const answers = ask(VOTE);
    expect(answers).toEqual([]);
    clock.advance(3000);
    expect(answers).toEqual([]);
    failing = false;
    clock.advance(3000);
    expect(answers).toEqual([{ kind: 'vote', down: false, leader: PEER, epoch: 5 }]);
    expect(written.at(-1)?.masters[0].leaderEpoch).toBe(5);
    shell.stop();
  });
});

test('it ticks ten to nineteen times a second, and stops', () => {
  start();
  const ticks = new Set<number>();
  for (let i = 0; i < 5000; i++) {
    clock.advance(1);
    ticks.add(shell.state.lastTick);
  }
  expect(ticks.size).toBeGreaterThanOrEqual(50);
  expect(ticks.size).toBeLessThanOrEqual(100);
  shell.stop();
  expect(clock.untilNext).toBeUndefined();
});

test('scripts are started with their words, and one that takes too long is killed', () => {
  start(['monitor m 10.0.0.1 6379 1', 'notification-script m /bin/notify', 'down-after-milliseconds m 1000']);
  for (let i = 0; i < 200; i++) clock.advance(10);
  expect(programs.started.map(({ words }) => words.slice(0, 2))).toContainEqual(['/bin/notify', '+sdown']);
  expect(shell.state.scripts.some(({ running, pid }) => running && pid > 40)).toBe(true);
  for (let i = 0; i < 700; i++) clock.advance(100);
  expect(log.some((line) => line.startsWith('-script-timeout /bin/notify'))).toBe(true);
  shell.stop();
});
