/**
 * The connections of a member with the others: one to each that we have opened, for what we say, and those that they have
 * opened to us. Who opens one says first who he is and shows a password, where the server asks one of its clients
 * (wire/hello.ts). What is said twice, late or never does no harm to the rules.
 *
 * One that is in no configuration that we know has no address for us: it is answered over the connection that it has opened to
 * us. It may have left the group; or it leads, and was added after what we have of the log.
 *
 * A member that we say something to and that says nothing itself for long may be behind a connection that only seems to be
 * one: it is opened anew, before anything else is said. Followers say nothing to each other until they want votes, for which
 * they have one election timeout: there less silence counts.
 */
import { join } from 'node:path';
import type { Disk } from '../base/disk.ts';
import type { Random } from '../base/random.ts';
import { systemError } from '../base/system-error.ts';
import type { Timer } from '../base/time.ts';
import type { Log } from '../engine/server-port.ts';
import type { Guest } from '../links/acceptor.ts';
import { Backoff } from '../links/backoff.ts';
import type { Dialer, Target } from '../links/link.ts';
import { parseAddress } from './address.ts';
import { type Configuration, memberOf, type NodeId } from './configuration.ts';
import type { Rooms } from './disk/records.ts';
import type { Message, SnapshotMessage } from './message.ts';
import { Outgoing } from './outgoing.ts';
import { SnapshotReceiver, SnapshotSender } from './transfers.ts';
import { decode, isRefused, mayHoldEntries } from './wire/decode.ts';
import { encode, encodeInParts } from './wire/encode.ts';
import { Framer } from './wire/framer.ts';
import { decodeHello, encodeHello, type Hello, LONGEST_HELLO } from './wire/hello.ts';

/** How connections are opened, by the settings of the server. */
export interface PeerSettings {
  readonly tlsCluster: boolean;
  readonly bindSourceAddr: string;
  readonly masteruser: string;
  readonly masterauth: string;
  readonly raftElectionTimeout: number;
}

export interface PeersParts {
  readonly id: NodeId;
  readonly dialer: Dialer;
  readonly disk: Disk;
  readonly random: Random;
  readonly settings: PeerSettings;
  readonly log: Log;
  /** Where the entries lie that others send: when a message has come, it is said up to which those of it go. */
  readonly rooms: Rooms;
  /** Where snapshots that come are written to. */
  readonly folder: string;
  readonly temporaryName: () => string;
  /** Whether whoever says this may speak to us. */
  readonly admits: (user: string, password: string) => boolean;
  /** A message has come; with a snapshot its file, which is the receiver's. */
  readonly received: (message: Message, file: string | null) => void;
  /** How the transfer to a member has ended. */
  readonly sent: (to: NodeId, ok: boolean) => void;
}

/** More than any message has: one entry may be larger than a batch. */
const LONGEST_MESSAGE = 64 * 1024 * 1024;
const HELLO_MS = 10_000;
/** Between two attempts to send a snapshot. */
const [LEAST_RETRY_MS, MOST_RETRY_MS] = [100, 3000];
/** Election timeouts without a word from somebody after which a connection to him is tried anew. */
const SILENCE = 3;

/** What may come back over a connection that we have opened. */
const ANSWERS: ReadonlySet<Message['type']> = new Set(['vote-reply', 'append-reply', 'removal'] as const);

/** Somebody who has connected to us. */
interface Visitor {
  readonly guest: Guest;
  readonly framer: Framer;
  readonly timer: Timer;
  hello: Hello | null;
  receiver: SnapshotReceiver | null;
}

export class Peers {
  private readonly parts: PeersParts;
  private configuration: Configuration = [];
  private readonly links = new Map<NodeId, Outgoing>();
  private readonly visitors = new Set<Visitor>();
  private readonly senders = new Map<NodeId, SnapshotSender>();
  /** Of those to whom a snapshot could not be sent. */
  private readonly retries = new Map<NodeId, Backoff>();
  /** When something was last heard of each, ms. */
  private readonly heardAt = new Map<NodeId, number>();
  private closed = false;

  constructor(parts: PeersParts) {
    this.parts = parts;
  }

  get count(): number {
    return this.links.size + this.visitors.size + this.senders.size;
  }

  /** Bytes that wait to go to the members. */
  get unsent(): number {
    let sum = 0;
    for (const { unsent } of this.links.values()) sum += unsent;
    return sum;
  }

