/** The commands on HyperLogLogs. */
import { isWord, Slice } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import { type Command, command, type KeySpec } from '../engine/command.ts';
import { bytes, key, many, optional } from '../engine/grammar.ts';
import { makeRaw, storeRoot } from '../keyspace/strings.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { sdsBytes } from '../structures/sds.ts';
import { ENC_RAW, entryValue, TYPE_STRING } from '../values/entry.ts';
import {
  cardinalityOf,
  encodingOf,
  HLL_CHANGED,
  HLL_CORRUPT,
  HLL_DENSE,
  HyperLogLog,
  isHyperLogLog,
  mergeRegisters,
  newHyperLogLog,
  opcodesOf,
} from '../values/hyperloglog.ts';
import { REGISTERS } from '../values/hyperloglog-estimate.ts';
import { stringBytes } from '../values/string.ts';

const NOT_ONE = 'WRONGTYPE Key is not a valid HyperLogLog string value.';
const CORRUPT = 'INVALIDOBJ Corrupted HLL object detected';

const shown = new Slice();
const registers = new Uint8Array(REGISTERS);

/** `e` when it is NULL or a HyperLogLog; otherwise undefined, and the error has been replied. */
function checked(c: Call, e: Addr): Addr | undefined {
  const opened = c.openFor(e, TYPE_STRING);
  if (opened === undefined || e === NULL) return opened;
  if (isHyperLogLog(stringBytes(c.memory, e, shown))) return e;
  c.reply.error(NOT_ONE);
  return undefined;
}

/** The HyperLogLog of an entry at argument `i`, which becomes one that can be changed in place. */
function opened(c: Call, i: number, e: Addr): HyperLogLog {
  const raw = makeRaw(c.db, c.arg(i), c.hashOf(i), e);
  return new HyperLogLog(c.memory).bind(entryValue(c.memory, raw));
}

/** Hangs the string in again where it has moved. */
function putBack(c: Call, i: number, hll: HyperLogLog): void {
  if (hll.moved) c.db.rehang(c.arg(i), c.hashOf(i), c.peek(i), ENC_RAW, hll.root);
}

/** A new, empty HyperLogLog under argument `i`. */
function created(c: Call, i: number): HyperLogLog {
  const root = newHyperLogLog(c.memory);
  storeRoot(c.db, c.arg(i), c.hashOf(i), NULL, root, -1);
  return new HyperLogLog(c.memory).bind(root);
}

export const pfadd = command({
  name: 'PFADD',
  group: 'hyperloglog',
  since: '2.8.9',
  complexity: 'O(1) for each element',
  summary: 'Counts elements in a HyperLogLog, which is created when absent.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW INSERT'), optional(many(bytes('element')))],
  run(c) {
    const e = checked(c, c.findForWrite(1));
    if (e === undefined) return;
    const hll = e === NULL ? created(c, 1) : opened(c, 1, e);
    const sparseMax = c.engine.server.settings.hllSparseMaxBytes;
    let updated = e === NULL ? 1 : 0;
    let outcome = 0;
    try {
      for (let i = 2; i < c.argc && outcome !== HLL_CORRUPT; i++) {
        outcome = hll.add(c.arg(i), sparseMax);
        if (outcome === HLL_CHANGED) updated++;
      }
      if (outcome !== HLL_CORRUPT && updated > 0) hll.invalidate();
    } finally {
      putBack(c, 1, hll);
    }
    if (outcome === HLL_CORRUPT) {
      c.reply.error(CORRUPT);
      return;
    }
    if (updated > 0) c.changed(1, 'pfadd', updated);
    c.reply.int(updated > 0 ? 1 : 0);
  },
});

/** Raises `registers` to those of the keys from argument `first` on; undefined when an error has been replied. */
function mergeKeys(c: Call, first: number): { dense: boolean } | undefined {
  registers.fill(0);
  let dense = false;
  for (let i = first; i < c.argc; i++) {
    const e = checked(c, c.find(i));
    if (e === undefined) return undefined;
    if (e === NULL) continue;
    const value = stringBytes(c.memory, e, shown);
    if (encodingOf(value) === HLL_DENSE) dense = true;
    if (mergeRegisters(value, registers)) continue;
    c.reply.error(CORRUPT);
    return undefined;
  }
  return { dense };
}

function countOne(c: Call): void {
  const e = checked(c, c.find(1));
  if (e === undefined) return;
  if (e === NULL) {
    c.reply.int(0);
    return;
  }
  const hll = opened(c, 1, e);
  const { cached } = hll;
  if (cached !== undefined) {
    c.reply.bigint(cached);
    return;
  }
  const cardinality = hll.cardinality();
  if (cardinality < 0) {
    c.reply.error(CORRUPT);
    return;
  }
  hll.cache(cardinality);
  c.changed(1, '');
  c.reply.int(cardinality);
}

const COUNTED_KEYS: KeySpec = {
  access: 'RW ACCESS',
  notes: 'RW because it may change the internal representation of the key, and propagate to replicas',
  begin: { type: 'index', index: 1 },
  find: { type: 'range', lastKey: -1, step: 1, limit: 0 },
};

