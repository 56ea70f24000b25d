/** `cinnabar convert INPUT OUTPUT`: data from one format to another, record by record. */
import { Command, CommanderError } from 'commander';
import { OutOfMemory } from '../../memory/errors.ts';
import { JsonSource } from '../../persistence/records/read-json.ts';
import { RdbSource } from '../../persistence/records/read-rdb.ts';
import { type Bench, Desk, type KeyRecord, RecordError, type Sink } from '../../persistence/records/record.ts';
import { JsonSink } from '../../persistence/records/write-json.ts';
import { RdbSink } from '../../persistence/records/write-rdb.ts';
import { BrokenPipe, Input, Output } from './files.ts';
import { Progress } from './progress.ts';
import { AofSource } from './read-aof.ts';
import { AofSink } from './write-aof.ts';

const FORMATS = ['rdb', 'json', 'aof'] as const;
type Format = (typeof FORMATS)[number];

/** Endings of names, by format. */
const ENDINGS: ReadonlyMap<string, Format> = new Map([
  ['rdb', 'rdb'],
  ['json', 'json'],
  ['jsonl', 'json'],
  ['ndjson', 'json'],
  ['aof', 'aof'],
]);

const HELP = `
INPUT and OUTPUT are files; - is the standard input or output. The format of the input is told by its beginning, that of
the output by the ending of its name (.rdb, .json, .jsonl, .ndjson, .aof) or by --to.

  rdb   A snapshot; those of every version of Redis are read, version 10 (Redis 7.0) is written.
  json  A line of JSON for each record:
          {"type":"string","db":0,"key":"k","expireAt":1700000000000,"value":"v"}
          {"type":"list","db":0,"key":"k","value":["a","b"]}             also "set"
          {"type":"hash","db":0,"key":"k","value":[["field","value"]]}
          {"type":"zset","db":0,"key":"k","value":[["member",1.5]]}      also "inf", "-inf", "-0"
          {"type":"stream","db":0,"key":"k","value":{"lastId":"2-1","maxDeletedId":"0-0","entriesAdded":2,
            "entries":[["1-1",["field","value"]]],"groups":[{"name":"g","lastId":"1-1","entriesRead":1,
            "consumers":[{"name":"c","seen":1700000000000,"pending":[["1-1",1700000000000,1]]}]}]}}
          {"type":"function","source":"#!lua name=lib ..."}
          {"type":"aux","name":"redis-ver","value":"7.0.15"}
        Times are Unix times in milliseconds. "idle" (seconds) and "frequency" stand beside "expireAt" where they are known.
        Bytes that are UTF-8 are a JSON string, all others {"base64":"..."}; whole numbers beyond 2^53 are strings.
        Read are, besides: numbers as strings, hashes and sorted sets as objects by field and member, and streams
        without what can be left out (all but the entries, and of a group its name and lastId).
  aof   Commands that make the data, as an append-only file has them. What is read may also be the manifest of several
        files, or begin with a snapshot (then say --from aof).

A snapshot or JSON takes the memory of its largest value, however large it is; an append-only file that of all its data.
`;

interface Options {
  readonly from?: Format;
  readonly to?: Format;
  readonly force?: boolean;
}

function formatOf(text: string): Format {
  const format = FORMATS.find((known) => known === text);
  if (format === undefined) throw new RecordError(`there is no format '${text}': rdb, json or aof`);
  return format;
}

function formatOfName(name: string): Format {
  const format = ENDINGS.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase());
  if (format === undefined)
    throw new RecordError(`what ${name} is to be is not told by its name: say --to rdb, json or aof`);
  return format;
}

function formatOfBeginning(first: number): Format {
  const letter = String.fromCharCode(first);
  if (letter === 'R') return 'rdb';
  if (letter === '{') return 'json';
  // Of a command, a time, and the `file` of a manifest.
  if (letter === '*' || letter === '#' || letter === 'f') return 'aof';
  throw new RecordError('what the input is can not be told by its beginning: say --from rdb, json or aof');
}

