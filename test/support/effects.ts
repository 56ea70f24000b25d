/** Collects what a server propagates, one effect a text, its parts joined by spaces. */
import { type EffectSink, TO_AOF } from '../../src/engine/propagation.ts';
import { RespReader } from './resp.ts';

export class Effects implements EffectSink {
  readonly target: number;
  readonly seen: string[] = [];
  private readonly brackets: boolean;

  /** With `brackets` the beginning and the end of what belongs together are noted as well. */
  constructor({ brackets = false, target = TO_AOF } = {}) {
    this.brackets = brackets;
    this.target = target;
  }

  effect(_db: number, bytes: Uint8Array, from: number, to: number): void {
    const reader = new RespReader(bytes.subarray(from, to));
    const value = reader.value();
    if (!reader.done || typeof value !== 'object' || value === null || !('items' in value))
      throw new Error('no effect');
    this.seen.push(value.items.join(' '));
  }

  begin(): void {
    if (this.brackets) this.seen.push('(');
  }

  end(): void {
    if (this.brackets) this.seen.push(')');
  }
}
