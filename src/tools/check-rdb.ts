/**
 * `cinnabar check-rdb FILE`: whether a snapshot is sound; in the output and with the exit codes of redis-check-rdb 7.0.15.
 *
 *   [offset 27] AUX FIELD redis-ver = '7.0.15'        what is met on the way, and the bytes read by then
 *   --- RDB ERROR DETECTED ---                        then where, while doing what, in which key
 *   [info] 3 keys read                                and how far it came
 *
 * Every value is read as the server reads it, with all tests on, into an image of its own, and dropped: memory for one value
 * at a time. Two things differ from the original on purpose. Files of versions 11 and 12 are read as well, since the server
 * reads them. And data of a module that ends too early is told as an end of the file, where the original never returns.
 */
import * as fs from 'node:fs';
import { Slice } from '../base/slice.ts';
import { REDIS_VERSION } from '../base/version.ts';
import type { ByteSource } from '../persistence/chunks.ts';
import * as rdb from '../persistence/rdb/format.ts';
import { RdbError } from '../persistence/rdb/format.ts';
import { RdbInput, Room } from '../persistence/rdb/input.ts';
import { moduleName, skipModule, ValueReader } from '../persistence/rdb/read-value.ts';
import { scratchMemory, usualLimits } from '../persistence/records/scratch.ts';
import { logTime, type Role } from '../server/log.ts';

/** Where text goes, one character a byte. */
export type Print = (text: string) => void;

/** The longest message that Redis puts together, in bytes. */
const LONGEST_MESSAGE = 1023;
/** Of value types, by their numbers; later ones have no name. */
const TYPE_NAMES = [
  'string',
  'list-linked',
  'set-hashtable',
  'zset-v1',
  'hash-hashtable',
  'zset-v2',
  'module-value',
  '',
  '',
  'hash-zipmap',
  'list-ziplist',
  'set-intset',
  'zset-ziplist',
  'hash-ziplist',
  'quicklist',
  'stream',
  'hash-listpack',
  'zset-listpack',
  'quicklist-v2',
];
/** The last version, value type and record that Redis 7.0 knows. */
const VERSION_7 = 10;
const EOF_TEXT = 'Unexpected EOF reading RDB file';

type Doing =
  | 'start'
  | 'read-type'
  | 'read-expire'
  | 'read-key'
  | 'read-object-value'
  | 'check-sum'
  | 'read-len'
  | 'read-aux'
  | 'read-module-aux'
  | 'read-functions';

/** Damage that the check itself finds, outside of values. */
class CheckError extends Error {
  override name = 'CheckError';
}

export class RdbCheck {
  /** It found what Redis's reader ends the process for, so that nothing more is said. */
  terminated = false;
  private readonly print: Print;
  /** The letter of the log's lines for what it is part of. */
  private readonly role: Role;
  private readonly values = new ValueReader(scratchMemory(), usualLimits());
  private input: RdbInput | null = null;
  private doing: Doing = 'start';
  private version = 0;
  private readonly room = new Room();
  private readonly key = new Slice();
  private readonly text = new Slice();
  private reading: Slice | null = null;
  /** The type of the key at hand, -1 between keys; before the first record Redis has 0 there. */
  private type = 0;
  private expiry = -1;
  private readonly now = Date.now();
  private keys = 0;
  private expires = 0;
  private expired = 0;

  constructor(print: Print, role: Role = 'C') {
    this.print = print;
    this.role = role;
    this.values.checking = true;
  }

  /** Bytes read, up to the end of the snapshot where it is sound. */
  get offset(): number {
    return this.input?.offset ?? 0;
  }

  /** Checks what `source` gives, `name` as it is to be called; null where it could not be opened. */
  run(name: string, source: ByteSource | null): boolean {
    this.info(`Checking RDB file ${name}`);
    if (source === null) return false;
    this.input = RdbInput.from(source, true);
    try {
      this.file(this.input);
    } catch (error) {
      this.failed(error);
      return false;
    }
    this.info('\\o/ RDB looks OK! \\o/');
    this.figures();
    return true;
  }

  private file(input: RdbInput): void {
    const head = input.bytes(9, this.text).keyword();
    if (!head.startsWith('REDIS')) throw new CheckError('Wrong signature trying to load DB from file');
    this.version = Number.parseInt(head.slice(5), 10) || 0;
    if (this.version < 1 || this.version > rdb.VERSION_READ)
      throw new CheckError(`Can't handle RDB format version ${this.version}`);
    for (let type = this.nextType(input); type !== rdb.OP_EOF; type = this.nextType(input)) this.record(input, type);
    if (this.version >= 5) this.checksum(input);
  }

  private nextType(input: RdbInput): number {
    this.doing = 'read-type';
    return input.u8();
  }

  private record(input: RdbInput, type: number): void {
    switch (type) {
      case rdb.OP_EXPIRY:
        this.doing = 'read-expire';
        this.expiry = input.i32() * 1000;
        return;
      case rdb.OP_EXPIRY_MS:
        this.doing = 'read-expire';
        this.expiry = input.i64();
        return;
      case rdb.OP_FREQ:
        input.u8();
        return;
      case rdb.OP_IDLE:
        input.size();
        return;
      case rdb.OP_SELECTDB:
        this.doing = 'read-len';
        this.info(`Selecting DB ID ${input.size64()}`);
        return;
      case rdb.OP_RESIZEDB:
        this.doing = 'read-len';
        input.size();
        input.size();
        return;
      case rdb.OP_AUX:
        this.aux(input);
        return;
      case rdb.OP_MODULE_AUX:
        this.moduleAux(input);
        return;
      case rdb.OP_FUNCTION_PRE:
      case rdb.OP_FUNCTION2:
        this.library(input, type);
        return;
      default:
        this.other(input, type);
    }
  }

