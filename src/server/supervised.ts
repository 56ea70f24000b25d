/**
 * The manager that has started the program (`supervised`), and what it is told.
 *
 * systemd listens at a unix datagram socket, which Node has not, so systemd's own program says it; as that is no process of the
 * unit's main one, the unit needs `NotifyAccess=all`. Upstart takes a program that has stopped itself for ready, and
 * continues it.
 */
import type { Programs } from '../base/programs.ts';
import { narrow } from '../base/text.ts';
import type { Settings } from '../config/settings.ts';
import type { Log, Manager } from '../engine/server-port.ts';

const NOTIFY = 'systemd-notify';

export interface Supervision {
  readonly supervised: Settings['supervised'];
  /** The program's own: what has been answered is taken out, so that no program of ours answers again. */
  readonly environment: Record<string, string | undefined>;
  readonly programs: Pick<Programs, 'start'>;
  readonly pid: number;
  /** The working directory of the program that is run. */
  readonly folder: string;
  readonly log: Log;
  /** Stops this process (SIGSTOP) until somebody continues it. */
  readonly standStill: () => void;
}

export class Supervisor {
  private readonly parts: Supervision;
  private manager: Manager;

  /** Logs what it has found, in Redis's words; under Upstart it comes back when that has continued the process. */
  constructor(parts: Supervision) {
    this.parts = parts;
    const { supervised, environment, log } = parts;
    const { NOTIFY_SOCKET: systemd, UPSTART_JOB: upstart } = environment;
    const wanted = supervised !== 'auto' ? supervised : upstart !== undefined ? 'upstart' : systemd ? 'systemd' : 'no';
    this.manager = 'no';
    if (wanted === 'systemd' && !systemd) log.warning('systemd supervision error: NOTIFY_SOCKET not found!');
    else if (wanted === 'upstart' && upstart === undefined)
      log.warning('upstart supervision requested, but UPSTART_JOB not found!');
    else this.manager = wanted;
    if (this.manager === 'systemd')
      log.notice(
        'Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec in your service unit.',
      );
    if (this.manager !== 'upstart') return;
    log.notice('supervised by upstart, will stop to signal readiness.');
    parts.standStill();
    delete environment['UPSTART_JOB'];
  }

  /** Who it is, as INFO tells it; 'no' also where it could not be told. */
  get by(): Manager {
    return this.manager;
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
    if (this.manager !== 'systemd') return;
    programs.start(narrow(folder), [NOTIFY, `--pid=${pid}`, ...words], ({ exitCode, signal }) => {
      if (exitCode === 0 && signal === 0) return;
      this.manager = 'no';
      log.warning(`systemd is not told: ${NOTIFY} can't be run, or has failed (${signal || exitCode})`);
    });
  }
}
