/** The report's last lines where programs are missing: how many tests were left out for it. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { hasProgram, type OracleProgram } from './oracle.ts';

/** Whoever misses one of these says so test by test. */
const OTHERS: readonly OracleProgram[] = ['prometheus-redis-exporter', 'chromium', 'openssl'];

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
    let rest = all.length;
    for (const program of OTHERS) {
      const count = all.filter((test) => noteOf(test).startsWith(`${program} `)).length;
      rest -= count;
      if (count > 0) process.stdout.write(`${count} tests were left out: ${program} is not installed\n`);
    }
    if (rest > 0 && !hasProgram('redis-server'))
      process.stdout.write(`${rest} tests that compare with redis-server were left out: it is not installed\n`);
  }
}
