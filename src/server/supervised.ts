/**
 * What the manager that has started the program is told (`supervised`). systemd listens at a unix datagram socket, which Node has
 * not, so systemd's own program says it; as that is no process of the unit's main one, the unit needs `NotifyAccess=all`.
 */
import type { Programs } from '../base/programs.ts';
import { narrow } from '../base/text.ts';
import type { Settings } from '../config/settings.ts';
import type { Log } from '../engine/server-port.ts';

const NOTIFY = 'systemd-notify';

export interface Supervision {
  readonly supervised: Settings['supervised'];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly programs: Pick<Programs, 'start'>;
  readonly pid: number;
  /** The working directory of the program that is run. */
  readonly folder: string;
  readonly log: Log;
}

export class Supervisor {
  private readonly parts: Supervision;
  private readonly tells: boolean;

  /** Logs what it has found, in Redis's words. */
  constructor(parts: Supervision) {
    this.parts = parts;
    const { supervised, environment, log } = parts;
    const { NOTIFY_SOCKET: systemd, UPSTART_JOB: upstart } = environment;
    this.tells = (supervised === 'systemd' || supervised === 'auto') && Boolean(systemd);
    if (supervised === 'systemd' && !systemd) log.warning('systemd supervision error: NOTIFY_SOCKET not found!');
    else if (this.tells)
      log.notice(
        'Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec in your service unit.',
      );
    else if (supervised === 'upstart' && !upstart)
      log.warning('upstart supervision requested, but UPSTART_JOB not found!');
    else if (supervised !== 'no' && upstart)
      log.warning('WARNING: upstart is not told when this server is ready: leave out `expect stop`.');
  }

  /** The server takes connections. */
  ready(): void {
    this.tell('--ready', '--status=Ready to accept connections');
  }

  /** It has begun to end. */
  stopping(): void {
    this.tell('--stopping');
  }

  private tell(...words: readonly string[]): void {
    const { programs, pid, folder, log } = this.parts;
    if (!this.tells) return;
    programs.start(narrow(folder), [NOTIFY, `--pid=${pid}`, ...words], ({ exitCode, signal }) => {
      if (exitCode !== 0 || signal !== 0)
        log.warning(`systemd is not told: ${NOTIFY} can't be run, or has failed (${signal || exitCode})`);
    });
  }
}
