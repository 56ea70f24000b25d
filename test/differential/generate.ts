/** Random commands from the grammar: mostly well-formed over a small set of keys, some malformed on purpose. */
import type { SeededRandom } from '../../src/base/random.ts';
import type { DocArgument, DocCommand } from './docs.ts';
import * as pools from './pools.ts';
import type { Command } from './wire.ts';

/** Commands that fill values, drawn more often than the rest. */
const FILLERS = new Set([
  'SET',
  'RPUSH',
  'LPUSH',
  'SADD',
  'HSET',
  'ZADD',
  'MSET',
  'APPEND',
  'SETBIT',
  'PFADD',
  'GEOADD',
]);
const FILLER_WEIGHT = 12;
/** Commands that empty much, drawn less often. */
const EMPTIERS = new Set(['FLUSHALL', 'FLUSHDB', 'SWAPDB', 'SELECT', 'DEL', 'UNLINK', 'RENAME', 'MOVE', 'EXPIREAT']);
/** Drawn less often still: they change everything at once. */
const SWEEPING = new Set(['FLUSHALL', 'FLUSHDB', 'SWAPDB', 'SELECT']);
const USUAL_WEIGHT = 3;

/** Their integers and texts have pools of their own. */
const NEWER_GROUPS = new Set(['bitmap', 'hyperloglog', 'geo']);

const RANGES = new Set(['ZRANGE', 'ZRANGESTORE']);

export class Generator {
  private readonly random: SeededRandom;
  private readonly drawn: DocCommand[] = [];
  private command: DocCommand;
  private numkeys = 0;
  /** How ZRANGE reads its bounds this time: BYSCORE, BYLEX or by rank. */
  private range = '';
  /** Whether this command is about sets in which all scores are equal: by members' order nothing else is defined. */
  private lex = false;
  /** The kind of value that a generic command is about this time. */
  private kind = '';

  constructor(random: SeededRandom, commands: readonly DocCommand[]) {
    this.random = random;
    for (const command of commands) {
      const name = command.words[0];
      const weight = FILLERS.has(name) ? FILLER_WEIGHT : EMPTIERS.has(name) ? 1 : USUAL_WEIGHT;
      for (let i = 0; i < weight; i++) this.drawn.push(command);
    }
    this.command = this.drawn[0];
  }

  next(): Command {
    do this.command = this.pick(this.drawn);
    while (SWEEPING.has(this.command.words[0]) && this.percent(75));
    this.numkeys = 0;
    this.range = this.pick(['', 'BYSCORE', 'BYLEX']);
    this.kind = this.pick([...pools.KINDS, 'mixed']);
    const name = this.command.words[0];
    this.lex = name.includes('LEX') || (RANGES.has(name) && this.range === 'BYLEX');
    if (name === 'ZADD' && this.percent(30)) this.lex = true;
    const out = this.command.words.map((word) => this.cased(word));
    for (const arg of this.ordered(this.command.args)) this.put(arg, out);
    if (this.percent(10)) this.mutate(out);
    return out;
  }

  /** Options may stand in any order; what is not optional stays where it is. */
  private ordered(args: readonly DocArgument[]): readonly DocArgument[] {
    const first = args.findIndex((arg) => arg.optional && arg.token !== undefined);
    if (first < 0 || !this.percent(30)) return args;
    const options = args.slice(first);
    if (options.some((arg) => !arg.optional)) return args;
    for (let i = options.length - 1; i > 0; i--) {
      const j = this.random.below(i + 1);
      [options[i], options[j]] = [options[j], options[i]];
    }
    return [...args.slice(0, first), ...options];
  }

  private put(arg: DocArgument, out: string[]): void {
    if (arg.optional && !this.wanted(arg)) return;
    const times = this.times(arg);
    for (let i = 0; i < times; i++) {
      if (arg.token !== undefined && (i === 0 || arg.multipleToken)) out.push(this.cased(arg.token));
      if (arg.type === 'oneof') this.put({ ...this.choice(arg), optional: false }, out);
      else if (arg.type === 'block') for (const inner of arg.args) this.put(inner, out);
      else if (arg.type !== 'pure-token') out.push(this.value(arg));
    }
  }

  private choice(arg: DocArgument): DocArgument {
    const fitting = arg.name === 'sortby' ? arg.args.find((one) => one.token === this.range) : undefined;
    return fitting ?? this.pick(arg.args.filter((one) => one.token !== 'BYLEX' || this.lex));
  }

