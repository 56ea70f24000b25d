/** Subcommands of CLUSTER that the rules obey. What they promise is in nodes.conf when they reply. */
import { parseInteger } from '../../base/numbers.ts';
import { isWord, type Slice } from '../../base/slice.ts';
import { type Call, SYNTAX_ERROR } from '../../engine/call.ts';
import type { Command } from '../../engine/command.ts';
import { type Argument, bytes, integer, many, manyOf, oneOf, optional, token } from '../../engine/grammar.ts';
import type { Answer, Command as Asked, FailoverForm, SlotAction } from '../messages.ts';
import type { Shell } from '../shell.ts';
import { isSlot, type SlotRange } from '../slots.ts';
import { CHANGES, INQUIRES, subcommand, UNSTABLE } from './declare.ts';

const BAD_SLOT = 'ERR Invalid or out of range slot';
const BAD_ACTION = 'ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP';

function obey(c: Call, shell: Shell, asked: Asked): void {
  replyAnswer(c.reply, shell.ask(asked));
}

function replyAnswer(reply: Call['reply'], answer: Answer): void {
  switch (answer.kind) {
    case 'ok':
      reply.ok();
      break;
    case 'number':
      reply.int(answer.value);
      break;
    case 'status':
      reply.status(answer.text);
      break;
    case 'error':
      reply.error(answer.text);
      break;
  }
}

/** A slot's number; undefined when an error has been replied. */
function slotAt(c: Call, i: number): number | undefined {
  const slot = parseInteger(c.arg(i));
  if (isSlot(slot)) return slot;
  c.reply.error(BAD_SLOT);
  return undefined;
}

function single(name: 'addslots' | 'delslots', summary: string): Command {
  const about = { name: name.toUpperCase(), since: '3.0.0', complexity: 'O(N) in slots.', summary, flags: CHANGES };
  return subcommand({ ...about, args: [many(integer('slot'))] }, (c, shell) => {
    const ranges: SlotRange[] = [];
    for (let i = 2; i < c.argc; i++) {
      const slot = slotAt(c, i);
      if (slot === undefined) return;
      ranges.push({ start: slot, end: slot });
    }
    obey(c, shell, { name, ranges });
  });
}

function ranged(name: 'addslots' | 'delslots', summary: string): Command {
  const full = `${name.toUpperCase()}RANGE`;
  const args = [manyOf('start-slot_end-slot', integer('start-slot'), integer('end-slot'))];
  const about = { name: full, since: '7.0.0', complexity: 'O(N) in slots.', summary, flags: CHANGES, args };
  return subcommand(about, (c, shell) => {
    if (c.argc % 2 === 1) {
      c.reply.error(`ERR wrong number of arguments for 'cluster|${full.toLowerCase()}' command`);
      return;
    }
    const ranges: SlotRange[] = [];
    for (let i = 2; i < c.argc; i += 2) {
      const start = slotAt(c, i);
      if (start === undefined) return;
      const end = slotAt(c, i + 1);
      if (end === undefined) return;
      ranges.push({ start, end });
    }
    obey(c, shell, { name, ranges });
  });
}

const ACTIONS: readonly Argument[] = [
  bytes('importing', { token: 'IMPORTING' }),
  bytes('migrating', { token: 'MIGRATING' }),
  bytes('node', { token: 'NODE' }),
  token('stable', 'STABLE'),
];

/** What SETSLOT is to do; undefined where that is nothing it can do. */
function slotAction(c: Call): SlotAction | undefined {
  const word = c.arg(3);
  if (c.argc === 4) return isWord(word, 'STABLE') ? { kind: 'stable' } : undefined;
  if (c.argc !== 5) return undefined;
  const kind = (['migrating', 'importing', 'node'] as const).find((each) => isWord(word, each.toUpperCase()));
  return kind === undefined ? undefined : { kind, node: c.arg(4).shown() };
}

const slots: readonly Command[] = [
  single('addslots', 'Assigns slots to this node.'),
  ranged('addslots', 'Assigns ranges of slots to this node.'),
  single('delslots', 'Takes slots from this node.'),
  ranged('delslots', 'Takes ranges of slots from this node.'),
  subcommand(
    {
      name: 'FLUSHSLOTS',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Takes all slots from this node.',
      flags: CHANGES,
    },
    (c, shell) => obey(c, shell, { name: 'flushslots' }),
  ),
  subcommand(
    {
      name: 'SETSLOT',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Moves a slot between nodes.',
      flags: CHANGES,
      args: [integer('slot'), oneOf('subcommand', ...ACTIONS)],
      arity: -4,
    },
    (c, shell) => {
      const slot = parseInteger(c.arg(2));
      const action = slotAction(c);
      if (action !== undefined) obey(c, shell, { name: 'setslot', slot, action });
      else if (shell.state.myself.isReplica) c.reply.error('ERR Please use SETSLOT only with masters.');
      else c.reply.error(isSlot(slot) ? BAD_ACTION : BAD_SLOT);
    },
  ),
];