  /** Bytes that wait, to go or for the rest of their message. */
  get bytes(): number {
    let sum = this.unsent;
    for (const { guest, framer } of this.visitors) sum += guest.unsent + framer.size;
    return sum;
  }

  /** Whether something was heard of it within so many milliseconds. */
  wasHeard(id: NodeId, within: number): boolean {
    return this.now - (this.heardAt.get(id) ?? Number.NEGATIVE_INFINITY) <= within;
  }

  /** Those who belong to the group, as far as that is known. */
  follow(configuration: Configuration): void {
    if (configuration === this.configuration || configuration.length === 0) return;
    const before = this.configuration;
    this.configuration = configuration;
    for (const id of this.retries.keys()) if (memberOf(configuration, id) === undefined) this.retries.delete(id);
    for (const [id, link] of this.links) {
      const address = memberOf(configuration, id)?.address;
      // One that has left may not know it: it is told what it still asks.
      if (address === undefined || address === memberOf(before, id)?.address) continue;
      link.close();
      this.links.delete(id);
    }
  }

  send(message: Message): void {
    const { to } = message;
    if (this.closed) return;
    if (memberOf(this.configuration, to) === undefined) {
      this.answer(message);
      return;
    }
    let link = this.links.get(to);
    if (link === undefined) this.links.set(to, (link = this.linkTo(to)));
    const heard = Math.max(this.heardAt.get(to) ?? 0, link.openedAt);
    const silence = (message.type === 'vote' ? 1 : SILENCE) * this.parts.settings.raftElectionTimeout;
    if (link.open && this.now - heard > silence) link.openAnew();
    link.send(encodeInParts(message));
  }

  sendSnapshot(message: SnapshotMessage, path: string): void {
    const { dialer, disk, sent, log } = this.parts;
    const { to } = message;
    const target = this.targetOf(to);
    this.senders.get(to)?.stop();
    this.senders.delete(to);
    if (target === null || this.closed) {
      this.notSent(to);
      return;
    }
    log.notice(`Sending the snapshot up to entry ${message.mark.index} to member ${to}`);
    const sender = new SnapshotSender({
      ...{ disk, dialer, target, path },
      head: [this.helloFor(to, 'snapshot'), encode(message)],
      done: (ok, reason) => {
        if (this.senders.get(to) !== sender) return;
        this.senders.delete(to);
        if (ok) {
          this.retries.delete(to);
          log.notice(`Member ${to} has received the snapshot`);
          sent(to, true);
          return;
        }
        log.warning(`The snapshot could not be sent to member ${to}: ${reason}`);
        this.notSent(to);
      },
    });
    this.senders.set(to, sender);
  }

  /** It is told after a while, since then it is tried again: whoever refuses it is not asked without a pause. */
  private notSent(to: NodeId): void {
    const { random, sent, dialer } = this.parts;
    const retry = this.retries.get(to) ?? new Backoff(LEAST_RETRY_MS, MOST_RETRY_MS, random);
    this.retries.set(to, retry);
    dialer.clock.after(retry.next(), () => {
      if (!this.closed) sent(to, false);
    });
  }