  private other(input: RdbInput, type: number): void {
    const later = this.version > VERSION_7;
    if (later && type === rdb.OP_SLOT_INFO) {
      for (let i = 0; i < 3; i++) input.size();
      return;
    }
    const known = rdb.isValueType(type) && (later || type <= rdb.STREAM_LISTPACKS_2);
    if (!known) throw new CheckError(`Invalid object type: ${type}`);
    this.entry(input, type);
  }

  private aux(input: RdbInput): void {
    this.doing = 'read-aux';
    const name = input.keep(this.room, this.key).shown();
    this.info(`AUX FIELD ${name} = '${input.string(this.text).shown()}'`);
  }

  private moduleAux(input: RdbInput): void {
    this.doing = 'read-module-aux';
    const name = moduleName(input.size64());
    const mark = input.size();
    input.size();
    if (mark !== 2) throw new CheckError('bad when_opcode');
    this.info(`MODULE AUX for: ${name}`);
    skipModule(input, name);
  }

  /** A library's source; before 7.0 was released, its name, engine and description came first. */
  private library(input: RdbInput, type: number): void {
    this.doing = 'read-functions';
    let part = 'library payload';
    const next = (what: string): void => {
      part = what;
      input.skipString();
    };
    try {
      if (type === rdb.OP_FUNCTION_PRE) {
        next('library name');
        next('engine name');
        part = 'library description indicator';
        if (input.size() !== 0) next('library description');
        next('library blob');
      } else input.skipString();
    } catch (error) {
      if (error instanceof RdbError && error.fault === 'short')
        throw new CheckError(`Failed loading library, Failed loading ${part}`);
      throw error;
    }
  }

  private entry(input: RdbInput, type: number): void {
    this.type = type;
    this.doing = 'read-key';
    this.reading = input.keep(this.room, this.key);
    this.keys++;
    this.doing = 'read-object-value';
    this.values.read(input, type, true);
    this.values.drop();
    if (this.expiry !== -1) {
      this.expires++;
      if (this.expiry < this.now) this.expired++;
    }
    this.reading = null;
    this.type = -1;
    this.expiry = -1;
  }

  private checksum(input: RdbInput): void {
    this.doing = 'check-sum';
    const sum = input.checksum()!;
    const stored = input.bytes(8, this.text).view();
    if (stored.every((byte) => byte === 0)) this.info('RDB file was saved with checksum disabled: no check performed.');
    else if (stored.every((byte, i) => byte === sum[i])) this.info('Checksum OK');
    else throw new CheckError('RDB CRC error');
  }

  private failed(error: unknown): void {
    if (error instanceof CheckError) {
      this.report(error.message);
    } else if (!(error instanceof RdbError)) {
      throw error;
    } else if (error.line === 0 && (error.fault === 'short' || error.fault === 'empty')) {
      // A value without elements is to Redis a value that could not be read.
      this.report(EOF_TEXT);
    } else {
      this.terminated = true;
      this.report(`Internal error in RDB reading offset 0, function at rdb.c:${error.line} -> ${error.message}`);
      this.print(
        `${process.pid}:${this.role} ${logTime(Date.now())} # Terminating server after rdb file reading failure.\n`,
      );
    }
  }

  private report(message: string): void {
    this.print('--- RDB ERROR DETECTED ---\n');
    this.info(message);
    this.print(`[additional info] While doing: ${this.doing}\n`);
    if (this.reading !== null) this.print(`[additional info] Reading key '${this.reading.shown()}'\n`);
    if (this.type !== -1)
      this.print(`[additional info] Reading type ${this.type} (${TYPE_NAMES[this.type] ?? 'unknown'})\n`);
    this.figures();
  }

  private info(message: string): void {
    this.print(`[offset ${this.offset}] ${message.slice(0, LONGEST_MESSAGE)}\n`);
  }

  private figures(): void {
    this.print(
      `[info] ${this.keys} keys read\n[info] ${this.expires} expires\n[info] ${this.expired} already expired\n`,
    );
  }
}

/** The tool, called as `program`; returns the exit code. */
export function checkRdb(program: string, args: readonly string[], print: Print, complain: Print): number {
  if (args.length !== 1) {
    complain(`Usage: ${program} <rdb-file-name>\n`);
    return 1;
  }
  if (args[0] === '-v' || args[0] === '--version') {
    print(`redis-check-rdb ${REDIS_VERSION}\n`);
    return 0;
  }
  const name = Buffer.from(args[0], 'utf8').toString('latin1');
  return checkRdbFile(args[0], name, print) ? 0 : 1;
}

/** Checks the file at `path`, which is called `name`; whether it is sound. */
export function checkRdbFile(path: string, name: string, print: Print, role: Role = 'C'): boolean {
  const check = new RdbCheck(print, role);
  let file: number;
  try {
    file = fs.openSync(path, 'r');
  } catch {
    return check.run(name, null);
  }
  try {
    return check.run(name, (into, at, length) => readSome(file, into, at, length));
  } finally {
    fs.closeSync(file);
  }
}

/** What can't be read (a folder, a broken disk) is an end. */
function readSome(file: number, into: Uint8Array, at: number, length: number): number {
  try {
    return fs.readSync(file, into, at, length, null);
  } catch {
    return 0;
  }
}
