/**
 * What a Sentinel reads of the reply to INFO. The bytes come from outside, of any number: lines are found among them, and
 * only those that matter become texts, of a bounded length.
 */

export interface InfoReport {
  /** '' where it does not say. */
  runid: string;
  role: 'master' | 'slave';
  /** Of a master: its replicas. */
  replicas: { readonly host: string; readonly port: number }[];
  /** Of a replica; what it does not say stays null. */
  masterHost: string | null;
  masterPort: number | null;
  masterLinkUp: boolean | null;
  /** Milliseconds; 0 where the link is up. */
  masterLinkDownTime: number;
  priority: number | null;
  offset: number | null;
  announced: boolean | null;
}

const NEWLINE = 10;
const RETURN = 13;
const COLON = 58;
/** No line that matters is longer. */
const MOST_LINE = 512;

/** Null where the reply tells no role: it is no INFO of a server. */
export function parseInfo(bytes: Buffer): InfoReport | null {
  const report: InfoReport = {
    runid: '',
    role: 'master',
    replicas: [],
    masterHost: null,
    masterPort: null,
    masterLinkUp: null,
    masterLinkDownTime: 0,
    priority: null,
    offset: null,
    announced: null,
  };
  let hasRole = false;
  for (let at = 0; at < bytes.length; ) {
    let end = bytes.indexOf(NEWLINE, at);
    if (end < 0) end = bytes.length;
    if (matters(bytes[at]) && end - at <= MOST_LINE) {
      const colon = bytes.indexOf(COLON, at);
      const last = bytes[end - 1] === RETURN ? end - 1 : end;
      if (colon >= 0 && colon < last) {
        const field = bytes.toString('latin1', at, colon);
        hasRole ||= field === 'role';
        read(report, field, bytes.toString('latin1', colon + 1, last));
      }
    }
    at = end + 1;
  }
  return hasRole ? report : null;
}

/** Whether a line that begins so can be one of those that are read: run_id, role, replica_, master_, slave. */
function matters(byte: number): boolean {
  return byte === 0x72 || byte === 0x6d || byte === 0x73;
}

function read(report: InfoReport, field: string, value: string): void {
  switch (field) {
    case 'run_id':
      report.runid = value;
      return;
    case 'role':
      report.role = value === 'slave' ? 'slave' : 'master';
      return;
    case 'master_host':
      report.masterHost = value;
      return;
    case 'master_port':
      report.masterPort = number(value);
      return;
    case 'master_link_status':
      report.masterLinkUp = value === 'up';
      return;
    case 'master_link_down_since_seconds':
      report.masterLinkDownTime = (number(value) ?? 0) * 1000;
      return;
    case 'slave_priority':
      report.priority = number(value);
      return;
    case 'slave_repl_offset':
      report.offset = number(value);
      return;
    case 'replica_announced':
      report.announced = value !== '0';
      return;
    default:
      if (/^slave\d+$/.test(field)) readReplica(report, value);
  }
}

/** A line of a master: `slave0:ip=10.0.0.2,port=6379,state=online,offset=1,lag=0`. */
function readReplica(report: InfoReport, value: string): void {
  const parts = new Map(
    value.split(',').map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]),
  );
  const [host, port] = [parts.get('ip') ?? '', number(parts.get('port') ?? '')];
  if (host !== '' && port !== null && port > 0 && port <= 65535) report.replicas.push({ host, port });
}

/** Null where it is no whole number. */
function number(text: string): number | null {
  return /^-?\d{1,16}$/.test(text) ? Number(text) : null;
}
