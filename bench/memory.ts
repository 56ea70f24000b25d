/** What a key costs: used_memory over many short keys. */
import { Pipeline } from '../test/support/pipeline.ts';

const BATCH = 10_000;

async function usedMemory(client: Pipeline): Promise<number> {
  const info = String(await client.call('INFO', 'memory'));
  const found = /used_memory:(\d+)/.exec(info);
  if (found === null) throw new Error('INFO has no used_memory');
  return Number(found[1]);
}

/** Bytes of used_memory per key for `count` keys of 16 bytes with values of 3; leaves the server empty. */
export async function bytesPerKey(port: number, count: number): Promise<number> {
  const client = new Pipeline(port);
  try {
    await client.call('FLUSHALL');
    const before = await usedMemory(client);
    for (let from = 0; from < count; from += BATCH) {
      const commands: string[][] = [];
      for (let i = from; i < Math.min(count, from + BATCH); i++)
        commands.push(['SET', 'key:' + String(i).padStart(12, '0'), 'xxx']);
      await client.send(commands);
    }
    const after = await usedMemory(client);
    await client.call('FLUSHALL');
    return (after - before) / count;
  } finally {
    client.close();
  }
}
