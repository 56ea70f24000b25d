/** How the subcommands of CLUSTER are declared: all refuse alike on a server that is no node of a cluster. */
import type { Call } from '../../engine/call.ts';
import { type Command, type CommandFlag, command } from '../../engine/command.ts';
import { shellOf } from '../owners.ts';
import type { Shell } from '../shell.ts';

export const ASKS: readonly CommandFlag[] = ['stale'];
export const INQUIRES: readonly CommandFlag[] = ['admin', 'stale'];
export const CHANGES: readonly CommandFlag[] = ['admin', 'stale', 'no_async_loading'];
export const UNSTABLE = ['nondeterministic_output'];

type About = Omit<Command, 'group' | 'run'>;

export function subcommand(about: About, run: (c: Call, shell: Shell) => void): Command {
  return command({
    ...about,
    group: 'cluster',
    run(c) {
      const shell = shellOf(c.engine);
      if (shell === undefined) c.reply.error('ERR This instance has cluster support disabled');
      else run(c, shell);
    },
  });
}

/** Whether the client is to be told of ports without TLS, where the cluster has them beside those with it. */
export function speaksPlainly(c: Call): boolean {
  return c.engine.server.settings.tlsCluster && !c.session.port.secure;
}
