/** Bodies of requests, looked at: what is not of the form that wire.ts says is refused. */
import { Refused } from './exchange.ts';
import { type Credentials, LANES, type Lane, type RunRequest } from './wire.ts';

/** So many commands at a time, of so many words each. */
const MOST_COMMANDS = 10_000;
const MOST_WORDS = 10_000;

function objectIn(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null) throw new Refused(400, 'The body is no object');
  return body as Record<string, unknown>;
}

export function credentialsIn(body: unknown): Credentials {
  const { user, password } = objectIn(body);
  if (typeof user !== 'string' || typeof password !== 'string')
    throw new Refused(400, 'A login has a user and a password');
  return { user, password };
}

export function runRequestIn(body: unknown): RunRequest {
  const { page, lane, commands } = objectIn(body);
  if (page !== undefined && typeof page !== 'string') throw new Refused(400, 'A page is known by a text');
  if (lane !== undefined && !LANES.includes(lane as Lane))
    throw new Refused(400, `A lane is one of ${LANES.join(', ')}`);
  if (!Array.isArray(commands) || commands.length === 0 || commands.length > MOST_COMMANDS)
    throw new Refused(400, `There are 1 to ${MOST_COMMANDS} commands`);
  for (const words of commands) {
    if (!Array.isArray(words) || words.length === 0 || words.length > MOST_WORDS)
      throw new Refused(400, `A command has 1 to ${MOST_WORDS} words`);
    if (!words.every(isBytes)) throw new Refused(400, 'Words are strings of one character a byte');
  }
  return { commands, ...(page !== undefined && { page }), ...(lane !== undefined && { lane: lane as Lane }) };
}

function isBytes(word: unknown): boolean {
  if (typeof word !== 'string') return false;
  for (let i = 0; i < word.length; i++) if (word.charCodeAt(i) > 0xff) return false;
  return true;
}
