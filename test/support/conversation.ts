/**
 * Several connections that talk to one server in turn, and what each of them heard, pushes included: for comparing two
 * servers where the order of pushes and replies on a connection matters.
 *
 *   1 HELLO 3            connection 1 sends a command and waits for something to come
 *   1! GET a             the same without waiting, where no reply will come
 *   wait 20              nobody sends for so many milliseconds
 *   @2                   in an argument: the id of connection 2
 */
import { connect, type Socket } from 'node:net';
import { RespReader, type RespValue } from './resp.ts';

const QUIET_MILLISECONDS = 30;
const UNANSWERED_MILLISECONDS = 10;
const SETTLE_MILLISECONDS = 3;
const SLOWEST_MILLISECONDS = 5000;

class Line {
  id = 0;
  private readonly socket: Socket;
  private chunks: Buffer[] = [];
  private received = 0;
  private notify: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.notify());
    this.socket.on('data', (chunk) => {
      this.chunks.push(chunk);
      this.received += chunk.length;
      this.notify();
    });
  }

  async send(words: readonly string[], answered = true): Promise<void> {
    const before = this.received;
    const parts = words.map((word) => `$${Buffer.byteLength(word, 'latin1')}\r\n${word}\r\n`).join('');
    this.socket.write(Buffer.from(`*${words.length}\r\n${parts}`, 'latin1'));
    if (!answered) await new Promise((done) => setTimeout(done, UNANSWERED_MILLISECONDS));
    if (!answered || this.received > before) return;
    await new Promise<void>((done) => {
      const late = setTimeout(done, SLOWEST_MILLISECONDS);
      this.notify = () => {
        clearTimeout(late);
        done();
      };
    });
    this.notify = () => {};
    // What others are told by this command arrives before the next one is sent.
    await new Promise((done) => setTimeout(done, SETTLE_MILLISECONDS));
  }

  /** What has come since the last time. */
  heard(): RespValue[] {
    const values = new RespReader(Buffer.concat(this.chunks)).all();
    this.chunks = [];
    return values;
  }

  close(): void {
    this.socket.destroy();
  }
}

async function openLine(port: number): Promise<Line> {
  const line = new Line(port);
  await line.send(['CLIENT', 'ID']);
  line.id = Number(line.heard()[0]);
  return line;
}

/** Opens and closes connections until the two servers give the next one the same id. */
export async function alignIds(ports: readonly [number, number]): Promise<void> {
  const ids: [number, number] = [0, 0];
  const draw = async (i: 0 | 1): Promise<void> => {
    const line = await openLine(ports[i]);
    ids[i] = line.id;
    line.close();
  };
  await draw(0);
  await draw(1);
  while (ids[0] !== ids[1]) await draw(ids[0] < ids[1] ? 0 : 1);
}

/** Plays the script and answers with what each connection heard, the first connection first. */
export async function converse(port: number, script: string): Promise<RespValue[][]> {
  const steps = script
    .split('\n')
    .map((text) => text.trim())
    .filter((text) => text !== '' && !text.startsWith('#'))
    .map((text) => [...text.matchAll(/"([^"]*)"|(\S+)/g)].map((found) => found[1] ?? found[2]));
  const count = Math.max(...steps.map(([who]) => Number.parseInt(who, 10) || 1));
  const all: Line[] = [];
  for (let i = 0; i < count; i++) all.push(await openLine(port));
  for (const [who, ...words] of steps) {
    if (who === 'wait') await new Promise((done) => setTimeout(done, Number(words[0])));
    else
      await all[Number.parseInt(who, 10) - 1].send(
        words.map((word) => word.replace(/^@(\d)$/, (_, other: string) => String(all[Number(other) - 1].id))),
        !who.endsWith('!'),
      );
  }
  await new Promise((done) => setTimeout(done, QUIET_MILLISECONDS));
  const heard = all.map((line) => line.heard());
  for (const line of all) line.close();
  return heard;
}
