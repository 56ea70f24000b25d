/** MEMORY DOCTOR: what may be wrong with the memory, in Redis's words; the ratios leave Node's own share out. */
import type { MemoryFigures } from './memory-figures.ts';

const MB = 1024 * 1024;

const EMPTY =
  "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to our programming as soon as I finished rebooting.\n";
const WELL =
  "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n";

const PEAK =
  ' * Peak memory: In the past this instance used more than 150% the memory that is currently using. The allocator is normally not able to release memory after a peak, so you can expect to see a big fragmentation ratio, however this is actually harmless and is only due to the memory peak, and if the Redis instance Resident Set Size (RSS) is currently bigger than expected, the memory will be used as soon as you fill the Redis instance with more data. If the memory peak was only occasional and you want to try to reclaim memory, please try the MEMORY PURGE command, otherwise the only other option is to shutdown and restart the instance.\n\n';
const TOTAL =
  ' * High total RSS: This instance has a memory fragmentation and RSS overhead greater than 1.4 (this means that the Resident Set Size of the Redis process is much larger than the sum of the logical allocations Redis performed). This problem is usually due either to a large peak memory (check if there is a peak memory entry above in the report) or may result from a workload that causes the allocator to fragment memory a lot. If the problem is a large peak memory, then there is no issue. Otherwise, make sure you are using the Jemalloc allocator and not the default libc malloc. Note: The currently used allocator is "cinnabar".\n\n';
const FRAGMENTATION =
  " * High allocator fragmentation: This instance has an allocator external fragmentation greater than 1.1. This problem is usually due either to a large peak memory (check if there is a peak memory entry above in the report) or may result from a workload that causes the allocator to fragment memory a lot. You can try enabling 'activedefrag' config option.\n\n";
const ALLOCATOR =
  ' * High allocator RSS overhead: This instance has an RSS memory overhead is greater than 1.1 (this means that the Resident Set Size of the allocator is much larger than the sum what the allocator actually holds). This problem is usually due to a large peak memory (check if there is a peak memory entry above in the report), you can try the MEMORY PURGE command to reclaim it.\n\n';
const PROCESS =
  ' * High process RSS overhead: This instance has non-allocator RSS memory overhead is greater than 1.1 (this means that the Resident Set Size of the Redis process is much larger than the RSS the allocator holds). This problem may be due to Lua scripts or Modules.\n\n';
const SCRIPTS =
  " * Many scripts: There seem to be many cached scripts in this instance (more than 1000). This may be because scripts are generated and `EVAL`ed, instead of being parameterized (with KEYS and ARGV), `SCRIPT LOAD`ed and `EVALSHA`ed. Unless `SCRIPT FLUSH` is called periodically, the scripts' caches may end up consuming most of your memory.\n\n";

const FEW_BYTES = 5 * MB;
const MANY_BYTES = 10 * MB;
const MANY_SCRIPTS = 1000;

export function memoryReport(f: MemoryFigures, scripts: number): string {
  if (f.used < FEW_BYTES) return EMPTY;
  const own = f.resident - f.runtime;
  const over = (a: number, b: number, ratio: number): boolean => a / b > ratio && a - b > MANY_BYTES;
  let issues = '';
  if (f.peak / f.used > 1.5) issues += PEAK;
  if (over(own, f.used, 1.4)) issues += TOTAL;
  if (over(f.active, f.used, 1.1)) issues += FRAGMENTATION;
  if (over(f.allocated, f.active, 1.1)) issues += ALLOCATOR;
  if (over(own, f.allocated, 1.1)) issues += PROCESS;
  if (scripts > MANY_SCRIPTS) issues += SCRIPTS;
  if (issues === '') return WELL;
  return `Sam, I detected a few issues in this Redis instance memory implants:\n\n${issues}I'm here to keep you safe, Sam. I want to help you.\n`;
}
