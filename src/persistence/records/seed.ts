/**
 * Data that an owner gives his server to begin with, in the forms that are easy to write down, as a snapshot; and a snapshot as
 * lines of JSON.
 *
 *   text, bytes ── is it a snapshot? ────────────────────────────> a snapshot
 *        └ lines of records, a list of them, or an object by key ──┘
 *
 * All of it is read before anything is changed, and what is wrong is told with its place.
 */
import { isUtf8 } from 'node:buffer';
import { Slice } from '../../base/slice.ts';
import { ByteMap, type Named } from '../../structures/byte-map.ts';
import { hashBytes } from '../../structures/hash.ts';
import { isObject, type Json, objectOf, wrong } from './json.ts';
import { jsonFault } from './json-fault.ts';
import { Lines } from './lines.ts';
import { JsonRecords, JsonSource, type RecordOptions } from './read-json.ts';
import { RdbSource } from './read-rdb.ts';
import { Desk, type KeyRecord, RecordError, type Sink } from './record.ts';
import { JsonSink } from './write-json.ts';
import { RdbSink } from './write-rdb.ts';

/** A string of Redis's: text is taken as UTF-8, a number as its decimal form; bytes in JSON are `{"base64":"..."}`. */
export type SeedBytes = string | number | bigint | Uint8Array | { readonly base64: string };

interface Common {
  /** The database; 0, when absent. */
  readonly db?: number;
  /** Milliseconds to live, from the moment of the call by the server's clock. */
  readonly ttl?: number;
  /** The same as a unix time in ms. */
  readonly expireAt?: number;
}

/** Entries in ascending order of their IDs (`1526919030474-0`), each with its fields in turn or as an object. */
export interface SeedStream {
  readonly entries?: readonly (readonly [
    id: string,
    fields: readonly SeedBytes[] | Readonly<Record<string, SeedBytes>>,
  ])[];
  readonly lastId?: string;
  readonly maxDeletedId?: string;
  readonly entriesAdded?: number;
  readonly groups?: readonly {
    readonly name: SeedBytes;
    readonly lastId: string;
    readonly entriesRead?: number;
    readonly consumers?: readonly {
      readonly name: SeedBytes;
      /** Unix ms. */
      readonly seen?: number;
      /** What it has been given and not acknowledged: the ID, when (unix ms), how often. */
      readonly pending?: readonly (readonly [id: string, time: number, count: number])[];
    }[];
  }[];
}

/** Pairs as an object, or as a list of lists of two where the first of a pair is no text. */
type Pairs<Value> = Readonly<Record<string, Value>> | readonly (readonly [SeedBytes, Value])[];

/** A value with its type. Scores may be numbers, and in JSON `"inf"` and `"-inf"`. */
export type SeedEntry = Common &
  (
    | { readonly type: 'string'; readonly value: SeedBytes }
    | { readonly type: 'list' | 'set'; readonly value: readonly SeedBytes[] }
    | { readonly type: 'hash'; readonly value: Pairs<SeedBytes> }
    | { readonly type: 'zset'; readonly value: Pairs<number | string> }
    | { readonly type: 'stream'; readonly value: SeedStream }
  );

/** One key, or one library of functions: the records that `cinnabar convert` reads and writes. */
export type SeedRecord =
  | (SeedEntry & { readonly key: SeedBytes })
  | { readonly type: 'function'; readonly source: string };

/** A value by itself: a string; a list is a list. */
export type SeedValue = SeedEntry | string | number | bigint | Uint8Array | readonly SeedBytes[];

/**
 * Values by their keys, records, or JSON of either as text; lines of records as `cinnabar convert` writes them; or the bytes of
 * any of these, or of an RDB file.
 */
export type SeedData = Readonly<Record<string, SeedValue>> | readonly SeedRecord[] | string | Uint8Array;

const MAGIC = 'REDIS';
/** A record is told from an object by key by the names that it has. */
const RECORD_NAMES = ['key', 'source', 'name'];

/** The data as a snapshot; throws a RecordError that names the place of what is wrong. */
export function snapshotOf(data: SeedData, options: RecordOptions): Uint8Array {
  if (data instanceof Uint8Array) {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
    return bytes.toString('latin1', 0, MAGIC.length) === MAGIC ? bytes : snapshotOf(textOf(bytes), options);
  }
  const pieces: Uint8Array[] = [];
  const desk = new Desk();
  const sink = new Once(new RdbSink(desk, (piece) => pieces.push(Uint8Array.from(piece))), desk.memory.seed);
  if (typeof data === 'string') readText(data, desk, sink, options);
  else readValue(data as Json, desk, sink, options);
  return Buffer.concat(pieces);
}

