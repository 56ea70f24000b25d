/**
 * DUMP's payload: one value as a snapshot has it, and what tells whether it can be trusted.
 *
 *   [type u8][value]...[version u16][crc64 u64]       little-endian; the sum is over all before it
 */
import { Crc64 } from '../../base/crc.ts';
import type { Slice } from '../../base/slice.ts';
import type { Addr } from '../../memory/address.ts';
import type { Memory } from '../../memory/memory.ts';
import { isValueType, RdbError, VERSION_READ, VERSION_WRITTEN } from './format.ts';
import { RdbInput } from './input.ts';
import { RdbOutput } from './output.ts';
import type { ValueReader } from './read-value.ts';
import { ValueWriter } from './write-value.ts';

export const FOOT = 10;

/** Makes payloads, one after another in the same buffer: of small values, which are many, nothing costs as much as that. */
export class Payloads {
  readonly out: RdbOutput;
  private chunks: Uint8Array[] = [];

  constructor() {
    this.out = new RdbOutput({ compress: true, checksum: true, sink: (bytes) => this.chunks.push(bytes.slice()) });
  }

  begin(compress: boolean): RdbOutput {
    this.chunks = [];
    this.out.begin(compress);
    return this.out;
  }

  /** What was written since `begin`, with the foot behind it. */
  end(): Uint8Array {
    this.out.u16(VERSION_WRITTEN);
    this.out.finish();
    const { chunks } = this;
    this.chunks = [];
    return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  }
}

export class Dumper {
  private readonly payloads = new Payloads();
  private readonly values: ValueWriter;

  constructor(memory: Memory) {
    this.values = new ValueWriter(memory, this.payloads.out);
  }

  /** The payload of entry `e`'s value. */
  dump(e: Addr, compress: boolean): Uint8Array {
    const out = this.payloads.begin(compress);
    out.u8(this.values.typeOf(e));
    this.values.write(e);
    return this.payloads.end();
  }
}

/** Of the payload that is looked at: of small values, which are many, nothing is made anew for each. */
const sum = new Crc64();

/** Whether a payload is of a version that is known and, unless `trusted`, its sum is right. */
export function verifyPayload({ buffer, start, length }: Slice, trusted: boolean): boolean {
  if (length < FOOT) return false;
  const foot = start + length - FOOT;
  if ((buffer[foot] | (buffer[foot + 1] << 8)) > VERSION_READ) return false;
  return (
    trusted ||
    sum
      .reset()
      .update(buffer, start, length - FOOT + 2)
      .equals(buffer, foot + 2)
  );
}

/**
 * Reads the value of a verified payload into `reader`; false, with the reason told, where it is none. As in Redis the foot
 * counts as more of the value, should that be cut short.
 */
export function readPayload(
  payload: Slice,
  reader: ValueReader,
  deep: boolean,
  tell: (message: string) => void,
): boolean {
  const input = RdbInput.over(payload);
  try {
    const type = input.u8();
    if (!isValueType(type)) return false;
    reader.read(input, type, deep);
  } catch (error) {
    if (!(error instanceof RdbError)) throw error;
    tell(
      `Internal error in RDB reading offset ${input.offset}, function at rdb${error.line > 0 ? `.c:${error.line}` : ''} -> ${error.message}`,
    );
    return false;
  }
  return true;
}
