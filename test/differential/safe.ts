/**
 * Takes out of a random command what can't be compared or would cost too much, each for its reason:
 * - lifetimes that would end during the run: whether a key is gone already would be a race;
 * - SET with a moment in the past: when the key goes is up to the expiry cycle;
 * - negative counts of the random picks past -100: as many elements would be sent;
 * - SETRANGE offsets up to 512 MB: the string would be made;
 * - bits that far behind, of SETBIT and BITFIELD;
 * - STOREDIST: the last digit of a distance is up to the C library's sine (test/commands/geo.test.ts says how near it is);
 * - databases beyond the four that the comparison of states looks at;
 * - SORT ... ALPHA ... STORE: elements of equal weight, or equal up to a zero byte, may be stored in any order.
 */
import type { Command } from './wire.ts';

const RELATIVE = new Set(['EXPIRE', 'PEXPIRE', 'SETEX', 'PSETEX']);
const RANDOM_PICKS = new Set(['SRANDMEMBER', 'HRANDFIELD', 'ZRANDMEMBER', 'SPOP']);
const DATABASES = new Set(['SELECT', 'SWAPDB', 'MOVE', 'COPY']);

function integer(text: string): number {
  return /^-?[1-9]\d{0,18}$/.test(text) ? Number(text) : Number.NaN;
}

function safeLifetime(name: string, command: Command, i: number): string {
  const value = integer(command[i]);
  const option = (command[i - 1] ?? '').toUpperCase();
  if ((RELATIVE.has(name) && i === 2) || option === 'EX' || option === 'PX')
    return value > 0 && value < 100_000 ? '100000' : command[i];
  if (name === 'SET' && option === 'EXAT') return value > 0 && value < 1.9e9 ? '1999999999' : command[i];
  if (name === 'SET' && option === 'PXAT') return value > 0 && value < 1.9e12 ? '1999999999999' : command[i];
  return command[i];
}

/** Whether argument `i` is an offset in bits. */
function isBitOffset(name: string, command: Command, i: number): boolean {
  return name === 'SETBIT' ? i === 2 : name === 'BITFIELD' && /^[iu]\d+$/.test(command[i - 1]);
}

/** GEORADIUS's STOREDIST becomes its STORE; GEOSEARCHSTORE stores scores without it. */
function withoutDistances(command: Command): Command {
  const older = command[0].toUpperCase().startsWith('GEORADIUS');
  if (!older) return command.filter((word, i) => i === 0 || word.toUpperCase() !== 'STOREDIST');
  return command.map((word) => (word.toUpperCase() === 'STOREDIST' ? 'STORE' : word));
}

function withoutStore(command: Command): Command {
  const at = command.findIndex((word, i) => i > 1 && word.toUpperCase() === 'STORE');
  return at < 0 ? command : withoutStore([...command.slice(0, at), ...command.slice(at + 2)]);
}

/** The command, made safe. */
export function safe(command: Command): Command {
  const name = command[0].toUpperCase();
  const changed = command.map((word, i) => {
    if (i === 0) return word;
    const value = integer(word);
    if (RANDOM_PICKS.has(name) && value < -100 && word !== '-9223372036854775808' && value > -9.3e18) return '-5';
    if (name === 'SETRANGE' && value >= 100_000 && value < 536_870_912) return '99';
    if (isBitOffset(name, command, i) && value >= 100_000 && value < 2 ** 32) return '99';
    if (DATABASES.has(name) && value > 3 && value < 16) return '3';
    return safeLifetime(name, command, i);
  });
  if (name.startsWith('GEO')) return withoutDistances(changed);
  const words = changed.map((word) => word.toUpperCase());
  return name === 'SORT' && words.includes('ALPHA') ? withoutStore(changed) : changed;
}
