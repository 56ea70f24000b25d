/** All settings, in the order of redis.conf.example, and the object from which the server reads them. */
import type { GivenOf, Option, SettingsOf } from './option.ts';
import { consolePage } from './options/console.ts';
import { encodings, keyspace } from './options/data.ts';
import { general } from './options/general.ts';
import { network } from './options/network.ts';
import { appendOnly, snapshots } from './options/persistence.ts';
import { security } from './options/security.ts';
import { cluster, raft, replication, scripting } from './options/servers.ts';
import { tls } from './options/tls.ts';

const ALL = [
  ...network,
  ...general,
  ...security,
  ...keyspace,
  ...encodings,
  ...snapshots,
  ...appendOnly,
  ...replication,
  ...cluster,
  ...raft,
  ...tls,
  ...scripting,
  ...consolePage,
] as const;

export const OPTIONS: readonly Option[] = ALL;

/**
 * The present values, by names in camel case. One plain object a server, written only by Config; readers keep the object
 * and not its values.
 */
export type Settings = SettingsOf<typeof ALL>;

/** Settings as who embeds a server gives them: `{ maxmemory: '100mb', appendonly: true }`. */
export type GivenSettings = GivenOf<typeof ALL>;

/** The names under which a listener can ask to be told: those of the options, without aliases. */
export type OptionName = (typeof ALL)[number]['name'];

export const GROUPS: readonly { readonly title: string; readonly options: readonly Option[] }[] = [
  { title: 'Network', options: network },
  { title: 'The process, its log and its commands', options: general },
  { title: 'Security', options: security },
  { title: 'Memory, eviction and expiry', options: keyspace },
  { title: 'Encodings of small values', options: encodings },
  { title: 'Snapshots', options: snapshots },
  { title: 'The append-only file', options: appendOnly },
  { title: 'Replication', options: replication },
  { title: 'Cluster', options: cluster },
  { title: 'Groups of Raft', options: raft },
  { title: 'TLS', options: tls },
  { title: 'Scripting', options: scripting },
  { title: 'The console', options: consolePage },
];
