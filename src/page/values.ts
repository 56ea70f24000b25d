/** What a key holds, a page at a time, and how it is changed: for each type how its elements are read, added, edited, removed. */
import type { WireReply } from '../console/wire.ts';
import { shown } from './bytes.ts';
import { BytesField } from './bytes-field.ts';
import { complain, confirm, form, note } from './dialogs.ts';
import { button, type Child, h, put, table } from './dom.ts';
import { whole } from './format.ts';
import type { Keyspace } from './keyspace.ts';
import { list, number, word, words } from './link.ts';

const PAGE = 100;
/** The longest string that is edited as one. */
const MOST_EDITED = 64 * 1024;

interface Element {
  readonly cells: readonly string[];
  /** By what it is known to `remove` and `edit`. */
  readonly id: string;
}

interface Portion {
  readonly elements: readonly Element[];
  /** Where the next begins; null at the end. */
  readonly next: string | null;
}

interface Collection {
  readonly count: readonly string[];
  readonly columns: readonly string[];
  /** Where the first portion begins. */
  readonly start: string;
  read(from: string): Promise<Portion>;
  /** What is asked for a new element. */
  readonly fields: readonly string[];
  add(values: readonly string[]): Promise<unknown>;
  remove(element: Element): Promise<unknown>;
  /** The column that can be edited; -1 for none. */
  readonly edited: number;
  edit?(element: Element, value: string): Promise<unknown>;
}

function pairs(items: readonly string[]): Element[] {
  return Array.from({ length: items.length >> 1 }, (_, i) => ({
    id: items[2 * i],
    cells: items.slice(2 * i, 2 * i + 2),
  }));
}

function afterScan(reply: WireReply, elements: (items: readonly string[]) => Element[]): Portion {
  const [cursor, items] = list(reply);
  return { elements: elements(words(items)), next: word(cursor) === '0' ? null : word(cursor) };
}

function hash(keys: Keyspace, key: string): Collection {
  return {
    count: ['HLEN', key],
    columns: ['Field', 'Value'],
    start: '0',
    read: async (from) => afterScan(await keys.call('HSCAN', key, from, 'COUNT', String(PAGE)), pairs),
    fields: ['Field', 'Value'],
    add: ([name, value]) => keys.call('HSET', key, name, value),
    remove: ({ id }) => keys.call('HDEL', key, id),
    edited: 1,
    edit: ({ id }, value) => keys.call('HSET', key, id, value),
  };
}

function set(keys: Keyspace, key: string): Collection {
  return {
    count: ['SCARD', key],
    columns: ['Member'],
    start: '0',
    read: async (from) =>
      afterScan(await keys.call('SSCAN', key, from, 'COUNT', String(PAGE)), (items) =>
        items.map((id) => ({ id, cells: [id] })),
      ),
    fields: ['Member'],
    add: ([member]) => keys.call('SADD', key, member),
    remove: ({ id }) => keys.call('SREM', key, id),
    edited: 0,
    edit: ({ id }, value) => keys.together(['SREM', key, id], ['SADD', key, value]),
  };
}

function list_(keys: Keyspace, key: string): Collection {
  return {
    count: ['LLEN', key],
    columns: ['Index', 'Value'],
    start: '0',
    async read(from) {
      const first = Number(from);
      const items = words(await keys.call('LRANGE', key, from, String(first + PAGE - 1)));
      const elements = items.map((value, i) => ({ id: String(first + i), cells: [String(first + i), value] }));
      return { elements, next: items.length < PAGE ? null : String(first + PAGE) };
    },
    fields: ['Value, at the end'],
    add: ([value]) => keys.call('RPUSH', key, value),
    // An element of a list has no name: it is given one that nothing else bears, and removed by that.
    async remove({ id, cells: [, value] }) {
      if (word(await keys.call('LINDEX', key, id)) !== value) throw new Error('The list has changed meanwhile');
      const mark = `\0removed ${crypto.randomUUID()}`;
      await keys.together(['LSET', key, id, mark], ['LREM', key, '1', mark]);
    },
    edited: 1,
    edit: ({ id }, value) => keys.call('LSET', key, id, value),
  };
}

function sortedSet(keys: Keyspace, key: string): Collection {
  return {
    count: ['ZCARD', key],
    columns: ['Member', 'Score'],
    start: '0',
    async read(from) {
      const last = Number(from) + PAGE - 1;
      const elements = pairs(words(await keys.call('ZRANGE', key, from, String(last), 'WITHSCORES')));
      return { elements, next: elements.length < PAGE ? null : String(last + 1) };
    },
    fields: ['Member', 'Score'],
    add: ([member, score]) => keys.call('ZADD', key, score, member),
    remove: ({ id }) => keys.call('ZREM', key, id),
    edited: 1,
    edit: ({ id }, score) => keys.call('ZADD', key, 'XX', score, id),
  };
}

function stream(keys: Keyspace, key: string): Collection {
  return {
    count: ['XLEN', key],
    columns: ['ID', 'Fields'],
    start: '+',
    async read(from) {
      const entries = list(await keys.call('XREVRANGE', key, from, '-', 'COUNT', String(PAGE)));
      const elements = entries.map((entry) => {
        const [id, fields] = list(entry);
        const text = pairs(words(fields)).map(({ cells: [name, value] }) => `${name}: ${value}`);
        return { id: word(id), cells: [word(id), text.join(', ')] };
      });
      return { elements, next: elements.length < PAGE ? null : `(${elements.at(-1)?.id}` };
    },
    fields: ['Field', 'Value'],
    add: ([name, value]) => keys.call('XADD', key, '*', name, value),
    remove: ({ id }) => keys.call('XDEL', key, id),
    edited: -1,
  };
}