  accept(guest: Guest): void {
    if (this.closed) {
      guest.close();
      return;
    }
    const timer = this.parts.dialer.clock.after(HELLO_MS, () => {
      if (visitor.hello === null) this.leave(visitor);
    });
    const visitor: Visitor = { guest, framer: new Framer(LONGEST_HELLO), timer, hello: null, receiver: null };
    this.visitors.add(visitor);
    guest.receiver = {
      data: (bytes, from, to) => this.read(visitor, new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from)),
      closed: () => this.leave(visitor),
    };
  }

  close(): void {
    this.closed = true;
    for (const link of this.links.values()) link.close();
    for (const sender of this.senders.values()) sender.stop();
    for (const visitor of [...this.visitors]) this.leave(visitor);
    this.links.clear();
    this.senders.clear();
  }

  private get now(): number {
    return this.parts.dialer.clock.now();
  }

  private linkTo(to: NodeId): Outgoing {
    const { dialer, random, log } = this.parts;
    return new Outgoing({
      ...{ dialer, random },
      target: () => this.targetOf(to),
      hello: () => this.helloFor(to, 'messages'),
      answered: (bytes) => this.hearAnswer(to, bytes),
      lost: (reason) => log.verbose(`The connection to member ${to} is lost: ${reason}`),
    });
  }

  private targetOf(id: NodeId): Target | null {
    const { tlsCluster: secure, bindSourceAddr: source, raftElectionTimeout: timeout } = this.parts.settings;
    const address = parseAddress(memberOf(this.configuration, id)?.address ?? '');
    if (address === undefined) return null;
    return { host: address.host, port: address.busPort, secure, source, timeout, fleeting: true };
  }

  private helloFor(to: NodeId, purpose: Hello['purpose']): Uint8Array {
    const { masteruser: user, masterauth: password } = this.parts.settings;
    return encodeHello({ purpose, from: this.parts.id, to, user, password });
  }

  private answer(message: Message): void {
    const bytes = encode(message);
    for (const { hello, guest } of this.visitors)
      if (hello?.from === message.to && hello.purpose === 'messages') guest.write(bytes);
  }

  // What others say.

  private hearAnswer(from: NodeId, bytes: Uint8Array): void {
    const message = decode(bytes);
    if (isRefused(message) || !ANSWERS.has(message.type)) return;
    if (message.from !== from || message.to !== this.parts.id) return;
    this.heardAt.set(from, this.now);
    this.parts.received(message, null);
  }

  private read(visitor: Visitor, bytes: Uint8Array): void {
    const { framer } = visitor;
    if (visitor.receiver !== null) {
      visitor.receiver.take(bytes);
      return;
    }
    framer.push(bytes);
    for (let whole = framer.next(); whole !== null; whole = framer.next()) {
      if (visitor.hello === null) this.greet(visitor, whole);
      else this.hear(visitor, visitor.hello, whole);
      if (!this.visitors.has(visitor)) return;
      if (visitor.receiver !== null) {
        (visitor.receiver as SnapshotReceiver).take(framer.rest());
        return;
      }
    }
    framer.keepRest();
    if (framer.refused) this.refuse(visitor, 'its length makes no sense');
  }

  private greet(visitor: Visitor, bytes: Uint8Array): void {
    const hello = decodeHello(bytes);
    const { id, admits } = this.parts;
    if (hello === undefined) this.refuse(visitor, 'it does not say who it is');
    else if (hello.to !== id) this.refuse(visitor, `it means member ${hello.to}`);
    else if (!admits(hello.user, hello.password)) this.refuse(visitor, 'its password is wrong');
    else {
      visitor.hello = hello;
      visitor.framer.limit = LONGEST_MESSAGE;
    }
  }

  private hear(visitor: Visitor, hello: Hello, bytes: Uint8Array): void {
    const message = decode(this.kept(bytes));
    if (isRefused(message)) {
      this.refuse(visitor, message.refused);
      return;
    }
    if (message.from !== hello.from || message.to !== hello.to) {
      this.refuse(visitor, 'it speaks for another');
      return;
    }
    this.heardAt.set(message.from, this.now);
    if (message.type === 'snapshot' && hello.purpose === 'snapshot') this.receive(visitor, message);
    else if (message.type === 'snapshot' || hello.purpose === 'snapshot')
      this.refuse(visitor, 'it says what it may not');
    else this.parts.received(message, null);
  }

  /** What may hold entries, which are kept as parts of it, in memory that is theirs. */
  private kept(bytes: Uint8Array): Uint8Array {
    if (!mayHoldEntries(bytes)) return bytes;
    const room = this.parts.rooms.room(bytes.length);
    room.set(bytes);
    return room;
  }

  private receive(visitor: Visitor, message: SnapshotMessage): void {
    const { disk, dialer, folder, temporaryName, log, received } = this.parts;
    const name = temporaryName();
    log.notice(`Receiving the snapshot up to entry ${message.mark.index} from member ${message.from}`);
    // Another from the same member is of no use any more.
    for (const other of [...this.visitors])
      if (other !== visitor && other.receiver !== null && other.hello?.from === message.from) this.leave(other);
    try {
      visitor.receiver = new SnapshotReceiver({
        ...{ disk, folder, name, clock: dialer.clock },
        answer: (bytes) => visitor.guest.write(bytes),
        received: () => {
          visitor.receiver = null;
          if (this.closed) disk.removeAside(join(folder, name));
          else received(message, name);
        },
        failed: (reason) => this.refuse(visitor, reason),
      });
    } catch (error) {
      this.refuse(visitor, systemError(error));
    }
  }

  private refuse(visitor: Visitor, reason: string): void {
    this.parts.log.warning(`A connection from ${visitor.guest.ip} to the port of the group is ended: ${reason}`);
    this.leave(visitor);
  }

  private leave(visitor: Visitor): void {
    this.visitors.delete(visitor);
    visitor.timer.cancel();
    visitor.receiver?.abort();
    visitor.guest.close();
  }
}
