/**
 * A thousand buyers, a hundred pieces, one moment. Stock, buyers and orders change in one script, which nothing interrupts:
 * never more is sold than there is, nobody buys twice, and there is an order for each piece that is gone.
 *
 * The database hears of it later, from the stream of orders, at its own pace (workers.ts).
 */
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings } from './surroundings.ts';

export type Outcome = 'bought' | 'sold out' | 'bought before';

/** DECR first and a look at its result afterwards would sell no piece too many either, but leave the stock below 0. */
const BUY = `
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then return 'bought before' end
if tonumber(redis.call('GET', KEYS[1]) or 0) < 1 then return 'sold out' end
redis.call('DECR', KEYS[1])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('XADD', KEYS[3], '*', 'buyer', ARGV[1], 'kind', 'bought')
return 'bought'`;

/** Who has not paid gives the piece back, once: the set tells whether there is one to give back. */
const CANCEL = `
if redis.call('SREM', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[3], '*', 'buyer', ARGV[1], 'kind', 'cancelled')
return 1`;

export class FlashSale {
  private readonly redis: Redis;
  private readonly keys: readonly [stock: string, buyers: string, orders: string];

  constructor(redis: Redis, name: string) {
    this.redis = redis;
    // Braces: a script may touch what lies in one slot of a cluster.
    this.keys = [`sale:{${name}}:stock`, `sale:{${name}}:buyers`, `sale:{${name}}:orders`];
  }

  async open(stock: number): Promise<void> {
    const [stockKey, ...others] = this.keys;
    await this.redis
      .multi()
      .del(...others)
      .set(stockKey, stock)
      .exec();
  }

  /** A buyer whose answer got lost may ask again: the second answer says that the first one was yes. */
  async buy(buyer: string): Promise<Outcome> {
    return (await this.redis.eval(BUY, 3, ...this.keys, buyer)) as Outcome;
  }

  async cancel(buyer: string): Promise<boolean> {
    return (await this.redis.eval(CANCEL, 3, ...this.keys, buyer)) === 1;
  }

  async figures(): Promise<{ stock: number; buyers: number; orders: number }> {
    const [stock, buyers, orders] = this.keys;
    // In one transaction, or they would be of different moments.
    const replies = await this.redis.multi().get(stock).scard(buyers).xlen(orders).exec();
    const [left, bought, written] = (replies ?? []).map(([, reply]) => Number(reply));
    return { stock: left, buyers: bought, orders: written };
  }
}

export async function demo({ url, print }: Surroundings): Promise<void> {
  const connections = Array.from({ length: 10 }, () => new Redis(url));
  const sales = connections.map((redis) => new FlashSale(redis, 'lamp'));
  await sales[0].open(100);
  const outcomes = await Promise.all(Array.from({ length: 1000 }, (_, i) => sales[i % sales.length].buy(`buyer-${i}`)));
  print(`bought: ${outcomes.filter((outcome) => outcome === 'bought').length} of 1000 buyers`);
  print(JSON.stringify(await sales[0].figures()));
  for (const redis of connections) redis.disconnect();
}

await runAsProgram(import.meta.url, demo);
