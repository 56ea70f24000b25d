/**
 * Stands between a server and `node:fs`, in its main thread and its workers: a preload (`--require`, see preload.ts), so
 * that the server itself is the one that is shipped. It can do two things.
 *
 * Record (CINNABAR_OPS names a file): every operation that changes files or makes changes durable, with its bytes, in order.
 * A record is a line of JSON and, for a write, the bytes. It is appended by one write(), so the records of all threads, and
 * of the tests that add acknowledgements, stand in the order in which things happened (fs.promises is not watched):
 *   {"op":"open","fd":20,"path":"/x/a","made":true,"cut":true,"append":false}      after it was done, as all but sync
 *   {"op":"write","fd":20,"at":-1,"n":3}<newline>abc                              at -1: where the descriptor stands
 *   {"op":"sync","fd":20,"n":7} ... {"op":"synced","fd":20,"n":7}                 before and after; several may be under way
 *   truncate, close, rename, unlink, mkdir, rmdir
 *
 * Refuse (CINNABAR_FAULTS names a file with rules, read again at each operation): the operation named by `op` on a path that
 * contains `path` fails with `error`, takes only `short` bytes, or `delay` milliseconds longer, from the `after`-th time on
 * and so many times (`count`). Each time is recorded as {"op":"fault",...}.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';

export interface FaultRule {
  readonly op: string;
  readonly path: string;
  readonly after?: number;
  readonly count?: number;
  readonly error?: string;
  readonly short?: number;
  readonly delay?: number;
}

interface Writes {
  fd: number;
  bytes: Uint8Array;
  at: number;
}

const CODES: Readonly<Record<string, readonly [number, string]>> = {
  EIO: [-5, 'i/o error'],
  ENOSPC: [-28, 'no space left on device'],
  EINTR: [-4, 'interrupted system call'],
  EAGAIN: [-11, 'resource temporarily unavailable'],
  EDQUOT: [-122, 'disk quota exceeded'],
  EROFS: [-30, 'read-only file system'],
  EMFILE: [-24, 'too many open files'],
  EACCES: [-13, 'permission denied'],
};

type Fs = Record<string, (...args: unknown[]) => unknown>;
type Callback = (error: Error | null, ...rest: unknown[]) => void;

const forms = fs as unknown as Fs;
/** As they were. */
const real: typeof fs = { ...fs };
const opsFile = process.env['CINNABAR_OPS'];
const faultsFile = process.env['CINNABAR_FAULTS'];
const ops = opsFile === undefined ? -1 : real.openSync(opsFile, 'a');
const nap = new Int32Array(new SharedArrayBuffer(4));

function record(head: object, bytes?: Uint8Array): void {
  if (ops < 0) return;
  const line = Buffer.from(`${JSON.stringify(head)}\n`);
  const all = bytes === undefined ? line : Buffer.concat([line, bytes]);
  if (real.writeSync(ops, all) !== all.length) throw new Error('the record of operations is cut short');
}

// Faults.

const faults = { text: '', rules: [] as FaultRule[], seen: [] as number[] };

function pathOf(fd: number): string {
  try {
    return real.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

/** Read by the original functions: readFileSync() would come by here again. */
function contentOf(file: string): string {
  const fd = real.openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(real.fstatSync(fd).size);
    return bytes.toString('latin1', 0, real.readSync(fd, bytes));
  } finally {
    real.closeSync(fd);
  }
}

/** The rule that hits this time, if any. */
function hit(op: string, target: unknown): FaultRule | undefined {
  if (faultsFile === undefined || !real.existsSync(faultsFile)) return undefined;
  const text = contentOf(faultsFile);
  if (text !== faults.text) {
    faults.text = text;
    faults.rules = text === '' ? [] : JSON.parse(text);
    faults.seen = faults.rules.map(() => 0);
  }
  if (faults.rules.length === 0) return undefined;
  const path = typeof target === 'number' ? pathOf(target) : String(target);
  for (let i = 0; i < faults.rules.length; i++) {
    const rule = faults.rules[i];
    if (rule.op !== op || !path.includes(rule.path)) continue;
    const time = faults.seen[i]++ - (rule.after ?? 0);
    if (time < 0 || time >= (rule.count ?? Number.POSITIVE_INFINITY)) continue;
    record({ op: 'fault', what: op, path, rule: i });
    return rule;
  }
  return undefined;
}

function errorOf(code: string, syscall: string, target: unknown): Error {
  const [errno, text] = CODES[code];
  const at = typeof target === 'string' ? ` '${target}'` : '';
  return Object.assign(new Error(`${code}: ${text}, ${syscall}${at}`), { errno, code, syscall });
}

/** Waits or throws as the rule says; how many bytes a write may take. */
function suffer(rule: FaultRule | undefined, syscall: string, target: unknown): number {
  if (rule?.delay !== undefined) Atomics.wait(nap, 0, 0, rule.delay);
  if (rule?.error !== undefined) throw errorOf(rule.error, syscall, target);
  return rule?.short ?? Number.POSITIVE_INFINITY;
}

// The synchronous forms.

function replaceSync(name: string, make: (original: (...args: unknown[]) => unknown) => unknown): void {
  forms[`${name}Sync`] = make(forms[`${name}Sync`]) as Fs[string];
}

function isWritten(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & 3) !== 0;
  return typeof flags === 'string' && /[wa+]/.test(flags);
}

