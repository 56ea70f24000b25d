/** `cinnabar doctor`: asks a server for its figures, and tells in plain words what is wrong and what is to be done. */
import { printer } from '../base/standard-output.ts';
import { narrow } from '../base/text.ts';
import { type Connection, ConnectionError, nameOf, openFully, type Target } from './connection.ts';
import { examine, type Facts, type Finding, type KeySample, pairsOf, summary } from './findings.ts';
import { programFor, targetOf, wholeNumber } from './options.ts';
import { fieldsOf, itemsOf, type Reply, textOf } from './reply.ts';

/** There is a risk. */
const RISK = 2;
const SLOW_ENTRIES = 128;
const SCAN_STEP = 500;
/** Columns of the text. */
const WIDTH = 100;
const INDENT = 9;

export async function runDoctor(args: readonly string[]): Promise<number> {
  const program = programFor(
    'cinnabar doctor',
    'Looks at a server that runs: memory, slow commands, saving, replication, clients, large keys. Reads only.',
  )
    .option('--samples <number>', 'so many keys are looked at for their size', '10000')
    .addHelpText('after', '\nLeaves with 0, with 2 where there is a risk, with 1 where the server could not be asked.');
  program.parse(args, { from: 'user' });
  const samples = wholeNumber('number of samples', program.opts<{ samples: string }>().samples, 1e8);
  const target = targetOf(program, process.env);
  const facts = await gather(target, samples);
  const findings = examine(facts);
  printer(1)(narrow(report(target, facts, findings)));
  return findings.some(({ level }) => level === 'risk') ? RISK : 0;
}

export async function gather(target: Target, most: number): Promise<Facts> {
  const connection = await openFully(target).catch((error: unknown) => {
    if (!(error instanceof ConnectionError)) throw error;
    throw new ConnectionError(`Could not connect to Redis at ${nameOf(target)}: ${error.message}`);
  });
  try {
    // What the user may not ask is missing in the report; all the rest is told.
    const ask = (...words: string[]): Promise<Reply> => connection.call(words);
    const info = infoOf(textOf(await ask('INFO', 'everything')));
    const config = fieldsOf(await ask('CONFIG', 'GET', '*'));
    const slow = itemsOf(await ask('SLOWLOG', 'GET', String(SLOW_ENTRIES)));
    const latency = itemsOf(await ask('LATENCY', 'LATEST'));
    const user = fieldsOf(await ask('ACL', 'GETUSER', 'default'));
    return {
      info,
      config: new Map([...config].map(([name, value]) => [name, textOf(value)])),
      slow: slow.map((entry) => {
        const [, , microseconds, words] = itemsOf(entry);
        return { name: textOf(itemsOf(words)[0]).toLowerCase(), microseconds: Number(textOf(microseconds)) };
      }),
      latency: latency.map((event) => {
        const [name, , , worst] = itemsOf(event);
        return { name: textOf(name), worst: Number(textOf(worst)) };
      }),
      samples: await sample(connection, info, most),
      open: itemsOf(user.get('flags')).some((flag) => textOf(flag) === 'nopass'),
    };
  } finally {
    connection.close();
  }
}

/** `name:value` a line. */
function infoOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** SCAN walks by the hash of the names, so the first keys are as good as any. */
async function sample(connection: Connection, info: ReadonlyMap<string, string>, most: number): Promise<KeySample[]> {
  const databases = [...info].flatMap(([name, text]) => {
    const keys = Number(pairsOf(text).get('keys'));
    return /^db\d+$/.test(name) && keys > 0 ? [{ database: Number(name.slice(2)), keys }] : [];
  });
  const all = databases.reduce((sum, { keys }) => sum + keys, 0);
  const samples: KeySample[] = [];
  for (const { database, keys } of databases) {
    const wanted = Math.ceil((most * keys) / all);
    if ((await connection.call(['SELECT', String(database)])).kind === 'error') continue;
    samples.push(...(await sampleDatabase(connection, database, wanted)));
  }
  return samples;
}

async function sampleDatabase(connection: Connection, database: number, wanted: number): Promise<KeySample[]> {
  const samples: KeySample[] = [];
  for (let cursor = '', done = 0; cursor !== '0' && done < wanted; ) {
    const [next, found] = itemsOf(await connection.call(['SCAN', cursor || '0', 'COUNT', String(SCAN_STEP)]));
    // Refused: there is no cursor.
    cursor = textOf(next) || '0';
    const keys = itemsOf(found)
      .map(textOf)
      .slice(0, wanted - done);
    done += keys.length;
    const sizes = await Promise.all(keys.map((key) => connection.call(['MEMORY', 'USAGE', key])));
    const types = await Promise.all(keys.map((key) => connection.call(['TYPE', key])));
    // A key that is gone by now has no size.
    keys.forEach((key, i) => {
      if (sizes[i].kind !== 'integer') return;
      samples.push({ database, key, type: textOf(types[i]), bytes: Number(textOf(sizes[i])) });
    });
  }
  return samples;
}

export function report(target: Target, facts: Facts, findings: readonly Finding[]): string {
  const counts = (['risk', 'warning', 'note'] as const).map((level) => {
    const count = findings.filter((finding) => finding.level === level).length;
    return `${count} ${level}${count === 1 ? '' : 's'}`;
  });
  const told = findings.map(({ level, title, says, advice }) => {
    const heading = `${level.toUpperCase().padEnd(INDENT)}${title}`;
    return [heading, ...wrapped(says), ...wrapped(`-> ${advice}`)].join('\n');
  });
  return `${nameOf(target)}: ${summary(facts)}\n\n${told.map((text) => `${text}\n\n`).join('')}${counts.join(', ')}\n`;
}

function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1];
    if (line !== '' && INDENT + line.length + word.length >= WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => ' '.repeat(INDENT) + line);
}
