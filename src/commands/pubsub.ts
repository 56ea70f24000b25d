/** Publishing to channels, and subscribing to channels, patterns and shard channels. */
import { globMatch } from '../base/glob.ts';
import type { Slice } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command, type KeySpec } from '../engine/command.ts';
import { type Argument, bytes, many, manyOf, optional, pattern } from '../engine/grammar.ts';
import { help } from '../engine/help.ts';
import { TO_REPLICAS } from '../engine/propagation.ts';
import { CHANNELS, type ChannelKind, type Family, PATTERNS, SHARD_CHANNELS, tell } from '../engine/pubsub.ts';
import type { Channel } from '../engine/session.ts';

const FLAGS: readonly CommandFlag[] = ['pubsub', 'noscript', 'loading', 'stale'];
const PUBLISH_FLAGS: readonly CommandFlag[] = ['pubsub', 'loading', 'stale', 'fast', 'may_replicate'];
const PUBSUB_FLAGS: readonly CommandFlag[] = ['pubsub', 'loading', 'stale'];

/** Shard channels lie where keys would, for the sake of the slots. */
const shardSpec = (lastKey: number): readonly KeySpec[] => [
  { access: 'NOT_KEY', begin: { type: 'index', index: 1 }, find: { type: 'range', lastKey, step: 1, limit: 0 } },
];

function subscribe(c: Call, family: Family): void {
  const { session } = c;
  // Subscribing in a transaction was always possible, but for the newer shard channels.
  if (c.denyBlocking && (!session.transaction || family === SHARD_CHANNELS)) {
    c.reply.error(`ERR ${c.registered.name.toUpperCase()} isn't allowed for a DENY BLOCKING client`);
    return;
  }
  for (let i = 1; i < c.argc; i++) {
    c.engine.pubsub.subscribe(session, family.kind, c.arg(i));
    tell(session, family, 'subscribe', c.arg(i));
  }
}

function unsubscribe(c: Call, family: Family): void {
  const { session } = c;
  const { pubsub } = c.engine;
  for (let i = 1; i < c.argc; i++) {
    pubsub.unsubscribe(session, family.kind, c.arg(i));
    tell(session, family, 'unsubscribe', c.arg(i));
  }
  if (c.argc > 1) return;
  const own = session[family.kind];
  if (own === null || own.size === 0) tell(session, family, 'unsubscribe', null);
  for (const channel of own ?? []) {
    pubsub.leave(session, family.kind, channel);
    tell(session, family, 'unsubscribe', channel.name);
  }
}

interface Description {
  readonly name: string;
  readonly since: string;
  readonly complexity: string;
  readonly summary: string;
  readonly args: readonly Argument[];
}

function subscription(family: Family, run: (c: Call, family: Family) => void, description: Description): Command {
  const keySpecs = family === SHARD_CHANNELS ? shardSpec(-1) : undefined;
  return command({
    ...description,
    group: 'pubsub',
    flags: FLAGS,
    traits: ['for_subscribers'],
    ...(keySpecs && { keySpecs }),
    run: (c) => run(c, family),
  });
}

const subscriptions: readonly Command[] = [
  subscription(CHANNELS, subscribe, {
    name: 'SUBSCRIBE',
    since: '2.0.0',
    complexity: 'O(N) in channels.',
    summary: 'Listens to channels.',
    args: [many(bytes('channel'))],
  }),
  subscription(CHANNELS, unsubscribe, {
    name: 'UNSUBSCRIBE',
    since: '2.0.0',
    complexity: 'O(N) in channels.',
    summary: 'Stops listening to channels, or to all of them.',
    args: [optional(many(bytes('channel')))],
  }),
  subscription(PATTERNS, subscribe, {
    name: 'PSUBSCRIBE',
    since: '2.0.0',
    complexity: 'O(N) in patterns.',
    summary: 'Listens to all channels that match patterns.',
    args: [manyOf('pattern', pattern('pattern'))],
  }),
  subscription(PATTERNS, unsubscribe, {
    name: 'PUNSUBSCRIBE',
    since: '2.0.0',
    complexity: 'O(N) in patterns.',
    summary: 'Stops listening to patterns, or to all of them.',
    args: [optional(many(pattern('pattern')))],
  }),
  subscription(SHARD_CHANNELS, subscribe, {
    name: 'SSUBSCRIBE',
    since: '7.0.0',
    complexity: 'O(N) in shard channels.',
    summary: 'Listens to shard channels.',
    args: [many(bytes('shardchannel'))],
  }),
  subscription(SHARD_CHANNELS, unsubscribe, {
    name: 'SUNSUBSCRIBE',
    since: '7.0.0',
    complexity: 'O(N) in shard channels.',
    summary: 'Stops listening to shard channels, or to all of them.',
    args: [optional(many(bytes('shardchannel')))],
  }),
];

