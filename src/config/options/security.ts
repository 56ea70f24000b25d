/** Settings of who may do what: passwords, ACL. */
import { integer, LONG_MAX, string, word } from '../kinds.ts';
import { option } from '../option.ts';

export const security = [
  option('requirepass', string('', { emptyIsNone: true }), "The default user's password.", { sensitive: true }),
  option('aclfile', string(''), 'A file of users, read at start and by ACL LOAD.', { immutable: true }),
  option('acllog-max-len', integer(128, 0n, LONG_MAX), 'How many refusals ACL LOG keeps.'),
  option(
    'acl-pubsub-default',
    word('resetchannels', ['allchannels', 'resetchannels']),
    'The channels that a new user may use: all, or none.',
  ),
] as const;
