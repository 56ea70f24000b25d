/** Times to live. */
import { INT64_MAX, INT64_MIN, parseInt64, parseInteger } from '../../base/numbers.ts';
import { isWord } from '../../base/slice.ts';
import { type Call, NOT_AN_INTEGER } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { type Argument, integer, key, oneOf, optional, token, unixTime } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { entryExpiry } from '../../values/entry.ts';

const NX = 1;
const XX = 2;
const GT = 4;
const LT = 8;

/** Below this the sums that follow are exact in doubles. */
const EXACT = 2 ** 50;

/** Reads NX, XX, GT and LT; undefined when an error has been replied. */
function conditions(c: Call): number | undefined {
  let flags = 0;
  for (let i = 3; i < c.argc; i++) {
    const word = c.arg(i);
    if (isWord(word, 'NX')) flags |= NX;
    else if (isWord(word, 'XX')) flags |= XX;
    else if (isWord(word, 'GT')) flags |= GT;
    else if (isWord(word, 'LT')) flags |= LT;
    else {
      c.reply.error(`ERR Unsupported option ${word.shown()}`);
      return undefined;
    }
  }
  if (flags & NX && flags & (XX | GT | LT)) {
    c.reply.error('ERR NX and XX, GT or LT options at the same time are not compatible');
    return undefined;
  }
  if (flags & GT && flags & LT) {
    c.reply.error('ERR GT and LT options at the same time are not compatible');
    return undefined;
  }
  return flags;
}

/** Argument 2, counted in `unit` milliseconds from `base`, as unix time in ms; undefined when its error has been replied. */
function whenOf(c: Call, base: number, unit: number): number | undefined {
  const given = parseInteger(c.arg(2));
  if (given > -EXACT && given < EXACT && (unit === 1 || Math.abs(given) < EXACT / 1000)) return given * unit + base;
  const exact = parseInt64(c.arg(2));
  if (exact === undefined) {
    c.reply.error(NOT_AN_INTEGER);
    return undefined;
  }
  const when = exact * BigInt(unit);
  if (when > INT64_MAX - BigInt(base) || when < INT64_MIN) {
    c.reply.error(`ERR invalid expire time in '${c.registered.name}' command`);
    return undefined;
  }
  return Number(when + BigInt(base));
}

/** Whether the conditions let an expiry of `current` (-1 for none) become `when`. */
function allowed(flags: number, current: number, when: number): boolean {
  if (flags & NX && current !== -1) return false;
  if (flags & XX && current === -1) return false;
  // No expiry counts as the farthest one.
  if (flags & GT && (current === -1 || when <= current)) return false;
  return !(flags & LT && current !== -1 && when >= current);
}

function expire(c: Call, base: number, unit: number): void {
  const flags = conditions(c);
  if (flags === undefined) return;
  const when = whenOf(c, base, unit);
  if (when === undefined) return;
  const e = c.findForWrite(1);
  if (e === NULL || (flags !== 0 && !allowed(flags, entryExpiry(c.memory, e), when))) {
    c.reply.int(0);
    return;
  }
  const { rules } = c.db;
  if (when <= c.now && rules.removesExpired && !rules.seesExpired) removeNow(c);
  else setExpiry(c, e, when);
}

/** A time that is past already: the key goes at once. */
function removeNow(c: Call): void {
  const lazily = c.engine.server.settings.lazyfreeLazyExpire;
  c.remove(1, lazily);
  c.rewrite(lazily ? 'UNLINK' : 'DEL', c.arg(1));
  c.changed(1, 'del');
  c.reply.int(1);
}

function setExpiry(c: Call, e: Addr, when: number): void {
  c.db.setExpiry(c.arg(1), c.hashOf(1), e, Math.max(0, when));
  // PEXPIREAT itself goes as it came.
  if (c.propagates && c.registered.command.name !== 'PEXPIREAT') {
    const options = [];
    for (let i = 3; i < c.argc; i++) options.push(c.arg(i));
    c.rewrite('PEXPIREAT', c.arg(1), BigInt(when).toString(), ...options);
  }
  c.reply.int(1);
  c.changed(1, 'expire');
}

