/**
 * Who belongs to a group, as operators ask for it: RAFT INIT, JOIN, REMOVE, TRANSFER.
 *
 *   the one that joins ── RAFT ADMIT id address ──> any member ── MOVED ──> the leader: it is added as a learner
 *                      <── the members, so that it can answer the leader ──┘            and made a voter once it has the log
 */
import type { Settings } from '../config/settings.ts';
import type { Log } from '../engine/server-port.ts';
import type { Session } from '../engine/session.ts';
import { authRequest, Conversation } from '../links/conversation.ts';
import type { Dialer } from '../links/link.ts';
import type { Reply } from '../links/reply-reader.ts';
import { ReplyError } from '../protocol/reply-error.ts';
import { type Address, formatAddress, nameOf, parseAddress } from './address.ts';
import { type Configuration, type Member, memberOf, type NodeId } from './configuration.ts';
import type { Group } from './group.ts';
import type { Peers } from './peers.ts';
import type { Shell } from './shell.ts';

/** The settings by which others are reached, and by which we are. */
export interface MembershipSettings {
  readonly tlsCluster: boolean;
  readonly bindSourceAddr: string;
  readonly bind: readonly string[];
  readonly masteruser: string;
  readonly masterauth: string;
  readonly port: number;
  readonly tlsPort: number;
  readonly clusterAnnounceIp: string;
  readonly clusterAnnouncePort: number;
  readonly clusterAnnounceTlsPort: number;
  readonly clusterAnnounceBusPort: number;
}

export interface MembershipParts {
  readonly id: NodeId;
  readonly shell: Shell;
  readonly group: Group;
  readonly peers: Peers;
  readonly dialer: Dialer;
  readonly settings: MembershipSettings;
  readonly log: Log;
  /** The port at which members meet us. */
  readonly busPort: () => number;
  /** Whether there are no keys. */
  readonly isEmpty: () => boolean;
}

const ASK_MS = 5000;
const AGAIN_MS = 200;
const ATTEMPTS = 30;
const MOVED = /^MOVED \d+ (.*):(\d+)$/;
const ANY_HOST = new Set(['', '*', '0.0.0.0', '::', '-::*']);

export class Membership {
  readonly shell: Shell;
  readonly group: Group;
  readonly peers: Peers;
  readonly id: NodeId;
  private readonly parts: MembershipParts;
  private joining = false;

  constructor(parts: MembershipParts) {
    this.parts = parts;
    this.id = parts.id;
    this.shell = parts.shell;
    this.group = parts.group;
    this.peers = parts.peers;
  }

  /** Begins a group; '' or why not. */
  init(session: Session): string {
    const obstacle = this.obstacle();
    if (obstacle !== '') return obstacle;
    const { localAddress } = session.port;
    const host = this.ownHost(localAddress.slice(0, localAddress.lastIndexOf(':')).replace(/^\[|\]$/g, ''));
    this.shell.found([{ id: this.id, address: formatAddress(this.ownAddress(host)), kind: 'voter' }]);
    return '';
  }

  /** Enters the group that the server at this address belongs to; '' or why not. */
  async join(host: string, port: number): Promise<string> {
    const obstacle = this.joining ? 'it is on its way into a group' : this.obstacle();
    if (obstacle !== '') return obstacle;
    this.joining = true;
    try {
      return await this.askIn(host, port);
    } finally {
      this.joining = false;
    }
  }

  /** Lets another in: the members, or why not. */
  async admit(id: NodeId, text: string): Promise<Configuration | string> {
    const address = parseAddress(text);
    if (address === undefined || !(id > 0)) return 'the address makes no sense';
    const known = memberOf(this.shell.configuration, id);
    if (known !== undefined && known.address !== text) return 'a member has another address';
    if (known === undefined) {
      const reason = await this.shell.change({ kind: 'add', id, address: text });
      if (reason !== '') return reason;
      this.parts.log.notice(`Member ${id} at ${address.host}:${address.port} has joined the group`);
    }
    return this.shell.configuration;
  }

  private obstacle(): string {
    if (this.shell.joined) return 'it belongs to a group already';
    return this.parts.isEmpty() ? '' : 'it has keys, which the group would not know';
  }

