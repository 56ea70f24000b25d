/** Settings of net/ for TLS. */
import { bool, INT_MAX, integer, string, word } from '../kinds.ts';
import { option } from '../option.ts';

/** Naming the same file again reads it again. */
const FILE = { volatile: true } as const;

export const tls = [
  option('tls-port', integer(0, 0n, 65535n), 'The port for TLS; 0 is none.'),
  option('tls-cert-file', string('', { emptyIsNone: true }), "The server's certificate, in PEM.", FILE),
  option('tls-key-file', string('', { emptyIsNone: true }), 'Its key.', FILE),
  option('tls-key-file-pass', string('', { emptyIsNone: true }), "The key's passphrase.", { sensitive: true }),
  option('tls-client-cert-file', string('', { emptyIsNone: true }), 'The certificate for links to others.', FILE),
  option('tls-client-key-file', string('', { emptyIsNone: true }), 'Its key.', FILE),
  option('tls-client-key-file-pass', string('', { emptyIsNone: true }), "That key's passphrase.", { sensitive: true }),
  option('tls-dh-params-file', string('', { emptyIsNone: true }), 'Parameters for older clients.', FILE),
  option(
    'tls-ca-cert-file',
    string('', { emptyIsNone: true }),
    'The authorities whose certificates are trusted.',
    FILE,
  ),
  option(
    'tls-ca-cert-dir',
    string('', { emptyIsNone: true }),
    "A directory of them, each under its hash as 'openssl rehash' names it.",
    FILE,
  ),
  option(
    'tls-auth-clients',
    word('yes', ['no', 'yes', 'optional']),
    'Whether clients must show a certificate: yes, no, or only a valid one if they show any.',
  ),
  option('tls-replication', bool(false), 'TLS towards the master.'),
  option('tls-cluster', bool(false), 'TLS on the bus.'),
  option(
    'tls-protocols',
    string('', { emptyIsNone: true }),
    'The versions that are spoken, of TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; usually the last two.',
  ),
  option('tls-ciphers', string('', { emptyIsNone: true }), 'The ciphers up to TLS 1.2.'),
  option('tls-ciphersuites', string('', { emptyIsNone: true }), 'Those of TLS 1.3.'),
  option('tls-prefer-server-ciphers', bool(false), "Prefers the server's order of them."),
  option('tls-session-caching', bool(true), 'Lets clients resume sessions, by tickets that they keep.'),
  option(
    'tls-session-cache-size',
    integer(20480, 0n, INT_MAX),
    'Kept for compatibility: tickets lie with the clients and take nothing here.',
  ),
  option('tls-session-cache-timeout', integer(300, 0n, INT_MAX), 'For how many seconds a session can be resumed.'),
] as const;
