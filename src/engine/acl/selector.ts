/**
 * A selector: one set of permissions. A user has a first one, its own, and any number of further ones in parentheses; a
 * command may run when a single selector permits it with all its keys and channels.
 *
 * Invariants: `allCommands` only when every bit is set; with `allKeys` there are no key patterns, with `allChannels` no
 * channel patterns; `firstArgs` speaks only of commands without subcommands.
 */
import { globMatch } from '../../base/glob.ts';
import { isText, type Slice, sliceOf } from '../../base/slice.ts';
import { flagBit } from '../derive.ts';
import { findKeys, hasKeys } from '../keys.ts';
import type { Registered } from '../table.ts';
import { channelsOf } from './channels.ts';
import type { AclCommands, CommandSet } from './command-bits.ts';
import { commandRules } from './describe.ts';
import { type AclFault, hasSpaces, upToZero } from './fault.ts';

export const READ = 1;
export const WRITE = 2;

/** What a check comes to; the greater denial is the one that is told. */
export const ALLOWED = 0;
export const DENIED_COMMAND = 1;
export const DENIED_KEY = 2;
export const DENIED_AUTH = 3;
export const DENIED_CHANNEL = 4;
export type Verdict =
  | typeof ALLOWED
  | typeof DENIED_COMMAND
  | typeof DENIED_KEY
  | typeof DENIED_AUTH
  | typeof DENIED_CHANNEL;

/** Where the argument stands that was denied. */
export interface Denied {
  at: number;
}

interface KeyPattern {
  readonly text: string;
  readonly slice: Slice;
  access: number;
}

interface ChannelPattern {
  readonly text: string;
  readonly slice: Slice;
}

/** What a selector takes without its patterns, and a pattern beside its text, in bytes. */
const SELECTOR_BYTES = 512;
const PATTERN_BYTES = 160;

const NO_AUTH = flagBit('no_auth');

/** The permission that a command's access to a key asks for, from the words of its key specification. */
export function permissionFor(access: string): number {
  let permission = 0;
  if (access.includes('ACCESS')) permission |= READ;
  if (access.includes('INSERT') || access.includes('DELETE') || access.includes('UPDATE')) permission |= WRITE;
  return permission;
}

export class Selector {
  allKeys = false;
  allChannels: boolean;
  /** Every command, those that may come with a module included; no bit needs to be looked at. */
  allCommands = false;
  /** Whether commands that don't exist yet would be permitted: rendered as +@all with exceptions. */
  future = false;
  readonly bits: CommandSet;
  /** Of commands that aren't permitted as such: the first arguments with which they are, by bit. */
  firstArgs = new Map<number, string[]>();
  private keys: KeyPattern[] = [];
  private channels: ChannelPattern[] = [];
  private readonly commands: AclCommands;

  constructor(commands: AclCommands, allChannels: boolean, bits = commands.newSet()) {
    this.commands = commands;
    this.allChannels = allChannels;
    this.bits = bits;
  }

  copy(): Selector {
    const copy = new Selector(this.commands, this.allChannels, this.bits.copy());
    copy.allKeys = this.allKeys;
    copy.allCommands = this.allCommands;
    copy.future = this.future;
    for (const [bit, words] of this.firstArgs) copy.firstArgs.set(bit, [...words]);
    copy.keys = this.keys.map((pattern) => ({ ...pattern }));
    copy.channels = [...this.channels];
    return copy;
  }

  /** Roughly what it takes on the heap. */
  get bytes(): number {
    let bytes = SELECTOR_BYTES;
    for (const { text } of this.keys) bytes += PATTERN_BYTES + 2 * text.length;
    for (const { text } of this.channels) bytes += PATTERN_BYTES + 2 * text.length;
    for (const words of this.firstArgs.values()) for (const word of words) bytes += PATTERN_BYTES + word.length;
    return bytes;
  }

  get unrestricted(): boolean {
    return this.allCommands && this.allKeys && this.allChannels;
  }

  /** Applies a rule; the fault when it can't be. */
  apply(rule: string): AclFault | undefined {
    if (rule === '') return undefined;
    switch (rule.toLowerCase()) {
      case 'allkeys':
      case '~*':
        return this.setKeys(true);
      case 'resetkeys':
        return this.setKeys(false);
      case 'allchannels':
      case '&*':
        return this.setChannels(true);
      case 'resetchannels':
        return this.setChannels(false);
      case 'allcommands':
      case '+@all':
        return this.setAll(true);
      case 'nocommands':
      case '-@all':
        return this.setAll(false);
    }
    const sign = rule[0];
    if (sign === '~' || sign === '%') return this.addKeys(rule);
    if (sign === '&') return this.addChannels(rule.slice(1));
    if (sign !== '+' && sign !== '-') return 'syntax';
    const name = upToZero(rule.slice(1));
    if (name.startsWith('@')) return this.setCategory(name.slice(1), sign === '+');
    if (sign === '+' && name.includes('|')) return this.addPart(name);
    const registered = this.commands.find(name);
    if (!registered) return 'unknown';
    this.setCommand(registered, sign === '+');
    return undefined;
  }

  private setKeys(all: boolean): undefined {
    this.allKeys = all;
    this.keys = [];
  }

  private setChannels(all: boolean): undefined {
    this.allChannels = all;
    this.channels = [];
  }

  private setAll(on: boolean): undefined {
    this.bits.fill(on);
    this.allCommands = on;
    this.future = on;
    this.firstArgs.clear();
  }

