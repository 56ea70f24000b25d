/** The connections that the rules ask for: opened, greeted, and spoken over. */

import type { Dialer } from '../links/link.ts';
import { Pipeline } from '../links/pipeline.ts';
import type { Reply } from '../links/reply-reader.ts';
import { ReplyError } from '../protocol/reply-error.ts';
import type { Request } from './messages.ts';
import { type Connection, masterOf } from './state.ts';

export const HELLO_CHANNEL = '__sentinel__:hello';
/** INFO of a server with many replicas, and the answer of nothing else, may be long; bytes. */
const MOST_REPLY = 16 * 1024 * 1024;

/** How links are opened, by the settings of the server. */
export interface LinkSettings {
  readonly tlsReplication: boolean;
  readonly bindSourceAddr: string;
  /** Our own password, which other Sentinels are taken to share where none is set for them. */
  readonly requirepass: string;
}

/** Who is told what comes. */
export interface ConnectionReceiver {
  opened(connection: Connection, localIp: string): void;
  lost(connection: Connection, reason: string): void;
  replied(connection: Connection, request: Request, reply: Reply): void;
  /** A message on the hello channel; '' for any other that comes over a subscription. */
  heard(connection: Connection, text: string): void;
}

export class Connections {
  private readonly dialer: Dialer;
  private readonly settings: LinkSettings;
  private readonly receiver: ConnectionReceiver;
  private readonly open = new Map<Connection, Pipeline>();

  constructor(dialer: Dialer, settings: LinkSettings, receiver: ConnectionReceiver) {
    this.dialer = dialer;
    this.settings = settings;
    this.receiver = receiver;
  }

  connect(connection: Connection): void {
    const { receiver } = this;
    const { address, channel } = connection;
    const { tlsReplication: secure, bindSourceAddr: source } = this.settings;
    const target = { host: address.ip, port: address.port, secure, source, timeout: null };
    const pipeline = new Pipeline(this.dialer, target, {
      opened: (link) => receiver.opened(connection, link.localIp),
      ended: (error) => {
        this.open.delete(connection);
        receiver.lost(connection, error.message);
      },
      mostReply: MOST_REPLY,
      ...(channel === 'pubsub' && { unasked: (reply) => receiver.heard(connection, helloText(reply)) }),
    });
    this.open.set(connection, pipeline);
    this.greet(connection, pipeline);
  }

  private greet(connection: Connection, pipeline: Pipeline): void {
    const { user, name, channel } = connection;
    const [instance] = connection.link.users;
    const shared = instance?.role === 'sentinel' ? this.settings.requirepass : '';
    const password = connection.password === '' ? shared : connection.password;
    const called = nameOfCommand(connection);
    const ignored = (): void => {};
    if (password !== '')
      pipeline.send([called('AUTH'), ...(user === '' || connection.password === '' ? [] : [user]), password], ignored);
    pipeline.send([called('CLIENT'), 'SETNAME', name], ignored);
    if (channel === 'pubsub')
      pipeline.send([called('SUBSCRIBE'), HELLO_CHANNEL], (reply) => this.subscribed(connection, reply));
  }

  /** One over which nothing will be heard is no connection: so it shows that a password is wrong. */
  private subscribed(connection: Connection, reply: Reply): void {
    if (!(reply instanceof ReplyError)) {
      this.receiver.heard(connection, '');
      return;
    }
    this.disconnect(connection);
    this.receiver.lost(connection, reply.message);
  }

  send(connection: Connection, request: Request): void {
    const pipeline = this.open.get(connection);
    if (pipeline === undefined) return;
    const last = request.commands.length - 1;
    request.commands.forEach((command, i) => {
      pipeline.send(command, (reply) => {
        if (i === last) this.receiver.replied(connection, request, reply);
      });
    });
  }

  disconnect(connection: Connection): void {
    this.open.get(connection)?.close();
    this.open.delete(connection);
  }

  closeAll(): void {
    for (const connection of [...this.open.keys()]) this.disconnect(connection);
  }
}

/** How the instance at the other end calls a command. */
function nameOfCommand({ link }: Connection): (command: string) => string {
  const [instance] = link.users;
  const renamed =
    instance === undefined || instance.role === 'sentinel' ? undefined : masterOf(instance).settings.renamedCommands;
  return (command) => renamed?.get(command.toLowerCase()) ?? command;
}

function helloText(reply: Reply): string {
  if (!Array.isArray(reply) || reply.length !== 3) return '';
  const [kind, channel, text] = reply.map((part) => (part instanceof Buffer ? part.toString('latin1') : ''));
  return kind === 'message' && channel === HELLO_CHANNEL ? text : '';
}
