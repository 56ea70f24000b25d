/** Settings of console/: the page for browsers, and /metrics beside it. Redis has none of these. */
import { integer, string } from '../kinds.ts';
import { option } from '../option.ts';
import { addresses } from '../special.ts';

export const consolePage = [
  option(
    'console-port',
    integer(0, 0n, 65535n),
    'The port at which browsers find the console, and Prometheus /metrics; 0 is none. Of this server only, as the next three.',
  ),
  option('console-bind', addresses(['127.0.0.1', '-::1']), 'The addresses that it listens at.'),
  option(
    'console-user',
    string('', { emptyIsNone: true }),
    'The only user of the ACL that it lets in; empty is all of them. Without a password it lets in those that need none.',
  ),
  option(
    'console-hosts',
    addresses([]),
    'Names by which browsers reach it, beside localhost and addresses: those of a proxy before it.',
  ),
] as const;
