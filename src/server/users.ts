/** The users that a server starts with: requirepass, the `user` lines of its configuration, or its ACL file. */

import type { Config } from '../config/config.ts';
import type { UserLines } from '../engine/acl/file.ts';
import { loadAclFile } from '../engine/acl/store.ts';
import type { Engine } from '../engine/engine.ts';

const BOTH_WAYS =
  'Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup ' +
  'is very likely to lead to configuration errors and security holes, please define either an ACL file or declare ' +
  'users directly in your redis.conf, but not both.';

/** A server can't start with the users it is given; each line of the message is one of the log's. */
export class UsersError extends Error {
  override name = 'UsersError';
}

/** The default user's password follows requirepass. */
export function followRequirepass(engine: Engine, config: Config): void {
  if (config.settings.requirepass !== '') engine.acl.requirePassword(config.settings.requirepass);
  config.on('requirepass', (settings) => {
    engine.acl.requirePassword(settings.requirepass);
    return undefined;
  });
}

/** Makes the users; throws UsersError when they make no sense. */
export function loadUsers(engine: Engine, lines: UserLines | undefined): void {
  const { settings, log } = engine.server;
  const given = lines !== undefined && lines.lines.length > 0;
  if (settings.aclfile !== '' && given) throw new UsersError(BOTH_WAYS);
  const refused = lines?.apply(engine.acl, log);
  if (refused !== undefined) throw new UsersError(`${refused}\nCritical error while loading ACLs. Exiting.`);
  if (settings.aclfile === '') return;
  const errors = loadAclFile(engine, null);
  if (errors !== undefined) throw new UsersError(`Aborting Redis startup because of ACL errors: ${errors}`);
}
