/**
 * Names all that failed, with the first lines of each error, for whoever sees only the end of CI's output.
 *
 *   node .ci/failures.mjs FOLDER    a failed step leaves NAME in FOLDER/STEP.failed and its output in FOLDER/STEP.log;
 *                                   vitest's report, where the step has one, is FOLDER/STEP.json
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const TESTS_SHOWN = 20;
const ERROR_LINES = 4;
const LAST_LINES = 12;
const WIDTH = 200;

function withoutColours(text) {
  return text.replaceAll(/\x1b\[[0-9;]*m/g, '');
}

function lines(text) {
  return withoutColours(text)
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}

/** What failed by vitest's report: tests, and files that ended before their tests. */
function failuresOfReport(report) {
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative('.', name);
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (failed.length === 0) return status === 'failed' ? [{ title: file, error: message }] : [];
    return failed.map((test) => ({ title: `${file} > ${test.fullName}`, error: test.failureMessages.join('\n') }));
  });
}

function ofTests(file) {
  if (!existsSync(file)) return [];
  const failures = failuresOfReport(JSON.parse(readFileSync(file, 'utf8')));
  const shown = failures.slice(0, TESTS_SHOWN).flatMap(({ title, error }) => {
    const told = lines(error).filter((line) => !line.includes('node_modules'));
    return [`  ${title}`, ...told.slice(0, ERROR_LINES).map((line) => `      ${line}`)];
  });
  if (failures.length > TESTS_SHOWN) shown.push(`  ... and ${failures.length - TESTS_SHOWN} more`);
  return shown;
}

/** Units of the official suite below their record, each with the tests and exceptions that follow its line. */
function ofUnits(output) {
  const found = [];
  let inside = false;
  for (const line of output) {
    const detail = /^ {4}[-!.]/.test(line);
    if (!detail) inside = / BELOW THE RECORD/.test(line);
    if (inside) found.push(`  ${line}`);
  }
  return found;
}

function ofStep(folder, step) {
  const log = join(folder, `${step}.log`);
  const output = existsSync(log) ? lines(readFileSync(log, 'utf8')) : [];
  const named = [...ofTests(join(folder, `${step}.json`)), ...ofUnits(output)];
  if (named.length > 0) return named;
  // A run of vitest that was cut off has no report.
  const crossed = output.filter((line) => /^ *(×|FAIL) /.test(line)).slice(0, TESTS_SHOWN);
  return [...crossed, ...output.slice(-LAST_LINES)].map((line) => `  ${line}`);
}

const folder = process.argv[2];
const steps = readdirSync(folder)
  .filter((name) => name.endsWith('.failed'))
  .map((name) => name.slice(0, -'.failed'.length))
  .sort((a, b) => Number(a) - Number(b));
if (steps.length > 0) console.log('\n==== what failed');
for (const step of steps) {
  console.log(readFileSync(join(folder, `${step}.failed`), 'utf8').trimEnd());
  for (const line of ofStep(folder, step)) console.log(line.slice(0, WIDTH));
}
