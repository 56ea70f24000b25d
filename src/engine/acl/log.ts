/** ACL LOG: what was denied, newest first; the same denial within a minute is counted, not listed again. */
import { DENIED_AUTH, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY, type Verdict } from './selector.ts';

export type AclContext = 'toplevel' | 'multi' | 'lua' | 'module';

export interface AclLogEntry {
  count: number;
  readonly verdict: Verdict;
  readonly context: AclContext;
  /** The command, key or channel that was denied, one byte a character. */
  readonly object: string;
  readonly user: string;
  /** Unix time in ms of the latest. */
  time: number;
  /** The client in the words of CLIENT LIST. */
  client: string;
}

/** How far apart in ms denials may lie, and how many entries are looked through, to be counted together. */
const TOGETHER = 60_000;
const LOOKED_THROUGH = 10;

const REASONS: ReadonlyMap<Verdict, string> = new Map<Verdict, string>([
  [DENIED_COMMAND, 'command'],
  [DENIED_KEY, 'key'],
  [DENIED_CHANNEL, 'channel'],
  [DENIED_AUTH, 'auth'],
]);

export function reasonOf(entry: AclLogEntry): string {
  return REASONS.get(entry.verdict) ?? 'unknown';
}

export class AclLog {
  private readonly entries: AclLogEntry[] = [];

  add(fresh: Omit<AclLogEntry, 'count'>, max: number): void {
    const { entries } = this;
    const same = entries.findIndex(
      (old, i) =>
        i < LOOKED_THROUGH &&
        old.verdict === fresh.verdict &&
        old.context === fresh.context &&
        Math.abs(fresh.time - old.time) <= TOGETHER &&
        old.object === fresh.object &&
        old.user === fresh.user,
    );
    if (same >= 0) {
      const [entry] = entries.splice(same, 1);
      entry.count++;
      entry.time = fresh.time;
      entry.client = fresh.client;
      entries.unshift(entry);
      return;
    }
    entries.unshift({ ...fresh, count: 1 });
    if (entries.length > max) entries.length = max;
  }

  latest(count: number): readonly AclLogEntry[] {
    return this.entries.slice(0, Math.max(0, count));
  }

  reset(): void {
    this.entries.length = 0;
  }
}
