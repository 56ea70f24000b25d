/**
 * Vitest's runner, with a way to leave what runs as skipped from anywhere: from a test as from a hook, at any depth.
 *
 * Vitest skips what throws its own pending error, and offers that in a test's context only. A hook that leaves half way
 * has made nothing that its suite's afterAll could end, so those hooks are dropped with it.
 *
 * Each file runs in a working folder of its own: a server that names no `dir` writes its dump there, and the next one to
 * start would load it.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VitestTestRunner } from 'vitest/runners';
import { getHooks } from 'vitest/suite';
import { LEAVE } from './oracle.ts';
import { DRAWN } from './seed.ts';

type Suite = Parameters<VitestTestRunner['onBeforeRunSuite']>[0];
type Test = Parameters<VitestTestRunner['onBeforeRunTask']>[0];
type Context = Parameters<VitestTestRunner['extendTaskContext']>[0];
type Pending = new (message: string, task: { readonly id: string }, note: string) => Error;

interface Running {
  pending: Pending | null;
  suite: Suite | null;
  test: Test | null;
  /** Of the file that is collected, or whose tests run; a test's own are added after its file's. */
  seeds: number[];
}

/** One a worker: it runs one task at a time. */
const running: Running = { pending: null, suite: null, test: null, seeds: [] };

function leave(why: string): never {
  const { pending: Pending, suite, test } = running;
  const task = test ?? suite;
  if (Pending === null || task === null) throw new Error(why);
  if (test === null && suite !== null) getHooks(suite).afterAll.length = 0;
  throw new Pending(why, task, why);
}

export default class Runner extends VitestTestRunner {
  private readonly home = process.cwd();
  private folder = '';
  private seedsOfFile = 0;

  onBeforeCollect(): void {
    running.seeds = [];
    Object.assign(globalThis, { [DRAWN]: (seed: number) => running.seeds.push(seed) });
  }

  onBeforeRunFiles(): void {
    this.folder = mkdtempSync(join(tmpdir(), 'cinnabar-file-'));
    process.chdir(this.folder);
  }

  override onAfterRunFiles(): void {
    super.onAfterRunFiles();
    process.chdir(this.home);
    rmSync(this.folder, { recursive: true, force: true });
  }

  override extendTaskContext(context: Context): Context {
    if (running.pending === null) {
      try {
        context.skip();
      } catch (error) {
        running.pending = (error as Error).constructor as Pending;
      }
      Object.assign(context.task, { result: undefined });
      Object.assign(globalThis, { [LEAVE]: leave });
    }
    return super.extendTaskContext(context);
  }

  override async onBeforeRunSuite(suite: Suite): Promise<void> {
    running.suite = suite;
    running.test = null;
    await super.onBeforeRunSuite(suite);
  }

  override async onBeforeRunTask(test: Test): Promise<void> {
    running.test = test;
    this.seedsOfFile = running.seeds.length;
    await super.onBeforeRunTask(test);
  }

  override onAfterRunTask(test: Test): void {
    super.onAfterRunTask(test);
    if (test.result?.state === 'fail') this.explain(test);
    running.seeds.length = this.seedsOfFile;
    running.test = null;
  }

  /** Reports show a message or a stack, and the stack of a test that ran into its time limit lacks the message. */
  private explain(test: Test): void {
    const seeds = running.seeds.length > 0 ? `(seed ${running.seeds.join(', ')}) ` : '';
    for (const error of test.result?.errors ?? []) {
      const told = seeds + error.message;
      error.stack = error.stack?.replace('STACK_TRACE_ERROR', () => error.message).replace(error.message, () => told);
      error.message = told;
    }
  }
}
