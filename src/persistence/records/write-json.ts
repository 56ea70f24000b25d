/**
 * Records as lines of JSON (HELP in convert.ts describes them). A value is written element by element, so that a large one
 * makes no large text.
 */
import { isUtf8 } from 'node:buffer';
import { Slice } from '../../base/slice.ts';
import type { Addr } from '../../memory/address.ts';
import { NULL } from '../../memory/address.ts';
import { IdCursor } from '../../structures/idtree.ts';
import { StreamId } from '../../structures/stream-id.ts';
import { entryType, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STRING, TYPE_ZSET } from '../../values/entry.ts';
import type { StreamValue } from '../../values/stream.ts';
import {
  consumerPending,
  consumerSeen,
  consumersOf,
  groupLast,
  groupsOf,
  nameOf,
  Pending,
} from '../../values/stream-group.ts';
import { Group, readCounterExactly } from '../../values/stream-layout.ts';
import { stringBytes } from '../../values/string.ts';
import { type Bench, type KeyRecord, RecordError, type Sink } from './record.ts';

/** Names of types, by their numbers in the image. */
const NAMES: Readonly<Record<number, string>> = {
  [TYPE_STRING]: 'string',
  [TYPE_LIST]: 'list',
  [TYPE_SET]: 'set',
  [TYPE_ZSET]: 'zset',
  [TYPE_HASH]: 'hash',
};

/** Bytes beyond which text of JSON would be longer than a string can be. */
const LONGEST = 80 * 1024 * 1024;

/** Bytes as JSON: a string where they are UTF-8, else an object. */
export function bytesJson(bytes: Slice): string {
  if (bytes.length > LONGEST) throw new RecordError(`a string of ${bytes.length} bytes is too long for JSON`);
  const copy = Buffer.from(bytes.copy().buffer, 0, bytes.length);
  return isUtf8(copy) ? JSON.stringify(copy.toString('utf8')) : `{"base64":"${copy.toString('base64')}"}`;
}

/** A score as JSON: a number where JSON has it. */
export function scoreJson(score: number): string {
  if (score === Number.POSITIVE_INFINITY) return '"inf"';
  if (score === Number.NEGATIVE_INFINITY) return '"-inf"';
  return Object.is(score, -0) ? '"-0"' : JSON.stringify(score);
}

/** A whole number as JSON: as text where a reader could round it. */
export function counterJson(count: bigint): string {
  const safe = count <= BigInt(Number.MAX_SAFE_INTEGER) && count >= BigInt(Number.MIN_SAFE_INTEGER);
  return safe ? String(count) : `"${count}"`;
}

export class JsonSink implements Sink {
  private readonly bench: Bench;
  private readonly write: (text: string) => void;
  private readonly scratch = new Slice();

  constructor(bench: Bench, write: (text: string) => void) {
    this.bench = bench;
    this.write = write;
  }

  aux(name: Slice, value: Slice): void {
    this.write(`{"type":"aux","name":${bytesJson(name)},"value":${bytesJson(value)}}\n`);
  }

  library(source: Slice): void {
    this.write(`{"type":"function","source":${bytesJson(source)}}\n`);
  }

  key({ db, key, entry, expiry, idle, frequency }: KeyRecord): void {
    const type = entryType(this.bench.memory, entry);
    let head = `{"type":"${NAMES[type] ?? 'stream'}","db":${db},"key":${bytesJson(key)}`;
    if (expiry >= 0) head += `,"expireAt":${expiry}`;
    if (idle >= 0) head += `,"idle":${idle}`;
    if (frequency >= 0) head += `,"frequency":${frequency}`;
    this.write(`${head},"value":`);
    this.value(type, entry);
    this.write('}\n');
  }

  end(): void {}

