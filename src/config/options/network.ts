/** Settings of net/: where to listen, for how long, and what a client may send. */
import { bool, INT_MAX, integer, memory, octal, string, UINT_MAX } from '../kinds.ts';
import { option } from '../option.ts';
import { bind, outputLimits } from '../special.ts';

export const network = [
  option('port', integer(6379, 0n, 65535n), 'The TCP port to listen at; 0 is none.'),
  option(
    'bind',
    bind,
    "The addresses to listen at. One that begins with '-' is skipped when the machine lacks it; '*' and '::*' are all.",
  ),
  option(
    'bind-source-addr',
    string('', { emptyIsNone: true }),
    'The address from which the server connects to others.',
  ),
  option(
    'protected-mode',
    bool(true),
    'Turns away clients from other machines for as long as the default user has no password.',
  ),
  option('tcp-backlog', integer(511, 0n, INT_MAX), 'Connections that the system holds before they are accepted.', {
    immutable: true,
  }),
  option('tcp-keepalive', integer(300, 0n, INT_MAX), 'Seconds of silence before a peer is probed; 0 is never.'),
  option('timeout', integer(0, 0n, INT_MAX), 'Closes clients that were idle for so many seconds; 0 is never.'),
  option('unixsocket', string('', { emptyIsNone: true }), 'The path of a Unix socket to listen at.', {
    immutable: true,
  }),
  option('unixsocketperm', octal(0, 0o777n), 'The permissions of that socket, in octal; 0 leaves them alone.', {
    immutable: true,
  }),
  option('maxclients', integer(10000, 1n, UINT_MAX), 'Connections at one time; further ones are told so and closed.'),
  option(
    'client-query-buffer-limit',
    memory(1073741824, { min: 1048576n }),
    'The most that a client may have sent without its command being complete.',
  ),
  option(
    'proto-max-bulk-len',
    memory(536870912, { min: 1048576n }),
    'The longest argument, and with it the longest string.',
  ),
  option(
    'client-output-buffer-limit',
    outputLimits,
    'What may be owed to a client, by class: hard limit, soft limit, and the seconds that the soft one may be exceeded.',
  ),
  option('socket-mark-id', integer(0, 0n, UINT_MAX), 'Kept for compatibility: marks on sockets are not set.', {
    immutable: true,
  }),
] as const;
