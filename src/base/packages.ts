/**
 * The packages that the server builds on, each loaded when it is first used: together they cost a start 30 ms of CPU,
 * and most starts need none. They are CommonJS, so that a function can load one and go on at once.
 */
import { createRequire } from 'node:module';
import type * as Commander from 'commander';
import type * as Pino from 'pino';
import type RedisParser from 'redis-parser';

const load = createRequire(import.meta.url);

/** Reads our own words of a command line. */
export function commander(): typeof Commander {
  return load('commander');
}

/** Writes the log as JSON. */
export function pino(): typeof Pino {
  return load('pino');
}

/** Reads replies, wherever we are the client. */
export function redisParser(): typeof RedisParser {
  return load('redis-parser');
}
