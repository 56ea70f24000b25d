/** SENTINEL, and what a Sentinel does with PUBLISH, ROLE and INFO. */
import { globMatch } from '../base/glob.ts';
import { isIP, PORT_MAX } from '../base/network.ts';
import { isText, isWord, sliceOf } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import type { Engine } from '../engine/engine.ts';
import { after, bytes, integer, many, manyOf, oneOf, optional, pattern, token } from '../engine/grammar.ts';
import { help } from '../engine/help.ts';
import { HELLO_CHANNEL } from './connections.ts';
import { quorumCheck } from './fields.ts';
import { HELP_LINES } from './help.ts';
import type { Answer, Command as Asked } from './messages.ts';
import { shellOf } from './owners.ts';
import {
  infoLines,
  replyFields,
  replyInfoCache,
  replyInstance,
  replyInstances,
  replyMasterAddress,
  replyRole,
  replyScripts,
} from './replies.ts';
import type { Master } from './state.ts';

const ADMIN: readonly CommandFlag[] = ['admin'];
const NO_SUCH_MASTER = 'ERR No such master with that name';
const NO_SUCH_HOST = 'ERR Invalid IP address or hostname specified';
const CONFIG_SYNTAX = 'ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported.';

type About = Omit<Command, 'group' | 'flags' | 'run'>;

function subcommand(about: About, run: (c: Call) => void): Command {
  return command({ ...about, group: 'sentinel', flags: ADMIN, run });
}

/** The master that argument 2 names; undefined when an error has been replied. */
function masterNamed(c: Call): Master | undefined {
  const master = shellOf(c.engine).state.masters.get(c.arg(2).latin1());
  if (master === undefined) c.reply.error(NO_SUCH_MASTER);
  return master;
}

/** Words from argument `from` on. */
function wordsFrom(c: Call, from: number): string[] {
  return c.args.slice(from, c.argc).map((arg) => arg.latin1());
}

/** Has the rules do it, and replies what they answer: at once, or when what it promises is on the disk. */
function obey(c: Call, asked: Asked): void {
  answerWhenKnown(c, (take) => shellOf(c.engine).ask(asked, take));
}

/** Replies what `ask` hands over; where that is later, the client's next command waits. */
function answerWhenKnown(c: Call, ask: (take: (answer: Answer) => void) => void): void {
  const { session, engine } = c;
  let late = false;
  let answered = false;
  ask((answer) => {
    answered = true;
    if (late) session.postponed = false;
    if (session.closed) return;
    replyAnswer(session.reply, answer);
    if (late) engine.answered(session);
  });
  if (answered) return;
  late = true;
  session.postponed = true;
}

function replyAnswer(reply: Call['reply'], answer: Answer): void {
  switch (answer.kind) {
    case 'ok':
      reply.ok();
      break;
    case 'number':
      reply.int(answer.value);
      break;
    case 'error':
      reply.error(answer.text);
      break;
    case 'vote':
      reply.array(3);
      reply.int(answer.down ? 1 : 0);
      reply.bulkText(answer.leader);
      reply.int(answer.epoch);
      break;
  }
}

const masterName = bytes('master-name');