  private value(type: number, entry: Addr): void {
    const { accessors, memory } = this.bench;
    if (type === TYPE_STRING) this.write(bytesJson(stringBytes(memory, entry, this.scratch)));
    else if (type === TYPE_LIST) this.list(this.listItems(entry));
    else if (type === TYPE_SET) this.list(this.members(entry));
    else if (type === TYPE_HASH) this.list(this.pairs(entry));
    else if (type === TYPE_ZSET) this.list(this.scored(entry));
    else this.stream(accessors.stream(entry));
  }

  private list(items: Iterable<string>): void {
    let before = '[';
    for (const item of items) {
      this.write(before + item);
      before = ',';
    }
    this.write(before === '[' ? '[]' : ']');
  }

  private *listItems(entry: Addr): Iterable<string> {
    const list = this.bench.accessors.list(entry);
    const { cursor } = list;
    for (list.seek(0); cursor.more; cursor.next()) yield bytesJson(cursor.bytes(this.scratch));
  }

  private *members(entry: Addr): Iterable<string> {
    const cursor = this.bench.accessors.set(entry).cursor();
    while (cursor.next()) yield bytesJson(cursor.member);
  }

  private *pairs(entry: Addr): Iterable<string> {
    const cursor = this.bench.accessors.hash(entry).cursor();
    while (cursor.next()) yield `[${bytesJson(cursor.field)},${bytesJson(cursor.value)}]`;
  }

  private *scored(entry: Addr): Iterable<string> {
    const cursor = this.bench.accessors.zset(entry).cursor();
    while (cursor.next()) yield `[${bytesJson(cursor.member)},${scoreJson(cursor.score)}]`;
  }

  private stream(stream: StreamValue): void {
    const id = new StreamId();
    this.write(`{"lastId":"${stream.lastId(id).text}"`);
    this.write(`,"maxDeletedId":"${stream.maxDeletedId(id).text}"`);
    this.write(`,"entriesAdded":${counterJson(stream.addedExactly)},"entries":`);
    this.list(this.entries(stream));
    this.write(',"groups":');
    this.list(this.groups(stream.root));
    this.write('}');
  }

  private *entries(stream: StreamValue): Iterable<string> {
    const cursor = stream.cursor();
    while (cursor.next()) {
      const parts: string[] = [];
      for (let i = 0; i < cursor.fields; i++) {
        cursor.nextField();
        parts.push(bytesJson(cursor.field), bytesJson(cursor.value));
      }
      yield `["${cursor.id.text}",[${parts.join(',')}]]`;
    }
  }

  private *groups(root: Addr): Iterable<string> {
    const { memory } = this.bench;
    const id = new StreamId();
    for (const group of groupsOf(memory, root)) {
      const read = readCounterExactly(memory, group, Group.readHigh);
      const name = bytesJson(nameOf(memory, group, this.scratch));
      yield `{"name":${name},"lastId":"${groupLast(memory, group, id).text}","entriesRead":${counterJson(read)},"consumers":[`;
      this.consumers(group);
      this.write(']}');
    }
  }

  /** Written, and not yielded: what a consumer has not acknowledged may be much. */
  private consumers(group: Addr): void {
    const { memory } = this.bench;
    let before = '';
    for (const consumer of consumersOf(memory, group)) {
      const name = bytesJson(nameOf(memory, consumer, this.scratch));
      this.write(`${before}{"name":${name},"seen":${consumerSeen(memory, consumer)},"pending":`);
      this.list(this.pending(group, consumer));
      this.write('}');
      before = ',';
    }
  }

  private *pending(group: Addr, consumer: Addr): Iterable<string> {
    const { memory } = this.bench;
    const tree = consumerPending(memory, consumer);
    if (tree === NULL) return;
    const id = new StreamId();
    const pending = new Pending(memory);
    const cursor = new IdCursor(memory);
    for (cursor.first(memory, tree); cursor.more; cursor.next()) {
      if (pending.find(group, cursor.id(id))) yield `["${id.text}",${pending.time},${counterJson(pending.exactCount)}]`;
    }
  }
}
