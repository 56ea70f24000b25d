/** CONFIG. */
import { systemError } from '../../base/system-error.ts';
import { LOADING } from '../../config/config.ts';
import { rewriteConfig } from '../../config/rewrite.ts';
import { aclLines } from '../../engine/acl/file.ts';
import type { Call } from '../../engine/call.ts';
import { type CommandFlag, command } from '../../engine/command.ts';
import { GATE_ASYNC_LOADING, GATE_LOADING } from '../../engine/gates.ts';
import { bytes, manyOf } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { isLocal } from './local.ts';

const ADMIN: readonly CommandFlag[] = ['admin', 'noscript', 'loading', 'stale'];
const NOT_LOADED = 'LOADING Redis is loading the dataset in memory';

const get = command({
  name: 'GET',
  group: 'server',
  since: '2.0.0',
  complexity: 'O(N) in the settings that there are',
  summary: 'Tells the values of the settings whose names match.',
  flags: ADMIN,
  history: [['7.0.0', 'Takes several patterns.']],
  args: [manyOf('parameter', bytes('parameter'))],
  run(c) {
    const found = c.engine.server.config.get(c.args.slice(2, c.argc));
    c.reply.map(found.size);
    for (const [name, text] of found) {
      c.reply.bulkText(name);
      c.reply.bulkText(text);
    }
  },
});

function mayProtected(c: Call): boolean {
  const rule = c.engine.server.settings.enableProtectedConfigs;
  return rule === 'yes' || (rule === 'local' && isLocal(c.session));
}

function replyResult(reply: Call['reply'], error: string | undefined): void {
  if (error === undefined) reply.ok();
  else reply.error(error === LOADING ? NOT_LOADED : `ERR ${error}`);
}

const set = command({
  name: 'SET',
  group: 'server',
  since: '2.0.0',
  complexity: 'O(N) in the settings given',
  summary: 'Gives settings new values: all of them, or none when one is refused.',
  flags: ADMIN,
  tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
  history: [['7.0.0', 'Takes several settings.']],
  args: [manyOf('parameter_value', bytes('parameter'), bytes('value'))],
  run(c) {
    if (c.argc % 2 !== 0) return c.syntaxError();
    const words: string[] = [];
    for (let i = 2; i < c.argc; i++) words.push(c.arg(i).latin1());
    const context = { loading: c.engine.gates.any(GATE_LOADING | GATE_ASYNC_LOADING), mayProtected: mayProtected(c) };
    const result = c.engine.server.config.set(words, context);
    if (!(result instanceof Promise)) return replyResult(c.reply, result);
    answerLater(c, result);
  },
});

/** A listener waits for the system (a port to listen at): the client's next command waits with it. */
function answerLater(c: Call, result: Promise<string | undefined>): void {
  const { session, engine } = c;
  if (c.denyBlocking) {
    // Inside EXEC the reply has its place among others and can't be late.
    c.reply.ok();
    void result.then((error) => {
      if (error !== undefined) engine.server.log.warning(error);
    });
    return;
  }
  session.postponed = true;
  void result
    .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    .then((error) => {
      session.postponed = false;
      if (session.closed) return;
      replyResult(session.reply, error);
      engine.answered(session);
    });
}

const resetstat = command({
  name: 'RESETSTAT',
  group: 'server',
  since: '2.0.0',
  complexity: 'O(1)',
  summary: 'Sets the statistics of INFO back to zero.',
  flags: ADMIN,
  run(c) {
    const { stats, table } = c.engine;
    stats.reset();
    c.engine.keyspaces.reclaimer.freed = 0;
    c.engine.keyspaces.defragmenter.resetStats();
    c.engine.defrag.reset(c.engine.clock.monotonic());
    c.engine.server.persistence.resetStats();
    Object.assign(c.engine.replication.syncs, { full: 0, partialOk: 0, partialRefused: 0 });
    for (const registered of table.all()) registered.resetStats();
    c.reply.ok();
  },
});

const REPLICAOF: ReadonlySet<string> = new Set(['replicaof']);

/** CONFIG REWRITE and DEBUG CONFIG-REWRITE-FORCE-ALL. */
export function rewrite(c: Call, all: boolean): void {
  const { config, log, settings, fileNames, mode } = c.engine.server;
  const { aclfile } = settings;
  if (config.file === '') {
    c.reply.error('ERR The server is running without a config file');
    return;
  }
  try {
    const users = { name: 'user', lines: () => (aclfile === '' ? aclLines(c.engine.acl) : []) };
    // A node of a cluster has its master from nodes.conf.
    const without = mode === 'cluster' ? REPLICAOF : undefined;
    rewriteConfig(config, `${config.file}-${fileNames.next()}.rewrite`, {
      ...{ extra: [users], all },
      ...(without && { without }),
    });
  } catch (error) {
    const reason = systemError(error);
    log.warning(`CONFIG REWRITE failed: ${reason}`);
    c.reply.error(`ERR Rewriting config file: ${reason}`);
    return;
  }
  log.warning('CONFIG REWRITE executed with success.');
  c.reply.ok();
}

const rewriteCommand = command({
  name: 'REWRITE',
  group: 'server',
  since: '2.8.0',
  complexity: 'O(1)',
  summary: 'Writes the present settings into the configuration file.',
  flags: ADMIN,
  run(c) {
    rewrite(c, false);
  },
});

export const config = command({
  name: 'CONFIG',
  group: 'server',
  since: '2.0.0',
  complexity: 'Depends on the subcommand.',
  summary: 'Settings of the running server.',
  flags: [],
  subcommands: [
    get,
    set,
    resetstat,
    rewriteCommand,
    help('CONFIG', [
      'GET <pattern>',
      '    Return parameters matching the glob-like <pattern> and their values.',
      'SET <directive> <value>',
      '    Set the configuration <directive> to <value>.',
      'RESETSTAT',
      '    Reset statistics reported by the INFO command.',
      'REWRITE',
      '    Rewrite the configuration file.',
    ]),
  ],
});
