/** What a Sentinel shows of what it knows: replies of SENTINEL, INFO's section, ROLE. */
import type { Call } from '../engine/call.ts';
import { announced, currentAddress, instanceFields } from './fields.ts';
import type { Shell } from './shell.ts';
import type { Instance, Master, SentinelState, Server } from './state.ts';

const FAILURE_BITS = { 'crash-after-election': 1, 'crash-after-promotion': 2 } as const;

/** Names and values in turn, as a map. */
export function replyFields(c: Call, fields: readonly (string | number)[]): void {
  c.reply.map(fields.length / 2);
  for (const field of fields) c.reply.bulkText(String(field));
}

export function replyInstance(c: Call, shell: Shell, instance: Instance): void {
  replyFields(c, instanceFields(shell.state, instance, shell.now));
}

export function replyInstances(c: Call, shell: Shell, instances: readonly Instance[]): void {
  c.reply.array(instances.length);
  for (const instance of instances) replyInstance(c, shell, instance);
}

/** Where the master is that clients are to use. */
export function replyMasterAddress(c: Call, state: SentinelState, master: Master): void {
  const address = currentAddress(master);
  c.reply.array(2);
  c.reply.bulkText(announced(state, address));
  c.reply.bulkText(String(address.port));
}

/** Of each master its name and, of it and its replicas, the last INFO with its age. */
export function replyInfoCache(c: Call, masters: readonly Master[], now: number): void {
  c.reply.array(masters.length * 2);
  for (const master of masters) {
    c.reply.bulkText(master.name);
    c.reply.array(1 + master.replicas.size);
    for (const server of [master, ...master.replicas.values()]) replyInfo(c, server, now);
  }
}

function replyInfo(c: Call, { info, infoTime }: Server, now: number): void {
  c.reply.array(2);
  c.reply.int(infoTime === 0 ? 0 : now - infoTime);
  if (info === null) c.reply.null();
  else c.reply.bulkBytes(info, 0, info.length);
}

export function replyScripts(c: Call, state: SentinelState, now: number): void {
  c.reply.array(state.scripts.length);
  for (const { words, running, pid, time, tries } of state.scripts) {
    c.reply.map(5);
    c.reply.bulkText('argv');
    c.reply.array(words.length);
    for (const word of words) c.reply.bulkText(word);
    const due = running ? now - time : Math.max(0, time - now);
    const fields = { flags: running ? 'running' : 'scheduled', pid, [running ? 'run-time' : 'run-delay']: due };
    for (const [name, value] of Object.entries({ ...fields, 'retry-num': tries })) {
      c.reply.bulkText(name);
      c.reply.bulkText(String(value));
    }
  }
}

export function replyRole(c: Call, state: SentinelState): void {
  c.reply.array(2);
  c.reply.bulkText('sentinel');
  c.reply.array(state.masters.size);
  for (const name of state.masters.keys()) c.reply.bulkText(name);
}

/** INFO's section. */
export function infoLines({ state, now }: Shell): string {
  let failures = 0;
  for (const failure of state.simulatedFailures) failures |= FAILURE_BITS[failure];
  const fields: Record<string, string | number> = {
    sentinel_masters: state.masters.size,
    sentinel_tilt: state.tilt ? 1 : 0,
    sentinel_tilt_since_seconds: state.tilt ? Math.floor((now - state.tiltSince) / 1000) : -1,
    sentinel_running_scripts: state.scripts.filter(({ running }) => running).length,
    sentinel_scripts_queue_length: state.scripts.length,
    sentinel_simulate_failure_flags: failures,
  };
  let number = 0;
  for (const master of state.masters.values()) fields[`master${number++}`] = masterLine(state, master);
  return Object.entries(fields)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('');
}

function masterLine(state: SentinelState, master: Master): string {
  const { name, replicas, sentinels, address } = master;
  const status = master.objectivelyDownSince !== 0 ? 'odown' : master.downSince !== 0 ? 'sdown' : 'ok';
  const place = `${announced(state, address)}:${address.port}`;
  return `name=${name},status=${status},address=${place},slaves=${replicas.size},sentinels=${sentinels.size + 1}`;
}
