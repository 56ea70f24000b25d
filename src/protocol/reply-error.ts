/** What a server refuses, in its words: `WRONGTYPE Operation against a key ...`. */
export class ReplyError extends Error {
  override name = 'ReplyError';

  /** The first word, by which programs tell errors apart: 'WRONGTYPE', 'NOPERM', 'ERR'. */
  get code(): string {
    const end = this.message.indexOf(' ');
    return end < 0 ? this.message : this.message.slice(0, end);
  }
}
