/** What a server's INFO tells, and what is done where it is not as we have configured it. */
import type { Reply } from '../../links/reply-reader.ts';
import { type InfoReport, parseInfo } from '../info.ts';
import type { Master, Replica } from '../state.ts';
import { wasUpFor } from './down.ts';
import { promoted } from './failover.ts';
import { addressOf, means } from './hosts.ts';
import { isReachable } from './links.ts';
import { addReplica, findReplica } from './masters.ts';
import { follow } from './slaveof.ts';
import type { Turn } from './turn.ts';

type Server = Master | Replica;

/** Publish-periods for which a replica must claim to be a master before it is told otherwise: it may know more than we. */
const CLAIM_PERIODS = 4;
/** Info-periods after which a master's INFO is too old to rest on. */
const SANE_PERIODS = 2;

export function infoReply(turn: Turn, server: Server, reply: Reply): void {
  server.infoAsked = false;
  if (!Buffer.isBuffer(reply)) return;
  const report = parseInfo(reply);
  if (report === null) return;
  server.info = reply;
  server.infoTime = turn.now;
  if (report.runid !== '') identify(turn, server, report.runid);
  if (server.role === 'slave') readReplica(turn, server, report);
  else if (report.role === 'master') discoverReplicas(turn, server, report);
  if (report.role !== server.roleReported) changeRole(turn, server, report.role);
  if (!turn.state.tilt && server.role === 'slave') correct(turn, server);
}

function identify(turn: Turn, server: Server, runid: string): void {
  if (server.runid !== '' && server.runid !== runid) {
    turn.tell('notice', '+reboot', server);
    if (server.role === 'master' && server.settings.masterRebootDownAfter !== 0) server.rebootSince = turn.now;
  }
  server.runid = runid;
}

function discoverReplicas(turn: Turn, master: Master, report: InfoReport): void {
  for (const { host, port } of report.replicas) {
    if (findReplica(turn, master, host, port) !== undefined) continue;
    const address = addressOf(turn, host, port);
    const replica = address === null ? null : addReplica(turn, master, address);
    if (replica === null) continue;
    turn.tell('notice', '+slave', replica);
    turn.persist();
  }
}

function readReplica(turn: Turn, replica: Replica, report: InfoReport): void {
  replica.masterLinkDownTime = report.masterLinkDownTime;
  if (report.role !== 'slave') return;
  const host = report.masterHost ?? replica.masterHost;
  const port = report.masterPort ?? replica.masterPort;
  if (host !== replica.masterHost || port !== replica.masterPort) replica.configChanged = turn.now;
  replica.masterHost = host;
  replica.masterPort = port;
  replica.masterLinkUp = report.masterLinkUp ?? replica.masterLinkUp;
  replica.priority = report.priority ?? replica.priority;
  replica.offset = report.offset ?? replica.offset;
  replica.announced = report.announced ?? replica.announced;
}

function changeRole(turn: Turn, server: Server, role: 'master' | 'slave'): void {
  server.roleReported = role;
  server.roleReportedSince = turn.now;
  if (role === 'slave' && server.role === 'slave') server.configChanged = turn.now;
  const expected = role === server.role;
  turn.tell('verbose', expected ? '+role-change' : '-role-change', server, ` new reported role is ${role}`);
}

/** Leads a replica back to what it should be. */
function correct(turn: Turn, replica: Replica): void {
  const { failover } = replica.master;
  if (replica.roleReported === 'slave') {
    followReconfiguration(turn, replica);
    fixMaster(turn, replica);
  } else if (failover?.promoted !== replica) convertToSlave(turn, replica);
  else if (failover.state === 'wait-promotion') promoted(turn, replica);
}

/** A replica that claims to be a master: one that was it before a failover, or that somebody has promoted. */
function convertToSlave(turn: Turn, replica: Replica): void {
  const wait = turn.state.periods['publish-period'] * CLAIM_PERIODS;
  if (!looksSane(turn, replica.master) || !wasUpFor(turn, replica, wait)) return;
  if (turn.now - replica.roleReportedSince <= wait || !isReachable(replica)) return;
  if (follow(turn, replica, replica.master)) turn.tell('notice', '+convert-to-slave', replica);
}

/** A replica that replicates from somebody else than the master. */
function fixMaster(turn: Turn, replica: Replica): void {
  const { master } = replica;
  const wait = master.settings.failoverTimeout;
  if (means(turn, master.address, replica.masterHost, replica.masterPort) !== false) return;
  if (!looksSane(turn, master) || !wasUpFor(turn, replica, wait)) return;
  if (turn.now - replica.configChanged <= wait || !isReachable(replica)) return;
  if (follow(turn, replica, master)) turn.tell('notice', '+fix-slave-config', replica);
}

/** A replica that was told to follow the promoted one: it begins to, and then has its data. */
function followReconfiguration(turn: Turn, replica: Replica): void {
  const leader = replica.master.failover?.promoted;
  if (leader === null || leader === undefined) return;
  if (replica.reconfiguration === 'sent')
    if (means(turn, leader.address, replica.masterHost, replica.masterPort) === true) {
      replica.reconfiguration = 'inprog';
      turn.tell('notice', '+slave-reconf-inprog', replica);
    }
  if (replica.reconfiguration === 'inprog' && replica.masterLinkUp) {
    replica.reconfiguration = 'done';
    turn.tell('notice', '+slave-reconf-done', replica);
  }
}

/** Whether the master is what it should be, and was seen to be so just now. */
function looksSane(turn: Turn, master: Master): boolean {
  return (
    master.roleReported === 'master' &&
    master.downSince === 0 &&
    master.infoTime !== 0 &&
    turn.now - master.infoTime < turn.state.periods['info-period'] * SANE_PERIODS
  );
}
