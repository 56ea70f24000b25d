/** Random Lua programs from a seed: small, ending, with values of all types where they don't belong. */
import { SeededRandom } from '../../../../src/base/random.ts';

const STRINGS = [
  '""',
  '"a"',
  '"10"',
  '"0x1F"',
  '" 7 "',
  '"hello world"',
  '"a,b;c"',
  "'\\0z'",
  '"%d+"',
  '"(%w+)"',
  '"x=1"',
  '"1e2"',
  '"-3"',
  '"nan"',
  '"[a-c]"',
  '"^h"',
  '"."',
];
const NUMBERS = ['0', '1', '2', '3', '7', '10', '100', '0.5', '1.5', '-1', '-2.25', '4096', '1/3', '255', '-7'];
const FUNCTIONS = [
  ['tostring', 'N'],
  ['tonumber', 'V'],
  ['tonumber', 'VN'],
  ['type', 'V'],
  ['select', 'NVV'],
  ['string.rep', 'SN'],
  ['string.sub', 'SNN'],
  ['string.upper', 'S'],
  ['string.lower', 'V'],
  ['string.len', 'V'],
  ['string.byte', 'SN'],
  ['string.byte', 'SNN'],
  ['string.find', 'SS'],
  ['string.find', 'SSN'],
  ['string.find', 'SSNV'],
  ['string.match', 'SS'],
  ['string.gsub', 'SSS'],
  ['string.gsub', 'SSF'],
  ['string.gsub', 'SST'],
  ['string.gsub', 'SSSN'],
  ['string.reverse', 'S'],
  ['string.char', 'NN'],
  ['string.format', "S'%s|%5.2f|%d|%x'SNNN"],
  ['string.format', 'SVV'],
  ['table.concat', 'T'],
  ['table.concat', 'TSNN'],
  ['table.insert', 'TV'],
  ['table.insert', 'TNV'],
  ['table.remove', 'T'],
  ['table.remove', 'TN'],
  ['table.sort', 'T'],
  ['table.sort', 'TF'],
  ['table.getn', 'T'],
  ['table.maxn', 'T'],
  ['unpack', 'T'],
  ['unpack', 'TNN'],
  ['math.floor', 'N'],
  ['math.ceil', 'N'],
  ['math.max', 'NNN'],
  ['math.min', 'NV'],
  ['math.fmod', 'NN'],
  ['math.modf', 'N'],
  ['math.random', 'N'],
  ['math.abs', 'V'],
  ['bit.band', 'NN'],
  ['bit.bxor', 'NV'],
  ['bit.lshift', 'NN'],
  ['bit.tohex', 'N'],
  ['bit.ror', 'NN'],
  ['cjson.encode', 'A'],
  ['cjson.decode', 'J'],
  ['cmsgpack.unpack', 'S'],
  ['struct.pack', 'KNS'],
  ['struct.unpack', 'KS'],
  ['rawget', 'TV'],
  ['rawequal', 'VV'],
  ['next', 'E'],
  ['ipairs', 'V'],
  ['setmetatable', 'TV'],
  ['getmetatable', 'V'],
  ['assert', 'VS'],
  ['error', 'V'],
  ['error', 'SN'],
  ['pcall', 'FVV'],
  ['xpcall', 'FF'],
  ['loadstring', 'S'],
];
const BINARY = ['+', '-', '*', '/', '%', '^', '..', '==', '~=', '<', '<=', '>', '>=', 'and', 'or'];
const JSON_TEXTS = [
  "'[1,2,{}]'",
  '\'{"a":1,"b":[null]}\'',
  "'[1,'",
  '\'"x\\\\u0041"\'',
  "'tru'",
  "'-1.5e2'",
  "'[]'",
  '\'{"a"}\'',
  "' 12 '",
];
const FORMATS = ['"i"', '">I2"', '"bB"', '"s"', '"c2"', '"d"', '"!4bi"', '"<h"', '"x"', '"Bc0"', '"q"'];

export class Generator {
  private readonly random: SeededRandom;
  private names: string[] = [];
  private depth = 0;
  private counter = 0;
  private readonly command: (() => string) | undefined;
  /** Within an error handler, whose calls depend on how deep the stack of C is. */
  private handling = false;

