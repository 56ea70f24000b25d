/**
 * A stream as commands that make it anew: its entries, its counters, its groups with what is pending.
 *
 *   XADD key 1-1 field value ...                                    or, of a stream without entries,
 *   XADD key MAXLEN 0 0-1 x y
 *   XSETID key 3-1 ENTRIESADDED 3 MAXDELETEDID 2-1
 *   XGROUP CREATE key group 3-1 ENTRIESREAD 3
 *   XCLAIM key group consumer 0 1-1 TIME 1795258916067 RETRYCOUNT 1 JUSTID FORCE
 *   XGROUP CREATECONSUMER key group consumer                        one for which nothing is pending
 */
import { Slice } from '../../base/slice.ts';
import type { Addr } from '../../memory/address.ts';
import type { Reader } from '../../memory/memory.ts';
import { IdCursor, idtFind, idtSize, idtSpot } from '../../structures/idtree.ts';
import { ID_BYTES, ID_TEXT_MAX, StreamId } from '../../structures/stream-id.ts';
import { streamLength } from '../../values/stream.ts';
import { StreamCursor } from '../../values/stream-cursor.ts';
import { consumerPending, consumersOf, groupPending, groupsOf, nameOf } from '../../values/stream-group.ts';
import { Group, PENDING_COUNT, PENDING_TIME, readCounterExactly, Stream } from '../../values/stream-layout.ts';
import type { CommandOutput } from './command-output.ts';

const WORD_BYTES = 4;

export class StreamCommands {
  private readonly reader: Reader;
  private readonly out: CommandOutput;
  private readonly entries: StreamCursor;
  private readonly pending: IdCursor;
  private readonly id = new StreamId();
  private readonly idText = new Slice(new Uint8Array(ID_TEXT_MAX));
  private readonly group = new Slice();
  private readonly consumer = new Slice();

  constructor(reader: Reader, out: CommandOutput) {
    this.reader = reader;
    this.out = out;
    this.entries = new StreamCursor(reader);
    this.pending = new IdCursor(reader);
  }

  write(key: Slice, root: Addr): void {
    const { reader: r } = this;
    if (streamLength(r, root) > 0) this.writeEntries(key, root);
    else this.begin(key, 'XADD', 'MAXLEN', '0', '0-1', 'x', 'y');
    this.counters(key, root);
    for (const group of groupsOf(r, root)) this.writeGroup(key, group);
  }

  /** A command of `name`, the key and text. */
  private begin(key: Slice, name: string, ...rest: readonly string[]): void {
    const { out } = this;
    out.begin(2 + rest.length);
    out.text(name);
    out.bytes(key);
    for (const part of rest) out.text(part);
  }

  private putId(id: StreamId): void {
    const { idText } = this;
    idText.length = id.writeText(idText.buffer, 0);
    this.out.bytes(idText);
  }

  private writeEntries(key: Slice, root: Addr): void {
    const { out } = this;
    const cursor = this.entries.reset(this.reader, root);
    while (cursor.next()) {
      out.begin(3 + cursor.fields * 2);
      out.text('XADD');
      out.bytes(key);
      this.putId(cursor.id);
      for (let i = cursor.fields; i > 0; i--) {
        cursor.nextField();
        out.bytes(cursor.field);
        out.bytes(cursor.value);
      }
    }
  }

  private counters(key: Slice, root: Addr): void {
    const { reader: r, out, id } = this;
    out.begin(7);
    out.text('XSETID');
    out.bytes(key);
    this.putId(id.read(r, root, Stream.lastMsHigh));
    out.text('ENTRIESADDED');
    out.text(readCounterExactly(r, root, Stream.addedHigh).toString());
    out.text('MAXDELETEDID');
    this.putId(id.read(r, root, Stream.deletedMsHigh));
  }

  private writeGroup(key: Slice, group: Addr): void {
    const { reader: r, out, id } = this;
    nameOf(r, group, this.group);
    out.begin(7);
    out.text('XGROUP');
    out.text('CREATE');
    out.bytes(key);
    out.bytes(this.group);
    this.putId(id.read(r, group, Group.lastMsHigh));
    out.text('ENTRIESREAD');
    out.text(readCounterExactly(r, group, Group.readHigh).toString());
    for (const consumer of consumersOf(r, group)) this.writeConsumer(key, group, consumer);
  }

  private writeConsumer(key: Slice, group: Addr, consumer: Addr): void {
    const { reader: r, out, id, pending } = this;
    nameOf(r, consumer, this.consumer);
    const own = consumerPending(r, consumer);
    if (idtSize(r, own) === 0) {
      out.begin(5);
      out.text('XGROUP');
      out.text('CREATECONSUMER');
      out.bytes(key);
      out.bytes(this.group);
      out.bytes(this.consumer);
      return;
    }
    const all = groupPending(r, group);
    for (pending.first(r, own); pending.more; pending.next()) if (idtFind(r, all, pending.id(id))) this.claim(key, id);
  }

  /** What `idtFind` has found is made pending for the consumer. */
  private claim(key: Slice, id: StreamId): void {
    const { out } = this;
    const { node, at } = idtSpot;
    const words = at + ID_BYTES;
    out.begin(12);
    out.text('XCLAIM');
    out.bytes(key);
    out.bytes(this.group);
    out.bytes(this.consumer);
    out.text('0');
    this.putId(id);
    out.text('TIME');
    out.text(readCounterExactly(this.reader, node, words + PENDING_TIME * WORD_BYTES).toString());
    out.text('RETRYCOUNT');
    out.text(readCounterExactly(this.reader, node, words + PENDING_COUNT * WORD_BYTES).toString());
    out.text('JUSTID');
    out.text('FORCE');
  }
}