function opened(fd: number, path: unknown, flags: unknown, was: boolean): void {
  const { O_APPEND, O_TRUNC } = fs.constants;
  const text = typeof flags === 'number' ? '' : String(flags ?? 'r');
  const bits = typeof flags === 'number' ? flags : 0;
  const cut = text.startsWith('w') || (bits & O_TRUNC) !== 0;
  const append = text.startsWith('a') || (bits & O_APPEND) !== 0;
  record({ op: 'open', fd, path: resolve(String(path)), made: !was && isWritten(flags), cut, append });
}

replaceSync('open', (original) => (path: unknown, flags: unknown, ...rest: unknown[]) => {
  suffer(hit(isWritten(flags) ? 'open' : 'openRead', path), 'open', path);
  const was = real.existsSync(String(path));
  const fd = original(path, flags, ...rest) as number;
  opened(fd, path, flags, was);
  return fd;
});

replaceSync('close', (original) => (fd: unknown) => {
  record({ op: 'close', fd });
  return original(fd);
});

/** The bytes that a call of write() means, whichever of its forms it has. */
function writesOf(fd: unknown, data: unknown, a: unknown, b: unknown, c: unknown): Writes {
  if (typeof data === 'string') {
    const encoding = typeof b === 'string' ? (b as BufferEncoding) : 'utf8';
    return { fd: fd as number, bytes: Buffer.from(data, encoding), at: typeof a === 'number' ? a : -1 };
  }
  const view = data as ArrayBufferView;
  const all = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const from = typeof a === 'number' ? a : 0;
  const length = typeof b === 'number' ? b : all.length - from;
  return { fd: fd as number, bytes: all.subarray(from, from + length), at: typeof c === 'number' ? c : -1 };
}

function written({ fd, bytes, at }: Writes, taken: number): void {
  record({ op: 'write', fd, at, n: taken }, bytes.subarray(0, taken));
}

replaceSync('write', () => (fd: unknown, data: unknown, a: unknown, b: unknown, c: unknown) => {
  const writes = writesOf(fd, data, a, b, c);
  const most = suffer(hit('write', fd), 'write', fd);
  const { bytes, at } = writes;
  const taken = real.writeSync(writes.fd, bytes, 0, Math.min(most, bytes.length), at < 0 ? null : at);
  written(writes, taken);
  return taken;
});

replaceSync('writev', () => (fd: unknown, buffers: unknown, at: unknown) => {
  const all = Buffer.concat(
    (buffers as Uint8Array[]).map((each) => Buffer.from(each.buffer, each.byteOffset, each.byteLength)),
  );
  return forms['writeSync'](fd, all, 0, all.length, at);
});

/** Which sync it is, of this thread. */
let syncs = 0;

for (const name of ['fsync', 'fdatasync'])
  replaceSync(name, (original) => (fd: unknown) => {
    suffer(hit(name, fd), name, fd);
    const n = ++syncs;
    record({ op: 'sync', fd, n });
    original(fd);
    record({ op: 'synced', fd, n });
  });