const condition: Argument = optional(
  oneOf('condition', token('nx', 'NX'), token('xx', 'XX'), token('gt', 'GT'), token('lt', 'LT')),
  { since: '7.0.0' },
);

function expireCommand(name: string, since: string, summary: string, time: Argument, run: (c: Call) => void): Command {
  return command({
    name,
    group: 'generic',
    since,
    complexity: 'O(1)',
    summary,
    flags: ['write', 'fast'],
    categories: ['keyspace'],
    history: [['7.0.0', 'The conditions `NX`, `XX`, `GT` and `LT`.']],
    args: [key('key', 'RW UPDATE'), time, condition],
    run,
  });
}

export const expireCommands: readonly Command[] = [
  expireCommand('EXPIRE', '1.0.0', 'Lets a key expire after some seconds.', integer('seconds'), (c) =>
    expire(c, c.now, 1000),
  ),
  expireCommand('PEXPIRE', '2.6.0', 'Lets a key expire after some milliseconds.', integer('milliseconds'), (c) =>
    expire(c, c.now, 1),
  ),
  expireCommand('EXPIREAT', '1.2.0', 'Lets a key expire at a time.', unixTime('unix-time-seconds'), (c) =>
    expire(c, 0, 1000),
  ),
  expireCommand(
    'PEXPIREAT',
    '2.6.0',
    'Lets a key expire at a time given in milliseconds.',
    unixTime('unix-time-milliseconds'),
    (c) => expire(c, 0, 1),
  ),
];

/** Replies what is left of a key's time, or when it ends; -1 when it has no end, -2 when there is no key. */
function replyTime(c: Call, absolute: boolean, unit: number): void {
  const e = c.find(1, false);
  const expiry = e === NULL ? -2 : entryExpiry(c.memory, e);
  if (expiry < 0) {
    c.reply.int(expiry);
    return;
  }
  const time = absolute ? expiry : Math.max(0, expiry - c.now);
  if (unit === 1000) c.reply.int(Math.floor((time + 500) / 1000));
  else if (time < 2 ** 53) c.reply.int(time);
  else c.reply.bigint(time < 2 ** 63 ? BigInt(time) : INT64_MAX);
}

function timeCommand(
  name: string,
  since: string,
  summary: string,
  extra: Partial<Command>,
  run: (c: Call) => void,
): Command {
  return command({
    name,
    group: 'generic',
    since,
    complexity: 'O(1)',
    summary,
    flags: ['readonly', 'fast'],
    categories: ['keyspace'],
    args: [key('key', 'RO ACCESS')],
    ...extra,
    run,
  });
}

const LEFT: Partial<Command> = {
  tips: ['nondeterministic_output'],
  history: [['2.8.0', 'Tells a key that is absent (-2) from one that does not expire.']],
};

export const timeCommands: readonly Command[] = [
  timeCommand('TTL', '1.0.0', 'Tells how many seconds a key has left.', LEFT, (c) => replyTime(c, false, 1000)),
  timeCommand('PTTL', '2.6.0', 'Tells how many milliseconds a key has left.', LEFT, (c) => replyTime(c, false, 1)),
  timeCommand('EXPIRETIME', '7.0.0', 'Tells the time at which a key expires.', {}, (c) => replyTime(c, true, 1000)),
  timeCommand('PEXPIRETIME', '7.0.0', 'Tells the time in milliseconds at which a key expires.', {}, (c) =>
    replyTime(c, true, 1),
  ),
];

export const persist = command({
  name: 'PERSIST',
  group: 'generic',
  since: '2.2.0',
  complexity: 'O(1)',
  summary: 'Lets a key live for ever.',
  flags: ['write', 'fast'],
  categories: ['keyspace'],
  args: [key('key', 'RW UPDATE')],
  run(c) {
    const e = c.findForWrite(1);
    if (e === NULL || entryExpiry(c.memory, e) < 0) {
      c.reply.int(0);
      return;
    }
    c.db.clearExpiry(c.arg(1), c.hashOf(1), e);
    c.changed(1, 'persist');
    c.reply.int(1);
  },
});
