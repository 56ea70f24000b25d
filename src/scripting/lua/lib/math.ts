/** The math library, with the reproducible generator that Redis gives to scripts; and bit operations. */
import { pow, type Runtime } from '../runtime.ts';
import { badArgument, fail, type LuaTable, type Result, type Value } from '../value.ts';
import { intArg, library, type Native, numberArg, numberOf } from './args.ts';

/** The 48-bit linear congruential generator of drand48, as Redis's own: the same on every machine. */
export class Lrand48 {
  private state = 0n;

  constructor() {
    this.seed(0);
  }

  seed(value: number): void {
    this.state = (BigInt.asUintN(32, BigInt(value)) << 16n) | 0x330en;
  }

  /** 31 bits. */
  next(): number {
    this.state = BigInt.asUintN(48, this.state * 0x5deece66dn + 0xbn);
    return Number(this.state >> 17n);
  }
}

const RANDOM_MAX = 0x7fffffff;

function frexp(value: number): Result {
  if (value === 0 || !Number.isFinite(value)) return [value, 0];
  let exponent = Math.max(-1023, Math.floor(Math.log2(Math.abs(value))) + 1);
  let mantissa = value * 2 ** -exponent;
  while (Math.abs(mantissa) < 0.5) {
    mantissa *= 2;
    exponent--;
  }
  while (Math.abs(mantissa) >= 1) {
    mantissa /= 2;
    exponent++;
  }
  return [mantissa, exponent];
}

function ldexp(value: number, exponent: number): number {
  let left = Math.max(-3000, Math.min(3000, exponent));
  for (; left > 1000; left -= 1000) value *= 2 ** 1000;
  for (; left < -1000; left += 1000) value *= 2 ** -1000;
  return value * 2 ** left;
}

function random(generator: Lrand48, args: readonly Value[]): number {
  // What takes long to read is asked for before the generator takes a step, which it also does where an argument is wrong.
  for (let i = 0; i < args.length; i++) numberOf(args, i);
  const r = (generator.next() % RANDOM_MAX) / RANDOM_MAX;
  if (args.length === 0) return r;
  if (args.length === 1) {
    const most = intArg(args, 0);
    if (most < 1) throw badArgument(1, 'interval is empty');
    return Math.floor(r * most) + 1;
  }
  if (args.length > 2) throw fail('wrong number of arguments');
  const least = intArg(args, 0);
  const most = intArg(args, 1);
  if (least > most) throw badArgument(2, 'interval is empty');
  return Math.floor(r * (most - least + 1)) + least;
}

export function openMath(rt: Runtime, globals: LuaTable, generator: Lrand48): void {
  const one =
    (compute: (x: number) => number): Native =>
    (args) =>
      compute(numberArg(args, 0));
  /** The reference looks at the second argument first. */
  const two =
    (compute: (x: number, y: number) => number): Native =>
    (args) => {
      const y = numberArg(args, 1);
      return compute(numberArg(args, 0), y);
    };
  const best =
    (pick: (a: number, b: number) => boolean): Native =>
    (args) => {
      let found = numberArg(args, 0);
      for (let i = 1; i < args.length; i++) {
        const x = numberArg(args, i);
        if (pick(x, found)) found = x;
      }
      return found;
    };
  // In the order of the reference: next() shows it.
  const functions: Record<string, Native> = {
    abs: one(Math.abs),
    acos: one(Math.acos),
    asin: one(Math.asin),
    atan2: two(Math.atan2),
    atan: one(Math.atan),
    ceil: one(Math.ceil),
    cosh: one(Math.cosh),
    cos: one(Math.cos),
    deg: one((x) => x / (Math.PI / 180)),
    exp: one(Math.exp),
    floor: one(Math.floor),
    fmod: two((x, y) => x % y),
    frexp: (args) => frexp(numberArg(args, 0)),
    ldexp(args) {
      const exponent = intArg(args, 1);
      return ldexp(numberArg(args, 0), exponent);
    },
    log10: one(Math.log10),
    log: one(Math.log),
    max: best((a, b) => a > b),
    min: best((a, b) => a < b),
    modf(args) {
      const x = numberArg(args, 0);
      const whole = Math.trunc(x);
      return [whole, Number.isFinite(x) ? x - whole : x === x ? 0 : x];
    },
    pow: two(pow),
    rad: one((x) => x * (Math.PI / 180)),
    random: (args) => random(generator, args),
    randomseed(args) {
      generator.seed(intArg(args, 0));
      return [];
    },
    sinh: one(Math.sinh),
    sin: one(Math.sin),
    sqrt: one(Math.sqrt),
    tanh: one(Math.tanh),
    tan: one(Math.tan),
  };
  const maths = library(rt, functions, true);
  maths.set('pi', Math.PI);
  maths.set('huge', Number.POSITIVE_INFINITY);
  maths.set('mod', maths.getStr('fmod'));
  globals.set('math', maths);
}

const scratch = new DataView(new ArrayBuffer(8));

/** The low 32 bits of a number rounded to a whole one, as adding 2^52 + 2^51 gives them. */
function toBit(value: number): number {
  scratch.setFloat64(0, value + 6755399441055744);
  return scratch.getInt32(4);
}

function bitArg(args: readonly Value[], i: number): number {
  return toBit(numberArg(args, i));
}

function toHex(args: readonly Value[]): string {
  const bits = bitArg(args, 0) >>> 0;
  let digits = args.length < 2 ? 8 : bitArg(args, 1);
  const capitals = digits < 0;
  if (capitals) digits = -digits;
  if (digits > 8 || digits < 0) digits = 8;
  const text = digits === 0 ? '' : bits.toString(16).padStart(8, '0').slice(-digits);
  return capitals ? text.toUpperCase() : text;
}

export function openBit(rt: Runtime, globals: LuaTable): void {
  const fold =
    (combine: (a: number, b: number) => number): Native =>
    (args) => {
      let bits = bitArg(args, 0);
      for (let i = args.length - 1; i > 0; i--) bits = combine(bits, bitArg(args, i));
      return bits | 0;
    };
  const shift =
    (move: (a: number, n: number) => number): Native =>
    (args) =>
      move(bitArg(args, 0), bitArg(args, 1) & 31) | 0;
  globals.set(
    'bit',
    library(
      rt,
      {
        tobit: (args) => bitArg(args, 0),
        bnot: (args) => ~bitArg(args, 0),
        band: fold((a, b) => a & b),
        bor: fold((a, b) => a | b),
        bxor: fold((a, b) => a ^ b),
        lshift: shift((a, n) => a << n),
        rshift: shift((a, n) => a >>> n),
        arshift: shift((a, n) => a >> n),
        rol: shift((a, n) => (a << n) | (a >>> ((32 - n) & 31))),
        ror: shift((a, n) => (a >>> n) | (a << ((32 - n) & 31))),
        bswap(args) {
          const bits = bitArg(args, 0);
          return (bits >>> 24) | ((bits >>> 8) & 0xff00) | ((bits & 0xff00) << 8) | (bits << 24) | 0;
        },
        tohex: toHex,
      },
      true,
    ),
  );
}