const COLLECTIONS: Readonly<Record<string, (keys: Keyspace, key: string) => Collection>> = {
  hash,
  set,
  list: list_,
  zset: sortedSet,
  stream,
};

/** What is asked for to make a key of a type, besides its name. */
export const NEW_KEYS: Readonly<Record<string, readonly string[]>> = {
  string: ['Value'],
  hash: ['Field', 'Value'],
  list: ['Value'],
  set: ['Member'],
  zset: ['Member', 'Score'],
  stream: ['Field', 'Value'],
};

/** Makes a key with its first element. */
export function create(keys: Keyspace, type: string, key: string, values: readonly string[]): Promise<unknown> {
  return type === 'string' ? keys.call('SET', key, values[0], 'NX') : COLLECTIONS[type](keys, key).add(values);
}

/** The contents of a key; `changed` is told when it has another size, or is gone. */
export function contents(keys: Keyspace, key: string, type: string, changed: () => void): HTMLElement {
  if (type === 'string') return stringContents(keys, key, changed);
  if (!Object.hasOwn(COLLECTIONS, type)) return h('p', { class: 'quiet' }, 'Values of this type are not shown.');
  return new CollectionView(keys, COLLECTIONS[type](keys, key), changed).element;
}

function stringContents(keys: Keyspace, key: string, changed: () => void): HTMLElement {
  const element = h('div', { class: 'contents' });
  const edit = (value: string): void => {
    const control = new BytesField('Value', value, 12);
    const save = async (): Promise<void> => {
      const bytes = control.bytes;
      if (bytes === undefined) return;
      await keys.call('SET', key, bytes, 'XX', 'KEEPTTL');
      note('Saved');
      changed();
    };
    put(
      element,
      control.element,
      h(
        'div',
        { class: 'actions' },
        button('Save', () => void save().catch(complain), { class: 'primary' }),
      ),
    );
  };
  const page = async (from: number, length: number): Promise<void> => {
    const part = word(await keys.call('GETRANGE', key, String(from), String(from + MOST_EDITED - 1)));
    const to = from + part.length;
    put(
      element,
      h(
        'p',
        { class: 'quiet' },
        `Bytes ${whole(from)} to ${whole(to)} of ${whole(length)}; too long to be edited here.`,
      ),
      h('pre', { class: 'value', tabindex: 0 }, shown(part)),
      h(
        'div',
        { class: 'actions' },
        button('Before', () => void page(from - MOST_EDITED, length).catch(complain), { disabled: from === 0 }),
        button('After', () => void page(to, length).catch(complain), { disabled: to >= length }),
      ),
    );
  };
  const read = async (): Promise<void> => {
    const length = number(await keys.call('STRLEN', key));
    if (length > MOST_EDITED) await page(0, length);
    else edit(word(await keys.call('GET', key)));
  };
  read().catch(complain);
  return element;
}

class CollectionView {
  readonly element = h('div', { class: 'contents' });
  private readonly keys: Keyspace;
  private readonly collection: Collection;
  private readonly changed: () => void;
  private elements: Element[] = [];
  private next: string | null;
  private total = 0;

  constructor(keys: Keyspace, collection: Collection, changed: () => void) {
    this.keys = keys;
    this.collection = collection;
    this.changed = changed;
    this.next = collection.start;
    void this.more().catch(complain);
  }

  private async more(): Promise<void> {
    if (this.next === null) return;
    const [count, portion] = await Promise.all([
      this.keys.call(...this.collection.count),
      this.collection.read(this.next),
    ]);
    this.total = number(count);
    this.elements.push(...portion.elements);
    this.next = portion.next;
    this.draw();
  }

  private async again(): Promise<void> {
    this.elements = [];
    this.next = this.collection.start;
    this.changed();
    await this.more().catch(() => {});
  }

  private draw(): void {
    const { columns } = this.collection;
    const rows = this.elements.map((element) => [
      ...element.cells.map((cell) => h('code', { class: 'bytes-cell' }, shown(cell))),
      this.actions(element),
    ]);
    put(
      this.element,
      h(
        'div',
        { class: 'bar' },
        h('span', { class: 'quiet' }, `${whole(this.elements.length)} of ${whole(this.total)}`),
        button('Add', () => this.add()),
      ),
      table([...columns, ''], rows, 'Contents'),
      this.next === null
        ? null
        : h(
            'div',
            { class: 'actions' },
            button('More', () => void this.more().catch(complain)),
          ),
    );
  }

  private actions(element: Element): Child {
    const { edited } = this.collection;
    const name = shown(element.id);
    return h(
      'span',
      { class: 'row-actions' },
      edited < 0 ? null : button('Edit', () => this.edit(element), { class: 'small', 'aria-label': `Edit ${name}` }),
      button('Remove', () => this.remove(element), { class: 'small', 'aria-label': `Remove ${name}` }),
    );
  }

  private add(): void {
    const asked = this.collection.fields.map((label) => ({ kind: 'bytes', label }) as const);
    form('Add an element', asked, 'Add', async (values) => {
      await this.collection.add(values);
      await this.again();
    });
  }

  private edit(element: Element): void {
    const { edited, columns } = this.collection;
    const asked = [{ kind: 'bytes', label: columns[edited], value: element.cells[edited], rows: 8 }] as const;
    form(`Edit ${shown(element.id)}`, asked, 'Save', async ([value]) => {
      await this.collection.edit?.(element, value);
      await this.again();
    });
  }

  private remove(element: Element): void {
    confirm('Remove this element?', h('code', {}, shown(element.id)), 'Remove', async () => {
      await this.collection.remove(element);
      await this.again();
    });
  }
}
