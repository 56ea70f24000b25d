/** A user: who it is, how it proves that, and what it may do. */
import { bytesOf, type Slice } from '../../base/slice.ts';
import type { Registered } from '../table.ts';
import type { AclCommands } from './command-bits.ts';
import { type AclFault, joinSelectors, type RefusedRule } from './fault.ts';
import { hashPassword, isHash, isPasswordOf } from './password.ts';
import { ALLOWED, DENIED_COMMAND, type Denied, Selector, type Verdict } from './selector.ts';

/** What users are made of: the commands there are, and what a new selector may do with channels. */
export interface AclBasis {
  readonly commands: AclCommands;
  allChannels(): boolean;
}

/** What a user takes without name, passwords and selectors, in bytes. */
const USER_BYTES = 256;

function newSelector(basis: AclBasis): Selector {
  return new Selector(basis.commands, basis.allChannels());
}

export class User {
  readonly name: string;
  enabled = false;
  /** Any password will do. */
  nopass = false;
  /** What is done with payloads of RESTORE; null as long as nobody has said it. */
  sanitizes: boolean | null = null;
  passwords: string[] = [];
  /** The first is the user's own, which rules without parentheses change. */
  selectors: Selector[];
  private readonly basis: AclBasis;
  /** What `describe` has told, until a rule changes it: to find rules again takes long, and lists tell all users. */
  private description: string | null = null;

  constructor(name: string, basis: AclBasis, selectors: Selector[] = [newSelector(basis)]) {
    this.name = name;
    this.basis = basis;
    this.selectors = selectors;
  }

  /** A user of the same name and permissions, to try rules on. */
  copy(): User {
    const selectors = this.selectors.map((selector) => selector.copy());
    const copy = new User(this.name, this.basis, selectors);
    copy.enabled = this.enabled;
    copy.nopass = this.nopass;
    copy.sanitizes = this.sanitizes;
    copy.passwords = [...this.passwords];
    return copy;
  }

  /** Takes over everything but the name from one that is not used any more. */
  become(other: User): void {
    this.description = null;
    this.enabled = other.enabled;
    this.nopass = other.nopass;
    this.sanitizes = other.sanitizes;
    this.passwords = other.passwords;
    this.selectors = other.selectors;
  }

  /** Roughly what it takes on the heap. */
  get bytes(): number {
    let bytes = USER_BYTES + this.name.length;
    for (const password of this.passwords) bytes += password.length;
    for (const selector of this.selectors) bytes += selector.bytes;
    return bytes;
  }

  /** Whether nothing can be denied to it. */
  get unrestricted(): boolean {
    return this.selectors.some((selector) => selector.unrestricted);
  }

  /** Applies rules one after the other up to the first that is refused. */
  applyAll(words: readonly string[]): RefusedRule | undefined {
    const rules = joinSelectors(words);
    if (typeof rules === 'number') return { index: rules, rule: words[rules], fault: 'parenthesis' };
    for (let index = 0; index < rules.length; index++) {
      const fault = this.apply(rules[index]);
      if (fault !== undefined) return { index, rule: rules[index], fault };
    }
    return undefined;
  }

  apply(rule: string): AclFault | undefined {
    this.description = null;
    switch (rule.toLowerCase()) {
      case '':
        return undefined;
      case 'on':
        this.enabled = true;
        return undefined;
      case 'off':
        this.enabled = false;
        return undefined;
      case 'nopass':
        this.nopass = true;
        this.passwords = [];
        return undefined;
      case 'resetpass':
        this.nopass = false;
        this.passwords = [];
        return undefined;
      case 'sanitize-payload':
        this.sanitizes = true;
        return undefined;
      case 'skip-sanitize-payload':
        this.sanitizes = false;
        return undefined;
      case 'clearselectors':
        this.selectors.length = 1;
        return undefined;
      case 'reset':
        this.reset();
        return undefined;
    }
    if (rule[0] === '>' || rule[0] === '#') return this.addPassword(rule);
    if (rule[0] === '<' || rule[0] === '!') return this.removePassword(rule);
    if (rule[0] === '(' && rule.endsWith(')')) return this.addSelector(rule.slice(1, -1));
    return this.selectors[0].apply(rule);
  }

  private reset(): void {
    this.enabled = false;
    this.nopass = false;
    this.passwords = [];
    this.sanitizes = true;
    this.selectors = [newSelector(this.basis)];
  }

  private addPassword(rule: string): AclFault | undefined {
    const word = rule.slice(1);
    if (rule[0] === '#' && !isHash(word)) return 'bad-hash';
    const hash = rule[0] === '#' ? word : hashPassword(bytesOf(word));
    if (!this.passwords.includes(hash)) this.passwords.push(hash);
    this.nopass = false;
    return undefined;
  }

  private removePassword(rule: string): AclFault | undefined {
    const word = rule.slice(1);
    if (rule[0] === '!' && !isHash(word)) return 'bad-hash';
    const index = this.passwords.indexOf(rule[0] === '!' ? word : hashPassword(bytesOf(word)));
    if (index < 0) return 'no-password';
    this.passwords.splice(index, 1);
    return undefined;
  }

  private addSelector(rules: string): AclFault | undefined {
    const selector = newSelector(this.basis);
    for (const rule of rules.split(' ')) {
      const fault = selector.apply(rule);
      if (fault !== undefined) return fault;
    }
    this.selectors.push(selector);
    return undefined;
  }

  accepts(password: Slice): boolean {
    return this.enabled && (this.nopass || isPasswordOf(password, this.passwords));
  }

  /** Whether a command may run: the first selector that permits it decides, else the denial that came nearest. */
  check(registered: Registered, args: readonly Slice[], argc: number, denied: Denied): Verdict {
    let worst: Verdict = DENIED_COMMAND;
    let last = 0;
    for (const selector of this.selectors) {
      const verdict = selector.check(registered, args, argc, denied);
      if (verdict === ALLOWED) return ALLOWED;
      if (verdict > worst || (verdict === worst && denied.at > last)) {
        worst = verdict;
        last = denied.at;
      }
    }
    denied.at = last;
    return worst;
  }

  flags(): string[] {
    const flags = [this.enabled ? 'on' : 'off'];
    if (this.nopass) flags.push('nopass');
    if (this.sanitizes !== null) flags.push(this.sanitizes ? 'sanitize-payload' : 'skip-sanitize-payload');
    return flags;
  }

  /** As it stands behind the name in ACL LIST and in files. */
  describe(): string {
    const [own, ...others] = this.selectors;
    this.description ??= [
      ...this.flags(),
      ...this.passwords.map((hash) => `#${hash}`),
      own.describe(),
      ...others.map((selector) => `(${selector.describe()})`),
    ].join(' ');
    return this.description;
  }
}
