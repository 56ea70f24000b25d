/** CLIENT TRACKING and what belongs to it: the switches of client-side caching. */
import { beginsWith, compareBytes, isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, type CommandFlag, command } from '../../engine/command.ts';
import { after, bytes, integer, oneOf, optional, repeated, token } from '../../engine/grammar.ts';
import type { Session } from '../../engine/session.ts';

const PLAIN: readonly CommandFlag[] = ['noscript', 'loading', 'stale'];

export const TRACKING_HELP = [
  'CACHING (YES|NO)',
  '    Remember the keys of the next command, or not, in the modes OPTIN and OPTOUT.',
  'GETREDIR',
  '    Return the ID of the client that invalidations are redirected to.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Control server assisted client side caching.',
  'TRACKINGINFO',
  '    Report tracking status for the current connection.',
];

interface Options {
  redirect: number;
  broadcast: boolean;
  optIn: boolean;
  optOut: boolean;
  noLoop: boolean;
  prefixes: Slice[];
}

const SWITCHES = [
  ['BCAST', 'broadcast'],
  ['OPTIN', 'optIn'],
  ['OPTOUT', 'optOut'],
  ['NOLOOP', 'noLoop'],
] as const;

/** The id that REDIRECT names; undefined when an error has been replied. */
function redirection(c: Call, i: number, before: number): number | undefined {
  if (before !== 0) {
    c.reply.error('ERR A client can only redirect to a single other client');
    return undefined;
  }
  const id = c.integer(i);
  if (id === undefined || c.engine.sessions.has(id)) return id;
  c.reply.error('ERR The client ID you want redirect to does not exist');
  return undefined;
}

function readOptions(c: Call): Options | undefined {
  const options: Options = {
    redirect: 0,
    broadcast: false,
    optIn: false,
    optOut: false,
    noLoop: false,
    prefixes: [],
  };
  for (let i = 3; i < c.argc; i++) {
    const word = c.arg(i);
    const more = i + 1 < c.argc;
    if (more && isWord(word, 'REDIRECT')) {
      const id = redirection(c, ++i, options.redirect);
      if (id === undefined) return undefined;
      options.redirect = id;
    } else if (more && isWord(word, 'PREFIX')) {
      options.prefixes.push(c.arg(++i));
    } else {
      const found = SWITCHES.find(([name]) => isWord(word, name));
      if (!found) {
        c.syntaxError();
        return undefined;
      }
      options[found[1]] = true;
    }
  }
  return options;
}

const OTHER_MODE = 'mode before disabling tracking for this client, and then re-enabling it with a different mode.';

/** Why the options don't go together, or not with what the session has chosen before. */
function conflict(session: Session, options: Options): string | undefined {
  const { broadcast, optIn, optOut, prefixes } = options;
  const now = session.tracking;
  if (!broadcast && prefixes.length > 0) return 'PREFIX option requires BCAST mode to be enabled';
  if (now && now.broadcast !== broadcast)
    return `You can't switch BCAST mode on/off ${OTHER_MODE.slice('mode '.length)}`;
  if (broadcast && (optIn || optOut)) return 'OPTIN and OPTOUT are not compatible with BCAST';
  if (optIn && optOut) return "You can't specify both OPTIN mode and OPTOUT mode";
  if (now && ((optIn && now.optOut) || (optOut && now.optIn))) return `You can't switch OPTIN/OPTOUT ${OTHER_MODE}`;
  return overlap(
    [...(now?.prefixes ?? [])].map(({ name }) => name),
    prefixes,
  );
}

/** The first of the new prefixes that begins another one or begins with it, an existing one before those that follow. */
function overlap(existing: readonly Slice[], prefixes: readonly Slice[]): string | undefined {
  const at = firstMeeting(existing, prefixes);
  if (at < 0) return undefined;
  const prefix = prefixes[at];
  const meets = (other: Slice) => beginsWith(other, prefix) || beginsWith(prefix, other);
  const end = 'Prefixes for a single client must not overlap.';
  const old = existing.filter(meets).sort(compareBytes)[0];
  if (old !== undefined) return `Prefix '${prefix.shown()}' overlaps with an existing prefix '${old.shown()}'. ${end}`;
  const other = prefixes.slice(at + 1).find(meets)!;
  return `Prefix '${prefix.shown()}' overlaps with another provided prefix '${other.shown()}'. ${end}`;
}

/**
 * The least number of a new prefix that meets any other, or -1. In their order all that begin with a prefix follow it, so
 * that each has to be compared only with those that the one before it begins with.
 */
