/** Why a rule of an ACL can't be applied, and what Redis says of it. */
export type AclFault =
  | 'unknown'
  | 'syntax'
  | 'after-all-keys'
  | 'after-all-channels'
  | 'duplicate'
  | 'no-password'
  | 'bad-hash'
  | 'argument-of-subcommand'
  | 'parenthesis';

const TEXTS: Readonly<Record<AclFault, string>> = {
  unknown: 'Unknown command or category name in ACL',
  syntax: 'Syntax error',
  'after-all-keys':
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. " +
    "Try 'resetkeys' to start with an empty list of patterns",
  'after-all-channels':
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. " +
    "Try 'resetchannels' to start with an empty list of channels",
  duplicate: 'Duplicate user found. A user can only be defined once in config files',
  'no-password': 'The password you are trying to remove from the user does not exist',
  'bad-hash': 'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters',
  'argument-of-subcommand': 'Allowing first-arg of a subcommand is not supported',
  parenthesis: 'Wrong format',
};

export function faultText(fault: AclFault): string {
  return TEXTS[fault];
}

/** A rule that was refused. */
export interface RefusedRule {
  /** Index among the rules after selectors were put together. */
  readonly index: number;
  readonly rule: string;
  readonly fault: AclFault;
}

const SPACES = [' ', '\t', '\n', '\v', '\f', '\r', '\0'];

/** Whether a name or pattern has what none may have: a space, or a zero byte. */
export function hasSpaces(text: string): boolean {
  return SPACES.some((space) => text.includes(space));
}

/** Names end at a zero byte, as C's do. */
export function upToZero(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/**
 * Puts words back together that belong to one selector: `(+get` `~a*)` is `(+get ~a*)`. The index of the word whose
 * parenthesis is never closed when there is one.
 */
export function joinSelectors(words: readonly string[]): string[] | number {
  const joined: string[] = [];
  let open = -1;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (open >= 0) {
      joined[joined.length - 1] += ` ${word}`;
      if (word.endsWith(')')) open = -1;
      continue;
    }
    joined.push(word);
    if (word.startsWith('(') && !word.endsWith(')')) open = i;
  }
  return open < 0 ? joined : open;
}
