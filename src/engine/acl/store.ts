/** The ACL file: read at the start and by ACL LOAD, written by ACL SAVE. */
import { resolve } from 'node:path';
import { replaceFile } from '../../base/disk.ts';
import { systemError } from '../../base/system-error.ts';
import type { Engine } from '../engine.ts';
import type { Session } from '../session.ts';
import { aclText, readAclText } from './file.ts';

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

/** Writes all users into the file; false when that failed, which the log tells. */
export function saveAclFile(engine: Engine): boolean {
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
