import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort, freePorts } from './ports.ts';

const SCRIPT = `
  const { freePort } = await import(${JSON.stringify(join(import.meta.dirname, 'ports.ts'))});
  const ports = [];
  for (let i = 0; i < 3; i++) ports.push(await freePort());
  console.log(JSON.stringify(ports));
  process.stdin.resume();
`;

/** Ports that another process was given, which runs until its input ends. */
async function another(): Promise<{ readonly ports: number[]; end(): void }> {
  const args = ['--import', 'tsx', '--input-type=module', '--eval', SCRIPT];
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { ports: JSON.parse(line.toString()) as number[], end: () => child.stdin.end() };
}

test('two processes are never given the same port, and none at which somebody listens', async () => {
  const other = await another();
  const listener = createServer().listen(await freePort(), '127.0.0.1');
  await once(listener, 'listening');
  const mine = new Set<number>();
  for (let i = 0; i < 200; i++) mine.add(await freePort());
  const { port } = listener.address() as { port: number };
  listener.close();
  other.end();
  // Of a block, its guard and the listener apart; fewer where servers of this process hold some.
  expect(mine.size).toBeLessThanOrEqual(98);
  expect(mine).not.toContain(port);
  for (const taken of other.ports) expect(mine).not.toContain(taken);
});

test('ports side by side are all of one block, and given to nobody else', async () => {
  const block = Math.floor((await freePort()) / 100);
  for (let round = 0; round < 20; round++) {
    const [a, alone, b] = await Promise.all([freePorts(4), freePort(), freePorts(2)]);
    const given = [a, a + 1, a + 2, a + 3, alone, b, b + 1];
    expect(new Set(given).size).toBe(7);
    for (const port of given) {
      expect(Math.floor(port / 100)).toBe(block);
      expect(port % 100).not.toBe(0);
    }
  }
});
