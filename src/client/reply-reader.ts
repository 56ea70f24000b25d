/** Reads replies from bytes. */
import { type LineKind, type ListKind, RespParser } from '../protocol/resp-parser.ts';
import type { Reply } from './reply.ts';

export class ReplyReader extends RespParser<Reply> {
  private readonly arrived: (reply: Reply) => void;

  constructor(arrived: (reply: Reply) => void) {
    super();
    this.arrived = arrived;
  }

  protected override begins(): void {}

  protected override complete(reply: Reply): void {
    this.arrived(reply);
  }

  protected override line(kind: LineKind, from: number, to: number): Reply {
    return { kind, text: this.bytes.toString('latin1', from, to) };
  }

  protected override text(verbatim: boolean, from: number, to: number): Reply {
    return { kind: verbatim ? 'verbatim' : 'bulk', text: this.bytes.toString('latin1', from, to) };
  }

  protected override nothing(): Reply {
    return { kind: 'null' };
  }

  protected override list(kind: ListKind, items: readonly Reply[]): Reply {
    return { kind, items };
  }
}
