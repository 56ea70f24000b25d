/**
 * Where the effects of commands go: the AOF, the replication backlog, and whoever else wants every write in order.
 *
 * With no sink nothing is collected. An effect is the argument vector of a command that has the same result on a copy of
 * the data: the command as it came, or what it was rewritten to (SPOP to SREM, EXPIRE to PEXPIREAT).
 */
import type { Slice } from '../base/slice.ts';

export type EffectPart = Uint8Array;

export interface EffectSink {
  /** One effect on database `db`; several that belong together come between `begin` and `end`. */
  effect(db: number, parts: readonly EffectPart[]): void;
  begin(): void;
  end(): void;
}

export class Propagation {
  private readonly sinks: EffectSink[] = [];
  private pending: { db: number; parts: EffectPart[] }[] = [];

  /** Whether anybody listens; callers need not build effects otherwise. */
  get active(): boolean {
    return this.sinks.length > 0;
  }

  attach(sink: EffectSink): void {
    this.sinks.push(sink);
  }

  detach(sink: EffectSink): void {
    const index = this.sinks.indexOf(sink);
    if (index >= 0) this.sinks.splice(index, 1);
  }

  /** Adds an effect to the unit of work at hand. */
  add(db: number, parts: EffectPart[]): void {
    if (this.sinks.length > 0) this.pending.push({ db, parts });
  }

  /** Hands over the unit of work: one effect as it is, several as one transaction when `atomic`. */
  flush(atomic: boolean): void {
    if (this.pending.length === 0) return;
    const effects = this.pending;
    this.pending = [];
    const several = atomic && effects.length > 1;
    for (const sink of this.sinks) {
      if (several) sink.begin();
      for (const { db, parts } of effects) sink.effect(db, parts);
      if (several) sink.end();
    }
  }
}

/** Copies of the arguments, for keeping. */
export function copyParts(args: readonly Slice[], argc: number): EffectPart[] {
  const parts: EffectPart[] = [];
  for (let i = 0; i < argc; i++) parts.push(args[i].copy());
  return parts;
}
