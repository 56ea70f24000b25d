/**
 * Who may do what: the users of one server, and what becomes of sessions when users change.
 *
 *   session.user -> User -> selectors          session.gates:  GATE_AUTH while it must prove who it is,
 *                                                                  GATE_ACL while its user isn't unrestricted
 *
 * Commands of unrestricted users pass the mask of gates.ts and never come here. A user object is never replaced while it
 * exists, only changed, so that sessions can point at it; whoever changes one goes through `setUser`, `deleteUser` and
 * `load`, which bring the sessions up to date.
 */
import { LONGEST_TEXT, type Slice } from '../../base/slice.ts';
import type { Engine } from '../engine.ts';
import { SCRIPT } from '../roles.ts';
import type { Session } from '../session.ts';
import type { Registered } from '../table.ts';
import { AclCommands } from './command-bits.ts';
import type { RefusedRule } from './fault.ts';
import { type AclContext, AclLog } from './log.ts';
import {
  ALLOWED,
  DENIED_AUTH,
  DENIED_CHANNEL,
  DENIED_COMMAND,
  DENIED_KEY,
  type Denied,
  permissionFor,
  Selector,
  type Verdict,
} from './selector.ts';
import { type AclBasis, User } from './user.ts';

export const DEFAULT_USER = 'default';

/** What a client is told of a denial, behind NOPERM. */
export function denialText(verdict: Verdict, registered: Registered): string {
  switch (verdict) {
    case DENIED_COMMAND:
      return `this user has no permissions to run the '${registered.name}' command`;
    case DENIED_KEY:
      return 'this user has no permissions to access one of the keys used as arguments';
    case DENIED_CHANNEL:
      return 'this user has no permissions to access one of the channels used as arguments';
    default:
      return 'lacking the permissions for the command';
  }
}

/** So much of a key, a channel or a name is kept in ACL LOG. */
const LOGGED = 64 * 1024;

export class Acl implements AclBasis {
  readonly commands: AclCommands;
  readonly log = new AclLog();
  readonly defaultUser: User;
  private users = new Map<string, User>();
  private readonly engine: Engine;
  private readonly denied: Denied = { at: 0 };
  /** What the users take; below zero when it has to be measured. */
  private taken = -1;

  constructor(engine: Engine) {
    this.engine = engine;
    this.commands = new AclCommands(engine.table.each());
    this.defaultUser = this.newDefault();
    this.users.set(DEFAULT_USER, this.defaultUser);
  }

  /** What the users take, in bytes. */
  get bytes(): number {
    if (this.taken < 0) {
      this.taken = 0;
      for (const user of this.users.values()) this.taken += user.bytes;
    }
    return this.taken;
  }

  allChannels(): boolean {
    return this.engine.server.settings.aclPubsubDefault === 'allchannels';
  }

  private newDefault(): User {
    const user = new User(DEFAULT_USER, this);
    for (const rule of ['+@all', '~*', '&*', 'on', 'nopass']) user.apply(rule);
    return user;
  }

  // Users.

  find(name: Slice): User | undefined {
    return name.length > LONGEST_TEXT ? undefined : this.users.get(name.latin1());
  }

