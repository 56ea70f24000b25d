/** The report's last line where programs of Redis are missing: how many tests were left out for it. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { hasProgram } from './oracle.ts';

function testsOf(module: TestModule): TestCase[] {
  return [...module.children.allTests('skipped')];
}

export class LeftOut implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = modules.flatMap(testsOf).length;
    if (count > 0 && !hasProgram('redis-server'))
      process.stdout.write(`${count} tests that compare with redis-server were left out: it is not installed\n`);
  }
}