  private async askIn(host: string, port: number): Promise<string> {
    let [at, last] = [{ host, port }, ''];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answer = await this.askOne(at);
      if (typeof answer !== 'string') {
        this.enter(answer);
        return '';
      }
      const moved = MOVED.exec(answer);
      if (moved !== null) at = { host: moved[1] || at.host, port: Number(moved[2]) };
      else if (!answer.startsWith('CLUSTERDOWN') && !answer.includes('another change') && !answer.includes('not ready'))
        return answer;
      last = answer;
      if (moved === null || attempt > 2) await this.pause();
    }
    return last;
  }

  private pause(): Promise<void> {
    return new Promise((done) => void this.parts.dialer.clock.after(AGAIN_MS, done));
  }

  /** What one answers who is asked to let us in: the members, or the error. */
  private async askOne({ host, port }: Pick<Address, 'host' | 'port'>): Promise<Configuration | string> {
    const { dialer, settings, id } = this.parts;
    const { tlsCluster: secure, bindSourceAddr: source, masteruser, masterauth } = settings;
    let conversation: Conversation | null = null;
    try {
      conversation = await Conversation.open(dialer, { host, port, secure, source, timeout: ASK_MS });
      const auth = authRequest(masteruser, masterauth);
      const welcome = auth === null ? null : await conversation.call(auth, ASK_MS);
      if (welcome instanceof ReplyError) return welcome.message;
      const address = formatAddress(this.ownAddress(this.ownHost(conversation.link.localIp)));
      const reply = await conversation.call(['RAFT', 'ADMIT', String(id), address], 2 * ASK_MS);
      return reply instanceof ReplyError ? reply.message : membersIn(reply);
    } catch (error) {
      return `${host}:${port}: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      conversation?.close();
    }
  }

  private enter(members: Configuration): void {
    this.parts.peers.follow(members);
    this.shell.found([]);
    this.parts.log.notice(`Joining a group of ${members.length - 1} as member ${this.id}`);
  }

  /** Where we say that we are found. */
  private ownHost(guess: string): string {
    const { clusterAnnounceIp, bind } = this.parts.settings;
    if (clusterAnnounceIp !== '') return clusterAnnounceIp;
    if (guess !== '') return guess.startsWith('::ffff:') ? guess.slice('::ffff:'.length) : guess;
    return bind.find((each) => !ANY_HOST.has(each)) ?? '127.0.0.1';
  }

  private ownAddress(host: string): Address {
    const { settings, busPort } = this.parts;
    const { port, tlsPort, clusterAnnouncePort, clusterAnnounceTlsPort, clusterAnnounceBusPort } = settings;
    return {
      host,
      port: clusterAnnouncePort || port,
      tlsPort: clusterAnnounceTlsPort || tlsPort,
      busPort: clusterAnnounceBusPort || busPort(),
    };
  }
}

/** A member as RAFT ADMIT tells of it. */
export function memberText({ id, kind, address }: Member): string {
  return `${id} ${kind} ${address}`;
}

function membersIn(reply: Reply): Configuration | string {
  if (!Array.isArray(reply)) return 'what it answers makes no sense';
  const members: Member[] = [];
  for (const each of reply) {
    const found = /^(\d{1,16}) (voter|learner) (.*)$/.exec(String(each));
    if (found === null || parseAddress(found[3]) === undefined) return 'what it answers makes no sense';
    members.push({ id: Number(found[1]), kind: found[2] === 'voter' ? 'voter' : 'learner', address: found[3] });
  }
  return members;
}

export interface MemberView {
  readonly id: NodeId;
  /** 40 hexadecimal digits. */
  readonly name: string;
  readonly address: Address;
  readonly leads: boolean;
  readonly votes: boolean;
  /** Whether it was heard lately, as far as we can know. */
  readonly alive: boolean;
  /** Up to which entry it has the log, as far as we know. */
  readonly index: number;
}

const NOWHERE: Address = { host: '', port: 0, tlsPort: 0, busPort: 0 };

/** The members as they are seen from here: a leader knows of all, the others of themselves and of the leader. */
export function membersSeen(
  { shell, peers, id: own }: Membership,
  { raftElectionTimeout }: Pick<Settings, 'raftElectionTimeout'>,
): MemberView[] {
  const { state } = shell;
  if (state === null) return [];
  const { leader, leading, log, commit } = state;
  return shell.configuration.map(({ id, address, kind }) => ({
    id,
    name: nameOf(id),
    address: parseAddress(address) ?? NOWHERE,
    leads: id === leader,
    votes: kind === 'voter',
    alive: id === own || (leading === null ? id === leader : peers.wasHeard(id, 2 * raftElectionTimeout)),
    index: id === own ? log.last : (leading?.peers.get(id)?.match ?? (id === leader ? commit : 0)),
  }));
}