  private wanted(arg: DocArgument): boolean {
    if (RANGES.has(this.command.words[0]) && arg.name === 'sortby') return this.range !== '' || this.percent(5);
    if (arg.name === 'count' && this.command.words[0].endsWith('SCAN')) return true;
    return this.percent(this.command.args.filter((one) => one.optional).length > 2 ? 25 : 40);
  }

  private times(arg: DocArgument): number {
    if (!arg.multiple) return 1;
    if (this.numkeys > 0 && (arg.type === 'key' || arg.name === 'weight')) return this.percent(96) ? this.numkeys : 1;
    const many = FILLERS.has(this.command.words[0]) ? 15 : 4;
    return this.percent(many) ? 5 + this.random.below(30) : 1 + this.random.below(3);
  }

  private value(arg: DocArgument): string {
    const special = this.special(arg);
    if (special !== undefined) return special;
    if (this.percent(2) && !this.lex) return this.pick([...pools.NOT_INTEGERS, ...pools.EDGE_INTEGERS, ...pools.WORDS]);
    if (arg.name === 'min' || arg.name === 'max') return this.bound(this.command.words[0]);
    switch (arg.type) {
      case 'key':
        return this.key();
      case 'integer':
        if (arg.name === 'timeout') return this.pick(['0', '1', '10', '-1', 'x']);
        return this.integer(arg);
      case 'double':
        return arg.name === 'timeout'
          ? this.pick(['0.01', '0', '1', '0.02', '10', '1.5', '-1', 'x', 'inf'])
          : this.double();
      case 'unix-time':
        return this.percent(92) ? this.moment(arg.name.endsWith('milliseconds')) : this.anInteger();
      case 'pattern':
        return this.pick(this.command.words[0].startsWith('SORT') ? pools.SORT_PATTERNS : pools.PATTERNS);
      default:
        return this.text(arg);
    }
  }

  /** Of the arguments that only bitmaps, HyperLogLogs and geo commands have. */
  private special(arg: DocArgument): string | undefined {
    const { group } = this.command;
    if (!NEWER_GROUPS.has(group) || this.percent(3)) return undefined;
    if (arg.name === 'encoding') return this.pick(pools.FIELD_TYPES);
    if (arg.name === 'operation' && arg.type === 'string') return this.pick(pools.BIT_OPERATIONS);
    if (arg.name === 'subcommand') return this.pick(pools.HLL_DEBUGGING);
    if (arg.name === 'longitude') return this.pick(pools.LONGITUDES);
    if (arg.name === 'latitude') return this.pick(pools.LATITUDES);
    if (arg.name === 'radius' || arg.name === 'width' || arg.name === 'height') return this.pick(pools.RADII);
    if (arg.name.startsWith('member')) return this.percent(80) ? this.pick(pools.WORDS.slice(0, 6)) : undefined;
    if (group !== 'bitmap') return undefined;
    if (arg.name === 'offset' && this.command.words[0].startsWith('BITFIELD')) return this.pick(pools.FIELD_OFFSETS);
    if (arg.name === 'offset') return this.percent(80) ? this.pick(pools.BIT_OFFSETS) : undefined;
    const bit = arg.name === 'bit' || (arg.name === 'value' && this.command.words[0] === 'SETBIT');
    return bit ? this.pick(['0', '1']) : undefined;
  }

  private key(): string {
    const group = this.command.group;
    const roll = this.random.below(100);
    if (this.lex) return this.pick(roll < 95 ? pools.LEX_KEYS : pools.keysOf('string'));
    if (roll < 2) return this.pick(pools.ODD_KEYS);
    if (roll < 5) return this.pick(pools.keysOf(this.pick([...pools.KINDS, 'mixed'])));
    const own = pools.KINDS.some((kind) => kind === group);
    return this.pick(pools.keysOf(own ? group : this.kind));
  }

  private integer(arg: DocArgument): string {
    if (arg.name === 'weight') return this.double();
    if (arg.name === 'numkeys') {
      this.numkeys = 1 + this.random.below(3);
      return this.percent(94) ? String(this.numkeys) : this.anInteger();
    }
    if (arg.name === 'seconds' || arg.name === 'milliseconds') return this.lifetime();
    if (arg.name === 'cursor') return this.percent(90) ? '0' : this.anInteger();
    if (arg.name === 'count' && this.command.words[0].endsWith('SCAN'))
      return this.percent(95) ? '100000' : this.anInteger();
    if (/db|index\d/.test(arg.name) || this.command.words[0] === 'SELECT')
      return this.percent(90) ? String(this.random.below(4)) : this.pick(pools.NOT_INTEGERS);
    if (/count|len|num-matches|limit|rank/.test(arg.name) && this.percent(85)) return String(1 + this.random.below(5));
    return this.anInteger();
  }

