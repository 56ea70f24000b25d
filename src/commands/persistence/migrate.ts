/**
 * MIGRATE: keys go to another server by RESTORE, and those that it has acknowledged go from here.
 *
 * Redis does nothing else until that is over. Here only what could change the keys waits: the calling client, and the
 * commands of all clients that may write (as under CLIENT PAUSE WRITE, which UNPAUSE does not end). Reads, PING, INFO go on,
 * and the event loop runs. For the keys it comes to the same: nobody can write them between their dump and their removal, so
 * they are never lost, doubled with different values, or written where they no longer are; a client that writes sees a
 * delay, at most that of Redis. Comparing versions of keys instead would let writers go on, but then a migration of a key
 * under constant writes would never end, and RESTORE has already made it on the other side.
 *
 * A transaction is one unit for everybody: while it stands in the middle, at a MIGRATE, the commands of all clients wait; the
 * event loop runs. Only a script can't be left at that point: there a thread talks to the other server while this one
 * sleeps, as Redis does. It can't last longer than the command's own time limits.
 *
 * The effect is a DEL of the acknowledged keys.
 */

import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { copyBytes } from '../../base/copy.ts';
import { isWord, Slice } from '../../base/slice.ts';
import { EXTENSION } from '../../base/thread.ts';
import type { Call } from '../../engine/call.ts';
import { command, type KeyFinderInput, type KeySpec } from '../../engine/command.ts';
import type { Engine } from '../../engine/engine.ts';
import { after, block, bytes, integer, key, oneOf, optional, token } from '../../engine/grammar.ts';
import { Suspension } from '../../engine/suspension.ts';
import type { Database } from '../../keyspace/database.ts';
import type { Request } from '../../links/request.ts';
import { NULL } from '../../memory/address.ts';
import { entryExpiry } from '../../values/entry.ts';
import type { ThreadData } from './migrate-thread.ts';
import { DONE, LINKS, Links, type Migration, type Outcome, type ThreadTask } from './migration.ts';

/** The time limit where none, or one that is none, is given, in ms. */
const USUAL_TIMEOUT = 1000;
/** What a thread may take beyond the time limits of its waits, in ms: it has to start. */
const THREAD_GRACE = 10_000;
/** No host's name is longer (getaddrinfo's NI_MAXHOST). */
const LONGEST_HOST = 1025;
/** The longest that a timer waits. */
const LONGEST_TIMEOUT = 0x7fffffff;
/** An effect of more keys becomes several. */
const KEYS_PER_EFFECT = 10_000;
const LOST: Outcome = { acknowledged: [], error: 'IOERR error or timeout reading to target instance' };
const NO_THREAD = 'ERR MIGRATE in a script needs a thread, which this server does not have';
const KEY_ARGUMENT = 'ERR When using MIGRATE KEYS option, the key argument must be set to the empty string';

interface Options {
  copy: boolean;
  replace: boolean;
  auth: Request | null;
  /** Positions of the keys: from `first` on. */
  first: number;
  count: number;
}

/** The options; undefined when an error has been replied. */
function readOptions(c: Call): Options | undefined {
  const options: Options = { copy: false, replace: false, auth: null, first: 3, count: 1 };
  // The last password counts, and the last user, whichever word it came with.
  let user: Uint8Array[] = [];
  for (let i = 6; i < c.argc; i++) {
    const word = c.arg(i);
    const more = c.argc - 1 - i;
    if (isWord(word, 'COPY')) options.copy = true;
    else if (isWord(word, 'REPLACE')) options.replace = true;
    else if (isWord(word, 'AUTH') && more >= 1) options.auth = ['AUTH', ...user, c.arg(++i).copy()];
    else if (isWord(word, 'AUTH2') && more >= 2) {
      user = [c.arg(++i).copy()];
      options.auth = ['AUTH', ...user, c.arg(++i).copy()];
    } else if (isWord(word, 'KEYS')) {
      if (c.arg(3).length !== 0) {
        c.reply.error(KEY_ARGUMENT);
        return undefined;
      }
      options.first = i + 1;
      options.count = c.argc - options.first;
      break;
    } else {
      c.syntaxError();
      return undefined;
    }
  }
  return options;
}

/** What is over, for the command that is run again. */
interface Arrival {
  readonly transfer: Transfer;
  readonly outcome: Outcome;
  readonly suspension: Suspension;
}

/** The migrations of one server: at most one at a time, since a further one is a write and waits. */
class Migrations {
  private readonly engine: Engine;
  private kept = 0;
  private readonly links: Links;
  private arrived: Arrival | null = null;
  private thread: { readonly worker: Worker; readonly port: MessagePort; readonly words: Int32Array } | null = null;

  constructor(engine: Engine) {
    this.engine = engine;
    this.links = new Links(engine.server.links, (count) => {
      this.kept = count;
    });
  }

  get cached(): number {
    return this.kept + (this.thread === null ? 0 : Atomics.load(this.thread.words, LINKS));
  }

