/** What Sentinels send requests to: servers, and other Sentinels. */
import type { Reply } from '../../src/links/reply-reader.ts';
import type { Request } from '../../src/sentinel/messages.ts';
import type { Host } from './network.ts';

export interface Respondent extends Host {
  /** Where it is reached now. */
  ip: string;
  /** Somebody asks; the answer may come later. */
  serve(request: Request, answer: (reply: Reply) => void): void;
}
