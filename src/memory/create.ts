import { Memory, type MemoryOptions } from './memory.ts';
import { VerifiedMemory } from './verified.ts';

/** A memory image: the plain one, or with CINNABAR_VERIFY=1 (or =stacks) in the environment the debug allocator. */
export function createMemory(options: MemoryOptions = {}): Memory {
  const verify = process.env['CINNABAR_VERIFY'] ?? '';
  if (verify === '' || verify === '0') return new Memory(options);
  return new VerifiedMemory({ ...options, stacks: verify === 'stacks' });
}
