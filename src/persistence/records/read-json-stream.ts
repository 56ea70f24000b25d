/** A stream out of JSON: its entries, its counters, its groups with what is pending. */
import { Slice } from '../../base/slice.ts';
import { NULL } from '../../memory/address.ts';
import type { Memory } from '../../memory/memory.ts';
import { StreamId } from '../../structures/stream-id.ts';
import type { StreamValue } from '../../values/stream.ts';
import { consumerCreate, consumerFind, groupCreate, Pending } from '../../values/stream-group.ts';
import {
  bytesOfJson,
  countOf,
  int64Of,
  isObject,
  type Json,
  listOf,
  objectOf,
  onlyNames,
  pairsOf,
  textOf,
  wrong,
} from './json.ts';

const TWO_64 = 1n << 64n;
/** How many entries a group has read, where that is not known. */
const UNKNOWN = -1;

export class StreamBuilder {
  private readonly memory: Memory;
  private readonly pending: Pending;
  private readonly id = new StreamId();
  private readonly name = new Slice();

  constructor(memory: Memory) {
    this.memory = memory;
    this.pending = new Pending(memory);
  }

  /** Fills an empty stream with what `json` says. */
  fill(stream: StreamValue, json: Json | undefined): void {
    const value = objectOf(json, 'value');
    onlyNames(value, ['lastId', 'maxDeletedId', 'entriesAdded', 'entries', 'groups']);
    const last = new StreamId();
    const entries = listOf(value['entries'] ?? [], 'entries');
    for (const entry of entries) this.entry(stream, entry, last);
    const lastId = value['lastId'] === undefined ? last : readId(value['lastId'], 'lastId', this.id);
    if (lastId.compare(last) < 0) throw wrong('lastId', "no less than the entries' IDs");
    stream.setLastId(lastId);
    stream.setMaxDeletedId(readId(value['maxDeletedId'] ?? '0-0', 'maxDeletedId', this.id));
    stream.setAdded(int64Of(value['entriesAdded'] ?? entries.length, 'entriesAdded'));
    for (const group of listOf(value['groups'] ?? [], 'groups')) this.group(stream, objectOf(group, 'a group'));
  }

  private entry(stream: StreamValue, json: Json, last: StreamId): void {
    const [id, fields] = listOf(json, 'an entry');
    readId(id, "an entry's ID", this.id);
    if (this.id.compare(last) <= 0) throw wrong("an entry's ID", 'above the one before');
    last.like(this.id);
    const list = isObject(fields) ? pairsOf(fields, '').flat() : listOf(fields, "an entry's fields");
    const parts = list.map((part) => bytesOfJson(part, new Slice()));
    if (parts.length === 0 || parts.length % 2 !== 0) throw wrong("an entry's fields", 'names and values in turn');
    stream.append(this.id, parts, 0, parts.length / 2);
  }

  private group(stream: StreamValue, json: Readonly<Record<string, Json>>): void {
    const { memory } = this;
    const last = readId(json['lastId'], 'lastId of a group', this.id);
    const read = int64Of(json['entriesRead'] ?? UNKNOWN, 'entriesRead');
    const group = groupCreate(memory, stream.root, bytesOfJson(json['name'], this.name), last, read);
    if (group === NULL) throw wrong("a group's name", 'one that is not there yet');
    for (const consumer of listOf(json['consumers'] ?? [], 'consumers')) {
      const { name, seen, pending } = objectOf(consumer, 'a consumer');
      bytesOfJson(name, this.name);
      if (consumerFind(memory, group, this.name) !== NULL)
        throw wrong("a consumer's name", 'one that is not there yet');
      const owner = consumerCreate(memory, group, this.name, countOf(seen ?? 0, 'seen'));
      for (const item of listOf(pending ?? [], 'pending')) {
        const [id, time, count] = listOf(item, 'what is pending');
        readId(id, 'what is pending', this.id);
        if (!this.pending.make(group, this.id, countOf(time, 'a time')))
          throw wrong('what is pending', 'without doubles');
        this.pending.setCount(int64Of(count, 'a count'));
        this.pending.give(this.id, owner);
      }
    }
  }
}

/** An ID as text: 1526919030474-55. */
function readId(json: Json | undefined, what: string, into: StreamId): StreamId {
  const parts = textOf(json, what).split('-');
  if (parts.length !== 2) throw wrong(what, 'an ID');
  const [ms, seq] = parts.map((part) => {
    const sound = part.length > 0 && part.length <= 20 && [...part].every((digit) => digit >= '0' && digit <= '9');
    if (!sound || BigInt(part) >= TWO_64) throw wrong(what, 'an ID');
    return BigInt(part);
  });
  const high = (n: bigint): number => Number(n >> 32n);
  const low = (n: bigint): number => Number(n & 0xffffffffn);
  return into.set(high(ms), low(ms), high(seq), low(seq));
}
