/**
 * The values that random commands are made of: few enough that commands meet each other's keys and members, and with the
 * edges at which an implementation in JavaScript goes wrong.
 */
export const KINDS = ['string', 'list', 'set', 'sorted-set', 'hash', 'bitmap', 'hyperloglog', 'geo'] as const;

const PREFIX: Readonly<Record<string, string>> = {
  string: 's',
  list: 'l',
  set: 't',
  'sorted-set': 'z',
  hash: 'h',
  bitmap: 'b',
  hyperloglog: 'p',
  geo: 'g',
};

/** Keys of each kind of value; `mixed` ones are used by all kinds. */
export function keysOf(kind: string): string[] {
  const prefix = PREFIX[kind] ?? 'm';
  return [1, 2, 3].map((n) => prefix + n);
}

/** Sorted sets whose scores are all 0. */
export const LEX_KEYS = ['x1', 'x2', 'x3'];

export const ODD_KEYS = ['', '\x00\xff', '__proto__', 'k'.repeat(200), 'nosuchkey', 'w_1', 'w_a'];

export const SMALL_INTEGERS = ['0', '1', '2', '3', '4', '5', '7', '10', '-1', '-2', '-3', '-5', '-10'];

export const EDGE_INTEGERS = [
  '127',
  '128',
  '-128',
  '-129',
  '255',
  '32767',
  '32768',
  '-32768',
  '-32769',
  '2147483647',
  '2147483648',
  '-2147483648',
  '-2147483649',
  '4294967295',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '9223372036854775806',
  '-9223372036854775808',
  '-9223372036854775807',
  '9223372036854775808',
  '-9223372036854775809',
  '18446744073709551615',
  '18446744073709551616',
];

export const NOT_INTEGERS = ['', ' 1', '1 ', '+1', '01', '-0', '0x10', '1.0', '1e3', 'abc', '-', '--1', '1\x00', 'nan'];

/** Nothing that under- or overflows: that leaves an error number behind, at which Redis's SORT then fails. */
export const DOUBLES = [
  '0',
  '1',
  '-1',
  '1.5',
  '-1.5',
  '2',
  '3',
  '0.1',
  '0.2',
  '0.3',
  '3.14159265358979',
  '1e10',
  '1e17',
  '123456789.123456789',
  '1e-7',
  '-2.5e-10',
  '17976931348623157e292',
  '-1.7976931348623157e308',
  '9007199254740993',
  '1e21',
  '100000000000000000000',
  'inf',
  '-inf',
  '+inf',
  'infinity',
];

export const NOT_DOUBLES = [
  '',
  'nan',
  'NaN',
  '-nan',
  'abc',
  ' 1',
  '1 ',
  '1e',
  '0x10',
  '0x1p3',
  '1,5',
  '1.5.2',
  '.',
  '1\x00',
];

export const WORDS = [
  'a',
  'b',
  'c',
  'd',
  'e',
  'f',
  'foo',
  'bar',
  'Foo',
  '1',
  '2',
  '3',
  '10',
  '-7',
  '100',
  '1.5',
  '0',
  '',
  'hello world',
  '\x00',
  '\xff\xfe\x80',
  'a\r\nb',
  'w_1',
];

export const LONG_WORDS = [
  'x'.repeat(44),
  'y'.repeat(45),
  'z'.repeat(64),
  'v'.repeat(65),
  '1'.repeat(64),
  'q'.repeat(300),
];

export const LEX_BOUNDS = [
  '-',
  '+',
  '-',
  '+',
  '[a',
  '(a',
  '[c',
  '(c',
  '[f',
  '(b',
  '[b',
  '(',
  '[',
  'a',
  '[hello',
  '(\xff',
  '+a',
];

export const SCORE_BOUNDS = [
  '-inf',
  '+inf',
  'inf',
  '0',
  '1',
  '(1',
  '2',
  '(2',
  '3.5',
  '(-inf',
  '(inf',
  '-1',
  '10',
  '(',
  'nan',
  'x',
];

export const PATTERNS = [
  '*',
  's*',
  '?1',
  '[a-c]*',
  '[^a]*',
  'h[1-2]',
  'a\\*',
  '',
  'nosuch*',
  '*\x00*',
  '**1',
  '[',
  '[a-',
  '\\',
  '*a*b*c*',
];

export const SORT_PATTERNS = ['nosort', '#', 'w_*', 's*', 'h1->*', 'h*->a', '*', 'nosuch_*', '*->', ''];

/** Lifetimes that either end at once or not within a run: what ends in between would be a race. */
export const LIFETIMES = ['100000', '2147483648', '0', '-1', '-100', '9223372036854775807', '9223372036854775', 'x'];

export const FIELD_TYPES = [
  'u1',
  'u4',
  'u8',
  'u13',
  'u32',
  'u48',
  'u63',
  'i1',
  'i8',
  'i16',
  'i33',
  'i49',
  'i64',
  'u64',
  'i65',
  'x8',
];

export const BIT_OFFSETS = ['0', '1', '3', '7', '8', '15', '31', '64', '100', '1000', '1023'];

export const FIELD_OFFSETS = ['0', '1', '3', '7', '8', '40', '100', '#0', '#1', '#3', '#-1', '#', '-1'];

export const BIT_OPERATIONS = ['AND', 'OR', 'XOR', 'NOT', 'and', 'NAND'];

export const HLL_DEBUGGING = ['GETREG', 'DECODE', 'ENCODING', 'TODENSE', 'encoding', 'NOPE'];

/** Few enough that members share cells; the corners of the map, and what lies beyond it. */
export const LONGITUDES = [
  '13.361389',
  '13.4',
  '15.087269',
  '0',
  '-0.00001',
  '180',
  '-180',
  '179.9999',
  '-179.9999',
  '120.5',
  '181',
];

export const LATITUDES = [
  '38.115556',
  '38.1',
  '37.502669',
  '0',
  '-0.00001',
  '85.05112878',
  '-85.05112878',
  '84.9',
  '67',
  '-70.5',
  '86',
];

export const RADII = ['0', '1', '100', '200.5', '1000', '5000', '6000', '20000', '1e6', '4e7', 'inf', '-1'];
