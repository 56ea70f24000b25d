/**
 * What the page and the server say to each other, in JSON. Bytes are strings of one character a byte, so that nothing of them
 * is lost.
 *
 *   POST /login   Credentials                  204, and a cookie; 401, 413
 *   POST /logout                               204; what the login has opened ends
 *   POST /run     RunRequest                   RunReply; 401, 403, 409 (the page is not known), 413, 429, 503
 *   GET  /events  server-sent events: 'hello' Hello, 'sample' Sample, 'push' Pushes, 'bye' (the reason, as text)
 *   GET  /metrics Prometheus's text
 */

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Each lane of a page is a session of its own: what waits or is half done in one leaves the others alone. */
export const LANES = ['shell', 'browse', 'watch'] as const;
export type Lane = (typeof LANES)[number];

export interface RunRequest {
  /** The page's number, of its `hello`; without one the commands have a session of their own, which ends with them. */
  readonly page?: string;
  readonly lane?: Lane;
  readonly commands: readonly (readonly string[])[];
}

export interface RunReply {
  /** One for each command; an error is a reply as others are. */
  readonly replies: readonly WireReply[];
}

/** A reply: bulk strings are strings; what JSON has no form for has a name. */
export type WireReply =
  | string
  | number
  | boolean
  | null
  | readonly WireReply[]
  | { readonly status: string }
  | { readonly error: string }
  /** A whole number beyond what a number holds. */
  | { readonly integer: string }
  /** Infinities and no number, of RESP3. */
  | { readonly double: string }
  /** Keys and values in turn. */
  | { readonly map: readonly WireReply[] }
  | { readonly set: readonly WireReply[] }
  /** A string that is too long to be shown whole. */
  | { readonly beginning: string; readonly length: number }
  /** In place of elements for which there was no room. */
  | { readonly omitted: number };

export interface Hello {
  readonly page: string;
  readonly user: string;
  /** Whether a login has brought the user in, which he can end. */
  readonly login: boolean;
  readonly mode: 'standalone' | 'cluster' | 'sentinel';
  /** Whether it is a member of a group of Raft. */
  readonly raft: boolean;
  /** Whether the user may see figures: INFO is permitted. */
  readonly figures: boolean;
  /** Cinnabar's own. */
  readonly version: string;
  /** The latest figures, oldest first. */
  readonly samples: readonly Sample[];
}

/** What the server has sent to sessions of the page unasked. */
export interface Pushes {
  readonly pushes: readonly { readonly lane: Lane; readonly reply: WireReply }[];
  /** How many more there were than can be shown. */
  readonly skipped: number;
}

/** Figures of one moment; rates are since the sample before, a second. */
export interface Sample {
  /** Wall time, ms. */
  readonly at: number;
  readonly uptime: number;
  readonly operations: number;
  readonly hits: number;
  readonly misses: number;
  readonly expired: number;
  readonly evicted: number;
  readonly errors: number;
  /** Bytes a second. */
  readonly input: number;
  readonly output: number;
  /** Percent of one processor. */
  readonly processor: number;
  readonly clients: { readonly connected: number; readonly blocked: number; readonly replicas: number };
  readonly memory: MemoryKinds;
  readonly keys: number;
  readonly expiring: number;
  /** Of the commands since the sample before, in microseconds; null where there were none, or times are not taken. */
  readonly latency: Latencies | null;
  /** The busiest, first those that took most time. */
  readonly commands: readonly CommandRate[];
}

/** Bytes. The first five add up to `used`. */
export interface MemoryKinds {
  readonly data: number;
  /** Tables and other things that belong to the keyspace as a whole, and scripts. */
  readonly tables: number;
  readonly clients: number;
  /** For replicas and for the append-only file. */
  readonly buffers: number;
  /** What it used when it began. */
  readonly server: number;
  readonly used: number;
  readonly resident: number;
  readonly peak: number;
  /** 0 is no limit. */
  readonly limit: number;
}

export interface Latencies {
  readonly median: number;
  readonly p99: number;
  readonly p999: number;
}

export interface CommandRate {
  readonly name: string;
  /** A second. */
  readonly calls: number;
  /** Microseconds a second. */
  readonly time: number;
}
