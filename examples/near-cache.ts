/**
 * Client-side caching: what was read stays in the program's own memory, and the server tells when it has changed. A read that
 * hits costs no round trip at all.
 *
 * It needs RESP3, whose connections carry such messages between replies (CLIENT TRACKING). What the library sees to:
 *   - an invalidation may arrive between a question and its reply; that reply is not kept
 *   - while the connection is lost nobody would tell: all is forgotten with it
 *
 * A value may be old for as long as the message is on its way. What must be right at this moment is asked without the cache.
 */
import { BasicClientSideCache, createClient } from 'redis';
import { runAsProgram, type Surroundings } from './surroundings.ts';

export interface NearCache {
  get(key: string): Promise<string | null>;
  /** Questions that memory has answered, and that went to the server. */
  figures(): { hits: number; misses: number };
  close(): void;
}

export async function nearCache(url: string): Promise<NearCache> {
  // A time to live besides, for what was cached at the moment of a fault that nobody has thought of; and no more entries than
  // memory is to be spent on.
  const cache = new BasicClientSideCache({ ttl: 60_000, maxEntries: 10_000, evictPolicy: 'LRU' });
  const client = createClient({ url, RESP: 3, clientSideCache: cache });
  client.on('error', () => {});
  await client.connect();
  return {
    get: (key) => client.get(key),
    figures() {
      const { hitCount, missCount } = cache.stats();
      return { hits: hitCount, misses: missCount };
    },
    close: () => client.destroy(),
  };
}

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const writer = createClient({ url });
  await writer.connect();
  await writer.set('motd', 'hello');
  const cache = await nearCache(url);
  for (let i = 0; i < 100; i++) await cache.get('motd');
  print(`100 reads: ${cache.figures().misses} went to the server`);
  await writer.set('motd', 'good evening');
  while ((await cache.get('motd')) === 'hello') await time.sleep(1);
  print(`after a change: "${await cache.get('motd')}"`);
  cache.close();
  writer.destroy();
}

await runAsProgram(import.meta.url, demo);
