import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Beside } from '../support/beside.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

/** Runs the same on both servers: a listener that subscribes, then commands of another client; what the listener heard. */
async function heard(subscribe: string[][], commands: string[][]): Promise<Answer[][]> {
  return Promise.all(
    [both.server.port, both.theirsPort].map(async (port) => {
      const listener = new Pipeline(port);
      const speaker = new Pipeline(port);
      const told = await listener.send(subscribe);
      const replies = await speaker.send(commands);
      await new Promise((done) => setTimeout(done, 50));
      const messages = listener.unasked();
      listener.close();
      speaker.close();
      return [told, replies, messages];
    }),
  );
}

async function sameHeard(subscribe: string[][], commands: string[][]): Promise<void> {
  const [ours, theirs] = await heard(subscribe, commands);
  expect(ours).toEqual(theirs);
}

describe('beside the real server', () => {
  test('subscribing and leaving again', () =>
    both.same(`
      UNSUBSCRIBE
      PUNSUBSCRIBE
      SUNSUBSCRIBE
      UNSUBSCRIBE a
      SUBSCRIBE a
      PSUBSCRIBE a*
      SSUBSCRIBE a
      SUBSCRIBE a
      GET a
      PING
      PING x
      UNSUBSCRIBE a
      PUNSUBSCRIBE
      SUNSUBSCRIBE a
      PUBSUB NUMPAT
      PUBSUB NUMSUB a b
      PUBSUB NUMSUB
      PUBSUB CHANNELS
      PUBSUB CHANNELS a b
      PUBSUB SHARDCHANNELS
      PUBSUB SHARDNUMSUB a
      PUBSUB FOO
      PUBSUB
      SUBSCRIBE
      PUBLISH a
      PUBLISH a b
      SPUBLISH a b
    `));

  test('messages to channels and patterns', () =>
    sameHeard(
      [
        ['SUBSCRIBE', 'news'],
        ['PSUBSCRIBE', 'n*'],
        ['SSUBSCRIBE', 'shard'],
      ],
      [
        ['PUBLISH', 'news', 'hello'],
        ['PUBLISH', 'nothing', 'to all'],
        ['PUBLISH', 'other', 'unheard'],
        ['SPUBLISH', 'shard', '\x00\xff\r\n'],
        ['SPUBLISH', 'news', 'unheard'],
        ['PUBSUB', 'CHANNELS'],
        ['PUBSUB', 'CHANNELS', 'n?ws'],
        ['PUBSUB', 'NUMPAT'],
        ['PUBSUB', 'NUMSUB', 'news', 'other'],
        ['PUBSUB', 'SHARDCHANNELS'],
        ['PUBSUB', 'SHARDNUMSUB', 'shard', 'news'],
      ],
    ));

  test('within a transaction', () =>
    both.same(`
      MULTI
      SUBSCRIBE a
      SSUBSCRIBE a
      UNSUBSCRIBE a
      PUBLISH a b
      EXEC
    `));

  test('keyspace events', async () => {
    await both.same('FLUSHALL\nCONFIG SET notify-keyspace-events KEAnm');
    await sameHeard(
      [['PSUBSCRIBE', '__key*']],
      `SET a 1|SET a 2 EX 100|GET none|INCR a|APPEND a x|EXPIRE a 100|PERSIST a|EXPIRE a -1|DEL a|SET a 1|RENAME a b
      |SET c 1|RENAME b c|MOVE c 5|SET c 1|COPY c d|COPY c d REPLACE|COPY c d DB 3|GETDEL c|LPUSH l 1|RPUSH l 2|LPOP l|RPOP l
      |SADD s 1 2|SREM s 1|SPOP s|HSET h a 1|HINCRBY h a 2|HDEL h a|ZADD z 1 a|ZINCRBY z 1 a|ZREM z a|MSET x 1 y 2
      |SETRANGE x 5 abc|GETEX x EX 100|GETEX x PERSIST|UNLINK x y none|RPUSH l 1 2 3|LTRIM l 0 0|LSET l 0 x|LREM l 0 x
      |SADD s a b|SUNIONSTORE t s|SMOVE s t a|RPUSH q 3 1 2|SORT q STORE r|LINSERT q BEFORE 3 9|LMOVE q r LEFT RIGHT`
        .split('|')
        .map((line) => line.trim().split(' ')),
    );
    await both.same('CONFIG SET notify-keyspace-events ""');
  });
});
