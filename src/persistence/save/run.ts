/** Saves snapshots from frozen views: in a thread of its own (worker.ts), or on the event loop where there are none. */
import type { Disk } from '../../base/disk.ts';
import { FrozenMemory } from '../../memory/frozen.ts';
import { saveFile } from './file.ts';
import { ABORT, DELAY, KEYS, type SaveResult, type SaveTask } from './task.ts';

class Aborted extends Error {
  override name = 'Aborted';
}

/** Keys between two looks for room that pages are to be preserved in. */
const KEYS_PER_FETCH = 128;

/** Counts keys where the other thread sees it, and waits as rdb-key-save-delay tells. */
class Progress {
  private readonly control: Int32Array;
  private readonly memory: FrozenMemory;
  private keys = 0;

  constructor(memory: FrozenMemory, control: SharedArrayBuffer) {
    this.memory = memory;
    this.control = new Int32Array(control);
  }

  key(): void {
    const { control } = this;
    this.keys++;
    control[KEYS] = this.keys;
    const delay = control[DELAY];
    if (delay > 0) Atomics.wait(control, ABORT, 0, delay / 1000);
    else if (delay < 0 && this.keys % -delay === 0) Atomics.wait(control, ABORT, 0, 0.001);
    if (this.keys % KEYS_PER_FETCH === 0) this.memory.fetch();
    if (control[ABORT] !== 0) throw new Aborted('the snapshot is not wanted any more');
  }
}

/** Saves one view after another. */
export class ViewSaves {
  /** What the last one was done with: V8 gives up what it has compiled for kinds of objects of which none is left. */
  tools: readonly object[] = [];
  private readonly disk: Disk;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  run({ image, dataset, target, control }: SaveTask): SaveResult {
    const memory = new FrozenMemory(image);
    const progress = new Progress(memory, control);
    try {
      const writer = saveFile(this.disk, memory, dataset, target, progress);
      this.tools = [memory, progress, writer];
      return { error: null };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    } finally {
      memory.close();
    }
  }
}
