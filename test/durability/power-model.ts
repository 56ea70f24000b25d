/**
 * What a disk may hold after a loss of power, from the record that interpose.ts has made.
 *
 * A file is its durable content and the writes since its last sync (those before the sync began are durable once it has
 * ended). A folder's entries (made, renamed, removed) wait for a sync of the folder. A crash keeps of what waits:
 *
 *   data      nothing; all; the first so many; the first so many and of the next its first 512- or 4096-byte pieces; any of
 *             them, each whole or some of its pieces, in which case what lies between is zeros
 *   entries   nothing; all; the first so many (as a journal does it); any of them
 *
 * A synced file whose entry was never synced is lost with its entry: stricter than ext4 or xfs, as POSIX would have it.
 */
import { dirname } from 'node:path';
import type { Random } from '../../src/base/random.ts';

/** A record of interpose.ts, or one that a test has put between them. */
export interface Operation {
  readonly op: string;
  readonly fd?: number;
  readonly path?: string;
  readonly from?: string;
  readonly to?: string;
  readonly made?: boolean;
  readonly cut?: boolean;
  readonly append?: boolean;
  readonly at?: number;
  readonly n?: number;
  readonly length?: number;
  readonly bytes?: Buffer;
  readonly client?: number;
  readonly what?: string;
}

export function parseOperations(log: Buffer): Operation[] {
  const all: Operation[] = [];
  for (let at = 0; at < log.length; ) {
    const end = log.indexOf(10, at);
    const head = JSON.parse(log.toString('utf8', at, end)) as Operation;
    at = end + 1;
    if (head.op !== 'write') all.push(head);
    else {
      all.push({ ...head, bytes: log.subarray(at, at + head.n!) });
      at += head.n!;
    }
  }
  return all;
}

interface Write {
  readonly at: number;
  readonly bytes: Buffer;
}

/** A write, or a truncation to `length`. */
type Change = Write | { readonly length: number };

class Content {
  durable: Buffer = Buffer.alloc(0);
  pending: Change[] = [];
  size = 0;
}

interface Descriptor {
  readonly path: string;
  readonly content: Content | null;
  readonly append: boolean;
  position: number;
  /** For each sync that is under way, by its number: how many changes it will make durable. */
  readonly syncs: Map<number, number>;
}

/** A change of entries: a name goes, a name comes. */
interface EntryChange {
  readonly gone?: string;
  readonly name?: string;
  readonly content?: Content | null;
}

const PIECES = [512, 4096];

export class Disk {
  private readonly root: string;
  /** As the running server sees it; null stands for a folder. */
  private readonly live = new Map<string, Content | null>();
  private readonly durable = new Map<string, Content | null>();
  private waiting: EntryChange[] = [];
  private readonly open = new Map<number, Descriptor>();

  /** Of all that happens, only what lies in `root`, which is there and durable, with what `files` says. */
  constructor(root: string, files: ReadonlyMap<string, Buffer> = new Map()) {
    this.root = root;
    for (const [name, bytes] of files) {
      const content = new Content();
      content.durable = bytes;
      content.size = bytes.length;
      this.live.set(`${root}/${name}`, content);
      this.durable.set(`${root}/${name}`, content);
    }
  }

  /** The path that a descriptor was opened by. */
  pathOf(fd: number): string {
    return this.open.get(fd)?.path ?? '';
  }

  /** Whether any file but that of `fd` whose name contains `part` has writes that wait for a sync. */
  waitsBeside(fd: number, part: string): boolean {
    const own = this.open.get(fd)?.content;
    for (const [path, content] of this.live)
      if (content !== null && content !== own && path.includes(part) && content.pending.length > 0) return true;
    return false;
  }

  apply(operation: Operation): void {
    const { op, fd, path } = operation;
    switch (op) {
      case 'open':
        this.opened(operation);
        return;
      case 'close':
        this.open.delete(fd!);
        return;
      case 'write':
        this.written(operation);
        return;
      case 'truncate':
        this.truncated(fd!, operation.length!);
        return;
      case 'sync':
        this.open.get(fd!)?.syncs.set(operation.n!, this.open.get(fd!)?.content?.pending.length ?? this.waiting.length);
        return;
      case 'synced':
        this.synced(fd!, operation.n!);
        return;
      case 'rename':
        this.renamed(operation.from!, operation.to!);
        return;
      case 'unlink':
        if (this.live.delete(path!)) this.waiting.push({ gone: path! });
        return;
      case 'mkdir':
        if (this.within(path!)) this.enter(path!, null);
        return;
      default:
    }
  }

  private within(path: string): boolean {
    return path.startsWith(`${this.root}/`);
  }

  private enter(path: string, content: Content | null): void {
    this.live.set(path, content);
    this.waiting.push({ name: path, content });
  }

  private opened({ fd, path, made, cut, append }: Operation): void {
    if (path !== this.root && !this.within(path!)) return;
    if (made === true) this.enter(path!, new Content());
    const content = this.live.get(path!) ?? null;
    if (cut === true && content !== null && content.size > 0) this.change(content, { length: 0 });
    this.open.set(fd!, { path: path!, content, append: append === true, position: 0, syncs: new Map() });
  }

  private change(content: Content, change: Change): void {
    content.pending.push(change);
    content.size = 'length' in change ? change.length : Math.max(content.size, change.at + change.bytes.length);
  }

  private written({ fd, at, bytes }: Operation): void {
    const descriptor = this.open.get(fd!);
    if (descriptor?.content == null) return;
    const { content } = descriptor;
    const place = descriptor.append ? content.size : at! >= 0 ? at! : descriptor.position;
    this.change(content, { at: place, bytes: bytes! });
    if (at! < 0) descriptor.position = place + bytes!.length;
  }

