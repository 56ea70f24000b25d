/** Why a script isn't begun, and why one that runs may not run a command: Redis's checks in Redis's order. */
import { flagBit } from '../engine/derive.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_MISCONF, GATE_READONLY, GATE_REPLICAS, GATE_STALE } from '../engine/gates.ts';
import type { Registered } from '../engine/table.ts';
import { ALLOW_OOM, ALLOW_STALE, NO_WRITES, UNDECLARED } from './flags.ts';

const NOSCRIPT = flagBit('noscript');
const WRITE = flagBit('write');
const MAY_REPLICATE = flagBit('may_replicate');
const NO_REPLICAS = 'NOREPLICAS Not enough good replicas to write.';
const NO_WRITING = "Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";
const AOF_FAILS = 'MISCONF Errors writing to the AOF file: ';

/** What a script that may write is told while nothing can be written to disk, by what a command would be told. */
function diskError(error: string): string {
  return error.startsWith(AOF_FAILS)
    ? `MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. ${NO_WRITING} AOF error: ${error.slice(AOF_FAILS.length)}`
    : `MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. ${NO_WRITING}`;
}

/** Why a script can't be run now; `short` where memory is, `obeyed` where it was accepted before. */
export function refusedScript(
  engine: Engine,
  { flags, readOnly }: { readonly flags: number; readonly readOnly: boolean },
  short: boolean,
  obeyed: boolean,
): string | null {
  const { denied } = engine;
  const stale = (denied & GATE_STALE) !== 0;
  if (flags & UNDECLARED)
    return stale ? "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'." : null;
  if (stale && !(flags & ALLOW_STALE)) {
    return "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script.";
  }
  if (!(flags & NO_WRITES) && !obeyed) {
    if (denied & GATE_READONLY) return 'READONLY Can not run script with write flag on readonly replica';
    if (denied & GATE_MISCONF) return diskError(engine.gatekeeper.misconf);
    if (readOnly) return 'ERR Can not execute a script with write flag using *_ro command.';
    if (denied & GATE_REPLICAS) return NO_REPLICAS;
  }
  if (short && !(flags & (ALLOW_OOM | NO_WRITES)))
    return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
  return null;
}

/** Why no script may run a command; what begins with '-' has a code of its own. */
export function forbiddenCall(engine: Engine, { flags, gates }: Registered): string | null {
  if (flags & NOSCRIPT && !engine.scriptsMayAll) return 'This Redis command is not allowed from script';
  const denied = gates & engine.denied;
  return denied & GATE_STALE ? 'Can not execute the command on a stale replica' : null;
}

/** Why a running script may not write by a command. */
export function refusedCall(
  engine: Engine,
  script: { readonly mayWrite: boolean; readonly wrote: boolean; readonly obeyed: boolean },
  { flags, gates }: Registered,
): string | null {
  if (!script.mayWrite && flags & (WRITE | MAY_REPLICATE))
    return 'Write commands are not allowed from read-only scripts.';
  // A script that has written is not stopped half way.
  if (!(flags & WRITE) || script.wrote || script.obeyed) return null;
  const denied = gates & engine.denied;
  if (denied & GATE_READONLY) return "-READONLY You can't write against a read only replica.";
  if (denied & GATE_MISCONF) return `-${engine.gatekeeper.misconf}`;
  return denied & GATE_REPLICAS ? `-${NO_REPLICAS}` : null;
}
