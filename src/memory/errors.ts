/** The one way in which the memory image fails. */

/** The image can't grow: a segment could not be had, or a block would pass the largest size. The data is intact. */
export class OutOfMemory extends Error {
  override name = 'OutOfMemory';
}
