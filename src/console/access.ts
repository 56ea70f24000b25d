/**
 * Who is let in: users of the server's ACL, each with his own rights.
 *
 *   Authorization: Basic ...      proved with each request (programs)
 *   a cookie, after a login       a secret that stands for the user, for as long as he keeps the password that he gave
 *   nothing                       the default user, or `console-user`, where that one needs no password
 */

import type { Ids } from '../base/ids.ts';
import { sliceOf } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import { type Acl, DEFAULT_USER } from '../engine/acl/acl.ts';
import { hashPassword } from '../engine/acl/password.ts';
import type { User } from '../engine/acl/user.ts';

/** Logins that are kept, and for how long after they were last used, ms. */
const MOST_LOGINS = 256;
const LOGIN_MS = 12 * 60 * 60 * 1000;
const SECRET_BYTES = 32;

/** Somebody who has proved to be a user. */
export interface Visitor {
  readonly user: User;
  /** Of the password that he gave. */
  readonly hash: string;
  /** Whether he has logged in, which he can end. */
  readonly login: boolean;
}

/** What somebody says who wants to be a user; no name is the usual one's. */
export interface Proof {
  readonly name: Buffer;
  readonly password: Buffer;
}

/** Whether a password is a user's. */
export type Ask = (name: Buffer, password: Buffer) => Promise<boolean>;

interface Login {
  readonly visitor: Visitor;
  usedAt: number;
}

export interface AccessParts {
  readonly acl: Acl;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The name of the only user who is let in; '' where all are. */
  readonly onlyUser: () => string;
}

export class Access {
  private readonly parts: AccessParts;
  /** By their secrets, the one used longest ago first. */
  private readonly logins = new Map<string, Login>();

  constructor(parts: AccessParts) {
    this.parts = parts;
  }

  /** Whose rights who proves nothing has; undefined where a password is needed. */
  get anybody(): Visitor | undefined {
    const user = this.parts.acl.find(sliceOf(this.parts.onlyUser() || DEFAULT_USER));
    return user?.enabled && user.nopass ? { user, hash: '', login: false } : undefined;
  }

  /**
   * Undefined where the password is not the user's, or the user is not let in. Name and password are their bytes; `ask` is
   * AUTH, so that what is refused is in the server's log of refusals.
   */
  async prove({ name, password }: Proof, login: boolean, ask: Ask): Promise<Visitor | undefined> {
    const only = this.parts.onlyUser();
    const wanted = name.length === 0 ? Buffer.from(only || DEFAULT_USER, 'latin1') : name;
    if (only !== '' && wanted.toString('latin1') !== only) return undefined;
    if (!(await ask(wanted, password))) return undefined;
    const user = this.parts.acl.find(sliceOf(wanted.toString('latin1')));
    return user === undefined ? undefined : { user, hash: hashPassword(password), login };
  }

  /** Whether he still is whom he has proved to be: neither the user nor his password have gone. */
  isValid({ user, hash }: Visitor): boolean {
    const only = this.parts.onlyUser();
    if (only !== '' && user.name !== only) return false;
    if (this.parts.acl.find(sliceOf(user.name)) !== user || !user.enabled) return false;
    return user.nopass || user.passwords.includes(hash);
  }

  /** The secret by which he is known from now on. */
  begin(visitor: Visitor): string {
    const secret = this.parts.ids.secret(SECRET_BYTES).toString('hex');
    if (this.logins.size >= MOST_LOGINS) {
      const [oldest] = this.logins.keys();
      this.logins.delete(oldest);
    }
    this.logins.set(secret, { visitor, usedAt: this.parts.clock.now() });
    return secret;
  }

  known(secret: string): Visitor | undefined {
    const login = this.logins.get(secret);
    if (login === undefined) return undefined;
    const now = this.parts.clock.now();
    this.logins.delete(secret);
    if (now - login.usedAt > LOGIN_MS || !this.isValid(login.visitor)) return undefined;
    login.usedAt = now;
    this.logins.set(secret, login);
    return login.visitor;
  }

  /** Says who was known by it. */
  end(secret: string): Visitor | undefined {
    const login = this.logins.get(secret);
    this.logins.delete(secret);
    return login?.visitor;
  }
}

/** Name and password of `Authorization: Basic ...`, as bytes; undefined where the header has another form. */
export function basicProof(header: string): Proof | undefined {
  const parts = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header);
  if (parts === null) return undefined;
  const bytes = Buffer.from(parts[1], 'base64');
  const colon = bytes.indexOf(':');
  return colon < 0 ? undefined : { name: bytes.subarray(0, colon), password: bytes.subarray(colon + 1) };
}

/** The value of a cookie among those that a browser has sent. */
export function cookieOf(header: string, name: string): string | undefined {
  for (const part of header.split(';')) {
    const [key, value = ''] = part.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
