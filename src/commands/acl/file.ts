/** ACL LOAD and ACL SAVE. */
import { resolve } from 'node:path';
import { replaceFile } from '../../base/disk.ts';
import { systemError } from '../../base/system-error.ts';
import { aclText, readAclText } from '../../engine/acl/file.ts';
import type { Call } from '../../engine/call.ts';
import { type CommandFlag, command } from '../../engine/command.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Session } from '../../engine/session.ts';

const ADMIN: readonly CommandFlag[] = ['admin', 'noscript', 'loading', 'stale'];
const NO_FILE =
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER ' +
  'command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users ' +
  'in the Redis configuration.';

/** Puts the users of the ACL file in the place of all there are; what is wrong when they stay. */
export function loadAclFile(engine: Engine, by: Session | null): string | undefined {
  const { config, settings } = engine.server;
  const { aclfile } = settings;
  let text: string;
  try {
    text = config.disk.read(resolve(config.path, aclfile)).toString('latin1');
  } catch (error) {
    return `Error loading ACLs, opening file '${aclfile}': ${systemError(error)}`;
  }
  const users = readAclText(engine.acl, aclfile, text);
  if (typeof users === 'string') return users;
  engine.acl.replaceAll(users, by);
  return undefined;
}

function saveAclFile(engine: Engine): boolean {
  const { config, log, settings, fileNames } = engine.server;
  const path = resolve(config.path, settings.aclfile);
  try {
    replaceFile(config.disk, path, `${path}.tmp-${fileNames.next()}`, aclText(engine.acl));
    return true;
  } catch (error) {
    log.warning(`Writing the ACL file for ACL SAVE: ${systemError(error)}`);
    return false;
  }
}

/** Whether there is an ACL file; otherwise an error has been replied. */
function hasFile(c: Call): boolean {
  if (c.engine.server.settings.aclfile !== '') return true;
  c.reply.error(NO_FILE);
  return false;
}

export const load = command({
  name: 'LOAD',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(N) in the users',
  summary: 'Takes the users of the ACL file in place of all there are.',
  flags: ADMIN,
  run(c) {
    if (!hasFile(c)) return;
    const error = loadAclFile(c.engine, c.session);
    if (error === undefined) c.reply.ok();
    else c.reply.error(`ERR ${error}`);
  },
});

export const save = command({
  name: 'SAVE',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(N) in the users',
  summary: 'Writes all users into the ACL file.',
  flags: ADMIN,
  run(c) {
    if (!hasFile(c)) return;
    if (saveAclFile(c.engine)) c.reply.ok();
    else
      c.reply.error(
        'ERR There was an error trying to save the ACLs. Please check the server logs for more information',
      );
  },
});
