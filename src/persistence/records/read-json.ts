/** Records out of JSON, one by one or as lines of a file: each is tested for what it should be. */
import { parseDouble } from '../../base/numbers.ts';
import { Slice, sliceOf } from '../../base/slice.ts';
import { setString } from '../../keyspace/strings.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import {
  ENC_SKIPLIST,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
  type ValueType,
} from '../../values/entry.ts';
import { newValue, smallestEncoding } from '../../values/free.ts';
import { ZSET_ADDED } from '../../values/zset.ts';
import type { ByteSource } from '../chunks.ts';
import { bytesOfJson, countOf, type Json, listOf, objectOf, onlyNames, pairsOf, wrong } from './json.ts';
import { Lines } from './lines.ts';
import { StreamBuilder } from './read-json-stream.ts';
import { type Desk, RecordError, type Sink } from './record.ts';

const KEY_NAMES = ['type', 'db', 'key', 'expireAt', 'idle', 'frequency', 'value'];

/** Lines of JSON as a source of records; what is wrong is told with the number of its line. */
export class JsonSource {
  private readonly lines: Lines;
  private readonly records: JsonRecords;
  private readonly sink: Sink;

  constructor(source: ByteSource, desk: Desk, sink: Sink, options: RecordOptions = {}) {
    this.lines = new Lines(source);
    this.records = new JsonRecords(desk, sink, options);
    this.sink = sink;
  }

  run(): void {
    for (let line = this.lines.next(); line !== null; line = this.lines.next()) {
      if (line.trim() === '') continue;
      try {
        this.records.read(objectOf(JSON.parse(line), 'a line'));
      } catch (error) {
        if (error instanceof RecordError || error instanceof SyntaxError)
          throw new RecordError(`line ${this.lines.number}: ${error.message}`);
        throw error;
      }
    }
    this.sink.end();
  }
}

export interface RecordOptions {
  /** Unix ms from which a record's `ttl` is counted; without it there is none. */
  readonly now?: number;
  /** How many databases there are; as many as anybody wants, when absent. */
  readonly databases?: number;
}

export class JsonRecords {
  private readonly desk: Desk;
  private readonly sink: Sink;
  private readonly options: RecordOptions;
  private readonly names: readonly string[];
  private readonly streams: StreamBuilder;
  /** Of the key at hand. */
  private expiry = -1;
  private readonly first = new Slice();
  private readonly second = new Slice();

  constructor(desk: Desk, sink: Sink, options: RecordOptions) {
    this.desk = desk;
    this.sink = sink;
    this.options = options;
    this.names = options.now === undefined ? KEY_NAMES : [...KEY_NAMES, 'ttl'];
    this.streams = new StreamBuilder(desk.memory);
  }

  /** Hands one record on; throws a RecordError where it is none. */
  read(line: Readonly<Record<string, Json>>): void {
    const { type } = line;
    const bytes = (name: string, into: Slice): Slice => bytesOfJson(line[name], into, name);
    if (type === 'aux') {
      onlyNames(line, ['type', 'name', 'value']);
      this.sink.aux(bytes('name', this.first), bytes('value', this.second));
    } else if (type === 'function') {
      onlyNames(line, ['type', 'source']);
      this.sink.library(bytes('source', this.first));
    } else this.key(line);
  }

  private key(line: Readonly<Record<string, Json>>): void {
    const { desk } = this;
    onlyNames(line, this.names);
    const key = bytesOfJson(line['key'], new Slice(), 'key');
    const optional = (name: string): number => (line[name] === undefined ? -1 : countOf(line[name], name));
    const db = line['db'] === undefined ? 0 : countOf(line['db'], 'db');
    const [expiry, idle, frequency] = ['expireAt', 'idle', 'frequency'].map(optional);
    if (frequency > 255) throw wrong('frequency', 'at most 255');
    const { now = 0, databases = Number.POSITIVE_INFINITY } = this.options;
    if (db >= databases) throw wrong('db', `less than ${databases}, the number of databases`);
    const ttl = optional('ttl');
    if (ttl >= 0 && expiry >= 0) throw wrong('ttl', 'without expireAt');
    this.expiry = ttl >= 0 ? now + ttl : expiry;
    const entry = this.value(String(line['type']), key, line['value']);
    this.sink.key({ db, key, entry, expiry: this.expiry, idle, frequency });
    desk.clear(key);
  }