const looking: readonly Command[] = [
  subcommand(
    {
      name: 'MASTERS',
      since: '2.8.4',
      complexity: 'O(N) in masters.',
      summary: 'Shows all masters that are watched.',
    },
    (c) => {
      const shell = shellOf(c.engine);
      replyInstances(c, shell, [...shell.state.masters.values()]);
    },
  ),
  subcommand(
    { name: 'MASTER', since: '2.8.4', complexity: 'O(1)', summary: 'Shows a master.', args: [masterName] },
    (c) => {
      const master = masterNamed(c);
      if (master !== undefined) replyInstance(c, shellOf(c.engine), master);
    },
  ),
  ...['REPLICAS', 'SLAVES'].map((name) =>
    subcommand(
      {
        name,
        ...(name === 'REPLICAS'
          ? { since: '5.0.0' }
          : {
              since: '2.8.0',
              deprecatedSince: '5.0.0',
              replacedBy: '`SENTINEL REPLICAS`',
              docFlags: ['deprecated'],
            }),
        complexity: 'O(N) in replicas.',
        summary: 'Shows the replicas of a master.',
        args: [masterName],
      },
      (c) => {
        const master = masterNamed(c);
        if (master === undefined) return;
        const announced = [...master.replicas.values()].filter((replica) => replica.announced);
        replyInstances(c, shellOf(c.engine), announced);
      },
    ),
  ),
  subcommand(
    {
      name: 'SENTINELS',
      since: '2.8.4',
      complexity: 'O(N) in sentinels.',
      summary: 'Shows the other sentinels that watch a master.',
      args: [masterName],
    },
    (c) => {
      const master = masterNamed(c);
      if (master !== undefined) replyInstances(c, shellOf(c.engine), [...master.sentinels.values()]);
    },
  ),
  subcommand(
    {
      name: 'GET-MASTER-ADDR-BY-NAME',
      since: '2.8.4',
      complexity: 'O(1)',
      summary: 'Tells where the master of a name is now.',
      args: [masterName],
    },
    (c) => {
      const { state } = shellOf(c.engine);
      const master = state.masters.get(c.arg(2).latin1());
      if (master === undefined) c.reply.nullArray();
      else replyMasterAddress(c, state, master);
    },
  ),
  subcommand({ name: 'MYID', since: '6.2.0', complexity: 'O(1)', summary: 'Tells the ID of this sentinel.' }, (c) =>
    c.reply.bulkText(shellOf(c.engine).state.myid),
  ),
  subcommand(
    {
      name: 'CKQUORUM',
      since: '2.8.4',
      complexity: 'O(N) in sentinels.',
      summary: 'Tells whether enough sentinels are there to fail over a master.',
      args: [masterName],
    },
    (c) => {
      const master = masterNamed(c);
      if (master === undefined) return;
      const { reached, text } = quorumCheck(master);
      if (reached) c.reply.status(text);
      else c.reply.error(text);
    },
  ),
  subcommand(
    {
      name: 'INFO-CACHE',
      since: '3.2.0',
      complexity: 'O(N) in servers.',
      summary: 'Shows the last INFO of masters and their replicas.',
      args: [many(bytes('nodename'))],
    },
    (c) => {
      const { state, now } = shellOf(c.engine);
      const names = new Set(wordsFrom(c, 2));
      const masters = [...state.masters.values()].filter(({ name }) => names.has(name));
      replyInfoCache(c, masters, now);
    },
  ),
  subcommand(
    {
      name: 'PENDING-SCRIPTS',
      since: '2.8.4',
      complexity: 'O(N) in scripts.',
      summary: 'Shows the scripts that run or wait.',
    },
    (c) => {
      const { state, now } = shellOf(c.engine);
      replyScripts(c, state, now);
    },
  ),
];

/** MONITOR, with a host that has still to be looked up where names are resolved. */
function monitor(c: Call): void {
  const quorum = c.integerOr(5, 'ERR Invalid quorum');
  if (quorum === undefined) return;
  const port = c.integerOr(4, 'ERR Invalid port');
  if (port === undefined) return;
  const shell = shellOf(c.engine);
  const host = c.arg(3).latin1();
  const master = c.arg(2).latin1();
  const watch = (ip: string, take: (answer: Answer) => void): void => {
    if (port < 0 || port > PORT_MAX) take({ kind: 'error', text: 'ERR Invalid port number.' });
    else shell.ask({ name: 'monitor', master, host, ip, port, quorum }, take);
  };
  if (quorum <= 0) c.reply.error('ERR Quorum must be 1 or greater.');
  else if (isIP(host) !== 0) answerWhenKnown(c, (take) => watch(host, take));
  else if (!shell.state.resolveHostnames) c.reply.error(NO_SUCH_HOST);
  else
    answerWhenKnown(c, (take) => {
      void shell.parts.network
        .addresses(host)
        .then(([ip]) => (ip === undefined ? take({ kind: 'error', text: NO_SUCH_HOST }) : watch(ip, take)));
    });
}

function config(c: Call): void {
  const { state } = shellOf(c.engine);
  if (isWord(c.arg(2), 'GET') && c.argc === 4) {
    const asked = c.arg(3);
    const settings: readonly (readonly [string, string | number])[] = [
      ['resolve-hostnames', state.resolveHostnames ? 'yes' : 'no'],
      ['announce-hostnames', state.announceHostnames ? 'yes' : 'no'],
      ['announce-ip', state.announceIp],
      ['announce-port', state.announcePort],
      ['sentinel-user', state.sentinelUser],
      ['sentinel-pass', state.sentinelPass],
    ];
    replyFields(c, settings.filter(([name]) => globMatch(asked, sliceOf(name), true)).flat());
  } else if (isWord(c.arg(2), 'SET') && c.argc === 5) {
    obey(c, { name: 'config-set', option: c.arg(3).latin1(), value: c.arg(4).latin1() });
  } else c.reply.error(CONFIG_SYNTAX);
}

function isMasterDown(c: Call): void {
  const port = c.integer(3);
  if (port === undefined) return;
  const epoch = c.integer(4);
  if (epoch === undefined) return;
  const [host, runid] = [c.arg(2).latin1(), c.arg(5).latin1()];
  obey(c, { name: 'is-master-down-by-addr', host, port, epoch, runid });
}

function debug(c: Call): void {
  if (c.argc > 2) {
    obey(c, { name: 'debug', words: wordsFrom(c, 2) });
    return;
  }
  const { periods } = shellOf(c.engine).state;
  replyFields(
    c,
    Object.entries(periods).flatMap(([name, value]) => [name.toUpperCase(), value]),
  );
}

