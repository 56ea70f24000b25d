/** The packages whose declarations TypeScript does not find (redlock 5 leaves them out of its exports) or that have none. */
declare module 'redlock' {
  import type { EventEmitter } from 'node:events';
  import type { Redis } from 'ioredis';

  interface Settings {
    driftFactor: number;
    retryCount: number;
    retryDelay: number;
    retryJitter: number;
    automaticExtensionThreshold: number;
  }

  interface ExecutionStats {
    readonly membershipSize: number;
    readonly quorumSize: number;
    readonly votesFor: Set<Redis>;
    readonly votesAgainst: Map<Redis, Error>;
  }

  export interface Lock {
    readonly resources: string[];
    readonly value: string;
    readonly attempts: readonly Promise<ExecutionStats>[];
    expiration: number;
    release(): Promise<unknown>;
    extend(duration: number): Promise<Lock>;
  }

  export class ResourceLockedError extends Error {}
  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<ExecutionStats>[];
  }

  export default class Redlock extends EventEmitter {
    constructor(clients: Iterable<Redis>, settings?: Partial<Settings>);
    acquire(resources: string[], duration: number, settings?: Partial<Settings>): Promise<Lock>;
    using<T>(
      resources: string[],
      duration: number,
      settings: Partial<Settings>,
      routine: (signal: AbortSignal & { error?: Error }) => Promise<T>,
    ): Promise<T>;
    quit(): Promise<void>;
  }
}

declare module 'redlock-4' {
  import type { EventEmitter } from 'node:events';
  import type { Redis } from 'ioredis';

  interface Lock {
    readonly value: string;
    readonly expiration: number;
    unlock(): Promise<void>;
    extend(duration: number): Promise<Lock>;
  }

  class Redlock extends EventEmitter {
    static readonly LockError: new (
      ...args: unknown[]
    ) => Error;
    constructor(clients: Redis[], options?: { retryCount?: number; retryDelay?: number; retryJitter?: number });
    lock(resource: string | string[], duration: number): Promise<Lock>;
    unlock(lock: Lock): Promise<void>;
    quit(): Promise<unknown>;
  }

  export = Redlock;
}
