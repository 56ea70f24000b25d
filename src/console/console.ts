/**
 * The console: a page for browsers that shows how the server fares and lets its users do what they could do by redis-cli, and
 * /metrics for Prometheus. Streams come from whoever listens (server/console-port.ts), commands run in sessions of the server's
 * with the rights of the user who has proved to be one.
 *
 *   stream ─> connections (how many, how long) ─> base/http ─> guard (whose page?) ─> access (which user?) ─> a route
 *
 * What the page and the routes say to each other is in wire.ts.
 */
import type { Duplex } from 'node:stream';
import type { Environment } from '../base/environment.ts';
import { httpOver } from '../base/http.ts';
import { isLoopback } from '../base/loopback.ts';
import { addressText } from '../base/network.ts';
import { sliceOf } from '../base/slice.ts';
import type { Timer } from '../base/time.ts';
import { VERSION } from '../base/version.ts';
import type { Settings } from '../config/settings.ts';
import { ALLOWED } from '../engine/acl/selector.ts';
import type { User } from '../engine/acl/user.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log } from '../engine/server-port.ts';
import { ReplyError } from '../protocol/reply-error.ts';
import { CutShort } from '../protocol/reply-parser.ts';
import { Access, basicProof, cookieOf, type Visitor } from './access.ts';
import { Assets } from './assets.ts';
import { ANSWER_MS, BODY_MS, Connections, IDLE_MS } from './connections.ts';
import { Exchange, Refused } from './exchange.ts';
import { refusal } from './guard.ts';
import { metricsOf } from './metrics/metrics.ts';
import { type ConsoleSession, PageStream } from './page-stream.ts';
import { WireReplies } from './replies.ts';
import { credentialsIn, runRequestIn } from './requests.ts';
import { Sampler } from './sampler.ts';
import type { Hello, Lane, RunReply, RunRequest, Sample, WireReply } from './wire.ts';

const HEAD_BYTES = 16 * 1024;
const MOST_PAGES = 32;
/** Commands of a request that run in one turn of the event loop: others come between, and so many long replies there are at a time. */
const MOST_A_TURN = 4;
const PAGE_ID_BYTES = 16;
/** The longest body of who has proved nothing yet. */
const LOGIN_BYTES = 64 * 1024;
/** How often is looked whether the users of pages are still let in, ms. */
const LOOK_MS = 1000;
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const INFO = sliceOf('INFO');

/** On whose behalf a session is opened. */
export interface Caller {
  readonly address: string;
  readonly localAddress: string;
  /** Absent for who has proved nothing yet. */
  readonly user?: User;
}

export interface ConsoleParts {
  readonly engine: Engine;
  readonly settings: Readonly<Settings>;
  readonly environment: Environment;
  readonly log: Log;
  /** INFO, as it is without arguments. */
  readonly info: () => string;
  readonly open: (caller: Caller) => ConsoleSession;
}

const NOT_LET_IN = 'The password is not this user’s, or the user is not let in';
const PROTECTED =
  'The console answers only browsers on this machine, because protected-mode is on and its user needs no password. ' +
  'Give the user a password (requirepass, ACL SETUSER), or set protected-mode to no.';

export class Console {
  private readonly parts: ConsoleParts;
  private readonly connections: Connections;
  private readonly access: Access;
  private readonly sampler: Sampler;
  private readonly assets = new Assets();
  private readonly pages = new Map<string, PageStream>();
  private readonly take: (stream: Duplex) => void;
  private timer: Timer | null = null;
  private readonly routes: Readonly<Record<string, (exchange: Exchange) => Promise<void>>> = {
    'POST /login': (exchange) => this.login(exchange),
    'POST /logout': (exchange) => this.logout(exchange),
    'POST /run': (exchange) => this.run(exchange),
    'GET /events': (exchange) => this.events(exchange),
    'GET /metrics': (exchange) => this.metrics(exchange),
  };

  constructor(parts: ConsoleParts) {
    this.parts = parts;
    const { engine, settings, environment } = parts;
    const { clock, ids } = environment;
    this.connections = new Connections(clock);
    this.access = new Access({ acl: engine.acl, clock, ids, onlyUser: () => settings.consoleUser });
    this.sampler = new Sampler({
      clock,
      info: parts.info,
      commands: () => engine.table.all().flatMap((each) => [each, ...(each.subcommands?.all() ?? [])]),
    });
    this.take = httpOver((request, response) => void this.serve(new Exchange(request, response)), HEAD_BYTES);
  }

  /** Serves whoever is at the other end. */
  accept(stream: Duplex): void {
    if (this.connections.admit(stream)) this.take(stream);
  }

  /** Ends all connections, and what they have begun. */
  close(): void {
    for (const page of [...this.pages.values()]) page.close();
    this.pages.clear();
    this.timer?.cancel();
    this.timer = null;
    this.sampler.close();
    this.connections.close();
  }

  private async serve(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    this.connections.expect(request.socket, BODY_MS);
    response.once('finish', () => this.connections.expect(request.socket, IDLE_MS));
    try {
      this.check(exchange);
      await this.route(exchange);
    } catch (error) {
      this.failed(exchange, error);
    }
    if (!response.writableFinished) this.connections.expect(request.socket, ANSWER_MS);
  }

