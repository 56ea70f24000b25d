/**
 * Append-only files as a source of records: one file (of commands, or a snapshot with commands behind it), or all that a
 * manifest names. Only a server knows what commands make, so the data is played into one of its own, which listens nowhere,
 * and read out of that: this source takes the memory of all the data.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RealDisk } from '../../base/disk.ts';
import { Slice } from '../../base/slice.ts';
import { narrow } from '../../base/text.ts';
import { RealClock } from '../../base/time.ts';
import type { Engine } from '../../engine/engine.ts';
import { NULL } from '../../memory/address.ts';
import { AofError, AofLoader, type AofPart } from '../../persistence/aof/load.ts';
import { Manifest, ManifestError } from '../../persistence/aof/manifest.ts';
import type { ByteSource } from '../../persistence/chunks.ts';
import { RdbError } from '../../persistence/rdb/format.ts';
import { RdbInput } from '../../persistence/rdb/input.ts';
import { RdbLoader } from '../../persistence/rdb/load.ts';
import { ValueReader } from '../../persistence/rdb/read-value.ts';
import { type Bench, RecordError, type Sink } from '../../persistence/records/record.ts';
import { createServer } from '../../server/server.ts';
import { entryExpiry, entryKey } from '../../values/entry.ts';
import { beginsAsManifest } from '../check-aof.ts';

/** More databases than anybody has. */
const DATABASES = 1024;
/** Commands between two looks at how far it is. */
const STEPS = 64;

export class AofSource {
  readonly bench: Bench;
  private readonly engine: Engine;
  private readonly loader: AofLoader;
  private complaint = '';

  constructor(name: string) {
    this.engine = createServer({ settings: { databases: DATABASES, save: '' } }).engine;
    this.bench = this.engine;
    this.loader = this.open(name);
  }

  get total(): number {
    return this.loader.total;
  }

  /** Plays everything, then hands it on; `progress` hears of the bytes played. */
  run(sink: Sink, progress: (bytes: number) => void): void {
    this.play(progress);
    const { keyspaces, memory, server } = this.engine;
    for (const source of server.persistence.libraries?.sources() ?? []) sink.library(new Slice(source));
    const key = new Slice();
    for (const { index, keys } of keyspaces.databases) {
      const cursor = keys.cursor();
      for (let entry = cursor.next(); entry !== NULL; entry = cursor.next()) {
        const expiry = entryExpiry(memory, entry);
        sink.key({ db: index, key: entryKey(memory, entry, key), entry, expiry, idle: -1, frequency: -1 });
      }
    }
    sink.end();
  }

  private play(progress: (bytes: number) => void): void {
    const { loader } = this;
    const { keyspaces } = this.engine;
    keyspaces.listener = null;
    // What expires meanwhile stays: it is the file that is converted, not the moment.
    keyspaces.showExpired('load', true);
    let steps = 0;
    try {
      loader.run(() => {
        if (++steps % STEPS === 0) progress(loader.offset);
        return false;
      });
    } catch (error) {
      if (!(error instanceof AofError)) throw error;
      throw new RecordError(this.complaint || error.message);
    } finally {
      loader.end();
    }
  }

  private open(name: string): AofLoader {
    const { engine } = this;
    const tell = (text: string): void => {
      this.complaint = text;
    };
    const nothing = (): void => {};
    try {
      return new AofLoader(partsOf(name), {
        disk: new RealDisk(),
        engine,
        clock: new RealClock(),
        log: { debug: nothing, notice: nothing, warning: tell },
        truncated: false,
        oldName: narrow(name),
        atOnce: true,
        snapshot: (source, size) => this.snapshot(source, size),
        faulty: (error) => tell(error instanceof RdbError ? reason(error) : String(error)),
        loaded: nothing,
      });
    } catch (error) {
      if (error instanceof AofError) throw new RecordError(this.complaint || error.message);
      throw error;
    }
  }

  private snapshot(source: ByteSource, size: number): RdbLoader {
    const { engine } = this;
    const { libraries } = engine.server.persistence;
    const nothing = (): void => {};
    return new RdbLoader(RdbInput.from(source, true), {
      keyspaces: engine.keyspaces,
      values: new ValueReader(engine.memory, engine.accessors.limits),
      size,
      log: { debug: nothing, notice: nothing, warning: nothing },
      deep: true,
      dropExpired: false,
      merge: false,
      checksum: true,
      loadFunctions: libraries === null ? undefined : (text) => libraries.load(text, false),
    });
  }
}

function isManifest(name: string): boolean {
  const fd = openSync(name, 'r');
  try {
    return beginsAsManifest(fd);
  } finally {
    closeSync(fd);
  }
}

/** Why a snapshot can't be read; a library that is refused looks, to who asks no further, like an end of the file. */
function reason({ cause, message }: RdbError): string {
  return cause instanceof Error ? cause.message : message;
}

/** The files to be played: those of a manifest, or the one. */
function partsOf(name: string): AofPart[] {
  if (!isManifest(name)) return [{ path: narrow(name), base: true, last: true }];
  let manifest: Manifest;
  try {
    manifest = Manifest.parse(readFileSync(name));
  } catch (error) {
    if (error instanceof ManifestError) throw new RecordError(`${name}: ${error.message}`);
    throw error;
  }
  const { base, files } = manifest;
  if (files.length === 0) throw new RecordError(`${name} names no file`);
  return files.map((file, i) => ({
    path: join(narrow(dirname(name)), file.name),
    base: file === base,
    last: i === files.length - 1,
  }));
}
