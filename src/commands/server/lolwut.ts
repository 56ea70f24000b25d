/** LOLWUT: a crystal that grows differently each time, and the version; that alone in place of versions that draw nothing. */
import type { Random } from '../../base/random.ts';
import { isWord } from '../../base/slice.ts';
import { narrow } from '../../base/text.ts';
import { command } from '../../engine/command.ts';
import { after, integer, optional } from '../../engine/grammar.ts';

const WIDTH = 40;
const HEIGHT = 16;
/** Versions of Redis that have a drawing. */
const DRAWING = [5, 6];
const SHADES = [' ', '░', '▒', '▓', '█'];

interface Seed {
  readonly x: number;
  readonly y: number;
  readonly shade: number;
}

/** Facets: every point takes the shade of the seed that is nearest to it, within the outline of a gem. */
function crystal(random: Random, width: number, height: number): string {
  const seeds: readonly Seed[] = Array.from({ length: 9 }, () => ({
    x: random.below(width),
    y: random.below(height),
    shade: 1 + random.below(SHADES.length - 1),
  }));
  const rows: string[] = [];
  for (let y = 0; y < height; y++) {
    let row = '';
    for (let x = 0; x < width; x++) {
      const inside = Math.abs(x - width / 2) / (width / 2) + Math.abs(y - height / 2) / (height / 2) < 1;
      row += inside ? SHADES[nearest(seeds, x, y).shade] : ' ';
    }
    rows.push(row.trimEnd());
  }
  return rows.join('\n');
}

function nearest(seeds: readonly Seed[], x: number, y: number): Seed {
  let best = seeds[0];
  let least = Number.POSITIVE_INFINITY;
  for (const seed of seeds) {
    const distance = (seed.x - x) ** 2 + 4 * (seed.y - y) ** 2;
    if (distance >= least) continue;
    best = seed;
    least = distance;
  }
  return best;
}

export const lolwut = command({
  name: 'LOLWUT',
  group: 'server',
  since: '5.0.0',
  complexity: 'O(1)',
  summary: 'Draws something, and tells the version.',
  flags: ['readonly', 'fast'],
  args: [optional(after('VERSION', integer('version')))],
  run(c) {
    let at = 1;
    const told = `Redis ver. ${c.engine.server.version.text}\n`;
    if (c.argc >= 3 && isWord(c.arg(1), 'VERSION')) {
      const version = c.integer(2);
      if (version === undefined) return;
      if (!DRAWING.includes(version)) {
        c.reply.verbatim(told);
        return;
      }
      at = 3;
    }
    const sizes: number[] = [];
    for (; at < c.argc; at++) {
      const size = c.integer(at);
      if (size === undefined) return;
      sizes.push(Math.max(4, Math.min(size, 120)));
    }
    const art = crystal(c.random, sizes[0] ?? WIDTH, Math.min(sizes[1] ?? HEIGHT, 60));
    const text = `${art}\n\nCinnabar, grown from ${c.engine.keyspaces.databases.length} databases. ${told}`;
    c.reply.verbatim(narrow(text));
  },
});