  /** All users, in the order of their names' bytes. */
  list(): User[] {
    return [...this.users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A user that isn't known to the server yet. */
  newUser(name: string): User {
    return new User(name, this);
  }

  /** Changes or creates a user by rules: all of them, or none when one is refused. */
  setUser(name: string, rules: readonly string[], by: Session | null): RefusedRule | undefined {
    const old = this.users.get(name);
    const changed = old ? old.copy() : this.newUser(name);
    const refused = changed.applyAll(rules);
    if (refused) return refused;
    if (old) {
      this.closeSubscribers(old, changed, by);
      old.become(changed);
    } else this.users.set(name, changed);
    this.refresh();
    return undefined;
  }

  /** Removes a user; its sessions are closed. Says whether there was one. */
  deleteUser(name: string, by: Session | null): boolean {
    const user = this.users.get(name);
    if (!user) return false;
    this.users.delete(name);
    this.taken = -1;
    this.closeSessionsOf(new Set([user]), by);
    return true;
  }

  /** Puts other users in the place of all there are. The sessions of the old ones are closed, but for the default user's. */
  replaceAll(users: readonly User[], by: Session | null): void {
    const old = new Set(this.users.values());
    old.delete(this.defaultUser);
    this.defaultUser.become(users.find((user) => user.name === DEFAULT_USER) ?? this.newDefault());
    this.users = new Map(users.map((user) => [user.name, user]));
    this.users.set(DEFAULT_USER, this.defaultUser);
    this.closeSessionsOf(old, by);
    this.refresh();
  }

  /** The password of requirepass becomes the default user's only one; none lets everybody in. */
  requirePassword(password: string): void {
    this.defaultUser.apply('resetpass');
    this.defaultUser.apply(password === '' ? 'nopass' : `>${password}`);
    this.refresh();
  }

  // Sessions.

  /** Makes a session what it is when a connection has just been made. */
  welcome(session: Session): void {
    session.user = this.defaultUser;
    session.hasAuthenticated = !this.asksPassword;
    this.refreshSession(session);
  }

  private get asksPassword(): boolean {
    return !this.defaultUser.nopass || !this.defaultUser.enabled;
  }

  /** Turns a session into `name`'s when the password is right. */
  authenticate(session: Session, name: Slice, password: Slice): boolean {
    const user = this.find(name);
    if (!user?.accepts(password)) return false;
    this.admit(session, user);
    return true;
  }

  /** Turns a session into that of a user of this server's who has proved to be he. */
  admit(session: Session, user: User): void {
    session.user = user;
    session.hasAuthenticated = true;
    this.refreshSession(session);
  }

  /** Sets the gates of a session by its user. */
  refreshSession(session: Session): void {
    session.mustAuthenticate = !session.hasAuthenticated && this.asksPassword;
    session.restricted = session.user !== null && !session.user.unrestricted;
  }

  private refresh(): void {
    this.taken = -1;
    for (const session of this.engine.sessions.values()) this.refreshSession(session);
  }

  private closeSessionsOf(users: ReadonlySet<User>, by: Session | null): void {
    for (const session of [...this.engine.sessions.values()]) {
      if (session.user === null || !users.has(session.user)) continue;
      session.user = this.defaultUser;
      session.hasAuthenticated = false;
      this.refreshSession(session);
      this.close(session, by);
    }
  }

  private close(session: Session, by: Session | null): void {
    if (session === by) {
      session.closeAfterCommand();
      return;
    }
    this.engine.kill(session);
  }

  /** Closes the sessions of a user that listen to channels which it may no longer listen to. */
  private closeSubscribers(user: User, changed: User, by: Session | null): void {
    if (changed.selectors.some((selector) => selector.allChannels)) return;
    const keeps = user.selectors.every((old) => !old.allChannels && Selector.keepsChannels(old, changed.selectors));
    if (keeps) return;
    for (const session of [...this.engine.sessions.values()])
      if (session.user === user && session.subscriptions > 0 && !maySubscribe(session, changed))
        this.close(session, by);
  }

  // Checks.

  /** The gate's question: the error for the client when a command isn't permitted, which is logged as well. */
  permits(session: Session, registered: Registered, args: readonly Slice[], argc: number): string | null {
    const context = session.transaction ? 'multi' : 'toplevel';
    const verdict = this.check(session, registered, args, argc, context);
    return verdict === ALLOWED ? null : `NOPERM ${denialText(verdict, registered)}`;
  }

  /** Whether a session may run a command now; a denial is logged. */
  check(session: Session, registered: Registered, args: readonly Slice[], argc: number, context: AclContext): Verdict {
    if (!session.restricted || session.user === null) return ALLOWED;
    const verdict = this.checkUser(session.user, registered, args, argc);
    if (verdict === ALLOWED) return verdict;
    const object = verdict === DENIED_COMMAND ? registered.name : args[this.denied.at].beginning(LOGGED);
    this.logDenial(session, verdict, context, object, session.userName);
    return verdict;
  }

  /** The same for a user that needs no session, unlogged; `deniedAt` then tells which argument was denied. */
  checkUser(user: User, registered: Registered, args: readonly Slice[], argc: number): Verdict {
    this.denied.at = 0;
    return user.check(registered, args, argc, this.denied);
  }

  /** Position of the argument that the last check denied. */
  get deniedAt(): number {
    return this.denied.at;
  }

  /** Whether a command that reads keys not among its arguments (SORT's BY and GET) may read any. */
  mayReadAllKeys(session: Session, registered: Registered, args: readonly Slice[], argc: number): boolean {
    if (!session.restricted || session.user === null) return true;
    const permission = permissionFor('ACCESS');
    return session.user.selectors.some(
      (s) => s.permitsAllKeys(permission) && s.check(registered, args, argc, this.denied) === ALLOWED,
    );
  }

  /** Logs that somebody failed to prove to be `name`, with the command that it was tried by. */
  authenticationFailed(session: Session, name: Slice, command: Slice): void {
    const context = session.transaction ? 'multi' : 'toplevel';
    this.logDenial(session, DENIED_AUTH, context, command.keyword(), name.beginning(LOGGED));
  }

  private logDenial(session: Session, verdict: Verdict, context: AclContext, object: string, user: string): void {
    const { engine } = this;
    const time = engine.clock.now();
    // Of a script's command, the client is whose script it is.
    const client = engine.describeSession(session.role === SCRIPT ? (engine.current ?? session) : session);
    this.log.add({ verdict, context, object, user, time, client }, engine.server.settings.acllogMaxLen);
  }
}

/** Whether everything that a session listens to is permitted by one of the user's selectors. */
function maySubscribe(session: Session, user: User): boolean {
  const may = (name: Slice, isPattern: boolean): boolean =>
    user.selectors.some((selector) => selector.permitsChannel(name, isPattern));
  for (const { name } of session.patterns ?? []) if (!may(name, true)) return false;
  for (const { name } of session.channels ?? []) if (!may(name, false)) return false;
  for (const { name } of session.shardChannels ?? []) if (!may(name, false)) return false;
  return true;
}
