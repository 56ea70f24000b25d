/**
 * The server's log: lines as Redis writes them, or JSON by pino, which is loaded when that is asked for.
 *
 *   4242:M 20 Nov 2026 21:36:10.927 * Ready to accept connections
 *   pid:role date level-mark message      roles: C before it serves, M master, S replica, X Sentinel
 *
 * A line is written before the call returns, and a log file is opened for each line, so that it can be moved away at any
 * time.
 */
import type { Logger } from 'pino';
import type { Disk } from '../base/disk.ts';
import { type Environment, environmentWith } from '../base/environment.ts';
import { pino } from '../base/packages.ts';
import { writeStandardOutput } from '../base/standard-output.ts';
import type { Log } from '../engine/server-port.ts';

export type LogLevel = 'debug' | 'verbose' | 'notice' | 'warning';
export type LogFormat = 'redis' | 'json';
export type Role = 'C' | 'M' | 'S' | 'X';

const LEVELS = { debug: 20, verbose: 25, notice: 30, warning: 40 } as const;
const MARKS = { debug: '.', verbose: '-', notice: '*', warning: '#' } as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const two = (value: number) => String(value).padStart(2, '0');

/** Local time as Redis's log has it. */
export function logTime(ms: number): string {
  const t = new Date(ms);
  const day = `${two(t.getDate())} ${MONTHS[t.getMonth()]} ${t.getFullYear()}`;
  const millis = String(t.getMilliseconds()).padStart(3, '0');
  return `${day} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${millis}`;
}

/** What clients sent is one byte a character and stays so; text of ours may hold more. */
function encode(text: string): Buffer {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return Buffer.from(text, 'utf8');
  return Buffer.from(text, 'latin1');
}

const isControl = (code: number): boolean => code === 0x7f || (code < 0x20 && code !== 0x09 && code !== 0x0a);

const ESCAPES = Array.from({ length: 128 }, (_, code) => `\\x${code.toString(16).padStart(2, '0')}`);

/** What others have sent is told as well: none of it may command the terminal on which the log is read. */
function visible(text: string): string {
  const shown: string[] = [];
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!isControl(code)) continue;
    if (i > from) shown.push(text.slice(from, i));
    shown.push(ESCAPES[code]);
    from = i + 1;
  }
  if (from === 0) return text;
  shown.push(text.slice(from));
  return shown.join('');
}

/** Where lines go when it is neither a file nor the standard output: tests and embedders. */
export type Sink = (line: string) => void;

export interface LogOptions {
  /** A path; empty is the standard output. */
  readonly file: string;
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly sink?: Sink;
  /** Whose time, process and disk it tells and uses. */
  readonly environment?: Environment;
}

export class ServerLog implements Log {
  role: Role = 'C';
  level: LogLevel;
  file: string;
  private readonly sink: Sink | undefined;
  private readonly environment: Environment;
  private json: Logger<LogLevel> | undefined;

  constructor(options: LogOptions) {
    this.file = options.file;
    this.sink = options.sink;
    this.environment = options.environment ?? environmentWith();
    this.level = options.level;
    this.format = options.format;
  }

  get format(): LogFormat {
    return this.json === undefined ? 'redis' : 'json';
  }

  set format(format: LogFormat) {
    this.json = format === 'json' ? (this.json ?? this.jsonLogger()) : undefined;
  }

  private get process(): number {
    return this.environment.ids.process;
  }

  private get now(): number {
    return this.environment.clock.now();
  }

  debug(message: string): void {
    this.say('debug', message);
  }

  verbose(message: string): void {
    this.say('verbose', message);
  }

  notice(message: string): void {
    this.say('notice', message);
  }

  warning(message: string): void {
    this.say('warning', message);
  }

  /** Text without a heading, for the banner. */
  raw(text: string): void {
    if (this.format === 'redis' && LEVELS[this.level] <= LEVELS.notice) this.emit(text);
  }

  /** The line by which a signal's arrival is told. */
  signal(message: string): void {
    if (this.format === 'json') this.warning(message);
    else this.emit(`${this.process}:signal-handler (${Math.floor(this.now / 1000)}) ${message}\n`);
  }

  private say(level: LogLevel, message: string): void {
    if (LEVELS[level] < LEVELS[this.level]) return;
    if (this.json !== undefined) this.json[level](message);
    else this.emit(`${this.process}:${this.role} ${logTime(this.now)} ${MARKS[level]} ${visible(message)}\n`);
  }

  private jsonLogger(): Logger<LogLevel> {
    const make = pino();
    return make.pino<LogLevel, true>(
      {
        base: null,
        customLevels: LEVELS,
        useOnlyCustomLevels: true,
        level: 'debug',
        timestamp: make.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        mixin: () => ({ pid: this.process, role: this.role }),
      },
      { write: (line: string) => this.emit(line) },
    ) as Logger<LogLevel>;
  }

  emit(text: string): void {
    if (this.sink) {
      this.sink(text);
      return;
    }
    if (this.file === '') {
      writeStandardOutput(encode(text));
      return;
    }
    try {
      const file = this.environment.disk.open(this.file, 'a');
      file.writeAll(encode(text));
      file.close();
    } catch {
      // A log that can't be written must not stop the server: the disk may be full.
    }
  }
}

/** Throws what the system says when the file can't be opened for appending. */
export function tryLogFile(disk: Disk, path: string): void {
  disk.open(path, 'a').close();
}

/** A log that says nothing, for servers embedded in a program. */
export function silentLog(): Log {
  return new ServerLog({ file: '', level: 'warning', format: 'redis', sink: () => {} });
}
