/** The suites at their full figures: `npm run test:reliability -- NAME ... [--count N] [--seed N]`; without a name, all. */
import { startRedis } from '../support/server-process.ts';
import { memoryAbuse } from './abuse.ts';
import { wideAudience } from './audience.ts';
import { churn, idleAndActive, pastTheLimit } from './connections.ts';
import { sigtermUnderLoad } from './sigterm.ts';
import { badHandshakes } from './tls.ts';

function option(name: string, usual: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : Number(process.argv[at + 1]);
}

const seed = option('seed', Date.now() % 1_000_000);

const SUITES: Readonly<Record<string, () => Promise<unknown>>> = {
  tls: () => badHandshakes(option('count', 100_000), seed),
  idle: async () => ({
    redis: await idleAndActive(option('count', 10_000), option('active', 1000), startRedis),
    ours: await idleAndActive(option('count', 10_000), option('active', 1000)),
  }),
  maxclients: () => pastTheLimit(option('count', 1000), 100),
  churn: () => churn(option('count', 1_000_000), seed),
  audience: () => wideAudience(option('count', 10_000), 20),
  abuse: () => memoryAbuse(option('count', 100)),
  sigterm: () => sigtermUnderLoad(option('count', 100), seed),
};

const names = process.argv.slice(2).filter((word) => Object.hasOwn(SUITES, word));
for (const name of names.length > 0 ? names : Object.keys(SUITES)) {
  console.log(`${name}, seed ${seed}`);
  const start = performance.now();
  console.log(await SUITES[name](), `${((performance.now() - start) / 1000).toFixed(1)} s`);
}