  /** Begins one, alone or within a transaction, which is left half way; the command is run again when it is over. */
  begin(c: Call, migration: Migration, transfer: Transfer): void {
    const { engine } = this;
    const within = c.session.executing !== null;
    const release = within ? engine.pause.holdAll() : engine.pause.holdWrites();
    const suspension = within ? Suspension.ofUnit(c) : Suspension.waiting(c);
    const over = (outcome: Outcome): void => {
      this.arrived = { transfer, outcome, suspension };
      // The keys that have arrived go from here even if the client is there no more.
      suspension.goOn();
      release();
    };
    this.links.run(migration, () => transfer.batch.requests(), over);
  }

  /** What is over when the command is run again. */
  over(): Arrival {
    const { arrived } = this;
    assert(arrived !== null, 'MIGRATE is run again when it is over');
    this.arrived = null;
    arrived.suspension.ended();
    return arrived;
  }

  /** Carries one out while everything waits. */
  now(migration: Migration, requests: Iterable<Request>): Outcome {
    const { worker, port, words } = this.running();
    const tls = migration.secure ? this.engine.server.links.tls : null;
    const task: ThreadTask = { migration, requests: [...requests], tls };
    Atomics.store(words, DONE, 0);
    port.postMessage(task);
    const most = migration.timeout * (4 * task.requests.length + 8) + THREAD_GRACE;
    Atomics.wait(words, DONE, 0, most);
    const answer = receiveMessageOnPort(port) as { message: Outcome } | undefined;
    if (answer !== undefined) return answer.message;
    void worker.terminate();
    this.thread = null;
    return LOST;
  }

  private running(): NonNullable<Migrations['thread']> {
    if (this.thread !== null) return this.thread;
    const { port1, port2 } = new MessageChannel();
    const shared = new SharedArrayBuffer(8);
    const data: ThreadData = { port: port2, shared };
    const file = new URL(`./migrate-thread.${EXTENSION}`, import.meta.url);
    const { threads } = this.engine.server.environment;
    assert(threads !== null, 'MIGRATE in a script needs a thread');
    const worker = threads.start(file, { workerData: data, transferList: [port2] });
    const ended = (): void => {
      if (this.thread?.worker === worker) this.thread = null;
    };
    worker.on('error', ended);
    worker.on('exit', ended);
    worker.unref();
    port1.unref();
    this.thread = { worker, port: port1, words: new Int32Array(shared) };
    return this.thread;
  }
}

const servers = new WeakMap<Engine, Migrations>();

function migrationsOf(engine: Engine): Migrations {
  let found = servers.get(engine);
  if (!found) servers.set(engine, (found = new Migrations(engine)));
  return found;
}

/** Links to other servers that are kept (INFO's migrate_cached_sockets). */
export function keptLinks(engine: Engine): number {
  return servers.get(engine)?.cached ?? 0;
}

/** The keys on their way: which arguments they are, and which of them were sent, in order. */
class Batch {
  readonly sent: number[] = [];
  private readonly engine: Engine;
  private readonly db: Database;
  private readonly keys: ReadonlyMap<number, Slice>;
  private readonly replace: boolean;

  constructor(c: Call, keys: ReadonlyMap<number, Slice>, replace: boolean) {
    this.engine = c.engine;
    this.db = c.db;
    this.keys = keys;
    this.replace = replace;
  }

  /** Requests that make the keys on the other side, each from what is there when it is asked for. */
  *requests(): Iterable<Request> {
    this.sent.length = 0;
    for (const [position, name] of this.keys) {
      const request = this.request(name);
      if (request === null) continue;
      this.sent.push(position);
      yield request;
    }
  }

  /** Null for a key whose time has run out meanwhile. */
  private request(name: Slice): Request | null {
    const { db, engine } = this;
    const e = db.peek(name, db.hash(name));
    if (e === NULL) return null;
    const expiry = entryExpiry(engine.memory, e);
    const left = expiry < 0 ? 0 : expiry - engine.clock.now();
    if (left < 0) return null;
    const ttl = expiry < 0 ? 0 : Math.max(1, left);
    const request = [
      engine.membership.joined ? 'RESTORE-ASKING' : 'RESTORE',
      name.view(),
      String(ttl),
      engine.server.persistence.dump(e),
    ];
    return this.replace ? [...request, 'REPLACE'] : request;
  }
}

/** Those of the keys that are there, by their positions, in memory of their own: one piece for all. */
function keysThere(c: Call, { first, count }: Options): Map<number, Slice> {
  const found: number[] = [];
  let bytes = 0;
  for (let i = first; i < first + count; i++) {
    if (c.find(i) === NULL) continue;
    found.push(i);
    bytes += c.arg(i).length;
  }
  const names = new Uint8Array(bytes);
  const keys = new Map<number, Slice>();
  let at = 0;
  for (const i of found) {
    const { buffer, start, length } = c.arg(i);
    copyBytes(names, at, buffer, start, length);
    keys.set(i, new Slice(names, at, length));
    at += length;
  }
  return keys;
}

