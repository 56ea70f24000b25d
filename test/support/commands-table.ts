/**
 * Writes README.md's table of commands, between its markers, from what the built server says about itself; with
 * redis-server on the machine, the commands of Redis 7.0 that are missing here are named too.
 *
 *   npm run readme [-- --check]     --check only compares, and exits with 1 when the table is out of date
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Redis } from 'ioredis';
import { type ServerProcess, startCinnabar, startRedis } from './server-process.ts';

const README = resolve(import.meta.dirname, '../../README.md');
const BEGIN = '<!-- commands:begin -->';
const END = '<!-- commands:end -->';

/** Command names by group, from COMMAND DOCS; a container's subcommands stand as `CLIENT ID`. */
async function commandsByGroup(server: ServerProcess): Promise<Map<string, Set<string>>> {
  const client = new Redis(server.port, '127.0.0.1');
  const groups = new Map<string, Set<string>>();
  const add = (docs: unknown[]): void => {
    for (let i = 0; i < docs.length; i += 2) {
      const fields = docs[i + 1] as unknown[];
      const field = (name: string): unknown => {
        const index = fields.findIndex((value, at) => at % 2 === 0 && value === name);
        return index < 0 ? undefined : fields[index + 1];
      };
      const name = String(docs[i]).replace('|', ' ').toUpperCase();
      const group = String(field('group') ?? 'other');
      groups.set(group, (groups.get(group) ?? new Set()).add(name));
      const subcommands = field('subcommands');
      if (Array.isArray(subcommands)) add(subcommands);
    }
  };
  try {
    add((await client.call('COMMAND', 'DOCS')) as unknown[]);
  } finally {
    client.disconnect();
  }
  return groups;
}

async function ask(starting: Promise<ServerProcess>): Promise<Map<string, Set<string>>> {
  const server = await starting;
  try {
    return await commandsByGroup(server);
  } finally {
    await server.stop();
  }
}

function names(list: string[]): string {
  return list.map((name) => `\`${name}\``).join(' ');
}

function table(ours: Map<string, Set<string>>, theirs: Map<string, Set<string>>): string {
  const known = new Set([...ours.values()].flatMap((group) => [...group]));
  const rows = [...new Set([...theirs.keys(), ...ours.keys()])].sort().map((group) => {
    const have = [...(ours.get(group) ?? [])].sort();
    const missing = [...(theirs.get(group) ?? [])].filter((name) => !known.has(name)).sort();
    return `| ${group} | ${names(have) || '-'} | ${names(missing) || '-'} |`;
  });
  return ['| Group | Commands | Of Redis 7.0, not yet |', '|---|---|---|', ...rows].join('\n');
}

const ours = await ask(startCinnabar());
const haveRedis = spawnSync('redis-server', ['--version']).status === 0;
const theirs = haveRedis ? await ask(startRedis()) : new Map<string, Set<string>>();
const text = readFileSync(README, 'utf8');
const [before, after] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
const updated = `${text.slice(0, before)}\n\n${table(ours, theirs)}\n\n${text.slice(after)}`;
if (process.argv.includes('--check')) process.exitCode = updated === text ? 0 : 1;
else writeFileSync(README, updated);
