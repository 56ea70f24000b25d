/** Web pages that make browsers talk to the server: the first words of an HTTP request end the connection. */
import { isWord, type Slice } from '../base/slice.ts';
import type { Log } from './server-port.ts';
import type { Session } from './session.ts';

const SILENCE_MS = 60_000;
const WARNING =
  'Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is likely ' +
  'due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection aborted.';

export class CrossProtocol {
  private readonly log: Log;
  private warnedAt = Number.NEGATIVE_INFINITY;

  constructor(log: Log) {
    this.log = log;
  }

  /** Says whether the word is of HTTP; the session is closed then, and what it was owed is dropped. */
  ends(session: Session, word: Slice, now: number): boolean {
    if (!isWord(word, 'POST') && !isWord(word, 'HOST:')) return false;
    if (now - this.warnedAt > SILENCE_MS) {
      this.warnedAt = now;
      this.log.warning(WARNING);
    }
    session.close();
    return true;
  }
}