/** What a migration leaves for when it is over. */
interface Transfer {
  readonly batch: Batch;
  readonly copy: boolean;
}

/** Removes the keys that have arrived, and replies. */
function finishTransfer(c: Call, { batch, copy }: Transfer, outcome: Outcome): void {
  if (!copy)
    removeArrived(
      c,
      batch.sent.filter((_, i) => outcome.acknowledged[i]),
    );
  if (outcome.error === null) c.reply.ok();
  else c.reply.error(outcome.error);
}

function removeArrived(c: Call, positions: readonly number[]): void {
  for (const position of positions) {
    c.remove(position);
    c.changed(position, 'del');
  }
  for (let from = 0; from < positions.length; from += KEYS_PER_EFFECT)
    c.rewrite('DEL', ...positions.slice(from, from + KEYS_PER_EFFECT).map((position) => c.arg(position)));
}

function run(c: Call): void {
  const migrations = migrationsOf(c.engine);
  if (c.resuming) {
    const { transfer, outcome } = migrations.over();
    finishTransfer(c, transfer, outcome);
    return;
  }
  const options = readOptions(c);
  if (options === undefined) return;
  const timeout = c.integer(5);
  if (timeout === undefined) return;
  const db = c.int64(4);
  if (db === undefined) return;
  const keys = keysThere(c, options);
  if (keys.size === 0) {
    c.reply.status('NOKEY');
    return;
  }
  const migration: Migration = {
    host: c.arg(1).shown(LONGEST_HOST),
    // Too large a port is taken as the system takes it.
    port: Number.parseInt(c.arg(2).shown(LONGEST_HOST), 10) & 0xffff,
    secure: c.engine.server.settings.tlsCluster,
    db: String(db),
    timeout: timeout > 0 ? Math.min(timeout, LONGEST_TIMEOUT) : USUAL_TIMEOUT,
    auth: options.auth,
  };
  const transfer: Transfer = { batch: new Batch(c, keys, options.replace), copy: options.copy };
  // Only a script can't be left at that point.
  if (c.denyBlocking && c.session.executing === null) {
    if (c.engine.server.environment.threads === null) c.reply.error(NO_THREAD);
    else finishTransfer(c, transfer, migrations.now(migration, transfer.batch.requests()));
  } else migrations.begin(c, migration, transfer);
}

/** Where the keys are, which no specification can say: behind KEYS, where that is no option's argument. */
function keysOfMigrate(c: KeyFinderInput): number[] {
  for (let i = 6; i < c.argc; i++) {
    const word = c.arg(i);
    if (isWord(word, 'KEYS')) {
      if (c.arg(3).length > 0) return [];
      return Array.from({ length: c.argc - i - 1 }, (_, n) => i + 1 + n);
    }
    if (isWord(word, 'AUTH')) i += 1;
    else if (isWord(word, 'AUTH2')) i += 2;
  }
  return [3];
}

const ACCESS = 'RW ACCESS DELETE';
const KEY_SPECS: readonly KeySpec[] = [
  {
    access: ACCESS,
    begin: { type: 'index', index: 3 },
    find: { type: 'range', lastKey: 0, step: 1, limit: 0 },
  },
  {
    access: `${ACCESS} INCOMPLETE`,
    begin: { type: 'keyword', keyword: 'KEYS', startFrom: -2 },
    find: { type: 'range', lastKey: -1, step: 1, limit: 0 },
  },
];

export const migrate = command({
  name: 'MIGRATE',
  group: 'generic',
  since: '2.6.0',
  complexity: 'That of DUMP and DEL here and of RESTORE there; O(N) in the bytes that travel',
  summary: 'Moves keys to another server.',
  flags: ['write'],
  tips: ['nondeterministic_output'],
  categories: ['keyspace', 'dangerous'],
  history: [
    ['3.0.0', 'Takes COPY and REPLACE.'],
    ['3.0.6', 'Takes KEYS.'],
    ['4.0.7', 'Takes AUTH.'],
    ['6.0.0', 'Takes AUTH2.'],
  ],
  arity: -6,
  args: [
    bytes('host'),
    integer('port'),
    oneOf('key_or_empty_string', key('key', ACCESS), token('empty_string', '')),
    integer('destination-db'),
    integer('timeout'),
    optional(token('copy', 'COPY', { since: '3.0.0' })),
    optional(token('replace', 'REPLACE', { since: '3.0.0' })),
    optional(
      oneOf(
        'authentication',
        optional(after('AUTH', bytes('password', { since: '4.0.7' }))),
        optional(after('AUTH2', block('username_password', bytes('username'), bytes('password'))), { since: '6.0.0' }),
      ),
    ),
    optional({ ...after('KEYS', key('key', ACCESS, { since: '3.0.6' })), multiple: true }),
  ],
  traits: ['moves_keys'],
  keySpecs: KEY_SPECS,
  keyFinder: keysOfMigrate,
  keyAccess: () => ACCESS,
  run,
});
