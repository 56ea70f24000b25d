/** REPLCONF: what a replica tells of itself before PSYNC, and of its progress after. */
import { parseInteger } from '../base/numbers.ts';
import { isWord, type Slice } from '../base/slice.ts';
import { type Call, NOT_AN_INTEGER, SYNTAX_ERROR } from '../engine/call.ts';
import { command } from '../engine/command.ts';
import { replicationOf } from './owners.ts';
import type { ReplicaInfo } from './replicas.ts';

/** As long as Redis takes host names. */
const IP_MAX = 255;
const WORD_MAX = 128;

/** The error to an option that tells something of the replica; null when it has been noted. */
function note(info: ReplicaInfo, option: Slice, value: Slice): string | null {
  if (isWord(option, 'LISTENING-PORT')) {
    const port = parseInteger(value);
    if (Number.isNaN(port)) return NOT_AN_INTEGER;
    info.port = port;
  } else if (isWord(option, 'IP-ADDRESS')) {
    if (value.length > IP_MAX)
      return `ERR REPLCONF ip-address provided by replica instance is too long: ${value.length} bytes`;
    info.ip = value.beginning(IP_MAX);
  } else if (isWord(option, 'CAPA')) {
    // Capabilities that we don't know are of no concern.
    if (isWord(value, 'EOF')) info.eof = true;
    else if (isWord(value, 'PSYNC2')) info.psync2 = true;
  } else if (isWord(option, 'RDB-ONLY')) {
    const only = parseInteger(value);
    if (only !== 0 && only !== 1) return 'ERR value is out of range, value must between 0 and 1';
    info.rdbOnly = only === 1;
  } else if (isWord(option, 'RDB-FILTER-ONLY')) {
    return filter(info, value);
  } else {
    return `ERR Unrecognized REPLCONF option: ${option.beginning(WORD_MAX)}`;
  }
  return null;
}

/** Which parts of the data the snapshot is to hold: words, none for none at all. */
function filter(info: ReplicaInfo, value: Slice): string | null {
  info.withoutData = true;
  info.withoutFunctions = true;
  for (const word of value.beginning(WORD_MAX).split(' ')) {
    if (word === '') continue;
    if (word.toLowerCase() !== 'functions') return `ERR Unsupported rdb-filter-only option: ${word}`;
    info.withoutFunctions = false;
  }
  return null;
}

/** What is said within the stream, and answered by nobody; false when it is no such thing. */
function answersNothing(c: Call, option: Slice, value: Slice): boolean {
  const replication = replicationOf(c.engine);
  if (isWord(option, 'ACK')) {
    const offset = parseInteger(value);
    if (c.session.role.type === 'replica' && !Number.isNaN(offset)) replication.acknowledge(c.session, offset);
    return true;
  }
  if (!isWord(option, 'GETACK')) return false;
  replication.follower.acknowledge();
  return true;
}

export const replconf = command({
  name: 'REPLCONF',
  group: 'server',
  since: '3.0.0',
  complexity: 'O(1)',
  summary: 'Tells a master about its replica.',
  flags: ['admin', 'noscript', 'loading', 'stale', 'allow_busy'],
  arity: -1,
  run(c) {
    if (c.argc % 2 === 0) return c.reply.error(SYNTAX_ERROR);
    const info = replicationOf(c.engine).master.infoOf(c.session);
    for (let i = 1; i < c.argc; i += 2) {
      if (answersNothing(c, c.arg(i), c.arg(i + 1))) return;
      const error = note(info, c.arg(i), c.arg(i + 1));
      if (error !== null) return c.reply.error(error);
    }
    c.reply.ok();
  },
});
