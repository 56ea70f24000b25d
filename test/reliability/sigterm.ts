/**
 * SIGTERM under load: eight clients write without waiting, the server is told to end at a random moment, and after its
 * restart every write that it acknowledged is there, since a server with save points saves on SIGTERM.
 *
 * Planted bug, found in the first cycle: a shutdown that closes without the final save.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '../../src/base/random.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { pause, Raw, until } from './harness.ts';

const CLIENTS = 8;
const BATCH = 50;
const OK = '+OK\r\n';
const KEYS_AT_ONCE = 500;

export interface SigtermReport {
  readonly cycles: number;
  readonly acknowledged: number;
  readonly lost: number;
}

interface Writer {
  readonly raw: Raw;
  sent: number;
}

function keyOf(client: number, i: number): string {
  return `client:${client}:${i}`;
}

function writeMore(writer: Writer, client: number): void {
  for (let i = 0; i < BATCH; i++) writer.raw.call('SET', keyOf(client, writer.sent++), 'x');
}

/** Writes until the server has gone; how many writes of each client were acknowledged. */
async function writeUntilGone(server: ServerProcess, random: SeededRandom): Promise<number[]> {
  const writers: Writer[] = Array.from({ length: CLIENTS }, () => ({ raw: new Raw(server.port), sent: 0 }));
  await until(() => writers.every(({ raw }) => raw.connected), 'all writers are connected');
  const acknowledged = ({ raw }: Writer): number => raw.received.split(OK).length - 1;
  let ending: Promise<void> | undefined;
  const deadline = Date.now() + 20 + random.below(130);
  while (!writers.every(({ raw }) => raw.closed)) {
    writers.forEach((writer, client) => {
      if (!writer.raw.closed && writer.sent - acknowledged(writer) < BATCH * 4) writeMore(writer, client);
    });
    if (ending === undefined && Date.now() >= deadline) ending = server.stop();
    await pause(1);
  }
  await (ending ?? server.stop());
  return writers.map(acknowledged);
}

/** Acknowledged writes that the server doesn't know any more. */
async function countLost(server: ServerProcess, acknowledged: readonly number[]): Promise<number> {
  const raw = new Raw(server.port);
  let lost = 0;
  for (let client = 0; client < acknowledged.length; client++) {
    for (let from = 0; from < acknowledged[client]; from += KEYS_AT_ONCE) {
      const to = Math.min(acknowledged[client], from + KEYS_AT_ONCE);
      raw.received = '';
      raw.call('EXISTS', ...Array.from({ length: to - from }, (_, i) => keyOf(client, from + i)));
      await until(() => raw.received.endsWith('\r\n'), 'EXISTS is answered');
      lost += to - from - Number(raw.received.slice(1, -2));
    }
  }
  raw.received = '';
  raw.call('FLUSHALL');
  await until(() => raw.received === OK, 'FLUSHALL is answered');
  raw.socket.destroy();
  return lost;
}

export async function sigtermUnderLoad(cycles: number, seed: number): Promise<SigtermReport> {
  const random = new SeededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-sigterm-'));
  const begin = (): Promise<ServerProcess> => startCinnabar('--dir', folder, '--save', '3600 1');
  let server = await begin();
  let total = 0;
  let lost = 0;
  try {
    for (let cycle = 0; cycle < cycles; cycle++) {
      const acknowledged = await writeUntilGone(server, random);
      server = await begin();
      total += acknowledged.reduce((sum, each) => sum + each, 0);
      lost += await countLost(server, acknowledged);
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { cycles, acknowledged: total, lost };
}