/** Why a snapshot can't be read, with the place; undefined where that is not known. */
export function faultOf(snapshot: Uint8Array): string | undefined {
  const desk = new Desk();
  const nothing = (): void => {};
  try {
    new RdbSource(
      reader(snapshot),
      desk,
      { aux: nothing, library: nothing, key: nothing, end: nothing },
      nothing,
    ).run();
    return undefined;
  } catch (error) {
    if (error instanceof RecordError) return error.message;
    throw error;
  }
}

/** A snapshot as lines of JSON, a record each. */
export function jsonOf(snapshot: Uint8Array): string {
  const desk = new Desk();
  const parts: string[] = [];
  const sink = new JsonSink(desk, (text) => parts.push(text));
  // What a snapshot says of its writer is no data.
  new RdbSource(reader(snapshot), desk, withoutAux(sink), () => {}).run();
  return parts.join('');
}

function textOf(bytes: Buffer): string {
  // Throws where a line is none.
  if (!isUtf8(bytes)) for (const lines = new Lines(reader(bytes)); lines.next() !== null; );
  return bytes.toString('utf8');
}

function withoutAux(sink: Sink): Sink {
  return {
    aux() {},
    library: (source) => sink.library(source),
    key: (record) => sink.key(record),
    end: () => sink.end(),
  };
}

/** Bytes as a source. */
function reader(bytes: Uint8Array): (into: Uint8Array, at: number, length: number) => number {
  let from = 0;
  return (into, at, length) => {
    const some = bytes.subarray(from, from + length);
    into.set(some, at);
    from += some.length;
    return some.length;
  };
}

function readText(text: string, desk: Desk, sink: Sink, options: RecordOptions): void {
  if (isLines(text)) new JsonSource(reader(Buffer.from(text)), desk, sink, options).run();
  else readValue(parsed(text), desk, sink, options);
}

/** Whether the first line is a record by itself. */
function isLines(text: string): boolean {
  const [first] = text.trimStart().split('\n', 1);
  try {
    const line: unknown = JSON.parse(first);
    return isObject(line) && 'type' in (line as object) && RECORD_NAMES.some((name) => name in (line as object));
  } catch {
    return false;
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const before = text.slice(0, jsonFault(text)).split('\n');
    const place = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
    throw new RecordError(`${place}: ${(error as SyntaxError).message}`);
  }
}

function readValue(data: Json, desk: Desk, sink: Sink, options: RecordOptions): void {
  const records = new JsonRecords(desk, sink, options);
  if (Array.isArray(data)) {
    for (const [i, record] of data.entries()) at(`record ${i + 1}`, () => records.read(objectOf(record, 'it')));
  } else {
    for (const [key, value] of Object.entries(objectOf(data, 'what is given')))
      at(`key ${JSON.stringify(key)}`, () => records.read(recordOf(key, value)));
  }
  sink.end();
}

/** A key and what stands under its name, as a record. */
function recordOf(key: string, value: Json): Readonly<Record<string, Json>> {
  if (Array.isArray(value)) return { type: 'list', key, value };
  if (!isObject(value)) return { type: 'string', key, value };
  const record = objectOf(value, 'it');
  if (record['key'] !== undefined) throw wrong('it', 'without a key of its own');
  return { ...record, key };
}

function at(place: string, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (error instanceof RecordError) error.message = `${place}: ${error.message}`;
    throw error;
  }
}

interface GivenKey extends Named {
  readonly db: number;
}

/** Takes each key once only: a snapshot in which one stands twice is damaged. */
class Once implements Sink {
  private readonly sink: Sink;
  private readonly keys = new Map<number, ByteMap<GivenKey>>();
  private readonly seed: Uint32Array;

  constructor(sink: Sink, seed: Uint32Array) {
    this.sink = sink;
    this.seed = seed;
  }

  aux(name: Slice, value: Slice): void {
    this.sink.aux(name, value);
  }

  library(source: Slice): void {
    this.sink.library(source);
  }

  key(record: KeyRecord): void {
    const { db, key } = record;
    let keys = this.keys.get(db);
    if (keys === undefined) this.keys.set(db, (keys = new ByteMap()));
    const hash = hashBytes(this.seed, key);
    if (keys.find(key, hash) !== undefined) throw wrong(`key '${key.shown()}' of database ${db}`, 'there once');
    keys.add({ db, hash, name: new Slice(key.copy()) });
    this.sink.key(record);
  }

  end(): void {
    this.sink.end();
  }
}