/** Hands records on and counts the keys. */
class Counting implements Sink {
  keys = 0;
  private readonly sink: Sink;
  private readonly onKey: () => void;

  constructor(sink: Sink, onKey: () => void) {
    this.sink = sink;
    this.onKey = onKey;
    this.aux = (name, value) => sink.aux(name, value);
    this.library = (source) => sink.library(source);
    this.end = () => sink.end();
  }

  readonly aux: Sink['aux'];
  readonly library: Sink['library'];
  readonly end: Sink['end'];

  key(record: KeyRecord): void {
    this.sink.key(record);
    this.keys++;
    this.onKey();
  }
}

function sinkFor(format: Format, bench: Bench, output: Output): Sink {
  if (format === 'json') return new JsonSink(bench, (text) => output.text(text));
  if (format === 'rdb') return new RdbSink(bench, (bytes) => output.bytes(bytes));
  return new AofSink(bench, (bytes) => output.bytes(bytes));
}

/** What a conversion needs to know. */
interface Task {
  readonly input: Input;
  readonly output: Output;
  readonly name: string;
  readonly source: Format;
  readonly target: Format;
  readonly warn: (text: string) => void;
}

/** Converts record by record; returns the number of keys. */
function convertStream({ input, output, source, target, warn }: Task): number {
  const desk = new Desk();
  const progress = new Progress(input.size);
  const sink = new Counting(sinkFor(target, desk, output), () => progress.update(input.offset, sink.keys));
  const read = (into: Uint8Array, at: number, length: number): number => input.read(into, at, length);
  try {
    if (source === 'rdb') new RdbSource(read, desk, sink, warn).run();
    else new JsonSource(read, desk, sink).run();
  } finally {
    progress.end();
  }
  return sink.keys;
}

/** Plays an append-only file, then writes what it has made; returns the number of keys. */
function convertLog({ input, name, output, target }: Task): number {
  if (!input.isFile) throw new RecordError('an append-only file has to be a file');
  const source = new AofSource(name);
  const progress = new Progress(source.total);
  const sink = new Counting(sinkFor(target, source.bench, output), () => progress.update(source.total, sink.keys));
  try {
    source.run(sink, (bytes) => progress.update(bytes, 0));
  } finally {
    progress.end();
  }
  return sink.keys;
}

function convert(from: string, to: string, options: Options, warn: (text: string) => void): number {
  const target = options.to ?? formatOfName(to);
  const input = new Input(from);
  try {
    const first = input.peek();
    if (first < 0 && options.from === undefined) throw new RecordError(`${from} is empty`);
    const source = options.from ?? formatOfBeginning(first);
    const output = new Output(to, options.force ?? false);
    try {
      const task: Task = { input, output, name: from, source, target, warn };
      const keys = source === 'aof' ? convertLog(task) : convertStream(task);
      output.finish();
      return keys;
    } catch (error) {
      output.abandon();
      throw error;
    }
  } finally {
    input.close();
  }
}

/** The tool; returns the exit code. */
export function convertCommand(args: readonly string[]): number {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const program = new Command('cinnabar convert')
    .description('Converts data between snapshots, lines of JSON and append-only files.')
    .argument('<input>')
    .argument('<output>')
    .option('--from <format>', 'what the input is: rdb, json, aof', formatOf)
    .option('--to <format>', 'what the output is to be: rdb, json, aof', formatOf)
    .option('--force', 'replace an output that is there')
    .addHelpText('after', HELP)
    .exitOverride();
  try {
    program.parse(args, { from: 'user' });
    const [from, to] = program.args;
    const keys = convert(from, to, program.opts<Options>(), (text) => say(`Warning: ${text}`));
    if (to !== '-') say(`${keys} keys written to ${to}`);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (error instanceof BrokenPipe) return BrokenPipe.code;
    if (!(error instanceof RecordError || error instanceof OutOfMemory)) throw error;
    say(`Error: ${error.message}`);
    return 1;
  }
}
