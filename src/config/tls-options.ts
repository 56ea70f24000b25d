/**
 * From the tls-* settings to what node:tls takes, in Redis's order of checks: each file is read and tried by itself, so
 * that the log names the one that is wrong.
 */
import { constants } from 'node:crypto';
import { resolve } from 'node:path';
import { createSecureContext, DEFAULT_CIPHERS, type SecureContextOptions, type SecureVersion } from 'node:tls';
import { getSystemErrorMap } from 'node:util';
import type { Disk } from '../base/disk.ts';
import { codeOf } from '../base/system-error.ts';
import type { Settings } from './settings.ts';

export type TlsSettings = Readonly<
  Pick<
    Settings,
    | 'tlsPort'
    | 'tlsCertFile'
    | 'tlsKeyFile'
    | 'tlsKeyFilePass'
    | 'tlsClientCertFile'
    | 'tlsClientKeyFile'
    | 'tlsClientKeyFilePass'
    | 'tlsDhParamsFile'
    | 'tlsCaCertFile'
    | 'tlsCaCertDir'
    | 'tlsAuthClients'
    | 'tlsReplication'
    | 'tlsCluster'
    | 'tlsProtocols'
    | 'tlsCiphers'
    | 'tlsCiphersuites'
    | 'tlsPreferServerCiphers'
    | 'tlsSessionCaching'
    | 'tlsSessionCacheTimeout'
  >
>;

/** Settings that can't be turned into a context; the message is for the log. */
export class TlsError extends Error {
  override name = 'TlsError';
}

interface Version {
  readonly name: SecureVersion;
  readonly without: number;
}

const VERSIONS: readonly Version[] = [
  { name: 'TLSv1', without: constants.SSL_OP_NO_TLSv1 },
  { name: 'TLSv1.1', without: constants.SSL_OP_NO_TLSv1_1 },
  { name: 'TLSv1.2', without: constants.SSL_OP_NO_TLSv1_2 },
  { name: 'TLSv1.3', without: constants.SSL_OP_NO_TLSv1_3 },
];
const USUAL_VERSIONS = 'TLSv1.2 TLSv1.3';
const CERTIFICATE = /-----BEGIN (TRUSTED )?CERTIFICATE-----/;
/** Names under which OpenSSL looks up a certificate: the hash of its subject and a number. */
const HASHED = /^[0-9a-f]{8}\.\d+$/;
const DH_PARAMETERS = /-----BEGIN (X9\.42 )?DH PARAMETERS-----/;

/** Whether any setting asks for a context. */
export function wantsTls(settings: TlsSettings): boolean {
  return settings.tlsPort !== 0 || settings.tlsReplication || settings.tlsCluster;
}

/** The port at which other servers and Sentinels are told to reach this one. */
export function portForPeers(settings: Readonly<Pick<Settings, 'port' | 'tlsPort' | 'tlsReplication'>>): number {
  const { port, tlsPort, tlsReplication } = settings;
  return tlsReplication && tlsPort !== 0 ? tlsPort : port;
}

/** What node:tls makes a context of; plain values, so that a thread can be told. */
export type TlsContextOptions = SecureContextOptions;

/** For those who connect to us, and for those whom we connect to. */
export interface TlsOptions {
  readonly server: TlsContextOptions;
  readonly client: TlsContextOptions;
}

/** What the settings say; throws TlsError. Paths begin at `folder`. */
export function tlsOptions(settings: TlsSettings, disk: Disk, folder: string): TlsOptions {
  if (settings.tlsCertFile === '') throw new TlsError('No tls-cert-file configured!');
  if (settings.tlsKeyFile === '') throw new TlsError('No tls-key-file configured!');
  const authorities = settings.tlsCaCertFile !== '' || settings.tlsCaCertDir !== '';
  if ((settings.tlsAuthClients !== 'no' || settings.tlsCluster || settings.tlsReplication) && !authorities)
    throw new TlsError(
      'Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!',
    );
  const versions = versionOptions(settings.tlsProtocols);
  const identity = identityOptions(disk, settings.tlsCertFile, settings.tlsKeyFile, settings.tlsKeyFilePass, folder);
  const { tlsClientCertFile, tlsClientKeyFile, tlsClientKeyFilePass } = settings;
  const server = {
    ...identity,
    ...versions,
    ca: authorityOptions(settings, disk, folder),
    ...cipherOptions(settings),
    ...dhOptions(disk, settings.tlsDhParamsFile, folder),
    honorCipherOrder: settings.tlsPreferServerCiphers,
    secureOptions:
      versions.secureOptions |
      constants.SSL_OP_NO_RENEGOTIATION |
      (settings.tlsPreferServerCiphers ? constants.SSL_OP_CIPHER_SERVER_PREFERENCE : 0) |
      (settings.tlsSessionCaching ? 0 : constants.SSL_OP_NO_TICKET),
    sessionTimeout: Math.max(1, settings.tlsSessionCacheTimeout),
  };
  attempt(server, 'Failed to configure TLS');
  if (tlsClientCertFile === '' || tlsClientKeyFile === '') return { server, client: server };
  const own = identityOptions(disk, tlsClientCertFile, tlsClientKeyFile, tlsClientKeyFilePass, folder);
  const { passphrase: _, ...rest } = server;
  return { server, client: { ...rest, ...own } };
}

