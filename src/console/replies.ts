/** Replies as the page is sent them. What is too long is cut, so that no reply takes more than so much memory twice. */
import { CutShort, type ParsedReply } from '../protocol/reply-parser.ts';
import type { WireReply } from './wire.ts';

/** The most bytes of strings, and elements, that replies to one request may have. */
const MOST_BYTES = 1024 * 1024;
const MOST_ELEMENTS = 50_000;

/** Turns the replies to one request into JSON's forms; what it has room for becomes less with each. */
export class WireReplies {
  private bytes = MOST_BYTES;
  private elements = MOST_ELEMENTS;

  of(reply: ParsedReply): WireReply {
    if (Buffer.isBuffer(reply)) return this.text(reply);
    if (typeof reply === 'string') return { status: reply };
    if (typeof reply === 'bigint') return { integer: String(reply) };
    if (typeof reply === 'number') return Number.isFinite(reply) ? reply : { double: String(reply) };
    if (reply instanceof CutShort) return this.cut(reply);
    if (reply instanceof Error) return { error: reply.message };
    if (Array.isArray(reply)) return this.list(reply);
    if (reply instanceof Set) return { set: this.list([...reply]) };
    if (reply instanceof Map) return { map: this.list([...reply].flatMap(entryOf)) };
    return reply;
  }

  private cut({ beginning, length }: CutShort): WireReply {
    return beginning === null ? { omitted: length } : this.text(beginning, length);
  }

  private text(bytes: Buffer, length = bytes.length): WireReply {
    const shown = Math.min(bytes.length, this.bytes);
    this.bytes -= shown;
    const beginning = bytes.toString('latin1', 0, shown);
    return shown < length ? { beginning, length } : beginning;
  }

  private list(list: readonly ParsedReply[]): WireReply[] {
    const replies: WireReply[] = [];
    for (const each of list) {
      if (this.elements-- <= 0) {
        replies.push({ omitted: list.length - replies.length });
        break;
      }
      replies.push(this.of(each));
    }
    return replies;
  }
}

/** What stands in place of further entries has no value. */
function entryOf(entry: [ParsedReply, ParsedReply]): ParsedReply[] {
  return entry[0] instanceof CutShort ? [entry[0]] : entry;
}
