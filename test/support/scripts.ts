/** Plays scripts for machines of rules: each heading is a case, each line something that happens or (`>`) has to come of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Where a script is played: `perform` takes a line, `output` is what has come of those so far. */
export interface ScriptStage {
  readonly output: string[];
  perform(line: string): void;
}

function play(stage: ScriptStage, script: readonly string[]): void {
  for (const line of script) {
    if (line.startsWith('> ')) {
      expect(stage.output.shift(), `before ${stage.output.slice(0, 3).join(' | ')}`).toBe(line.slice(2));
      continue;
    }
    expect(stage.output, `before "${line}"`).toEqual([]);
    stage.perform(line);
  }
  expect(stage.output, 'at the end').toEqual([]);
}

/** A test for each case of each file of a folder, on a stage of its own. */
export function playScripts(folder: string, stageOf: () => ScriptStage): void {
  for (const file of readdirSync(folder).sort()) {
    const [title, ...cases] = readFileSync(join(folder, file), 'utf8').split(/^## /m);
    describe(title.split('\n')[0].replace('# ', ''), () => {
      for (const each of cases) {
        const [name, ...lines] = each.split('\n').map((line) => line.trim());
        test(name, () =>
          play(
            stageOf(),
            lines.filter((line) => line !== ''),
          ),
        );
      }
    });
  }
}
