/**
 * Settings that are accepted for the sake of configuration files but whose capability comes with a later room. What would
 * make a promise that we can't keep is refused or loudly warned of; the room that takes a setting over removes it here.
 */
import type { Settings } from '../config/settings.ts';

/** Why the server can't start with these settings on such a machine, if it can't. */
export function checkSupported(
  { syslogEnabled, unixsocket }: Readonly<Settings>,
  platform: NodeJS.Platform,
): string | undefined {
  if (syslogEnabled) return 'syslog is not supported: leave syslog-enabled at no and use logfile.';
  if (unixsocket !== '' && platform === 'win32')
    return 'There are no unix sockets for servers on Windows: leave unixsocket out.';
  return undefined;
}