function firstMeeting(existing: readonly Slice[], prefixes: readonly Slice[]): number {
  const all = [...prefixes, ...existing];
  const order = Array.from(all.keys()).sort((a, b) => compareBytes(all[a], all[b]));
  let least = prefixes.length;
  const around: number[] = [];
  for (const next of order) {
    while (around.length > 0 && !beginsWith(all[next], all[around[around.length - 1]])) around.pop();
    if (around.length > 0) least = Math.min(least, next, around[around.length - 1]);
    around.push(next);
  }
  return least < prefixes.length ? least : -1;
}

const tracking = command({
  name: 'TRACKING',
  group: 'connection',
  since: '6.0.0',
  complexity: 'O(1); O(N) in the prefixes of the connection when there are any.',
  summary: 'Begins or ends telling this connection of changes to keys that it caches.',
  flags: PLAIN,
  categories: ['connection'],
  arity: -3,
  args: [
    oneOf('status', token('on', 'ON'), token('off', 'OFF')),
    optional(after('REDIRECT', integer('client-id'))),
    optional(repeated(after('PREFIX', bytes('prefix')))),
    optional(token('bcast', 'BCAST')),
    optional(token('optin', 'OPTIN')),
    optional(token('optout', 'OPTOUT')),
    optional(token('noloop', 'NOLOOP')),
  ],
  run(c) {
    const options = readOptions(c);
    if (!options) return;
    if (isWord(c.arg(2), 'ON')) {
      const error = conflict(c.session, options);
      if (error !== undefined) return c.reply.error(`ERR ${error}`);
      const { prefixes, ...choice } = options;
      c.engine.tracking.enable(c.session, choice, prefixes);
    } else if (isWord(c.arg(2), 'OFF')) {
      c.engine.tracking.disable(c.session);
    } else {
      return c.syntaxError();
    }
    c.reply.ok();
  },
});

const caching = command({
  name: 'CACHING',
  group: 'connection',
  since: '6.0.0',
  complexity: 'O(1)',
  summary: 'Says whether the keys of the next command are to be remembered.',
  flags: PLAIN,
  categories: ['connection'],
  args: [oneOf('mode', token('yes', 'YES'), token('no', 'NO'))],
  run(c) {
    const now = c.session.tracking;
    if (!now) {
      c.reply.error(
        'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
      );
      return;
    }
    const yes = isWord(c.arg(2), 'YES');
    if (!yes && !isWord(c.arg(2), 'NO')) return c.syntaxError();
    if (yes && !now.optIn)
      return c.reply.error('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.');
    if (!yes && !now.optOut)
      return c.reply.error('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.');
    now.caching = true;
    c.reply.ok();
  },
});

const getredir = command({
  name: 'GETREDIR',
  group: 'connection',
  since: '6.0.0',
  complexity: 'O(1)',
  summary: 'Tells the id of the connection that hears of changes in the place of this one.',
  flags: PLAIN,
  categories: ['connection'],
  run(c) {
    c.reply.int(c.session.tracking?.redirect ?? -1);
  },
});

function flagsOf(session: Session): string[] {
  const now = session.tracking;
  if (!now) return ['off'];
  const flags = ['on'];
  if (now.broadcast) flags.push('bcast');
  if (now.optIn) flags.push('optin');
  if (now.optIn && now.caching) flags.push('caching-yes');
  if (now.optOut) flags.push('optout');
  if (now.optOut && now.caching) flags.push('caching-no');
  if (now.noLoop) flags.push('noloop');
  if (now.broken) flags.push('broken_redirect');
  return flags;
}

const trackinginfo = command({
  name: 'TRACKINGINFO',
  group: 'connection',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Tells how this connection is told of changes to keys.',
  flags: PLAIN,
  categories: ['connection'],
  run(c) {
    const { reply, session } = c;
    const flags = flagsOf(session);
    const prefixes = [...(session.tracking?.prefixes ?? [])].sort((a, b) => compareBytes(a.name, b.name));
    reply.map(3);
    reply.bulkText('flags');
    reply.set(flags.length);
    for (const flag of flags) reply.bulkText(flag);
    reply.bulkText('redirect');
    reply.int(session.tracking?.redirect ?? -1);
    reply.bulkText('prefixes');
    reply.array(prefixes.length);
    for (const { name } of prefixes) reply.bulk(name);
  },
});

export const trackingCommands: readonly Command[] = [caching, getredir, tracking, trackinginfo];