  /** With `commands`, programs also call what it makes of the generator's random numbers and values. */
  constructor(seed: number, commands?: (random: SeededRandom, value: () => string) => () => string) {
    this.random = new SeededRandom(seed);
    this.command = commands?.(this.random, () => this.atom());
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)];
  }

  private chance(percent: number): boolean {
    return this.random.below(100) < percent;
  }

  private name(): string {
    return this.names.length > 0 && !this.chance(3) ? this.pick(this.names) : '_G.nothing';
  }

  program(): string {
    this.names = [];
    this.depth = 0;
    this.counter = 0;
    let text = 'local r, w0, w1, w2, w3 = {}, 5, "abc def", {3, 1, 2, f0 = 4, f1 = "x"}, function(a, b) return a end\n';
    for (let i = 0; i < 8; i++) {
      this.names = ['w0', 'w1', 'w2', 'w3'];
      this.depth = 1;
      text += `r[${i + 1}] = {pcall(function() ${this.block(1 + this.random.below(3))} return ${this.list(3)} end)}\n`;
    }
    return `${text}return r, w0, w1, w2`;
  }

  private list(most: number): string {
    return Array.from({ length: 1 + this.random.below(most) }, () => this.value()).join(', ');
  }

  private fresh(): string {
    const name = `v${this.counter++}`;
    return name;
  }

  private block(count: number): string {
    const visible = this.names.length;
    const lines: string[] = [];
    for (let i = 0; i < count; i++) lines.push(this.statement());
    const text = lines.join(this.chance(20) ? '\n' : ' ');
    if (this.depth > 0) this.names.length = visible;
    return text;
  }

  private inner(count = 2): string {
    this.depth++;
    const text = this.block(1 + this.random.below(count));
    this.depth--;
    return text;
  }

  private statement(): string {
    if (this.depth > 3) return this.local();
    switch (this.random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.local();
      case 4:
        return `${this.target()} = ${this.value()}`;
      case 5:
        return `${this.target()}, ${this.target()} = ${this.value()}, ${this.value()}`;
      case 6:
        return `if ${this.value()} then ${this.inner()} ${this.chance(30) ? `elseif ${this.value()} then ${this.inner()}` : ''} else ${this.inner()} end`;
      case 7: {
        const name = this.fresh();
        const bounds = this.chance(90) ? `1, ${1 + this.random.below(5)}` : `${this.small()}, ${this.small()}`;
        const body = this.within([name], () => this.inner());
        return `for ${name} = ${bounds} do ${body} ${this.chance(15) ? `if ${this.value()} then break end` : ''} end`;
      }
      case 8: {
        const [k, v] = [this.fresh(), this.fresh()];
        return `for ${k}, ${v} in ipairs(${this.table()}) do ${this.within([k, v], () => this.inner())} end`;
      }
      case 9: {
        const name = this.fresh();
        return `local ${name} = 0 while ${name} < ${1 + this.random.below(4)} do ${name} = ${name} + 1 ${this.inner()} end`;
      }
      case 10: {
        const name = this.fresh();
        const params = [this.fresh(), this.fresh()];
        const vararg = this.chance(30);
        const body = this.within(params, () => `${this.inner()} return ${this.list(2)}${vararg ? ', ...' : ''}`);
        this.names.push(name);
        return `local function ${name}(${params.join(', ')}${vararg ? ', ...' : ''}) ${body} end`;
      }
      case 11: {
        const name = this.fresh();
        return `local ${name} = 0 repeat ${name} = ${name} + 1 ${this.inner()} until ${name} > ${this.random.below(4)}`;
      }
      case 12:
        return `${this.call()}`;
      case 13:
        return `do ${this.inner(3)} end`;
      default:
        return `local ${this.declare()} = pcall(function() ${this.inner()} return ${this.list(2)} end)`;
    }
  }

  private declare(): string {
    const names = [this.fresh(), this.fresh()];
    this.names.push(...names);
    return names.join(', ');
  }

  private small(): string {
    return this.pick(['1', '2', '3', '"2"', '1.5', 'nil', '{}']);
  }

  private within<T>(names: string[], body: () => T): T {
    const visible = this.names.length;
    this.names.push(...names);
    const result = body();
    this.names.length = visible;
    return result;
  }

  private local(): string {
    const value = this.value();
    if (this.chance(20)) {
      const more = this.value();
      return `local ${this.declare()} = ${value}, ${more}`;
    }
    const name = this.fresh();
    this.names.push(name);
    return `local ${name} = ${value}`;
  }

  private target(): string {
    if (this.chance(50) && this.names.length > 0) return this.pick(this.names);
    return this.chance(60) ? `${this.name()}.f${this.random.below(3)}` : `${this.name()}[${this.value()}]`;
  }

  private call(): string {
    if (this.command !== undefined && !this.handling && this.chance(35)) return this.command();
    if (this.chance(15)) return `${this.name()}(${this.list(2)})`;
    if (this.chance(10)) return `${this.name()}:${this.pick(['upper', 'len', 'f0', 'rep'])}(${this.list(1)})`;
    const [name, kinds] = this.pick(FUNCTIONS);
    const args: string[] = [];
    for (let i = 0; i < kinds.length; i++) {
      if (kinds[i] === 'S' && kinds[i + 1] === "'") {
        const end = kinds.indexOf("'", i + 2);
        args.push(kinds.slice(i + 1, end + 1));
        i = end;
      } else {
        const outer = this.handling;
        this.handling ||= name === 'xpcall' && i === 1;
        args.push(this.ofKind(kinds[i]));
        this.handling = outer;
      }
    }
    return `${name}(${args.join(', ')})`;
  }

  private ofKind(kind: string): string {
    if (this.chance(6)) return this.value();
    switch (kind) {
      case 'N':
        return this.chance(70) ? this.pick(NUMBERS.slice(0, 10)) : this.value();
      case 'S':
        return this.chance(80) ? this.pick(STRINGS) : this.value();
      case 'T':
        return this.table();
      case 'A':
        return this.pick(['{1,2,3}', '{}', '{a=1}', '{1,nil,3}', '"x/y"', '1.25', '{{1},{2}}', 'true', this.name()]);
      case 'E':
        return '{}';
      case 'F':
        return this.lambda();
      case 'J':
        return this.pick(JSON_TEXTS);
      case 'K':
        return this.pick(FORMATS);
      default:
        return this.value();
    }
  }

  private lambda(): string {
    if (this.depth > 3) return 'function(a, b) return a end';
    const params = [this.fresh(), this.fresh()];
    this.depth++;
    const text = this.within(
      params,
      () => `function(${params.join(', ')}) ${this.chance(40) ? this.block(1) : ''} return ${this.value()} end`,
    );
    this.depth--;
    return text;
  }

  private table(): string {
    if (this.chance(30) && this.names.length > 0) return this.name();
    const items = Array.from({ length: this.random.below(5) }, () => {
      if (this.chance(80)) return this.atom();
      return this.chance(50) ? `f${this.random.below(3)} = ${this.atom()}` : `[${this.atom()}] = ${this.atom()}`;
    });
    const text = `{${items.join(', ')}}`;
    if (!this.chance(12)) return text;
    const event = this.pick([
      '__index',
      '__newindex',
      '__call',
      '__add',
      '__lt',
      '__le',
      '__eq',
      '__concat',
      '__unm',
      '__tostring',
    ]);
    return `setmetatable(${text}, {${event} = ${this.lambda()}})`;
  }

  private atom(): string {
    switch (this.random.below(8)) {
      case 0:
        return this.pick(['nil', 'true', 'false']);
      case 1:
      case 2:
        return this.pick(NUMBERS);
      case 3:
        return this.pick(STRINGS);
      default:
        return this.name();
    }
  }

  private value(): string {
    if (this.depth > 4) return this.atom();
    this.depth++;
    const text = this.composed();
    this.depth--;
    return text;
  }

  private composed(): string {
    switch (this.random.below(14)) {
      case 0:
      case 1:
      case 2:
        return this.atom();
      case 3:
      case 4:
      case 5:
        return `(${this.value()} ${this.pick(BINARY)} ${this.value()})`;
      case 6:
        return `${this.pick(['not ', '-', '#'])}${this.atom()}`.replace(/^-0$/, '-1');
      case 7:
        return `${this.name()}.f${this.random.below(3)}`;
      case 8:
        return `${this.name()}[${this.atom()}]`;
      case 9:
        return this.table();
      case 10:
        return this.lambda();
      default:
        return this.call();
    }
  }
}
