/** The text of redis.conf.example: every setting with its usual value, under a comment. */
import type { Option } from '../../src/config/option.ts';
import { GROUPS } from '../../src/config/settings.ts';

const WIDTH = 100;

const HEAD = `# The settings of Cinnabar, with the names, units and defaults of Redis 7.0.15.
#
# Start the server with this file as its first argument: cinnabar /path/to/redis.conf
# Every line can be given on the command line as well: --port 7000 --maxmemory 100mb
#
# Amounts of memory take units, in any case: 1k is 1000 bytes, 1kb is 1024; so with m, mb, g, gb.
# A value with spaces is put into double quotes; inside them \\n, \\r, \\t, \\" and \\xHH are understood.
# Further files are read in place: include /etc/cinnabar/*.conf
# A command gets another name, or none: rename-command FLUSHALL ""
`;

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** A setting that is nothing when it is empty stands as a comment. */
function lines({ name, kind }: Option): string {
  if (name === 'dir') return 'dir ./';
  const written = kind.rewrite(name, kind.initial).map((line) => line.text);
  if (written.length > 0) return written.join('\n');
  return kind.text(kind.initial) === '' ? `# ${name} ""` : `${name} ${kind.text(kind.initial)}`;
}

function entry(option: Option): string {
  const aliases = option.aliases.length > 0 ? ` Also known as ${option.aliases.join(', ')}.` : '';
  return `${wrapped(option.about + aliases)}\n${lines(option)}\n`;
}

export function exampleText(): string {
  const groups = GROUPS.map(({ title, options }) => {
    const shown = options.filter((option) => !option.hidden);
    return shown.length === 0 ? '' : `\n#### ${title} ####\n\n${shown.map(entry).join('\n')}`;
  });
  return HEAD + groups.join('');
}
