/**
 * Two servers in step: runs commands on both, compares the replies, and keeps the states the same where a command picks
 * at random (SPOP runs on ours, its picks are removed from theirs; of other picks the shape and the membership count).
 */
import { same } from './compare.ts';
import { type Command, Side, type Tree, treeOf } from './wire.ts';

export interface Difference {
  /** Of the command among those that were run. */
  readonly index: number;
  readonly command: Command;
  readonly ours: string;
  readonly theirs: string;
  /** What differs when it is not the reply: the state of a key. */
  readonly note: string;
}

const BLOCKING = new Set(['BLPOP', 'BRPOP', 'BLMOVE', 'BRPOPLPUSH', 'BLMPOP', 'BZPOPMIN', 'BZPOPMAX', 'BZMPOP']);
const PICKS = new Set(['SPOP', 'SRANDMEMBER', 'HRANDFIELD', 'ZRANDMEMBER', 'RANDOMKEY']);
const BATCH = 200;
const DATABASES = 4;

/** All of a value of each type, by the name that TYPE gives it. */
const WHOLE: Readonly<Record<string, (key: string) => Command>> = {
  string: (key) => ['GET', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  hash: (key) => ['HGETALL', key],
};

/** What is sent for a command: one that might block is sent as a transaction, in which it does not. */
function wire(command: Command): Command[] {
  return BLOCKING.has(command[0].toUpperCase()) ? [['MULTI'], command, ['EXEC']] : [command];
}

function flat(tree: Tree): string[] {
  if (tree === null) return [];
  return Array.isArray(tree) ? tree.flatMap(flat) : [tree];
}

export class Both {
  readonly ours: Side;
  readonly theirs: Side;

  constructor(portOurs: number, portTheirs: number) {
    this.ours = new Side(portOurs);
    this.theirs = new Side(portTheirs);
  }

  /** Runs the commands and then compares the states; the first difference, if there is one. */
  async run(commands: readonly Command[]): Promise<Difference | undefined> {
    let from = 0;
    for (let i = 0; i <= commands.length; i++) {
      const pick = i < commands.length && PICKS.has(commands[i][0].toUpperCase());
      if (i < commands.length && !pick && i - from < BATCH) continue;
      const difference = (await this.batch(commands, from, i)) ?? (pick ? await this.pick(commands[i], i) : undefined);
      if (difference !== undefined) return difference;
      from = pick ? i + 1 : i;
    }
    return this.compareStates(commands.length);
  }

  close(): void {
    this.ours.close();
    this.theirs.close();
  }

  private async batch(commands: readonly Command[], from: number, to: number): Promise<Difference | undefined> {
    const sent: { command: Command; index: number }[] = [];
    for (let index = from; index < to; index++)
      for (const command of wire(commands[index])) sent.push({ command, index });
    if (sent.length === 0) return undefined;
    const all = sent.map((one) => one.command);
    const [ours, theirs] = await Promise.all([this.ours.send(all), this.theirs.send(all)]);
    for (let i = 0; i < sent.length; i++) {
      const [a, b] = [ours[i] ?? '', theirs[i] ?? ''];
      if (!same(sent[i].command, a, b) || a === '')
        return { index: sent[i].index, command: commands[sent[i].index], ours: a, theirs: b, note: '' };
    }
    return undefined;
  }

  private async pick(command: Command, index: number): Promise<Difference | undefined> {
    const name = command[0].toUpperCase();
    const ours = await this.ours.call(...command);
    const fail = (theirs: string, note: string): Difference => ({ index, command, ours, theirs, note });
    if (ours === '') return fail('', 'no reply');
    if (name === 'SPOP' && ours[0] !== '-') return this.spop(command, ours, fail);
    const theirs = await this.theirs.call(...command);
    if (same(command, ours, theirs)) return undefined;
    if (ours[0] === '-' || theirs[0] === '-' || (treeOf(ours) === null) !== (treeOf(theirs) === null))
      return fail(theirs, '');
    if (name === 'RANDOMKEY') return undefined;
    const listing: Command =
      name === 'HRANDFIELD'
        ? ['HGETALL', command[1]]
        : name === 'SRANDMEMBER'
          ? ['SMEMBERS', command[1]]
          : ['ZRANGE', command[1], '0', '-1', 'WITHSCORES'];
    const known = new Set(flat(treeOf(await this.theirs.call(...listing))));
    const [a, b] = [flat(treeOf(ours)), flat(treeOf(theirs))];
    if (a.length !== b.length || ours[0] !== theirs[0]) return fail(theirs, 'another number of picks');
    return a.every((member) => known.has(member)) ? undefined : fail(theirs, 'a pick that is no member');
  }

  private async spop(
    command: Command,
    ours: string,
    fail: (theirs: string, note: string) => Difference,
  ): Promise<Difference | undefined> {
    const popped = flat(treeOf(ours));
    if (popped.length === 0) {
      const theirs = await this.theirs.call(...command);
      return ours === theirs ? undefined : fail(theirs, '');
    }
    const size = Number((await this.theirs.call('SCARD', command[1])).slice(1));
    const expected = command.length > 2 ? Math.min(Number(command[2]), size) : 1;
    const removed = await this.theirs.call('SREM', command[1], ...popped);
    if (removed !== `:${popped.length}\r\n` || popped.length !== expected) return fail(removed, 'SREM of the picks');
    // A counted SPOP may rebuild the set and change its encoding.
    if (command.length > 2) await Promise.all([this.ours.call('DEL', command[1]), this.theirs.call('DEL', command[1])]);
    return undefined;
  }

  private async compareStates(index: number): Promise<Difference | undefined> {
    for (let db = 0; db < DATABASES; db++) {
      const found = await this.batch([['SELECT', String(db)], ['DBSIZE'], ['KEYS', '*']], 0, 3);
      if (found !== undefined) return { ...found, index, note: `state of database ${db}` };
      const keys = flat(treeOf(await this.theirs.call('KEYS', '*')));
      const types = await this.theirs.send(keys.map((key) => ['TYPE', key]));
      const questions = keys.flatMap((key, i): Command[] => [
        ['TYPE', key],
        ['OBJECT', 'ENCODING', key],
        ['PTTL', key],
        (WHOLE[types[i].slice(1, -2)] ?? WHOLE['string'])(key),
      ]);
      const difference = await this.batch(questions, 0, questions.length);
      if (difference !== undefined) return { ...difference, index, note: `state of database ${db}` };
    }
    return undefined;
  }
}