  private value(type: string, key: Slice, value: Json | undefined): Addr {
    switch (type) {
      case 'string':
        return setString(
          this.desk.db,
          key,
          this.desk.db.hash(key),
          NULL,
          bytesOfJson(value, this.first, 'value'),
          this.expiry,
        );
      case 'list':
        return this.filled(TYPE_LIST, key, listOf(value, 'value'), (entry, item) => {
          this.desk.accessors.list(entry).push(bytesOfJson(item, this.first), false);
        });
      case 'set':
        return this.filled(TYPE_SET, key, listOf(value, 'value'), (entry, item) => {
          if (!this.desk.accessors.set(entry).add(bytesOfJson(item, this.first)))
            throw wrong('a set', 'without doubles');
        });
      case 'hash':
        return this.filled(TYPE_HASH, key, pairsOf(value, 'value'), (entry, item) => this.pair(entry, item));
      case 'zset':
        return this.sortedSet(key, value);
      case 'stream': {
        const entry = this.make(TYPE_STREAM, key);
        this.undoing(key, () => this.streams.fill(this.desk.accessors.stream(entry), value));
        return entry;
      }
      default:
        throw wrong('type', 'one of aux, function, string, list, set, hash, zset, stream');
    }
  }

  /** Made large and packed when it is complete, as a server loads it: packed scores would lose the sign of a zero. */
  private sortedSet(key: Slice, value: Json | undefined): Addr {
    let longest = 0;
    const put = (entry: Addr, item: Json): void => {
      this.scored(entry, item);
      longest = Math.max(longest, this.first.length);
    };
    const entry = this.filled(TYPE_ZSET, key, pairsOf(value, 'value'), put, ENC_SKIPLIST);
    this.desk.accessors.zset(entry).settle(longest);
    return entry;
  }

  private make(type: ValueType, key: Slice, encoding = smallestEncoding(type)): Addr {
    const { memory, db } = this.desk;
    return db.store(key, db.hash(key), NULL, type, encoding, newValue(memory, type, encoding), this.expiry);
  }

  /** An aggregate of `items`, which there must be. */
  private filled(
    type: ValueType,
    key: Slice,
    items: readonly Json[],
    put: (entry: Addr, item: Json) => void,
    encoding = smallestEncoding(type),
  ): Addr {
    if (items.length === 0) throw wrong('value', 'a list that is not empty');
    const entry = this.make(type, key, encoding);
    this.undoing(key, () => {
      for (const [i, item] of items.entries()) {
        try {
          put(entry, item);
        } catch (error) {
          if (error instanceof RecordError) error.message = `value[${i}]: ${error.message}`;
          throw error;
        }
      }
    });
    return entry;
  }

  private undoing(key: Slice, fill: () => void): void {
    try {
      fill();
    } catch (error) {
      this.desk.clear(key);
      throw error;
    }
  }

  private pair(entry: Addr, item: Json): void {
    const [field, value, ...rest] = listOf(item, 'an element of a hash');
    if (value === undefined || rest.length > 0) throw wrong('an element of a hash', 'a field and a value');
    const hash = this.desk.accessors.hash(entry);
    if (!hash.put(bytesOfJson(field, this.first), bytesOfJson(value, this.second)))
      throw wrong('a hash', 'without doubles');
  }

  private scored(entry: Addr, item: Json): void {
    const [member, score, ...rest] = listOf(item, 'an element of a sorted set');
    if (score === undefined || rest.length > 0) throw wrong('an element of a sorted set', 'a member and a score');
    const number =
      typeof score === 'number' ? score : typeof score === 'string' ? parseDouble(sliceOf(score)) : undefined;
    if (number === undefined || Number.isNaN(number)) throw wrong('a score', 'a number');
    const zset = this.desk.accessors.zset(entry);
    if (zset.add(bytesOfJson(member, this.first), number) !== ZSET_ADDED)
      throw wrong('a sorted set', 'without doubles');
  }
}
