/** oom-score-adj, which the official suite looks at in a forked child: ours saves in a thread, which has its process's score. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Pipeline } from '../support/pipeline.ts';
import { startCinnabar } from '../support/server-process.ts';

test.skipIf(process.platform !== 'linux')('the score is that of the role, also while a thread saves', async () => {
  const server = await startCinnabar();
  const client = new Pipeline(server.port);
  const score = (): number => Number(readFileSync(`/proc/${server.pid}/oom_score_adj`, 'latin1'));
  const base = score();
  const after = async (...commands: string[]): Promise<number> => {
    await client.send(commands.map((command) => command.split(' ').map((word) => word.replaceAll('_', ' '))));
    return score() - base;
  };
  try {
    expect(await after('CONFIG SET oom-score-adj-values 10_20_30', 'CONFIG SET oom-score-adj yes')).toBe(10);
    expect(await after('CONFIG SET oom-score-adj-values 15_20_30')).toBe(15);
    expect(await after('REPLICAOF localhost 1')).toBe(20);
    expect(await after('REPLICAOF NO ONE')).toBe(15);
    expect(await after('SET key value', 'CONFIG SET rdb-key-save-delay 1000000', 'BGSAVE')).toBe(15);
  } finally {
    client.close();
    await server.stop();
  }
});
