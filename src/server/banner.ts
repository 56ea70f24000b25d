/** The first lines of the log. */

import { REDIS_VERSION } from '../base/version.ts';
import type { Settings } from '../config/settings.ts';
import type { ServerMode } from '../engine/server-port.ts';
import { consoleAddress } from './console-port.ts';
import type { ServerLog } from './log.ts';

const ART = [
  '                 .',
  '               .o8o.',
  '             .o88888o.',
  "           .o88888P'  'o.",
  "         .o88888P'   .o88o.",
  "        <888888'   .o888888>",
  "         'Y888o. .o888888P'",
  "           'Y888o888888P'",
  "             'Y88888P'",
  "               'Y8P'",
  "                 '",
];

/** A crystal, and what there is to know, with the lines that scripts look for. */
export function banner(settings: Readonly<Settings>, version: string, mode: ServerMode): string {
  const facts: Readonly<Record<number, string>> = {
    2: `Cinnabar ${version}, as Redis ${REDIS_VERSION} (64 bit)`,
    4: `Running in ${mode} mode`,
    5: `Port: ${settings.port !== 0 ? settings.port : settings.tlsPort}`,
    6: `PID: ${process.pid}`,
    7: settings.consolePort === 0 ? '' : `Console: ${consoleAddress(settings)}`,
  };
  const lines = ART.map((line, i) => (facts[i] ? `${line.padEnd(34)}${facts[i]}` : line));
  return `\n${lines.join('\n')}\n\n`;
}

/** Shown on a terminal, or when always-show-logo asks for it. */
export function greet(
  log: ServerLog,
  settings: Readonly<Settings>,
  { version, mode, isTerminal }: { readonly version: string; readonly mode: ServerMode; readonly isTerminal: boolean },
): void {
  if (settings.alwaysShowLogo || (settings.logfile === '' && !settings.daemonize && isTerminal))
    log.raw(banner(settings, version, mode));
  else log.notice(`Running mode=${mode}, port=${settings.port !== 0 ? settings.port : settings.tlsPort}.`);
}
