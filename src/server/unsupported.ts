/**
 * Settings that are accepted for the sake of configuration files but whose capability comes with a later room. What would
 * make a promise that we can't keep is refused or loudly warned of; the room that takes a setting over removes it here.
 */
import type { Settings } from '../config/settings.ts';
import type { Log } from '../engine/server-port.ts';

/** Why the server can't start with these settings, if it can't. */
export function checkSupported(settings: Readonly<Settings>, log: Log): string | undefined {
  if (settings.syslogEnabled) return 'syslog is not supported: leave syslog-enabled at no and use logfile.';
  warnOfManager(settings.supervised, log);
  return undefined;
}

/** Who started the server may wait for a word that Node has no way to say: a datagram to systemd's socket. */
function warnOfManager(supervised: Settings['supervised'], log: Log): void {
  const { NOTIFY_SOCKET: systemd, UPSTART_JOB: upstart } = process.env;
  if (supervised === 'systemd' && !systemd) log.warning('systemd supervision error: NOTIFY_SOCKET not found!');
  else if (supervised === 'upstart' && !upstart)
    log.warning('upstart supervision requested, but UPSTART_JOB not found!');
  else if (supervised !== 'no' && (systemd || upstart))
    log.warning('WARNING: this server does not tell its manager when it is ready: use Type=simple in a systemd unit.');
}
