/** What the event loop and the thread that saves a snapshot know of each other. */
import type { FrozenImage } from '../../memory/view.ts';
import type { Dataset } from './dataset.ts';
import type { SaveTarget } from './file.ts';

/** Words of the memory that both threads share. */
export const ABORT = 0;
export const KEYS = 1;
export const DELAY = 2;
export const CONTROL_BYTES = 12;

export interface SaveTask {
  readonly image: FrozenImage;
  readonly dataset: Dataset;
  readonly target: SaveTarget;
  readonly control: SharedArrayBuffer;
}

/** What the thread says when it is done: nothing, or what went wrong. */
export interface SaveResult {
  readonly error: string | null;
}