  private addKeys(rule: string): AclFault | undefined {
    if (this.allKeys) return 'after-all-keys';
    let access = rule[0] === '~' ? READ | WRITE : 0;
    let at = 1;
    for (; rule[0] === '%' && at < rule.length; at++) {
      const letter = rule[at].toUpperCase();
      if (letter === '~') {
        at++;
        break;
      }
      const permission = letter === 'R' ? READ : letter === 'W' ? WRITE : 0;
      if (permission === 0 || (access & permission) !== 0) return 'syntax';
      access |= permission;
    }
    const text = rule.slice(at);
    if (access === 0 || hasSpaces(text)) return 'syntax';
    const same = this.keys.find((pattern) => pattern.text === text);
    if (same) same.access |= access;
    else this.keys.push({ text, slice: sliceOf(text), access });
    return undefined;
  }

  private addChannels(text: string): AclFault | undefined {
    if (this.allChannels) return 'after-all-channels';
    if (hasSpaces(text)) return 'syntax';
    if (!this.channels.some((pattern) => pattern.text === text)) this.channels.push({ text, slice: sliceOf(text) });
    return undefined;
  }

  private setCommand(registered: Registered, on: boolean): void {
    this.commands.put(this.bits, registered, on);
    this.firstArgs.delete(registered.bit);
    if (!on) this.allCommands = false;
  }

  private setCategory(name: string, on: boolean): AclFault | undefined {
    const members = this.commands.ofCategory(name);
    if (!members) return 'unknown';
    for (const registered of members) this.setCommand(registered, on);
    return undefined;
  }

  /** `+config|get` permits a subcommand, `+select|0` a first argument of a command that has none. */
  private addPart(name: string): AclFault | undefined {
    const bar = name.lastIndexOf('|');
    const word = name.slice(bar + 1);
    const container = this.commands.find(name.slice(0, bar));
    if (!container) return 'unknown';
    if (container.parent) return 'argument-of-subcommand';
    if (word === '') return 'syntax';
    if (container.subcommands) {
      const sub = this.commands.find(name);
      if (!sub) return 'unknown';
      this.setCommand(sub, true);
      return undefined;
    }
    const words = this.firstArgs.get(container.bit) ?? [];
    if (!words.some((known) => sameWord(known, word))) words.push(word);
    this.firstArgs.set(container.bit, words);
    return undefined;
  }

  // Checks.

  /** Whether this selector alone permits a command with its arguments. */
  check(registered: Registered, args: readonly Slice[], argc: number, denied: Denied): Verdict {
    if (!this.permitsCommand(registered, args, argc)) return DENIED_COMMAND;
    if (!this.allKeys && hasKeys(registered)) {
      for (const { at, access } of findKeys(registered, args, argc) ?? []) {
        // A script may ask about a command with too few arguments.
        if (at >= argc || this.permitsKey(args[at], permissionFor(access))) continue;
        denied.at = at;
        return DENIED_KEY;
      }
    }
    if (this.allChannels) return ALLOWED;
    const channels = channelsOf(registered);
    if (channels === undefined) return ALLOWED;
    for (let at = 1; at < (channels.all ? argc : Math.min(argc, 2)); at++) {
      if (this.permitsChannel(args[at], channels.pattern)) continue;
      denied.at = at;
      return DENIED_CHANNEL;
    }
    return ALLOWED;
  }

  private permitsCommand(registered: Registered, args: readonly Slice[], argc: number): boolean {
    if (this.allCommands || registered.has(NO_AUTH)) return true;
    const bit = this.commands.bitOf(registered);
    if (this.bits.has(bit)) return true;
    const words = this.firstArgs.get(bit);
    if (words === undefined || argc < 2) return false;
    return words.some((word) => sameWord(word, args[1].beginning(word.length + 1)));
  }

  permitsKey(key: Slice, permission: number): boolean {
    if (this.allKeys) return true;
    for (const pattern of this.keys)
      if ((pattern.access & permission) === permission && globMatch(pattern.slice, key)) return true;
    return false;
  }

  /** Whether every key there may be is permitted. */
  permitsAllKeys(permission: number): boolean {
    return this.allKeys || this.keys.some((p) => (p.access & permission) === permission && p.text === '*');
  }

  /** A pattern that is subscribed to must stand among the rules as it is. */
  permitsChannel(channel: Slice, isPattern: boolean): boolean {
    if (this.allChannels) return true;
    for (const pattern of this.channels)
      if (isPattern ? isText(channel, pattern.text) : globMatch(pattern.slice, channel)) return true;
    return false;
  }

  /** Whether everything that `other` permits of channels is permitted by one of `selectors`, rule by rule. */
  static keepsChannels(other: Selector, selectors: readonly Selector[]): boolean {
    return other.channels.every((old) => selectors.some((s) => s.channels.some((now) => now.text === old.text)));
  }

  // As text.

  describeKeys(): string {
    if (this.allKeys) return '~*';
    return this.keys
      .map(({ text, access }) => (access === READ ? `%R~${text}` : access === WRITE ? `%W~${text}` : `~${text}`))
      .join(' ');
  }

  describeChannels(): string {
    return this.allChannels ? '&*' : this.channels.map((pattern) => `&${pattern.text}`).join(' ');
  }

  describeCommands(): string {
    return commandRules(this, this.commands);
  }

  describe(): string {
    const keys = this.describeKeys();
    const channels = this.describeChannels();
    const words = this.allChannels ? [channels] : ['resetchannels', ...(this.channels.length > 0 ? [channels] : [])];
    if (this.allKeys || this.keys.length > 0) words.unshift(keys);
    return [...words, this.describeCommands()].join(' ');
  }
}

/** Whether two words are the same in any mix of cases; only the letters of ASCII have cases here. */
function sameWord(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (folded(a.charCodeAt(i)) !== folded(b.charCodeAt(i))) return false;
  return true;
}

function folded(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}