  /** What the server does about it may take any time. */
  private unhurried({ request }: Exchange): void {
    this.connections.expect(request.socket, Number.POSITIVE_INFINITY);
  }

  private check(exchange: Exchange): void {
    const { protectedMode, consoleHosts } = this.parts.settings;
    if (protectedMode && this.access.anybody !== undefined && !isLoopback(exchange.peer))
      throw new Refused(403, PROTECTED);
    const why = refusal(exchange.head, consoleHosts);
    if (why !== undefined) throw new Refused(403, why);
  }

  private async route(exchange: Exchange): Promise<void> {
    const { method, path } = exchange;
    const name = `${method} ${path}`;
    if (Object.hasOwn(this.routes, name)) return this.routes[name](exchange);
    const asset = this.assets.find(path);
    if (asset === undefined) throw new Refused(404, 'There is nothing here');
    if (method !== 'GET' && method !== 'HEAD') throw new Refused(405, 'This can be read only');
    const headers = { ETag: asset.tag, 'Cache-Control': 'no-cache' };
    if (exchange.header('if-none-match') === asset.tag) exchange.unchanged(headers);
    else exchange.answer(200, asset.type, asset.bytes, headers);
  }

  private failed(exchange: Exchange, error: unknown): void {
    const { response, path } = exchange;
    if (!(error instanceof Refused) && !response.destroyed) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.parts.log.warning(`The console failed at ${path}: ${why}`);
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const [status, text] =
      error instanceof Refused ? [error.status, error.message] : [500, 'Failed: the log tells why'];
    // A browser's own dialogue would hide the page's.
    const asks = status === 401 && path === '/metrics';
    exchange.text(status, text, {
      ...(asks && { 'WWW-Authenticate': 'Basic realm="Cinnabar", charset="UTF-8"' }),
      ...(status === 413 && { Connection: 'close' }),
    });
  }

  // Who it is.

  private async visitorOf(exchange: Exchange): Promise<Visitor> {
    const authorization = exchange.header('authorization');
    if (authorization !== undefined) {
      const proof = basicProof(authorization);
      const visitor = proof && (await this.access.prove(proof, false, this.askAs(exchange)));
      if (visitor === undefined) throw new Refused(401, NOT_LET_IN);
      return visitor;
    }
    const secret = this.secretOf(exchange);
    const visitor = (secret === undefined ? undefined : this.access.known(secret)) ?? this.access.anybody;
    if (visitor === undefined) throw new Refused(401, 'A user and a password are asked for');
    return visitor;
  }

  /** Cookies are a host's, whatever the port. */
  private cookieName({ request }: Exchange): string {
    return `cinnabar-console-${request.socket.localPort ?? 0}`;
  }

  private secretOf(exchange: Exchange): string | undefined {
    return cookieOf(exchange.header('cookie') ?? '', this.cookieName(exchange));
  }

  private async login(exchange: Exchange): Promise<void> {
    const { user, password } = credentialsIn(await exchange.json(LOGIN_BYTES));
    const proof = { name: Buffer.from(user), password: Buffer.from(password) };
    const visitor = await this.access.prove(proof, true, this.askAs(exchange));
    if (visitor === undefined) throw new Refused(401, NOT_LET_IN);
    const cookie = `${this.cookieName(exchange)}=${this.access.begin(visitor)}; Path=/; HttpOnly; SameSite=Strict`;
    exchange.done({ 'Set-Cookie': cookie });
  }

  private async logout(exchange: Exchange): Promise<void> {
    const secret = this.secretOf(exchange);
    const visitor = secret === undefined ? undefined : this.access.end(secret);
    if (visitor !== undefined) this.dismiss('Logged out', (page) => page.visitor === visitor);
    exchange.done({ 'Set-Cookie': `${this.cookieName(exchange)}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0` });
  }

  /** How a password is tried: by AUTH of a session that is the caller's. */
  private askAs(exchange: Exchange): (name: Buffer, password: Buffer) => Promise<boolean> {
    return async (name, password) => {
      const session = this.open(exchange);
      try {
        await session.call(Buffer.from('AUTH'), name, password);
        return true;
      } catch (error) {
        if (error instanceof ReplyError) return false;
        throw error;
      } finally {
        session.close();
      }
    };
  }

  private open({ request }: Exchange, visitor?: Visitor): ConsoleSession {
    const { engine, settings } = this.parts;
    if (visitor !== undefined && !this.access.isValid(visitor)) throw new Refused(401, NOT_LET_IN);
    if (engine.sessions.size >= settings.maxclients) throw new Refused(503, 'There are too many clients');
    const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = request.socket;
    return this.parts.open({
      address: addressText(remoteAddress, remotePort),
      localAddress: addressText(localAddress, localPort),
      ...(visitor !== undefined && { user: visitor.user }),
    });
  }

  // What it answers.