replaceSync('ftruncate', (original) => (fd: unknown, length: unknown) => {
  suffer(hit('ftruncate', fd), 'ftruncate', fd);
  original(fd, length);
  record({ op: 'truncate', fd, length: length ?? 0 });
});

replaceSync('rename', (original) => (from: unknown, to: unknown) => {
  suffer(hit('rename', to), 'rename', from);
  original(from, to);
  record({ op: 'rename', from: resolve(String(from)), to: resolve(String(to)) });
});

replaceSync('unlink', (original) => (path: unknown) => {
  suffer(hit('unlink', path), 'unlink', path);
  original(path);
  record({ op: 'unlink', path: resolve(String(path)) });
});

replaceSync('rm', (original) => (path: unknown, options: unknown) => {
  suffer(hit('unlink', path), 'unlink', path);
  const was = real.existsSync(String(path));
  original(path, options);
  if (was) record({ op: 'unlink', path: resolve(String(path)) });
});

replaceSync('mkdir', (original) => (path: unknown, options: unknown) => {
  suffer(hit('mkdir', path), 'mkdir', path);
  const was = real.existsSync(String(path));
  const made = original(path, options);
  if (!was) record({ op: 'mkdir', path: resolve(String(path)) });
  return made;
});

// The forms with a callback: those that persistence uses aside of the event loop.

function replaceAside(name: string, make: (original: Fs[string]) => (args: unknown[], done: Callback) => void): void {
  const aside = make(forms[name]);
  forms[name] = (...args: unknown[]) => aside(args.slice(0, -1), args.at(-1) as Callback);
}

/** Fails, or goes on, after the delay that the rule asks for. */
function later(rule: FaultRule | undefined, syscall: string, target: unknown, done: Callback, go: () => void): void {
  const step = (): void => {
    if (rule?.error === undefined) go();
    else done(errorOf(rule.error, syscall, target));
  };
  if (rule === undefined) go();
  else setTimeout(step, rule.delay ?? 0);
}

for (const name of ['fsync', 'fdatasync'])
  replaceAside(name, (original) => ([fd], done) => {
    later(hit(name, fd), name, fd, done, () => {
      const n = ++syncs;
      record({ op: 'sync', fd, n });
      original(fd, (error: Error | null) => {
        if (error === null) record({ op: 'synced', fd, n });
        done(error);
      });
    });
  });

replaceAside('write', () => ([fd, data, a, b, c], done) => {
  const writes = writesOf(fd, data, a, b, c);
  const rule = hit('write', fd);
  later(rule, 'write', fd, done, () => {
    const length = Math.min(rule?.short ?? Number.POSITIVE_INFINITY, writes.bytes.length);
    real.write(writes.fd, writes.bytes, 0, length, writes.at < 0 ? null : writes.at, (error, taken) => {
      if (error === null) written(writes, taken);
      done(error, taken, data);
    });
  });
});

replaceAside('open', (original) => ([path, flags, ...rest], done) => {
  later(hit(isWritten(flags) ? 'open' : 'openRead', path), 'open', path, done, () => {
    const was = real.existsSync(String(path));
    original(path, flags, ...rest, (error: Error | null, fd: number) => {
      if (error === null) opened(fd, path, flags, was);
      done(error, fd);
    });
  });
});

replaceAside('close', (original) => ([fd], done) => {
  record({ op: 'close', fd });
  original(fd, done);
});

replaceAside('rename', (original) => ([from, to], done) => {
  later(hit('rename', to), 'rename', from, done, () => {
    original(from, to, (error: Error | null) => {
      if (error === null) record({ op: 'rename', from: resolve(String(from)), to: resolve(String(to)) });
      done(error);
    });
  });
});

for (const name of ['unlink', 'rm'])
  replaceAside(name, (original) => ([path, ...rest], done) => {
    later(hit('unlink', path), 'unlink', path, done, () => {
      original(path, ...rest, (error: Error | null) => {
        if (error === null) record({ op: 'unlink', path: resolve(String(path)) });
        done(error);
      });
    });
  });

replaceAside('ftruncate', (original) => ([fd, length], done) => {
  later(hit('ftruncate', fd), 'ftruncate', fd, done, () => {
    original(fd, length, (error: Error | null) => {
      if (error === null) record({ op: 'truncate', fd, length: length ?? 0 });
      done(error);
    });
  });
});

syncBuiltinESMExports();
