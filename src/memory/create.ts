/** Which memory image a server gets. */
import { verifies } from '../base/assert.ts';
import { Memory, type MemoryOptions } from './memory.ts';
import { VerifiedMemory } from './verified.ts';

/** A server's memory image, with a segment in reserve: the plain one, or with CINNABAR_VERIFY=1 (or =stacks) in the environment the debug allocator. */
export function createMemory(options: MemoryOptions = {}): Memory {
  if (!verifies()) return new Memory({ reserve: true, ...options });
  return new VerifiedMemory({ reserve: true, ...options, stacks: process.env['CINNABAR_VERIFY'] === 'stacks' });
}