  private truncated(fd: number, length: number): void {
    const content = this.open.get(fd)?.content;
    if (content != null) this.change(content, { length });
  }

  private synced(fd: number, number: number): void {
    const descriptor = this.open.get(fd);
    const count = descriptor?.syncs.get(number);
    if (descriptor === undefined || count === undefined) return;
    descriptor.syncs.delete(number);
    const { content, path } = descriptor;
    if (content === null) {
      this.syncEntries(path, count);
      return;
    }
    content.durable = applied(content.durable, content.pending.slice(0, count));
    content.pending = content.pending.slice(count);
    // Others that are under way have that many fewer to make durable.
    for (const other of this.open.values())
      if (other.content === content)
        for (const [each, left] of other.syncs) other.syncs.set(each, Math.max(0, left - count));
  }

  /** A change with a name in the folder is durable as a whole: a rename is never half done. */
  private syncEntries(folder: string, count: number): void {
    const touches = ({ gone, name }: EntryChange): boolean =>
      (gone !== undefined && dirname(gone) === folder) || (name !== undefined && dirname(name) === folder);
    const now = this.waiting.slice(0, count);
    for (const change of now) if (touches(change)) enact(this.durable, change);
    this.waiting = [...now.filter((change) => !touches(change)), ...this.waiting.slice(count)];
  }

  private renamed(from: string, to: string): void {
    const content = this.live.get(from);
    if (content === undefined) return;
    this.live.delete(from);
    this.live.set(to, content);
    this.waiting.push({ gone: from, name: to, content });
  }

  /** One of the states that a crash at this moment may leave, by names below the root; a kind of state is named. */
  crash(random: Random): { readonly kind: string; readonly files: Map<string, Buffer> } {
    const entries = new Map(this.durable);
    const [entryKind, kept] = keep(random, this.waiting.length);
    for (const change of this.waiting.filter((_, i) => kept(i))) enact(entries, change);
    const dataKind = random.below(DATA.length);
    const contents = new Map<Content, Buffer>();
    const files = new Map<string, Buffer>();
    for (const [path, content] of entries) {
      if (content === null || !this.reachable(entries, path)) continue;
      let bytes = contents.get(content);
      if (bytes === undefined) {
        bytes = applied(content.durable, DATA[dataKind][1](random, content.pending));
        contents.set(content, bytes);
      }
      files.set(path.slice(this.root.length + 1), bytes);
    }
    return { kind: `entries ${entryKind}, data ${DATA[dataKind][0]}`, files };
  }

  private reachable(entries: ReadonlyMap<string, Content | null>, path: string): boolean {
    const folder = dirname(path);
    return folder === this.root || (entries.get(folder) === null && this.reachable(entries, folder));
  }
}

function enact(entries: Map<string, Content | null>, { gone, name, content }: EntryChange): void {
  if (gone !== undefined) entries.delete(gone);
  if (name !== undefined) entries.set(name, content!);
}

/** Which of so many changes of entries are kept. */
function keep(random: Random, count: number): [string, (i: number) => boolean] {
  const way = random.below(4);
  if (way === 0) return ['none', () => false];
  if (way === 1) return ['all', () => true];
  const first = random.below(count + 1);
  if (way === 2) return ['the first', (i) => i < first];
  const chosen = Array.from({ length: count }, () => random.below(2) === 0);
  return ['any', (i) => chosen[i]];
}

type Choice = (random: Random, pending: readonly Change[]) => Change[];

/** What of the writes that wait is kept. */
const DATA: readonly (readonly [name: string, choice: Choice])[] = [
  ['none', () => []],
  ['all', (_, pending) => [...pending]],
  ['the first', (random, pending) => pending.slice(0, random.below(pending.length + 1))],
  ['torn at 512', (random, pending) => torn(random, pending, PIECES[0])],
  ['torn at 4096', (random, pending) => torn(random, pending, PIECES[1])],
  ['any', (random, pending) => pending.filter(() => random.below(2) === 0)],
  ['scattered', (random, pending) => pending.flatMap((change) => scattered(random, change))],
];

/** Pieces of a write as they lie on the disk: at multiples of their size. */
function piecesOf({ at, bytes }: Write, size: number): Write[] {
  const pieces: Write[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, (Math.floor((at + from) / size) + 1) * size - at);
    pieces.push({ at: at + from, bytes: bytes.subarray(from, to) });
    from = to;
  }
  return pieces;
}

function torn(random: Random, pending: readonly Change[], size: number): Change[] {
  if (pending.length === 0) return [];
  const last = random.below(pending.length);
  const change = pending[last];
  const before = pending.slice(0, last);
  if ('length' in change) return before;
  const pieces = piecesOf(change, size);
  return [...before, ...pieces.slice(0, random.below(pieces.length + 1))];
}

function scattered(random: Random, change: Change): Change[] {
  if ('length' in change) return random.below(2) === 0 ? [] : [change];
  return piecesOf(change, PIECES[random.below(PIECES.length)]).filter(() => random.below(2) === 0);
}

function applied(content: Buffer, changes: readonly Change[]): Buffer {
  if (changes.length === 0) return content;
  let size = content.length;
  let most = size;
  for (const change of changes) {
    size = 'length' in change ? change.length : Math.max(size, change.at + change.bytes.length);
    most = Math.max(most, size);
  }
  const bytes = Buffer.alloc(most);
  content.copy(bytes);
  let end = content.length;
  for (const change of changes) {
    if ('length' in change) {
      if (change.length < end) bytes.fill(0, change.length, end);
      end = change.length;
    } else {
      change.bytes.copy(bytes, change.at);
      end = Math.max(end, change.at + change.bytes.length);
    }
  }
  return bytes.subarray(0, size);
}