  private async run(exchange: Exchange): Promise<void> {
    const visitor = await this.visitorOf(exchange);
    const { page: id, lane = 'browse', commands } = runRequestIn(await exchange.json());
    if (exchange.response.destroyed) return;
    // The body may have been long in coming.
    if (!this.access.isValid(visitor)) throw new Refused(401, NOT_LET_IN);
    const page = id === undefined ? undefined : this.pageOf(id, visitor);
    this.unhurried(exchange);
    const replies =
      page === undefined
        ? await this.runBy(this.open(exchange, visitor), exchange, commands)
        : await page.inTurn(lane, async () =>
            exchange.response.destroyed ? [] : this.runBy(page.lane(lane), exchange, commands, page, lane),
          );
    const answer: RunReply = { replies };
    if (!exchange.response.destroyed) exchange.answer(200, 'application/json', JSON.stringify(answer));
  }

  /** Runs commands by a session, which ends with them, unless it is the lane's of a page. */
  private async runBy(
    session: ConsoleSession,
    { response }: Exchange,
    commands: RunRequest['commands'],
    page?: PageStream,
    lane: Lane = 'browse',
  ): Promise<WireReply[]> {
    const end = (): void => (page === undefined ? session.close() : page.endLane(lane, session));
    // Who asked has gone: nothing waits for him any more.
    response.once('close', end);
    const wire = new WireReplies();
    const replies: WireReply[] = [];
    let isOver = false;
    for (let i = 0; i < commands.length && !response.destroyed; i += MOST_A_TURN) {
      const some = commands.slice(i, i + MOST_A_TURN);
      const calls = some.map((words) => session.call(...words.map((word) => Buffer.from(word, 'latin1'))));
      for (const reply of await Promise.all(calls.map((call) => call.catch(asError)))) {
        isOver ||= reply instanceof Error && !(reply instanceof ReplyError || reply instanceof CutShort);
        replies.push(wire.of(reply));
      }
    }
    if (page !== undefined) response.off('close', end);
    // A session that was ended (QUIT, CLIENT KILL) is followed by a new one.
    if (isOver) end();
    return replies;
  }

  private pageOf(id: string, visitor: Visitor): PageStream {
    const page = this.pages.get(id);
    if (page?.visitor.user !== visitor.user) throw new Refused(409, 'The page is not known: it has to begin again');
    return page;
  }

  /** Is done when the page is closed. */
  private async events(exchange: Exchange): Promise<void> {
    const visitor = await this.visitorOf(exchange);
    if (exchange.response.destroyed) return;
    if (this.pages.size >= MOST_PAGES) throw new Refused(503, `There may be ${MOST_PAGES} pages at a time`);
    const { clock, ids } = this.parts.environment;
    const { response } = exchange;
    this.unhurried(exchange);
    exchange.request.socket.setKeepAlive?.(true, IDLE_MS);
    const id = ids.secret(PAGE_ID_BYTES).toString('hex');
    const page = new PageStream({ id, visitor, response, clock, open: () => this.open(exchange, visitor) });
    this.pages.set(id, page);
    this.look();
    const tell = (sample: Sample): void => {
      if (this.maySeeFigures(visitor)) page.sampled(sample);
    };
    const closed = new Promise((resolve) => response.once('close', resolve));
    exchange.begin(200, 'text/event-stream');
    page.begin(this.hello(page));
    if (this.maySeeFigures(visitor)) this.sampler.watch(tell);
    await closed;
    this.pages.delete(id);
    this.sampler.leave(tell);
    page.close();
  }

  /** Ends the pages of who is not let in any more, soon after. */
  private look(): void {
    this.timer ??= this.parts.environment.clock.after(LOOK_MS, () => {
      this.timer = null;
      this.dismiss('The user, or the password, has changed', ({ visitor }) => !this.access.isValid(visitor));
      if (this.pages.size > 0) this.look();
    });
    this.timer.unref();
  }

  /** Ends pages; a browser that does not take the end of its stream is given no more time than others. */
  private dismiss(reason: string, isMeant: (page: PageStream) => boolean): void {
    for (const page of [...this.pages.values()]) {
      if (!isMeant(page)) continue;
      this.pages.delete(page.id);
      const { socket } = page.response;
      page.close(reason);
      if (socket !== null) this.connections.expect(socket, ANSWER_MS);
    }
  }

  private hello({ id, visitor }: PageStream): Hello {
    const figures = this.maySeeFigures(visitor);
    const { mode } = this.parts.engine.server;
    const { raftEnabled: raft } = this.parts.settings;
    const samples = figures ? this.sampler.latest : [];
    const { user, login } = visitor;
    return { page: id, user: user.name, login, mode, raft, figures, version: VERSION, samples };
  }

  /** Figures are what INFO tells. */
  private maySeeFigures({ user }: Visitor): boolean {
    const { table, acl } = this.parts.engine;
    const info = table.find(INFO);
    return info !== undefined && acl.checkUser(user, info, [INFO], 1) === ALLOWED;
  }

  private async metrics(exchange: Exchange): Promise<void> {
    const session = this.open(exchange, await this.visitorOf(exchange));
    try {
      exchange.answer(200, METRICS_TYPE, await metricsOf(session, this.parts.environment.clock));
    } finally {
      session.close();
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

export type { ConsoleSession } from './page-stream.ts';
