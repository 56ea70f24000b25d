/**
 * The replies (RESP2) that come over a link, cut out of its bytes. A refusal is a value as any other. What the other side
 * may make us hold is bounded: a reply of more than `mostReply` bytes, or one that makes no sense, is told to `broken`.
 */
import type RedisParser from 'redis-parser';
import { redisParser } from '../base/packages.ts';
import { ReplyError } from '../protocol/reply-error.ts';

export type Reply = null | number | Buffer | ReplyError | Reply[];

/** The most bytes of one reply, where nobody says otherwise. */
const USUAL_MOST_REPLY = 1024 * 1024;

export interface ReplyListener {
  readonly arrived: (reply: Reply) => void;
  /** What comes can't be understood, for this reason. */
  readonly broken: (what: string) => void;
}

export class ReplyReader {
  readonly mostReply: number;
  private readonly listener: ReplyListener;
  private readonly parser: RedisParser;
  /** Bytes that have come since the last complete reply. */
  private incomplete = 0;

  constructor(listener: ReplyListener, mostReply = USUAL_MOST_REPLY) {
    this.mostReply = mostReply;
    this.listener = listener;
    const Parser = redisParser();
    this.parser = new Parser({
      returnReply: (reply: unknown) => this.complete(reply as Reply),
      returnError: (error: Error) => this.complete(refusal(error)),
      returnFatalError: () => listener.broken('no reply of the protocol'),
      returnBuffers: true,
    });
  }

  read(bytes: Buffer): void {
    this.incomplete += bytes.length;
    try {
      this.parser.execute(bytes);
    } catch {
      // Arrays within arrays, too deep for the parser.
      this.listener.broken('a reply that is too deep');
    }
    if (this.incomplete > this.mostReply) this.listener.broken('a reply that is too long');
  }

  private complete(reply: Reply): void {
    this.incomplete = 0;
    this.listener.arrived(reply);
  }
}

/** The parser reads text as UTF-8; what was said was bytes, and so is the message, each a character. */
function refusal(error: Error): ReplyError {
  return new ReplyError(Buffer.from(error.message, 'utf8').toString('latin1'));
}
