/** Transactions: commands that are queued and run as one, and keys that are watched for changes until then. */
import { ALLOWED, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY, type Verdict } from '../engine/acl/selector.ts';
import { type Call, DENY_BLOCKING, RESUMING } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { key, many } from '../engine/grammar.ts';
import { type Queued, Transaction } from '../engine/transaction.ts';

const AT_ONCE: readonly CommandFlag[] = ['noscript', 'loading', 'stale', 'fast', 'allow_busy'];
const ABORTED = 'EXECABORT Transaction discarded because of previous errors.';
const NO_LONGER_ALLOWED =
  'NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. ' +
  'This command is no longer allowed for the following reason: ';

const multi = command({
  name: 'MULTI',
  group: 'transactions',
  since: '1.2.0',
  complexity: 'O(1)',
  summary: 'Begins a transaction: the commands that follow are queued.',
  flags: AT_ONCE,
  traits: ['immediate'],
  args: [],
  run(c) {
    if (c.session.transaction) {
      c.reply.error('ERR MULTI calls can not be nested');
      return;
    }
    c.session.setTransaction(new Transaction());
    c.reply.ok();
  },
});

const discard = command({
  name: 'DISCARD',
  group: 'transactions',
  since: '2.0.0',
  complexity: 'O(N) in queued commands.',
  summary: 'Drops the queued commands and ends the transaction.',
  flags: AT_ONCE,
  traits: ['ends_transaction'],
  args: [],
  run(c) {
    if (!c.session.transaction) {
      c.reply.error('ERR DISCARD without MULTI');
      return;
    }
    c.engine.discard(c.session);
    c.reply.ok();
  },
});

function lostPermission(verdict: Verdict): string {
  switch (verdict) {
    case DENIED_COMMAND:
      return 'no permission to execute the command or subcommand';
    case DENIED_KEY:
      return 'no permission to touch the specified keys';
    case DENIED_CHANNEL:
      return 'no permission to access one of the channels used as arguments';
    default:
      return 'no permission';
  }
}

/** Runs one of the queued commands, if the user may still do so; false when it has been left half way. */
function runQueued(c: Call, { registered, args }: Queued, resuming: boolean): boolean {
  const { engine, session } = c;
  if (session.restricted && !resuming) {
    const verdict = engine.acl.check(session, registered, args, args.length, 'multi');
    if (verdict !== ALLOWED) {
      session.reply.error(NO_LONGER_ALLOWED + lostPermission(verdict));
      return true;
    }
  }
  return engine.call(session, registered, args, args.length, resuming ? RESUMING | DENY_BLOCKING : DENY_BLOCKING);
}

/** Runs the queue from where it stands. A script may be suspended half way: then EXEC is too, and goes on with it. */
function runQueue(c: Call, transaction: Transaction): void {
  const { engine, session } = c;
  const { queue } = transaction;
  let resuming = c.resuming;
  while (transaction.done < queue.length) {
    if (!runQueued(c, queue[transaction.done], resuming)) {
      c.stillWaiting = true;
      return;
    }
    resuming = false;
    transaction.done++;
  }
  session.executing = null;
  engine.discard(session);
}

const exec = command({
  name: 'EXEC',
  group: 'transactions',
  since: '1.2.0',
  complexity: 'That of the commands.',
  summary: 'Runs the queued commands, unless a watched key has changed.',
  flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
  traits: ['runs_queue', 'ends_transaction'],
  args: [],
  run(c) {
    const { engine, session } = c;
    const { transaction, executing } = session;
    if (c.resuming && executing) {
      runQueue(c, executing);
      return;
    }
    if (!transaction) {
      c.reply.error('ERR EXEC without MULTI');
      return;
    }
    const changed = engine.watches.broken(session);
    if (transaction.broken || changed) {
      if (transaction.broken) c.reply.error(ABORTED);
      else c.reply.nullArray();
      engine.discard(session);
    } else if (engine.prepare(c, transaction.queue)) {
      engine.watches.unwatch(session);
      c.reply.array(transaction.queue.length);
      session.executing = transaction;
      runQueue(c, transaction);
    }
  },
});

const watch = command({
  name: 'WATCH',
  group: 'transactions',
  since: '2.2.0',
  complexity: 'O(1) for each key.',
  summary: 'Lets the next transaction fail if one of the keys changes before it.',
  flags: AT_ONCE,
  traits: ['immediate'],
  args: [many(key('key', 'RO'))],
  run(c) {
    const { engine, session } = c;
    if (session.transaction) {
      c.reply.error('ERR WATCH inside MULTI is not allowed');
      return;
    }
    for (let i = 1; i < c.argc; i++) engine.watches.watch(session, c.db, c.arg(i));
    c.reply.ok();
  },
});

const unwatch = command({
  name: 'UNWATCH',
  group: 'transactions',
  since: '2.2.0',
  complexity: 'O(1)',
  summary: 'Forgets the watched keys.',
  flags: AT_ONCE,
  args: [],
  run(c) {
    c.engine.watches.unwatch(c.session);
    c.reply.ok();
  },
});

export const transactionCommands: readonly Command[] = [multi, exec, discard, watch, unwatch];
