/**
 * A leaderboard: the best result of each player; of equal ones, the one that came first leads.
 *
 * A sorted set orders equal scores by name, so the moment has to be part of the score:
 *
 *   score = points * 2^32 + (2^32 - 1 - seconds since 1970)
 *
 * Scores are doubles and whole up to 2^53: that leaves points up to 2^21 - 1.
 */
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings, type Time } from './surroundings.ts';

export interface Place {
  /** 1 for the best. */
  readonly rank: number;
  readonly player: string;
  readonly points: number;
}

export const MOST_POINTS = 2 ** 21 - 1;
const MOMENTS = 2 ** 32;

/** Rank and neighbours of one moment: asked one after the other, others may climb in between, and the player is not in the list. */
const AROUND = `
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
if not rank then return {0, {}} end
local first = math.max(0, rank - ARGV[2])
return {first, redis.call('ZRANGE', KEYS[1], first, rank + ARGV[2], 'REV', 'WITHSCORES')}`;

export class Leaderboard {
  private readonly redis: Redis;
  private readonly key: string;
  private readonly time: Time;

  constructor(redis: Redis, name: string, time: Time) {
    this.redis = redis;
    this.key = `board:${name}`;
    this.time = time;
  }

  /** GT keeps the best in one step, whatever order results arrive in: an equal one that comes later has a lower score. */
  async submit(player: string, points: number): Promise<void> {
    if (!Number.isInteger(points) || points < 0 || points > MOST_POINTS) throw new RangeError(`${points} points`);
    const moment = Math.floor(this.time.now() / 1000);
    await this.redis.zadd(this.key, 'GT', points * MOMENTS + (MOMENTS - 1 - moment), player);
  }

  async top(count: number): Promise<Place[]> {
    return places(await this.redis.zrange(this.key, 0, String(count - 1), 'REV', 'WITHSCORES'), 0);
  }

  /** The player with so many above and below; empty where there is no such player. */
  async around(player: string, count: number): Promise<Place[]> {
    const reply = await this.redis.eval(AROUND, 1, this.key, player, count);
    const [first, found] = reply as [number, string[]];
    return places(found, first);
  }

  async clear(): Promise<void> {
    await this.redis.del(this.key);
  }
}

/** Players and scores in turn. */
function places(found: readonly string[], first: number): Place[] {
  return Array.from({ length: found.length / 2 }, (_, i) => ({
    rank: first + i + 1,
    player: found[2 * i],
    points: Math.floor(Number(found[2 * i + 1]) / MOMENTS),
  }));
}

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const redis = new Redis(url);
  const board = new Leaderboard(redis, 'demo', time);
  await board.clear();
  await board.submit('zoe', 300);
  await time.sleep(1000);
  for (const [player, points] of [
    ['adam', 300],
    ['eve', 500],
    ['eve', 200],
    ['kim', 100],
  ] as const)
    await board.submit(player, points);
  for (const { rank, player, points } of await board.top(10)) print(`${rank}. ${player} ${points}`);
  print(`around adam: ${(await board.around('adam', 1)).map(({ player }) => player).join(', ')}`);
  redis.disconnect();
}

await runAsProgram(import.meta.url, demo);
