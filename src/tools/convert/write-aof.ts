/** Commands that make the data anew, as an append-only file has them. */
import type { Slice } from '../../base/slice.ts';
import { CommandOutput } from '../../persistence/aof/command-output.ts';
import { KeyCommands, writeLibrary, writeSelect } from '../../persistence/aof/rewrite-commands.ts';
import type { Bench, KeyRecord, Sink } from '../../persistence/records/record.ts';

export class AofSink implements Sink {
  private readonly out: CommandOutput;
  private readonly keys: KeyCommands;
  private db = -1;

  constructor(bench: Bench, write: (bytes: Uint8Array) => void) {
    this.out = new CommandOutput(write);
    this.keys = new KeyCommands(bench.memory, this.out);
  }

  /** There is no command for it. */
  aux(): void {}

  library(source: Slice): void {
    writeLibrary(this.out, source);
  }

  key({ db, entry }: KeyRecord): void {
    if (db !== this.db) {
      writeSelect(this.out, db);
      this.db = db;
    }
    this.keys.write(entry);
  }

  end(): void {
    this.out.flush();
  }
}
