/** Why a script isn't begun, and why one that runs may not run a command: what it declares, as masks of gates. */
import { flagBit } from '../engine/derive.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_CLUSTER, GATE_MISCONF, GATE_OOM, GATE_READONLY, GATE_REPLICAS, GATE_STALE } from '../engine/gates.ts';
import type { Session } from '../engine/session.ts';
import type { Registered } from '../engine/table.ts';
import { ALLOW_OOM, ALLOW_STALE, NO_CLUSTER, NO_WRITES, UNDECLARED } from './flags.ts';

const NOSCRIPT = flagBit('noscript');
const WRITE = flagBit('write');
const MAY_REPLICATE = flagBit('may_replicate');
const GATES_OF_WRITES = GATE_READONLY | GATE_MISCONF | GATE_REPLICAS;

/** The states in which a script that declares `flags` (bits of flags.ts) can't begin. */
function gatesOf(flags: number): number {
  if (flags & UNDECLARED) return GATE_STALE;
  let gates = 0;
  if (flags & NO_CLUSTER) gates |= GATE_CLUSTER;
  if (!(flags & ALLOW_STALE)) gates |= GATE_STALE;
  if (!(flags & NO_WRITES)) gates |= GATES_OF_WRITES;
  if (!(flags & (NO_WRITES | ALLOW_OOM))) gates |= GATE_OOM;
  return gates;
}

/** Why a script of `session` can't be run now. */
export function refusedScript(
  engine: Engine,
  session: Session,
  { flags, readOnly }: { readonly flags: number; readonly readOnly: boolean },
): string | null {
  const gates = gatesOf(flags) & engine.gates.bits & session.minds;
  const declares = (flags & UNDECLARED) === 0;
  const writes = !(flags & NO_WRITES) && !session.role.mustObey;
  return engine.gatekeeper.refusalOfScript(gates, declares, readOnly && writes);
}

/** Why a script of `session` may not run a command, whatever it has done; what begins with '-' has a code of its own. */
export function forbiddenCall(engine: Engine, session: Session, { flags, gates }: Registered): string | null {
  if (flags & NOSCRIPT && !engine.scriptsMayAll) return 'This Redis command is not allowed from script';
  return engine.gatekeeper.refusalOfCall(gates & engine.gates.bits & session.minds & GATE_STALE);
}

/** Why a running script may not write, or take memory, by a command. */
export function refusedCall(
  engine: Engine,
  script: {
    readonly session: Session;
    readonly mayWrite: boolean;
    readonly mayGrow: boolean;
    readonly short: boolean;
    readonly wrote: boolean;
  },
  { flags, gates }: Registered,
): string | null {
  if (!script.mayWrite && flags & (WRITE | MAY_REPLICATE))
    return 'Write commands are not allowed from read-only scripts.';
  // A script that has written is not stopped half way.
  if (script.wrote) return null;
  let on = flags & WRITE ? engine.gates.bits & script.session.minds & GATES_OF_WRITES : 0;
  // Whether memory is short was seen when the command that runs the script began.
  if (script.short && !script.mayGrow) on |= GATE_OOM;
  return engine.gatekeeper.refusalOfCall(gates & on);
}
