/** Certificates made by openssl, where that is installed, in a folder of their own: an authority, what it signed, and strangers. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oracle } from './oracle.ts';

export interface Certificates {
  readonly folder: string;
  path(name: string): string;
  read(name: string): Buffer;
  /** A certificate and a key of that name, signed by the authority. */
  issue(name: string, authority?: string): void;
  remove(): void;
}

function openssl(folder: string, ...args: string[]): void {
  execFileSync(oracle('openssl'), args, { cwd: folder, stdio: 'ignore' });
}

function issueIn(folder: string, name: string, authority: string): void {
  openssl(folder, 'ecparam', '-genkey', '-noout', '-name', 'prime256v1', '-out', `${name}.key`);
  openssl(folder, 'req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
  const signer = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
  openssl(folder, 'x509', '-req', '-in', `${name}.csr`, ...signer, '-days', '30', '-out', `${name}.crt`);
}

/**
 * ca, server, client (signed by ca), other-ca, stranger (signed by other-ca), locked.key (server's key under the passphrase
 * 'sesame'), dh.pem, and authorities/ with ca under its hash.
 */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-tls-'));
  for (const name of ['ca', 'other-ca']) {
    openssl(folder, 'ecparam', '-genkey', '-noout', '-name', 'prime256v1', '-out', `${name}.key`);
    openssl(
      folder,
      'req',
      '-x509',
      '-new',
      '-key',
      `${name}.key`,
      '-subj',
      `/CN=${name}`,
      '-days',
      '30',
      '-out',
      `${name}.crt`,
    );
  }
  issueIn(folder, 'server', 'ca');
  issueIn(folder, 'client', 'ca');
  issueIn(folder, 'stranger', 'other-ca');
  openssl(folder, 'ec', '-in', 'server.key', '-aes256', '-passout', 'pass:sesame', '-out', 'locked.key');
  openssl(folder, 'dhparam', '-dsaparam', '-out', 'dh.pem', '2048');
  mkdirSync(join(folder, 'authorities'));
  writeFileSync(join(folder, 'authorities', 'ca.pem'), readFileSync(join(folder, 'ca.crt')));
  openssl(folder, 'rehash', 'authorities');
  return {
    folder,
    path: (name) => join(folder, name),
    read: (name) => readFileSync(join(folder, name)),
    issue: (name, authority = 'ca') => issueIn(folder, name, authority),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