/** A node's ID, as it was given. */
function nodeAt(c: Call, i: number): string {
  return c.arg(i).shown();
}

function failoverForm(c: Call): FailoverForm | undefined {
  if (c.argc === 2) return 'agreed';
  if (isWord(c.arg(2), 'FORCE')) return 'force';
  return isWord(c.arg(2), 'TAKEOVER') ? 'takeover' : undefined;
}

function resetKind(word: Slice | null): 'soft' | 'hard' | undefined {
  if (word === null || isWord(word, 'SOFT')) return 'soft';
  return isWord(word, 'HARD') ? 'hard' : undefined;
}

const nodes: readonly Command[] = [
  subcommand(
    {
      name: 'MEET',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Makes the acquaintance of a node.',
      flags: CHANGES,
      history: [['4.0.0', 'Takes the port of the bus.']],
      args: [bytes('ip'), integer('port'), optional(integer('cluster_bus_port', { since: '4.0.0' }))],
    },
    (c, shell) => {
      if (c.argc > 5) return c.unknownSubcommand(1);
      const busPort = c.argc === 5 ? c.arg(4).shown() : null;
      obey(c, shell, { name: 'meet', ip: c.arg(2).shown(), port: c.arg(3).shown(), busPort });
    },
  ),
  subcommand(
    {
      name: 'FORGET',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Removes a node.',
      flags: CHANGES,
      args: [bytes('node-id')],
    },
    (c, shell) => obey(c, shell, { name: 'forget', node: nodeAt(c, 2) }),
  ),
  subcommand(
    {
      name: 'REPLICATE',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Makes this node a replica of another.',
      flags: CHANGES,
      args: [bytes('node-id')],
    },
    (c, shell) => obey(c, shell, { name: 'replicate', node: nodeAt(c, 2) }),
  ),
  subcommand(
    {
      name: 'COUNT-FAILURE-REPORTS',
      since: '3.0.0',
      complexity: 'O(N) in reports.',
      summary: 'Counts the reports that a node fails.',
      flags: INQUIRES,
      tips: UNSTABLE,
      args: [bytes('node-id')],
    },
    (c, shell) => obey(c, shell, { name: 'count-failure-reports', node: nodeAt(c, 2) }),
  ),
  subcommand(
    {
      name: 'FAILOVER',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Lets this replica take its master over.',
      flags: CHANGES,
      args: [optional(oneOf('options', token('force', 'FORCE'), token('takeover', 'TAKEOVER')))],
    },
    (c, shell) => {
      if (c.argc > 3) return c.unknownSubcommand(1);
      const form = failoverForm(c);
      if (form === undefined) c.reply.error(SYNTAX_ERROR);
      else obey(c, shell, { name: 'failover', form });
    },
  ),
  subcommand(
    {
      name: 'RESET',
      since: '3.0.0',
      complexity: 'O(N) in nodes, and in keys where this one is a replica.',
      summary: 'Makes this node a new one.',
      flags: ['admin', 'noscript', 'stale'],
      args: [optional(oneOf('hard_soft', token('hard', 'HARD'), token('soft', 'SOFT')))],
    },
    (c, shell) => {
      if (c.argc > 3) return c.unknownSubcommand(1);
      const kind = resetKind(c.argc === 3 ? c.arg(2) : null);
      if (kind === undefined) c.reply.error(SYNTAX_ERROR);
      else obey(c, shell, { name: 'reset', kind });
    },
  ),
];

const epochs: readonly Command[] = [
  subcommand(
    {
      name: 'BUMPEPOCH',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Advances the epoch of the configuration.',
      flags: CHANGES,
      tips: UNSTABLE,
    },
    (c, shell) => obey(c, shell, { name: 'bumpepoch' }),
  ),
  subcommand(
    {
      name: 'SET-CONFIG-EPOCH',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: "Sets a new node's epoch.",
      flags: CHANGES,
      args: [integer('config-epoch')],
    },
    (c, shell) => {
      const epoch = c.integer(2);
      if (epoch !== undefined) obey(c, shell, { name: 'set-config-epoch', epoch });
    },
  ),
  subcommand(
    {
      name: 'SAVECONFIG',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Saves what is known of the cluster.',
      flags: CHANGES,
    },
    (c, shell) => obey(c, shell, { name: 'saveconfig' }),
  ),
];

export const changes: readonly Command[] = [...slots, ...nodes, ...epochs];
