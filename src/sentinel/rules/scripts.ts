/**
 * Notification and client-reconfig scripts: at most 16 run at once; one that fails with exit code 1, or by a signal, is
 * tried again, up to 10 times, each time after twice as long; one that runs for too long is killed.
 */
import type { Address } from '../address.ts';
import { announced } from '../fields.ts';
import type { Master, Script } from '../state.ts';
import { queueScript } from './script-queue.ts';
import type { Turn } from './turn.ts';

export const MOST_RUNNING = 16;
const MOST_TRIES = 10;
/** The exit code by which a script asks to be tried again. */
const TRY_AGAIN = 1;

/** Starts the scripts whose time has come, and kills those whose time is up. */
export function runScripts(turn: Turn): void {
  const { scripts } = turn.state;
  let running = scripts.filter((script) => script.running).length;
  for (const script of scripts) {
    if (script.running) killIfLate(turn, script);
    else if (running < MOST_RUNNING && script.time <= turn.now) {
      running++;
      start(turn, script);
    }
  }
}

function start(turn: Turn, script: Script): void {
  script.running = true;
  script.time = turn.now;
  script.tries++;
  turn.output({ kind: 'run-script', script });
}

function killIfLate(turn: Turn, script: Script): void {
  if (turn.now - script.time <= turn.state.periods['script-max-runtime']) return;
  turn.event('warning', '-script-timeout', null, `${script.words[0]} ${script.pid}`);
  turn.output({ kind: 'kill-script', script });
}

export function scriptStarted(turn: Turn, script: Script, pid: number): void {
  script.pid = pid;
  turn.event('debug', '+script-child', null, String(pid));
}

export function scriptEnded(turn: Turn, script: Script, exitCode: number, signal: number): void {
  const { scripts, periods } = turn.state;
  turn.event('debug', '-script-child', null, `${script.pid} ${exitCode} ${signal}`);
  script.running = false;
  script.pid = 0;
  if ((signal !== 0 || exitCode === TRY_AGAIN) && script.tries < MOST_TRIES) {
    script.time = turn.now + periods['script-retry-delay'] * 2 ** (script.tries - 1);
    return;
  }
  if (signal !== 0 || exitCode !== 0)
    turn.event('warning', '-script-error', null, `${script.words[0]} ${signal} ${exitCode}`);
  scripts.splice(scripts.indexOf(script), 1);
}

/** Tells the script that reconfigures clients where the master was and where it is; `role` is ours in the change. */
export function reconfigureClients(
  turn: Turn,
  master: Master,
  role: 'leader' | 'observer',
  from: Address,
  to: Address,
): void {
  const { clientReconfigScript } = master.settings;
  if (clientReconfigScript === '') return;
  const places = [from, to].flatMap((address) => [announced(turn.state, address), String(address.port)]);
  queueScript(turn.state, [clientReconfigScript, master.name, role, 'start', ...places]);
}