export const pfcount = command({
  name: 'PFCOUNT',
  group: 'hyperloglog',
  since: '2.8.9',
  complexity: 'O(1) for one key, O(N) with a large factor in the number of several',
  summary: 'Estimates how many different elements were counted in one or several HyperLogLogs.',
  flags: ['readonly', 'may_replicate'],
  keySpecs: [COUNTED_KEYS],
  args: [many(key('key', COUNTED_KEYS.access))],
  run(c) {
    if (c.argc === 2) countOne(c);
    else if (mergeKeys(c, 1) !== undefined) c.reply.int(cardinalityOf(registers));
  },
});

export const pfmerge = command({
  name: 'PFMERGE',
  group: 'hyperloglog',
  since: '2.8.9',
  complexity: 'O(N) with a large factor in the number of HyperLogLogs',
  summary: 'Merges HyperLogLogs into one, which is created when absent.',
  flags: ['write', 'denyoom'],
  args: [key('destkey', 'RW ACCESS INSERT'), many(key('sourcekey', 'RO ACCESS'))],
  arity: -2,
  run(c) {
    const sources = mergeKeys(c, 1);
    if (sources === undefined) return;
    const e = c.findForWrite(1);
    const hll = e === NULL ? created(c, 1) : opened(c, 1, e);
    const sparseMax = c.engine.server.settings.hllSparseMaxBytes;
    try {
      if (sources.dense) hll.toDense();
      hll.raiseAll(registers, sparseMax);
      hll.invalidate();
    } finally {
      putBack(c, 1, hll);
    }
    c.changed(1, 'pfadd');
    c.reply.ok();
  },
});

/** Makes the value dense for PFDEBUG; undefined when the error has been replied, else whether it was sparse. */
function madeDense(c: Call, hll: HyperLogLog): boolean | undefined {
  if (hll.encoding === HLL_DENSE) return false;
  if (!hll.toDense()) {
    c.reply.error(CORRUPT);
    return undefined;
  }
  putBack(c, 2, hll);
  c.dirty++;
  return true;
}

function debug(c: Call, hll: HyperLogLog): void {
  const word = c.arg(1);
  if (isWord(word, 'GETREG')) {
    if (madeDense(c, hll) === undefined) return;
    c.reply.array(REGISTERS);
    for (const value of hll.registers()) c.reply.int(value);
  } else if (isWord(word, 'DECODE')) {
    if (hll.encoding === HLL_DENSE) c.reply.error('ERR HLL encoding is not sparse');
    else c.reply.bulkText(opcodesOf(sdsBytes(c.memory, hll.root, shown)));
  } else if (isWord(word, 'ENCODING')) {
    c.reply.status(hll.encoding === HLL_DENSE ? 'dense' : 'sparse');
  } else if (isWord(word, 'TODENSE')) {
    const converted = madeDense(c, hll);
    if (converted !== undefined) c.reply.int(converted ? 1 : 0);
  } else {
    c.reply.error(`ERR Unknown PFDEBUG subcommand '${word.shown()}'`);
  }
}

export const pfdebug = command({
  name: 'PFDEBUG',
  group: 'hyperloglog',
  since: '2.8.9',
  complexity: 'N/A',
  summary: 'Shows what a HyperLogLog is made of, for tests.',
  flags: ['write', 'denyoom', 'admin'],
  docFlags: ['syscmd'],
  args: [bytes('subcommand'), key('key', 'RW ACCESS')],
  run(c) {
    const found = c.findForWrite(2);
    if (found === NULL) {
      c.reply.error('ERR The specified key does not exist');
      return;
    }
    const e = checked(c, found);
    if (e !== undefined) debug(c, opened(c, 2, e));
  },
});

const TESTED = [100, 1000, 10000, 100000];
/** Three times the standard error of 1.04 / sqrt(16384), in percent; small counts are nearly exact. */
const ALLOWED = 2.5;

/** What is wrong with the estimates, if anything is. */
function selfTest(c: Call): string | undefined {
  const hll = new HyperLogLog(c.memory).bind(newHyperLogLog(c.memory));
  const sparseMax = c.engine.server.settings.hllSparseMaxBytes;
  const element = new Slice(new Uint8Array(8));
  const words = new DataView(element.buffer.buffer);
  try {
    let added = 0;
    for (const count of TESTED) {
      for (; added < count; added++) {
        words.setUint32(0, c.random.below(0x7fffffff));
        words.setUint32(4, added);
        hll.add(element, sparseMax);
      }
      const error = (Math.abs(hll.cardinality() - count) / count) * 100;
      if (error > ALLOWED * 2) return `TESTFAILED too much error: ${error.toFixed(2)}% with ${count} elements`;
      const sum = cardinalityOf(hll.registers());
      if (sum !== hll.cardinality())
        return `TESTFAILED ${sum} from the registers, ${hll.cardinality()} from the string`;
    }
    return undefined;
  } finally {
    c.memory.release(hll.root);
  }
}

export const pfselftest = command({
  name: 'PFSELFTEST',
  group: 'hyperloglog',
  since: '2.8.9',
  complexity: 'N/A',
  summary: 'Counts known numbers of elements and checks the estimates.',
  flags: ['admin'],
  docFlags: ['syscmd'],
  args: [],
  run(c) {
    const failure = selfTest(c);
    if (failure === undefined) c.reply.ok();
    else c.reply.error(failure);
  },
});

export const hyperloglogCommands: readonly Command[] = [pfadd, pfcount, pfmerge, pfdebug, pfselftest];