  /** Mostly one that no other command has, so that GT and LT are decided. */
  private lifetime(): string {
    return this.percent(80) ? String(200_000 + this.random.below(10_000_000)) : this.pick(pools.LIFETIMES);
  }

  /** A moment after 2030. */
  private moment(milliseconds: boolean): string {
    const seconds = 1_900_000_000 + this.random.below(99_999_999);
    return String(seconds) + (milliseconds ? '123' : '');
  }

  private anInteger(): string {
    const roll = this.random.below(100);
    if (roll < 82) return this.pick(pools.SMALL_INTEGERS);
    return this.pick(roll < 96 ? pools.EDGE_INTEGERS : pools.NOT_INTEGERS);
  }

  private double(): string {
    if (this.lex) return '0';
    const roll = this.random.below(100);
    if (roll < 50) return this.pick(pools.SMALL_INTEGERS);
    if (roll < 95) return this.pick(pools.DOUBLES);
    return this.pick(roll < 98 ? pools.EDGE_INTEGERS : pools.NOT_DOUBLES);
  }

  private text(arg: DocArgument): string {
    const name = this.command.words[0];
    if (arg.name === 'start' || arg.name === 'stop') return this.bound(name);
    if (arg.name === 'type') return this.pick(['string', 'list', 'set', 'zset', 'hash', 'stream', 'HASH', 'none', '']);
    const roll = this.random.below(100);
    if (arg.name === 'value' && this.command.group === 'string' && roll < 40)
      return this.pick([this.anInteger(), this.double()]);
    if (roll < 70) return this.pick(pools.WORDS);
    if (roll < 80) return this.anInteger();
    if (roll < 88) return this.double();
    if (roll < 94) return this.pick(pools.LONG_WORDS);
    return 'm' + this.random.below(40);
  }

  private bound(name: string): string {
    const lex = name.includes('LEX') || (RANGES.has(name) && this.range === 'BYLEX');
    const score = name.includes('SCORE') || name === 'ZCOUNT' || (RANGES.has(name) && this.range === 'BYSCORE');
    if (this.percent(3) && !this.lex) return this.pick([...pools.LEX_BOUNDS, ...pools.SCORE_BOUNDS]);
    if (lex) return this.pick(pools.LEX_BOUNDS);
    return score ? this.pick(pools.SCORE_BOUNDS) : this.anInteger();
  }

  /** Breaks a well-formed command a little. */
  private mutate(out: string[]): void {
    // Where only equal scores are defined, the key stays what it is.
    const at = this.lex ? out.length - 1 : this.random.below(out.length);
    switch (this.lex ? 5 + this.random.below(2) : this.random.below(7)) {
      case 0:
        if (at > 0) out.splice(at, 1);
        break;
      case 1:
        out.splice(at + 1, 0, out[at]);
        break;
      case 2:
        out.push(
          this.pick([...pools.WORDS, ...pools.EDGE_INTEGERS, 'NX', 'XX', 'LIMIT', 'WITHSCORES', 'COUNT', 'GET']),
        );
        break;
      case 3:
        if (at > 0) out[at] = this.pick([...pools.NOT_INTEGERS, ...pools.NOT_DOUBLES, ...pools.EDGE_INTEGERS]);
        break;
      case 4:
        if (out.length > 2 && at > 1) [out[at], out[at - 1]] = [out[at - 1], out[at]];
        break;
      case 5:
        out.length = this.lex ? at : 1 + at;
        break;
      default:
        if (this.percent(20)) out[0] = this.pick(['NOSUCH', out[0] + 'X', '', 'get ', 'S\x00ET', 'h'.repeat(150)]);
    }
  }

  /** A well-formed word in any mix of cases. */
  private cased(word: string): string {
    const roll = this.random.below(100);
    if (roll < 80) return word;
    if (roll < 95) return word.toLowerCase();
    return [...word].map((c) => (this.percent(50) ? c.toLowerCase() : c)).join('');
  }

  private percent(chance: number): boolean {
    return this.random.below(100) < chance;
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.random.below(values.length)];
  }
}
