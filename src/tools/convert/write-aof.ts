/** Commands that make the data anew, as an append-only file has them. */
import { type Slice, sliceOf } from '../../base/slice.ts';
import { CommandOutput } from '../../persistence/aof/command-output.ts';
import { KeyCommands } from '../../persistence/aof/rewrite-commands.ts';
import type { Bench, KeyRecord, Sink } from './record.ts';

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
    this.out.begin(3);
    for (const word of ['FUNCTION', 'LOAD']) this.out.bytes(sliceOf(word));
    this.out.bytes(source);
  }

  key({ db, entry }: KeyRecord): void {
    if (db !== this.db) {
      this.out.begin(2);
      this.out.text('SELECT');
      this.out.integer(db);
      this.db = db;
    }
    this.keys.write(entry);
  }

  end(): void {
    this.out.flush();
  }
}