function simulateFailure(c: Call): void {
  if (!c.args.slice(2, c.argc).some((word) => isWord(word, 'HELP'))) {
    obey(c, { name: 'simulate-failure', words: wordsFrom(c, 2) });
    return;
  }
  const failures = ['crash-after-election', 'crash-after-promotion'];
  c.reply.array(failures.length);
  for (const failure of failures) c.reply.bulkText(failure);
}

const doing: readonly Command[] = [
  subcommand(
    {
      name: 'MONITOR',
      since: '2.8.4',
      complexity: 'O(1)',
      summary: 'Begins to watch a master.',
      args: [bytes('name'), bytes('ip'), integer('port'), integer('quorum')],
    },
    monitor,
  ),
  ...(['REMOVE', 'FAILOVER'] as const).map((name) =>
    subcommand(
      {
        name,
        since: '2.8.4',
        complexity: 'O(1)',
        summary: name === 'REMOVE' ? 'Watches a master no more.' : 'Promotes a replica without asking other sentinels.',
        args: [masterName],
      },
      (c) => obey(c, { name: name === 'REMOVE' ? 'remove' : 'failover', master: c.arg(2).latin1() }),
    ),
  ),
  subcommand(
    {
      name: 'SET',
      since: '2.8.4',
      complexity: 'O(1)',
      summary: 'Changes settings of a master.',
      args: [masterName, manyOf('option_value', bytes('option'), bytes('value'))],
    },
    (c) => {
      const executable = (path: string): boolean => shellOf(c.engine).runnable(path);
      obey(c, { name: 'set', master: c.arg(2).latin1(), words: wordsFrom(c, 3), executable });
    },
  ),
  subcommand(
    {
      name: 'RESET',
      since: '2.8.4',
      complexity: 'O(N) in masters.',
      summary: 'Forgets what is known of the masters whose names match.',
      args: [pattern('pattern')],
    },
    (c) => {
      const glob = c.arg(2);
      obey(c, { name: 'reset', matches: (master) => globMatch(glob, sliceOf(master)) });
    },
  ),
  subcommand(
    {
      name: 'CONFIG',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Shows or changes settings of this sentinel.',
      arity: -3,
      args: [
        oneOf(
          'set_or_get',
          after('SET', manyOf('set_param_value', bytes('parameter'), bytes('value'))),
          after('GET', many(bytes('parameter'))),
        ),
      ],
    },
    config,
  ),
  subcommand(
    {
      name: 'FLUSHCONFIG',
      since: '2.8.4',
      complexity: 'O(1)',
      summary: 'Writes the configuration file anew.',
    },
    (c) => obey(c, { name: 'flushconfig' }),
  ),
  subcommand(
    {
      name: 'IS-MASTER-DOWN-BY-ADDR',
      since: '2.8.4',
      complexity: 'O(1)',
      summary: 'Tells another sentinel whether a master is down, and gives it a vote.',
      args: [bytes('ip'), integer('port'), integer('current-epoch'), bytes('runid')],
    },
    isMasterDown,
  ),
  subcommand(
    {
      name: 'DEBUG',
      since: '7.0.0',
      complexity: 'O(N) in parameters.',
      summary: 'Shows or changes periods and limits of time.',
      arity: -2,
      args: [manyOf('parameter_value', bytes('parameter'), bytes('value'))],
    },
    debug,
  ),
  subcommand(
    {
      name: 'SIMULATE-FAILURE',
      since: '3.2.0',
      complexity: 'O(1)',
      summary: 'Lets this sentinel crash in the middle of a failover.',
      arity: -3,
      args: [
        optional(
          many(
            oneOf(
              'mode',
              token('crash-after-election', 'CRASH-AFTER-ELECTION'),
              token('crash-after-promotion', 'CRASH-AFTER-PROMOTION'),
              token('help', 'HELP'),
            ),
          ),
        ),
      ],
    },
    simulateFailure,
  ),
];

export const sentinel = command({
  name: 'SENTINEL',
  group: 'sentinel',
  since: '2.8.4',
  complexity: 'Depends on the subcommand.',
  summary: 'What a Sentinel knows and does.',
  flags: ADMIN,
  subcommands: [...looking, ...doing, help('SENTINEL', HELP_LINES, { group: 'sentinel', since: '6.2.0' })],
});

/** PUBLISH: other sentinels tell of themselves. */
export function publishHello(c: Call): void {
  if (!isText(c.arg(1), HELLO_CHANNEL)) {
    c.reply.error('ERR Only HELLO messages are accepted by Sentinel instances.');
    return;
  }
  shellOf(c.engine).hear(c.arg(2).latin1());
  c.reply.int(1);
}

/** ROLE. */
export function sentinelRole(c: Call): void {
  replyRole(c, shellOf(c.engine).state);
}

/** INFO's section. */
export function sentinelInfo(engine: Engine): string {
  return infoLines(shellOf(engine));
}
