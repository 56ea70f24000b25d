/** Replies that are the same each time: written once for each protocol, and then sent as bytes. */
import { Reply } from '../../protocol/reply.ts';

export class Remembered<K extends object> {
  private readonly write: (reply: Reply, about: K) => void;
  private readonly known = new WeakMap<K, Map<number, Uint8Array>>();

  /** `write` writes what is replied about something, and no error. */
  constructor(write: (reply: Reply, about: K) => void) {
    this.write = write;
  }

  reply(reply: Reply, about: K): void {
    let versions = this.known.get(about);
    if (versions === undefined) this.known.set(about, (versions = new Map()));
    let bytes = versions.get(reply.resp);
    if (bytes === undefined) {
      const sink = new Reply();
      sink.resp = reply.resp;
      this.write(sink, about);
      bytes = sink.take();
      versions.set(reply.resp, bytes);
    }
    reply.raw(bytes, 0, bytes.length);
  }
}
