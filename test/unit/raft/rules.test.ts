/** Plays the scripts of scripts/: each heading is a case, each line something that happens or (`>`) has to come of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Stage } from './stage.ts';

const FOLDER = join(import.meta.dirname, 'scripts');

function play(script: readonly string[]): void {
  const stage = new Stage();
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

for (const file of readdirSync(FOLDER).sort()) {
  const [title, ...cases] = readFileSync(join(FOLDER, file), 'utf8').split(/^## /m);
  describe(title.split('\n')[0].replace('# ', ''), () => {
    for (const each of cases) {
      const [name, ...lines] = each.split('\n').map((line) => line.trim());
      test(name, () => play(lines.filter((line) => line !== '')));
    }
  });
}
