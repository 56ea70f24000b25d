/** ACL LOAD and ACL SAVE. */
import { loadAclFile, saveAclFile } from '../../engine/acl/store.ts';
import type { Call } from '../../engine/call.ts';
import { type CommandFlag, command } from '../../engine/command.ts';

const ADMIN: readonly CommandFlag[] = ['admin', 'noscript', 'loading', 'stale'];
const NO_FILE =
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER ' +
  'command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users ' +
  'in the Redis configuration.';

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
