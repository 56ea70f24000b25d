/** The report's last line where programs are missing: how many tests were left out for it. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { hasProgram, type OracleProgram } from './oracle.ts';

/** Whoever misses one of these says so test by test. */
const OTHERS: readonly OracleProgram[] = ['prometheus-redis-exporter', 'chromium', 'openssl', 'flock'];

function testsOf(module: TestModule): TestCase[] {
  return [...module.children.allTests('skipped')];
}

function noteOf(test: TestCase): string {
  const result = test.result();
  return result.state === 'skipped' ? (result.note ?? '') : '';
}

export class LeftOut implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const all = modules.flatMap(testsOf);
    const counts = new Map<string, number>();
    for (const program of OTHERS)
      counts.set(program, all.filter((test) => noteOf(test).startsWith(`${program} `)).length);
    const rest = all.length - [...counts.values()].reduce((sum, count) => sum + count, 0);
    if (!hasProgram('redis-server')) counts.set('redis-server', rest);
    const missing = [...counts].filter(([, count]) => count > 0).map(([program, count]) => `${count} for ${program}`);
    if (missing.length > 0) process.stdout.write(`Left out, as programs are not installed: ${missing.join(', ')}\n`);
  }
}
