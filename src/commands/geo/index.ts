/** The geo commands. */
import type { Call } from '../../engine/call.ts';
import { type Command, command, type KeySpec } from '../../engine/command.ts';
import {
  type Argument,
  after,
  block,
  bytes,
  double,
  integer,
  key,
  oneOf,
  optional,
  token,
} from '../../engine/grammar.ts';
import { geoadd } from './add.ts';
import { unitArgument } from './common.ts';
import { geodist, geohash, geopos } from './read.ts';
import { BY_MEMBER, BY_OPTION, BY_POSITION, type Form, runSearch } from './search.ts';

const COST = 'O(N+log(M)) with N members in the cells around the area and M within it.';

const ANY_ADDED = ['6.2.0', 'Added the `ANY` option for `COUNT`.'] as const;
const UPPER_CASE_ADDED = ['7.0.0', 'Added support for uppercase unit names.'] as const;

const order = optional(oneOf('order', token('asc', 'ASC'), token('desc', 'DESC')));
const countArgument = (any: Argument): Argument =>
  optional(block('count', after('COUNT', integer('count')), optional(any)));
const count = countArgument(token('any', 'ANY'));
/** As the commands around a position have it, whose ANY came later than they. */
const countSince = countArgument(token('any', 'ANY', { since: '6.2.0' }));
const details: readonly Argument[] = [
  optional(token('withcoord', 'WITHCOORD')),
  optional(token('withdist', 'WITHDIST')),
  optional(token('withhash', 'WITHHASH')),
];
const area: readonly Argument[] = [
  oneOf(
    'from',
    after('FROMMEMBER', bytes('member')),
    after('FROMLONLAT', block('longitude_latitude', double('longitude'), double('latitude'))),
  ),
  oneOf(
    'by',
    block('circle', after('BYRADIUS', double('radius')), unitArgument),
    block('box', after('BYBOX', double('width')), double('height'), unitArgument),
  ),
];
const destinations: readonly Argument[] = [
  optional(after('STORE', key('key', 'OW UPDATE'))),
  optional(after('STOREDIST', key('key', 'OW UPDATE'))),
];

/** The searched key, and those that STORE and STOREDIST name somewhere behind the fixed arguments. */
function keysWithStore(startFrom: number): KeySpec[] {
  const one = { type: 'range', lastKey: 0, step: 1, limit: 0 } as const;
  const stored = (keyword: string): KeySpec => ({
    access: 'OW UPDATE',
    begin: { type: 'keyword', keyword, startFrom },
    find: one,
  });
  return [{ access: 'RO ACCESS', begin: { type: 'index', index: 1 }, find: one }, stored('STORE'), stored('STOREDIST')];
}

const searchForm: Form = { origin: BY_OPTION, source: 1, options: 2, mayStore: false };
const searchStoreForm: Form = { origin: BY_OPTION, source: 2, options: 3, mayStore: true };
const positionForm: Form = { origin: BY_POSITION, source: 1, options: 6, mayStore: true };
const memberForm: Form = { origin: BY_MEMBER, source: 1, options: 5, mayStore: true };

const geosearch = command({
  name: 'GEOSEARCH',
  group: 'geo',
  since: '6.2.0',
  complexity: COST,
  summary: 'Finds the members within a circle or a box.',
  flags: ['readonly'],
  history: [UPPER_CASE_ADDED],
  args: [key('key', 'RO ACCESS'), ...area, order, count, ...details],
  run(c) {
    runSearch(c, searchForm);
  },
});

const geosearchstore = command({
  name: 'GEOSEARCHSTORE',
  group: 'geo',
  since: '6.2.0',
  complexity: COST,
  summary: 'Stores the members within a circle or a box, or their distances, under another key.',
  flags: ['write', 'denyoom'],
  history: [UPPER_CASE_ADDED],
  args: [
    key('destination', 'OW UPDATE'),
    key('source', 'RO ACCESS'),
    ...area,
    order,
    count,
    optional(token('storedist', 'STOREDIST')),
  ],
  run(c) {
    runSearch(c, searchStoreForm, 1);
  },
});

const beginning = {
  position: [key('key', 'RO ACCESS'), double('longitude'), double('latitude'), double('radius'), unitArgument],
  member: [key('key', 'RO ACCESS'), bytes('member'), double('radius'), unitArgument],
} as const;

interface Older {
  readonly name: string;
  readonly since: string;
  readonly summary: string;
  readonly replacedBy: string;
  readonly args: readonly Argument[];
  readonly history?: readonly (readonly [version: string, change: string])[];
  readonly run: (c: Call) => void;
}

/** The commands that GEOSEARCH and GEOSEARCHSTORE have replaced. */
function older(declared: Older, writes: boolean, keySpecs?: readonly KeySpec[]): Command {
  return command({
    ...declared,
    group: 'geo',
    complexity: COST,
    flags: writes ? ['write', 'denyoom'] : ['readonly'],
    deprecatedSince: '6.2.0',
    docFlags: ['deprecated'],
    args: [
      ...declared.args,
      ...details,
      declared.args === beginning.position ? countSince : count,
      order,
      ...(writes ? destinations : []),
    ],
    keySpecs,
  });
}

const georadius = older(
  {
    name: 'GEORADIUS',
    since: '3.2.0',
    summary: 'Finds the members within a circle around a position.',
    replacedBy: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument',
    args: beginning.position,
    history: [ANY_ADDED, UPPER_CASE_ADDED],
    run: (c) => runSearch(c, positionForm),
  },
  true,
  keysWithStore(6),
);

const georadiusRo = older(
  {
    name: 'GEORADIUS_RO',
    since: '3.2.10',
    summary: 'GEORADIUS without the options that store.',
    replacedBy: '`GEOSEARCH` with the `BYRADIUS` argument',
    args: beginning.position,
    history: [ANY_ADDED],
    run: (c) => runSearch(c, { ...positionForm, mayStore: false }),
  },
  false,
);

const georadiusbymember = older(
  {
    name: 'GEORADIUSBYMEMBER',
    since: '3.2.0',
    summary: 'Finds the members within a circle around a member.',
    replacedBy: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments',
    args: beginning.member,
    history: [UPPER_CASE_ADDED],
    run: (c) => runSearch(c, memberForm),
  },
  true,
  keysWithStore(5),
);

const georadiusbymemberRo = older(
  {
    name: 'GEORADIUSBYMEMBER_RO',
    since: '3.2.10',
    summary: 'GEORADIUSBYMEMBER without the options that store.',
    replacedBy: '`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments',
    args: beginning.member,
    run: (c) => runSearch(c, { ...memberForm, mayStore: false }),
  },
  false,
);

export const geoCommands: readonly Command[] = [
  geoadd,
  geodist,
  geohash,
  geopos,
  georadius,
  georadiusRo,
  georadiusbymember,
  georadiusbymemberRo,
  geosearch,
  geosearchstore,
];
