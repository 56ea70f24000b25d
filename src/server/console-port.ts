/** The port of the console: opened at the start and moved by CONFIG SET, wherever `console-bind` says. */
import type { Environment } from '../base/environment.ts';
import { addressText, type Listener } from '../base/network.ts';
import { codeOf } from '../base/system-error.ts';
import { infoText } from '../commands/server/info.ts';
import type { Config } from '../config/config.ts';
import type { Settings } from '../config/settings.ts';
import { Console } from '../console/console.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log } from '../engine/server-port.ts';
import { listenAtAll, type Places } from '../net/listeners.ts';
import { ListenError } from '../net/transport.ts';
import { LocalSession } from './local.ts';

export interface ConsolePortParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly environment: Environment;
  readonly log: Log;
}

type Place = Pick<Places, 'addresses' | 'port'>;

const CLIENT_NAME = 'cinnabar-console';
/** A page has no use for more, and everybody waits while it is read. */
const LONGEST_REPLY = 512 * 1024;
const REFUSED = 'Unable to listen at the port of the console. Check server logs.';

export class ConsolePort {
  private readonly parts: ConsolePortParts;
  private listeners: readonly Listener[] = [];
  private console: Console | null = null;
  private place: Place = { addresses: [], port: 0 };
  /** Settings are followed once it is open. */
  private isOpen = false;

  constructor(parts: ConsolePortParts) {
    this.parts = parts;
    parts.config.on(['console-port', 'console-bind'], () => (this.isOpen ? this.move() : undefined));
  }

  /** Rejects where a port is set and can't be had; the log has been told why. */
  async open(): Promise<void> {
    this.isOpen = true;
    const refused = await this.move();
    if (refused !== undefined) throw new Error(refused);
  }

  close(): void {
    this.isOpen = false;
    this.stopListening();
    this.console?.close();
    this.console = null;
  }

  private stopListening(): void {
    for (const listener of this.listeners) listener.close();
    this.listeners = [];
  }

  /** Goes where the settings say, or back to where it was. */
  private async move(): Promise<string | undefined> {
    const { consolePort: port, consoleBind: addresses } = this.parts.config.settings;
    const before = this.place;
    if (await this.listenAt({ addresses, port })) return undefined;
    await this.listenAt(before);
    return REFUSED;
  }

  /** The old addresses are let go first, since the new may repeat them. Who is connected stays, unless it is to be nowhere. */
  private async listenAt(place: Place): Promise<boolean> {
    const { config, environment, log } = this.parts;
    const { network } = environment;
    this.stopListening();
    const opened =
      place.port === 0
        ? []
        : await listenAtAll({ ...place, network, log }, (endpoint) =>
            network
              .listen(endpoint, config.settings.tcpBacklog, (stream) => this.ready().accept(stream))
              .catch((error) => {
                throw new ListenError(codeOf(error));
              }),
          );
    if (typeof opened === 'string') return false;
    this.listeners = opened;
    this.place = place;
    if (!this.isOpen) this.stopListening();
    else if (place.port === 0) this.console?.close();
    else log.notice(`The console is at ${consoleAddress(config.settings)}`);
    return true;
  }

  private ready(): Console {
    const { engine, config, environment, log } = this.parts;
    this.console ??= new Console({
      ...{ engine, settings: config.settings, environment, log },
      info: () => infoText(engine, []),
      open: (caller) =>
        new LocalSession(engine, { buffers: true }, { ...caller, name: CLIENT_NAME, longestReply: LONGEST_REPLY }),
    });
    return this.console;
  }
}

/** Where a browser on this machine finds it. */
export function consoleAddress({
  consoleBind: [first = ''],
  consolePort,
}: Readonly<Pick<Settings, 'consoleBind' | 'consolePort'>>): string {
  const bare = first.replace(/^-/, '');
  const host = ['*', '::*', '0.0.0.0', '::'].includes(bare) ? '127.0.0.1' : bare;
  return `http://${addressText(host, consolePort)}/`;
}
