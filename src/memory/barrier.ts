/** What hangs in the writer's path while a frozen view is open (view.ts), or a segment is being copied (renewal.ts). */
export interface Barrier {
  /** Bytes `from` to `to` (exclusive) of a segment are about to be stored into. */
  preserve(segment: number, from: number, to: number): void;
  /** The segment is given back: what is mapped under its number from now on is another one. */
  forget(segment: number): void;
}
