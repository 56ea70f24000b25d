/** INFO: sections in Redis's order, each a list of `field:value` lines. */
import type { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import type { Engine } from '../../engine/engine.ts';
import { bytes, many, optional } from '../../engine/grammar.ts';
import { SECTIONS } from './info-sections.ts';
import { commandStats, errorStats, latencyStats } from './info-stats.ts';

/** Name as it is asked for, title, content. */
export type InfoSection = readonly [name: string, title: string, lines: (engine: Engine) => string];

export const ALL_SECTIONS: readonly InfoSection[] = [
  ...SECTIONS.slice(0, -2),
  ['commandstats', 'Commandstats', commandStats],
  ['errorstats', 'Errorstats', errorStats],
  ['latencystats', 'Latencystats', latencyStats],
  ...SECTIONS.slice(-2),
];
/** Shown only when asked for, by name or with 'all'. */
const ON_DEMAND = new Set(['commandstats', 'latencystats']);

/** The names of sections that the words ask for, of which there is one at least. */
function wanted(words: readonly Slice[], all: readonly InfoSection[]): ReadonlySet<string> {
  const names = new Set<string>();
  const usual = () => {
    for (const [name] of all) if (!ON_DEMAND.has(name)) names.add(name);
  };
  for (const word of words) {
    const name = word.keyword().toLowerCase();
    if (name === 'all' || name === 'everything') for (const [each] of all) names.add(each);
    else if (name === 'default') usual();
    else names.add(name);
  }
  return names;
}

export function infoText(engine: Engine, words: readonly Slice[], all = ALL_SECTIONS): string {
  const names = words.length === 0 ? null : wanted(words, all);
  let text = '';
  for (const [name, title, lines] of all)
    if (names === null ? !ON_DEMAND.has(name) : names.has(name))
      text += `${text === '' ? '' : '\r\n'}# ${title}\r\n${lines(engine)}`;
  return text;
}

/** INFO of a server that has these sections. */
export function infoCommand(sections: readonly InfoSection[]): Command {
  return command({
    name: 'INFO',
    group: 'server',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Tells what the server is and how it fares.',
    flags: ['loading', 'stale'],
    categories: ['dangerous'],
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    history: [['7.0.0', 'Takes several sections.']],
    args: [optional(many(bytes('section')))],
    run(c: Call) {
      const text = infoText(c.engine, c.args.slice(1, c.argc), sections);
      if (c.engine.server.mode === 'sentinel') c.reply.bulkText(text);
      else c.reply.verbatim(text);
    },
  });
}

export const info = infoCommand(ALL_SECTIONS);
