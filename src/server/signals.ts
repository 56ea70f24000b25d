/** SIGTERM and SIGINT: a first one asks for an orderly end, a second SIGINT ends at once. */
import type { Settings } from '../config/settings.ts';
import type { ServerLog } from './log.ts';

export interface Stoppable {
  /** Begins the shutdown that a signal asks for, with the words of shutdown-on-sig*. */
  stop(options: ReadonlySet<string>): void;
  /** Removes what is only half written: the process ends now. */
  insist(): void;
}

export class Signals {
  private readonly log: ServerLog;
  private readonly settings: Readonly<Settings>;
  private readonly server: Stoppable;
  private asked = false;
  private readonly onTerm = () => this.receive('SIGTERM');
  private readonly onInt = () => this.receive('SIGINT');

  constructor(log: ServerLog, settings: Readonly<Settings>, server: Stoppable) {
    this.log = log;
    this.settings = settings;
    this.server = server;
  }

  install(): void {
    process.on('SIGTERM', this.onTerm);
    process.on('SIGINT', this.onInt);
    process.on('SIGHUP', ignore);
    process.on('SIGPIPE', ignore);
  }

  remove(): void {
    process.off('SIGTERM', this.onTerm);
    process.off('SIGINT', this.onInt);
    process.off('SIGHUP', ignore);
    process.off('SIGPIPE', ignore);
  }

  /** The shutdown that was asked for did not come about (SHUTDOWN ABORT, an error): the next signal counts anew. */
  forget(): void {
    this.asked = false;
  }

  private receive(signal: 'SIGTERM' | 'SIGINT'): void {
    if (this.asked && signal === 'SIGINT') {
      this.log.signal('You insist... exiting now.');
      this.server.insist();
      process.exit(1);
    }
    this.log.signal(`Received ${signal} scheduling shutdown...`);
    this.asked = true;
    this.server.stop(signal === 'SIGTERM' ? this.settings.shutdownOnSigterm : this.settings.shutdownOnSigint);
  }
}

function ignore(): void {}
