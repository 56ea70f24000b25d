/** The library's face: a Redis-compatible server inside a Node process. */
export type { Argument, LocalSession, ReplyValue } from './server/local.ts';
export { type CinnabarServer, createServer, type ServerOptions } from './server/server.ts';
