/** Users as lines of text: ACL files, and the `user` lines of redis.conf. */
import { sliceOf } from '../../base/slice.ts';
import type { Log } from '../server-port.ts';
import { type Acl, DEFAULT_USER } from './acl.ts';
import { type AclFault, faultText, hasSpaces, joinSelectors } from './fault.ts';
import { type AclBasis, User } from './user.ts';

const TRIMMED = /^[ \t\r\n]+|[ \t\r\n]+$/g;
const WORD_TRIMMED = /^[\t\r\n]+|[\t\r\n]+$/g;

/** All users, a line each. */
export function aclText(acl: Acl): string {
  return aclLines(acl)
    .map((line) => `${line}\n`)
    .join('');
}

export function aclLines(acl: Acl): string[] {
  return acl.list().map((user) => `user ${user.name} ${user.describe()}`);
}

/** Reads the text of an ACL file; what is wrong with it as one text, a sentence each, when anything is. */
export function readAclText(acl: Acl, file: string, text: string): User[] | string {
  const users = new Map<string, User>();
  let errors = '';
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].replace(TRIMMED, '');
    if (line === '') continue;
    const [keyword, name, ...words] = line.split(' ');
    const place = `${file}:${i + 1}`;
    if (keyword !== 'user' || name === undefined)
      errors += `${place} should start with user keyword followed by the username. `;
    else if (hasSpaces(name)) errors += `'${place}: username '${name}' contains invalid characters. `;
    else if (users.has(name)) errors += `WARNING: Duplicate user '${name}' found on line ${i + 1}. `;
    else {
      const user = acl.newUser(name);
      users.set(name, user);
      errors += applyWords(user, words, place);
    }
  }
  if (errors === '') return [...users.values()];
  return `${errors}WARNING: ACL errors detected, no change to the previously active ACL rules was performed`;
}

/** Applies all rules of a line; the errors of all unknown commands, and of the first rule that makes no sense. */
function applyWords(user: User, words: readonly string[], place: string): string {
  const rules = joinSelectors(words);
  if (typeof rules === 'number') return `${place}: Unmatched parenthesis in selector definition.`;
  let errors = '';
  let told = false;
  for (const word of rules) {
    const rule = word.replace(WORD_TRIMMED, '');
    const fault = user.apply(rule);
    if (fault === 'unknown') errors += `${place}: Error in applying operation '${rule}': ${faultText(fault)}. `;
    else if (fault !== undefined && !told) {
      errors += `${place}: ${faultText(fault)}. `;
      told = true;
    }
  }
  return errors;
}

/** The `user` lines of a configuration: tried when they are read, applied when the server is there. */
export class UserLines {
  readonly lines: (readonly string[])[] = [];

  /** Takes the words of a line behind `user`; the text that refuses it. Unknown commands are found out when it is applied. */
  add(words: readonly string[], basis: AclBasis): string | undefined {
    const refuse = (word: string, fault: AclFault): string =>
      `Error in user declaration '${word}': ${faultText(fault)}`;
    const [name, ...rules] = words;
    if (this.lines.some((line) => line[0] === name)) return refuse(name, 'duplicate');
    const joined = joinSelectors(rules);
    if (typeof joined === 'number') return refuse(rules[joined], 'parenthesis');
    const user = new User(name, basis);
    for (let i = 0; i < joined.length; i++) {
      const fault = user.apply(joined[i]);
      if (fault !== undefined && fault !== 'unknown') return refuse(joined[i], fault);
    }
    this.lines.push([name, ...joined]);
    return undefined;
  }

  /** Makes the users; the reason when the server can't start with them. */
  apply(acl: Acl, log: Log): string | undefined {
    for (const [name, ...rules] of this.lines) {
      if (hasSpaces(name)) return 'Spaces not allowed in ACL usernames';
      if (name === DEFAULT_USER) acl.setUser(name, ['reset'], null);
      for (const rule of rules.length === 0 ? [''] : rules) {
        const refused = acl.setUser(name, [rule], null);
        if (refused)
          return `Error loading ACL rule '${rule}' for the user named '${name}': ${faultText(refused.fault)}`;
      }
      if (!acl.find(sliceOf(name))?.enabled)
        log.notice(
          `The user '${name}' is disabled (there is no 'on' modifier in the user description). Make sure this is not a configuration error.`,
        );
    }
    return undefined;
  }
}