/** A message reaches subscribers at other servers: by the bus of the cluster, or as replicas are told of it. */
function tellOthers(c: Call, sharded: boolean): void {
  const { port } = c.engine.membership;
  if (port === null) c.propagateTo(TO_REPLICAS);
  else port.publish(sharded, c.arg(1), c.arg(2));
}

const publish = command({
  name: 'PUBLISH',
  group: 'pubsub',
  since: '2.0.0',
  complexity: 'O(N+M) in subscribers of the channel and in patterns of the server.',
  summary: 'Sends a message to all who listen to a channel, and counts them.',
  flags: PUBLISH_FLAGS,
  args: [bytes('channel'), bytes('message')],
  run(c) {
    c.reply.int(c.engine.pubsub.publish(c.arg(1), c.arg(2)));
    tellOthers(c, false);
  },
});

const spublish = command({
  name: 'SPUBLISH',
  group: 'pubsub',
  since: '7.0.0',
  complexity: 'O(N) in subscribers of the shard channel.',
  summary: 'Sends a message to all who listen to a shard channel, and counts them.',
  flags: PUBLISH_FLAGS,
  args: [bytes('shardchannel'), bytes('message')],
  keySpecs: shardSpec(0),
  run(c) {
    c.reply.int(c.engine.pubsub.publishShard(c.arg(1), c.arg(2)));
    tellOthers(c, true);
  },
});

function replyChannels(c: Call, channels: Iterable<Channel>): void {
  if (c.argc > 3) {
    c.unknownSubcommand(1);
    return;
  }
  const names: Slice[] = [];
  for (const { name } of channels) if (c.argc === 2 || globMatch(c.arg(2), name)) names.push(name);
  c.reply.array(names.length);
  for (const name of names) c.reply.bulk(name);
}

function replySubscribers(c: Call, kind: ChannelKind): void {
  c.reply.array((c.argc - 2) * 2);
  for (let i = 2; i < c.argc; i++) {
    c.reply.bulk(c.arg(i));
    c.reply.int(c.engine.pubsub.find(kind, c.arg(i))?.sessions.size ?? 0);
  }
}

function inspection(description: Description, run: (c: Call) => void): Command {
  return command({ ...description, group: 'pubsub', flags: PUBSUB_FLAGS, run });
}

const pubsub = command({
  name: 'PUBSUB',
  group: 'pubsub',
  since: '2.8.0',
  complexity: 'Depends on the subcommand.',
  summary: 'Looks into who listens to what.',
  flags: [],
  subcommands: [
    inspection(
      {
        name: 'NUMPAT',
        since: '2.8.0',
        complexity: 'O(1)',
        summary: 'Counts the patterns that are listened to.',
        args: [],
      },
      (c) => c.reply.int(c.engine.pubsub.patterns.size),
    ),
    inspection(
      {
        name: 'NUMSUB',
        since: '2.8.0',
        complexity: 'O(N) in channels that are asked for.',
        summary: 'Counts the subscribers of channels.',
        args: [optional(many(bytes('channel')))],
      },
      (c) => replySubscribers(c, 'channels'),
    ),
    inspection(
      {
        name: 'SHARDNUMSUB',
        since: '7.0.0',
        complexity: 'O(N) in shard channels that are asked for.',
        summary: 'Counts the subscribers of shard channels.',
        args: [optional(many(bytes('shardchannel')))],
      },
      (c) => replySubscribers(c, 'shardChannels'),
    ),
    inspection(
      {
        name: 'SHARDCHANNELS',
        since: '7.0.0',
        complexity: 'O(N) in shard channels with subscribers.',
        summary: 'Lists the shard channels that are listened to.',
        args: [optional(pattern('pattern'))],
      },
      (c) => replyChannels(c, c.engine.pubsub.shardChannels),
    ),
    inspection(
      {
        name: 'CHANNELS',
        since: '2.8.0',
        complexity: 'O(N) in channels with subscribers.',
        summary: 'Lists the channels that are listened to.',
        args: [optional(pattern('pattern'))],
      },
      (c) => replyChannels(c, c.engine.pubsub.channels),
    ),
    help(
      'PUBSUB',
      [
        'CHANNELS [<pattern>]',
        '    List the channels that somebody listens to, all or those that match <pattern>.',
        'NUMPAT',
        '    Count the different patterns that somebody listens to.',
        'NUMSUB [<channel> ...]',
        '    Count the subscribers of each <channel>, patterns apart.',
        'SHARDCHANNELS [<pattern>]',
        '    List the shard channels that somebody listens to, all or those that match <pattern>.',
        'SHARDNUMSUB [<shardchannel> ...]',
        '    Count the subscribers of each <shardchannel>.',
      ],
      { group: 'pubsub', since: '6.2.0' },
    ),
  ],
});

export const pubsubCommands: readonly Command[] = [...subscriptions, publish, spublish, pubsub];
