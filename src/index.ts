/** The library's face: a Redis-compatible server inside a Node process. */

export { type Random, SeededRandom } from './base/random.ts';
export { type Clock, type Timer, VirtualClock } from './base/time.ts';
export type { GivenSettings as ServerSettings } from './config/settings.ts';
export { type FixtureOptions, type TestHooks, type TestServer, testServer } from './embed/fixture.ts';
export type { CutOptions, Fault, FaultOptions, FaultSwitch, Faults, LostPart } from './engine/faults.ts';
export type { RecordedCommand, Recording, RecordOptions } from './engine/recorder.ts';
export type { SeenCommand } from './engine/seen.ts';
export type { Log } from './engine/server-port.ts';
export type {
  SeedBytes,
  SeedData,
  SeedEntry,
  SeedRecord,
  SeedStream,
  SeedValue,
} from './persistence/records/seed.ts';
export { ReplyError } from './protocol/reply-error.ts';
export type { LocalSession, SessionOptions } from './server/local.ts';
export { createCluster } from './server/local-cluster.ts';
export type { CinnabarCluster, ClusterOptions } from './server/local-options.ts';
export { type CinnabarSentinels, createSentinels, type SentinelsOptions } from './server/local-sentinels.ts';
export {
  args,
  type CustomCall,
  type CustomCommand,
  type CustomFlag,
  type CustomReply,
  defineCommand,
  type ModuleContext,
  type ModuleFile,
  StatusReply,
} from './server/modules/define.ts';
export type { ModuleRequest } from './server/modules/modules.ts';
export { type CinnabarServer, createServer, type ServerOptions } from './server/server.ts';
export type { Argument, CommandWords, Message, Protocol, ReplyOf, ReplyValue } from './server/session/replies.ts';
export type { Subscription } from './server/session/subscription.ts';
