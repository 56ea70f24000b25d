/** One who types commands: the connection with what was said over it, and how replies are shown. */
import { Connection, ConnectionError, introduce, nameOf, type Target } from './connection.ts';
import { forPeople, forPrograms } from './format.ts';
import { itemsOf, type Reply, textOf } from './reply.ts';

export interface Screen {
  /** One character a byte. */
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  /** Whether replies are formatted for people. */
  readonly forPeople: boolean;
  /** Whether pushes of RESP3 are shown. */
  readonly pushes: boolean;
  /** Errors are complained of, and end a program that runs one command. */
  readonly strict: boolean;
}

const SUBSCRIBES = new Set(['subscribe', 'psubscribe', 'ssubscribe']);

export class Session {
  connection: Connection | null = null;
  inTransaction = false;
  private readonly screen: Screen;
  private target: Target;
  /** The database of the replies; within MULTI a SELECT is none yet. */
  private database: number;
  /** Lets go of a subscription or a MONITOR that is being shown. */
  private stopReading: (() => void) | null = null;

  constructor(target: Target, screen: Screen) {
    this.target = target;
    this.database = target.database;
    this.screen = screen;
  }

  get prompt(): string {
    if (this.connection === null || this.connection.error !== null) return 'not connected> ';
    const database = this.database === 0 ? '' : `[${this.database}]`;
    return `${nameOf(this.target)}${database}${this.inTransaction ? '(TX)' : ''}> `;
  }

  /** Whether there is a connection now. A new one knows who we are, and which database we were in. */
  async connect(): Promise<boolean> {
    if (this.connection !== null && this.connection.error === null) return true;
    this.connection = null;
    this.inTransaction = false;
    try {
      const connection = await Connection.open(this.target);
      connection.onPush = (reply) => this.pushed(reply);
      await introduce(connection, { ...this.target, database: this.database }, (text) =>
        this.screen.complain(`${text}\n`),
      );
      this.connection = connection;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.screen.complain(`Could not connect to Redis at ${nameOf(this.target)}: ${error.message}\n`);
    }
    return this.connection !== null;
  }

  /** To another server; what was said to the old one is forgotten. */
  async move(host: string, port: number): Promise<void> {
    this.close();
    this.target = { ...this.target, host, port };
    await this.connect();
  }

  close(): void {
    this.connection?.close();
    this.connection = null;
  }

  /** Ends what is being shown without an end, a MONITOR or a subscription; false where there is none. */
  interrupt(): boolean {
    if (this.stopReading === null) return false;
    this.stopReading();
    return true;
  }

  /**
   * Runs a command and shows its reply; false where there was none, or where it is refused and the screen is strict. What
   * was sent is never sent again by itself: where a reply does not come, nobody knows whether the command was done.
   */
  async run(words: readonly string[]): Promise<boolean> {
    if (!(await this.connect()) || this.connection === null) return false;
    const connection = this.connection;
    const name = words[0].toLowerCase();
    try {
      if (SUBSCRIBES.has(name) && !this.inTransaction) return await this.follow(connection, words);
      const reply = await connection.call(words);
      this.learn(name, words, reply);
      const done = this.show(reply);
      if (name === 'monitor' && reply.kind === 'status' && textOf(reply) === 'OK') await this.readOn(connection);
      return done;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      // The server has done as it was told.
      if (name === 'shutdown' || name === 'quit') return true;
      this.screen.complain(`Error: ${error.message}\n`);
      return false;
    }
  }

  /** The reply without showing it, for what a program wants to know; undefined where it can't be had. */
  async ask(words: readonly string[]): Promise<Reply | undefined> {
    if (this.connection === null || this.inTransaction) return undefined;
    return this.connection.call(words).catch(() => undefined);
  }

  private show(reply: Reply): boolean {
    const { screen } = this;
    if (screen.strict && reply.kind === 'error') {
      screen.complain(`${reply.text}\n`);
      return false;
    }
    screen.print(screen.forPeople ? forPeople(reply) : `${forPrograms(reply)}\n`);
    return true;
  }

  private pushed(reply: Reply): void {
    if (!this.screen.pushes) return;
    const [kind, keys] = itemsOf(reply);
    if (textOf(kind) !== 'invalidate') {
      this.show(reply);
      return;
    }
    const names = keys?.kind === 'array' ? keys.items.map((key) => `'${textOf(key)}'`).join(', ') : 'all keys';
    this.screen.print(`-> invalidate: ${names}\n`);
  }

  private async follow(connection: Connection, words: readonly string[]): Promise<boolean> {
    if (this.screen.forPeople) this.screen.print('Reading messages... (press Ctrl-C to quit)\n');
    connection.takesPushes = true;
    connection.send(words);
    await this.readOn(connection);
    return true;
  }

  /** Shows what comes until it is interrupted; the connection is of no other use by then. */
  private async readOn(connection: Connection): Promise<void> {
    const state = { stopped: false };
    this.stopReading = () => {
      state.stopped = true;
      connection.close();
    };
    try {
      for (;;) this.show(await connection.next());
    } catch (error) {
      if (!state.stopped) throw error;
    } finally {
      this.stopReading = null;
    }
  }

  /** What a next connection has to be told, too, and what the prompt shows. */
  private learn(name: string, words: readonly string[], reply: Reply): void {
    if (reply.kind === 'error') {
      if (name === 'exec') this.inTransaction = false;
      return;
    }
    if (textOf(reply) === 'QUEUED') return;
    const [, first = '', second] = words;
    if (name === 'multi') this.inTransaction = true;
    else if (name === 'exec' || name === 'discard') this.inTransaction = false;
    else if (name === 'select') this.database = Number(first);
    else if (name === 'auth')
      this.become(second === undefined ? { password: first } : { user: first, password: second });
    else if (name === 'hello') this.hello(words);
    else if (name === 'reset') this.reset();
  }

  private become(identity: { readonly user?: string; readonly password: string }): void {
    const { user: _, ...others } = this.target;
    this.target = { ...others, ...identity };
  }

  private hello(words: readonly string[]): void {
    if (words[1] !== undefined) this.target = { ...this.target, resp: words[1] === '3' ? 3 : 2 };
    const at = words.findIndex((word) => word.toLowerCase() === 'auth');
    if (at > 0) this.become({ user: words[at + 1], password: words[at + 2] });
  }

  private reset(): void {
    const { user: _, password: __, ...others } = this.target;
    this.target = { ...others, resp: 2, database: 0 };
    this.database = 0;
    this.inTransaction = false;
  }
}
