/** Settings that hot paths read, kept in plain numbers that follow CONFIG SET. */
import type { Config } from '../config/config.ts';
import type { ValueLimits } from '../engine/accessors.ts';
import type { UsagePolicy } from '../keyspace/usage.ts';
import { HashLimits } from '../values/hash.ts';
import { ListLimits } from '../values/list.ts';
import { SetLimits } from '../values/set.ts';
import { StreamLimits } from '../values/stream.ts';
import { ZsetLimits } from '../values/zset.ts';

export interface Limits extends ValueLimits {
  readonly usage: UsagePolicy;
}

export function followLimits(config: Config): Limits {
  const list = new ListLimits();
  const set = new SetLimits();
  const hash = new HashLimits();
  const zset = new ZsetLimits();
  const stream = new StreamLimits();
  const usage: UsagePolicy = { lfu: false, logFactor: 10, decayMinutes: 1 };
  config.follow(['list-max-listpack-size', 'list-compress-depth'], (s) => {
    list.fill = s.listMaxListpackSize;
    list.compressDepth = s.listCompressDepth;
  });
  config.follow('set-max-intset-entries', (s) => {
    set.intsetEntries = s.setMaxIntsetEntries;
  });
  config.follow(['hash-max-listpack-entries', 'hash-max-listpack-value'], (s) => {
    hash.listpackEntries = s.hashMaxListpackEntries;
    hash.listpackValue = s.hashMaxListpackValue;
  });
  config.follow(['zset-max-listpack-entries', 'zset-max-listpack-value'], (s) => {
    zset.listpackEntries = s.zsetMaxListpackEntries;
    zset.listpackValue = s.zsetMaxListpackValue;
  });
  config.follow(['stream-node-max-bytes', 'stream-node-max-entries'], (s) => {
    stream.nodeBytes = s.streamNodeMaxBytes;
    stream.nodeEntries = s.streamNodeMaxEntries;
  });
  config.follow(['maxmemory-policy', 'lfu-log-factor', 'lfu-decay-time'], (s) => {
    usage.lfu = s.maxmemoryPolicy.includes('lfu');
    usage.logFactor = s.lfuLogFactor;
    usage.decayMinutes = s.lfuDecayTime;
  });
  return { list, set, hash, zset, stream, usage };
}