function versionOptions(text: string): { minVersion: SecureVersion; maxVersion: SecureVersion; secureOptions: number } {
  const words = (text === '' ? USUAL_VERSIONS : text)
    .split(/[ \t]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());
  const wanted = VERSIONS.filter((version) => words.includes(version.name.toLowerCase()));
  const known = words.every((word) => VERSIONS.some((version) => version.name.toLowerCase() === word));
  if (!known || wanted.length === 0)
    throw new TlsError(
      "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.",
    );
  let secureOptions = 0;
  for (const version of VERSIONS) if (!wanted.includes(version)) secureOptions |= version.without;
  return { minVersion: wanted[0].name, maxVersion: wanted[wanted.length - 1].name, secureOptions };
}

function identityOptions(
  disk: Disk,
  certFile: string,
  keyFile: string,
  passphrase: string,
  folder: string,
): SecureContextOptions {
  const cert = read(disk, certFile, folder, `Failed to load certificate: ${certFile}`);
  attempt({ cert }, `Failed to load certificate: ${certFile}`);
  const key = read(disk, keyFile, folder, `Failed to load private key: ${keyFile}`);
  const identity = { cert, key, ...(passphrase !== '' && { passphrase }) };
  attempt(identity, `Failed to load private key: ${keyFile}`);
  return identity;
}

function authorityOptions({ tlsCaCertFile, tlsCaCertDir }: TlsSettings, disk: Disk, folder: string): Buffer[] {
  const failure = 'Failed to configure CA certificate(s) file/directory';
  const ca: Buffer[] = [];
  if (tlsCaCertFile !== '') {
    const bytes = read(disk, tlsCaCertFile, folder, failure);
    if (!CERTIFICATE.test(bytes.toString('latin1')))
      throw new TlsError(`${failure}: error:05800088:x509 certificate routines::no certificate or crl found`);
    attempt({ ca: bytes }, failure);
    ca.push(bytes);
  }
  if (tlsCaCertDir !== '') ca.push(...directoryOfAuthorities(disk, resolve(folder, tlsCaCertDir)));
  return ca;
}

/** OpenSSL passes over what can't be read here, until it is needed; so does this. */
function directoryOfAuthorities(disk: Disk, path: string): Buffer[] {
  try {
    return disk
      .list(path)
      .filter((name) => HASHED.test(name))
      .map((name) => disk.read(resolve(path, name)));
  } catch {
    return [];
  }
}

function cipherOptions({ tlsCiphers, tlsCiphersuites }: TlsSettings): { ciphers?: string } {
  if (tlsCiphers === '' && tlsCiphersuites === '') return {};
  const usual = DEFAULT_CIPHERS.split(':');
  const isSuite = (name: string): boolean => name.startsWith('TLS_');
  if (tlsCiphers !== '') attempt({ ciphers: tlsCiphers }, `Failed to configure ciphers: ${tlsCiphers}`, false);
  if (tlsCiphersuites !== '') {
    if (!tlsCiphersuites.split(':').every(isSuite))
      throw new TlsError(`Failed to configure ciphersuites: ${tlsCiphersuites}`);
    attempt({ ciphers: tlsCiphersuites }, `Failed to configure ciphersuites: ${tlsCiphersuites}`, false);
  }
  const suites = tlsCiphersuites === '' ? usual.filter(isSuite).join(':') : tlsCiphersuites;
  const ciphers = tlsCiphers === '' ? usual.filter((name) => !isSuite(name)).join(':') : tlsCiphers;
  return { ciphers: `${suites}:${ciphers}` };
}

function dhOptions(disk: Disk, file: string, folder: string): { dhparam?: Buffer } {
  if (file === '') return {};
  let dhparam: Buffer;
  try {
    dhparam = disk.read(resolve(folder, file));
  } catch (error) {
    throw new TlsError(`Failed to load ${file}: ${systemWords(error).text}`);
  }
  if (!DH_PARAMETERS.test(dhparam.toString('latin1'))) throw new TlsError(`${file}: failed to read DH params.`);
  attempt({ dhparam }, `${file}: failed to read DH params`);
  return { dhparam };
}

function read(disk: Disk, file: string, folder: string, failure: string): Buffer {
  try {
    return disk.read(resolve(folder, file));
  } catch (error) {
    const { number, text } = systemWords(error);
    const code = (0x80000000 + number).toString(16).toUpperCase();
    throw new TlsError(`${failure}: error:${code}:system library::${text}`);
  }
}

/** The number and the words of a system error, as strerror() has them. */
function systemWords(error: unknown): { number: number; text: string } {
  const number = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
  const text = getSystemErrorMap().get(number)?.[1] ?? String(error);
  return { number: -number, text: text.charAt(0).toUpperCase() + text.slice(1) };
}

function attempt(options: SecureContextOptions, failure: string, withReason = true): void {
  try {
    createSecureContext(options);
  } catch (error) {
    throw new TlsError(withReason ? `${failure}: ${opensslText(error)}` : failure);
  }
}

/** The certificate of the other side is of no authority that is trusted. */
export const UNVERIFIED = 'error:0A000086:SSL routines::certificate verify failed';
const CUT_SHORT = 'error:0A000126:SSL routines::unexpected eof while reading';

/** Why a handshake has failed. */
export function tlsReason(error: Error): string {
  const code = codeOf(error);
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'TLS handshake timed out';
  if (code !== 'ECONNRESET') return opensslText(error);
  return 'syscall' in error ? 'Connection reset by peer' : CUT_SHORT;
}

/** 'error:0A00010B:SSL routines::wrong version number' of whatever OpenSSL and Node put around it. */
export function opensslText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const found = /error:([0-9A-F]{8}):([^:]*):[^:]*:([^:\n]*)/.exec(message);
  return found ? `error:${found[1]}:${found[2]}::${found[3].trim()}` : message;
}
