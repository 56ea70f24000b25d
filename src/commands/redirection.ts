/** What a client of a cluster says of the commands to come: ASKING, READONLY, READWRITE. */
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import type { Session } from '../engine/session.ts';

interface Description {
  readonly name: string;
  readonly flags: readonly CommandFlag[];
  readonly summary: string;
  readonly says: (session: Session, c: Call) => void;
}

function ofConnection({ name, flags, summary, says }: Description): Command {
  return command({
    name,
    group: 'cluster',
    since: '3.0.0',
    complexity: 'O(1)',
    summary,
    flags,
    categories: ['connection'],
    args: [],
    run(c) {
      if (!c.engine.membership.joined && c.engine.membership.group === null) {
        c.reply.error('ERR This instance has cluster support disabled');
        return;
      }
      says(c.session, c);
      c.reply.ok();
    },
  });
}

export const redirectionCommands: readonly Command[] = [
  ofConnection({
    name: 'ASKING',
    flags: ['fast'],
    summary: 'Lets the next command reach a slot that is being moved here.',
    // Within a transaction the next command is EXEC's next.
    says: (session, c) => session.ask(c.engine.nested ? 'this' : 'next'),
  }),
  ofConnection({
    name: 'READONLY',
    flags: ['fast', 'loading', 'stale'],
    summary: 'Lets this connection read from a replica.',
    says: (session) => {
      session.readsReplica = true;
    },
  }),
  ofConnection({
    name: 'READWRITE',
    flags: ['fast', 'loading', 'stale'],
    summary: 'Takes READONLY back.',
    says: (session) => {
      session.readsReplica = false;
    },
  }),
];
