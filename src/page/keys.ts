/** The keys: found by SCAN, looked into, changed. */
import { shown, typed } from './bytes.ts';
import { complain, confirm, form, note } from './dialogs.ts';
import { button, facts, field, h, put } from './dom.ts';
import { bytes, duration, whole } from './format.ts';
import { type KeyRow, Keyspace } from './keyspace.ts';
import { CommandError, type Link, list, number, word } from './link.ts';
import { contents, create, NEW_KEYS } from './values.ts';
import type { View } from './view.ts';

const TYPES = ['', 'string', 'hash', 'list', 'set', 'zset', 'stream'];
const USUAL_DATABASES = 16;

export function keysView(link: Link): View {
  const browser = new KeyBrowser(link);
  return { element: browser.element, show: () => browser.show() };
}

function ttlText(ttl: number): string {
  return ttl < 0 ? '' : ttl < 1000 ? 'under 1 s' : duration(ttl / 1000);
}

class KeyBrowser {
  readonly element: HTMLElement;
  private readonly keys: Keyspace;
  private readonly databases = h('select', { 'aria-label': 'Database', onchange: () => this.turn() });
  private readonly pattern = h('input', { type: 'search', value: '*', spellcheck: 'false', autocomplete: 'off' });
  private readonly type = h('select', { onchange: () => void this.search() });
  private readonly found = h('ul', { class: 'keys', 'aria-label': 'Keys' });
  private readonly foot = h('div', { class: 'bar' });
  private readonly detail = h('section', { class: 'panel detail', 'aria-label': 'Key' });
  private rows: KeyRow[] = [];
  private cursor = '0';
  private chosen: string | null = null;
  /** Looks that were begun: what one finds that is not the latest is not shown. */
  private looks = 0;

  constructor(link: Link) {
    this.keys = new Keyspace(link);
    put(this.type, ...TYPES.map((type) => h('option', { value: type }, type === '' ? 'all types' : type)));
    const onsubmit = (event: SubmitEvent): void => {
      event.preventDefault();
      void this.search();
    };
    this.element = h(
      'div',
      { class: 'browser' },
      h(
        'form',
        { class: 'toolbar', role: 'search', onsubmit },
        field('Database', this.databases),
        field('Pattern', this.pattern, { class: 'field grow' }),
        field('Type', this.type),
        h('button', { type: 'submit', class: 'primary' }, 'Search'),
        button('New key', () => this.make()),
      ),
      h('div', { class: 'split' }, h('section', { class: 'panel list' }, this.found, this.foot), this.detail),
    );
    this.choose(null);
  }

  show(): void {
    void this.readDatabases();
    void this.search();
  }

  private async readDatabases(): Promise<void> {
    const replies = await this.keys.link.run('browse', [
      ['CONFIG', 'GET', 'databases'],
      ['INFO', 'keyspace'],
    ]);
    const [, most] = list(replies[0]);
    const sizes = new Map(
      [...word(replies[1]).matchAll(/db(\d+):keys=(\d+)/g)].map(([, db, size]) => [db, Number(size)]),
    );
    const { mode } = this.keys.link.hello ?? { mode: 'standalone' };
    const total = mode === 'cluster' ? 1 : number(most) || USUAL_DATABASES;
    const options = Array.from({ length: total }, (_, db) => {
      const size = sizes.get(String(db));
      return h('option', { value: db }, size === undefined ? `${db}` : `${db} (${whole(size)})`);
    });
    put(this.databases, ...options);
    this.databases.value = String(this.keys.db);
  }

  private turn(): void {
    this.keys.db = Number(this.databases.value);
    this.choose(null);
    void this.search();
  }

  private async search(): Promise<void> {
    this.rows = [];
    this.cursor = '0';
    await this.more();
  }

  private async more(): Promise<void> {
    const look = ++this.looks;
    try {
      const { cursor, rows } = await this.keys.scan(this.cursor, typed(this.pattern.value || '*'), this.type.value);
      if (look !== this.looks) return;
      this.cursor = cursor;
      this.rows.push(...rows);
      this.draw();
    } catch (error) {
      put(this.foot, h('span', { class: 'error' }, error instanceof Error ? error.message : String(error)));
    }
  }

  private draw(): void {
    put(this.found, ...this.rows.map((row) => this.item(row)));
    const isAll = this.cursor === '0';
    const text = `${whole(this.rows.length)} keys${isAll ? '' : ' so far'}`;
    put(
      this.foot,
      h('span', { class: 'quiet' }, this.rows.length === 0 && isAll ? 'No keys match.' : text),
      isAll ? null : button('More', () => void this.more()),
    );
  }

  private item({ key, type, ttl, size }: KeyRow): HTMLElement {
    const note = [ttlText(ttl), size === null ? '' : bytes(size)].filter((text) => text !== '').join(' · ');
    const open = button(
      h(
        'span',
        { class: 'key-line' },
        h('span', { class: `type type-${type}` }, type),
        h('span', { class: 'name' }, shown(key) || '(empty)'),
        h('small', {}, note),
      ),
      () => this.choose(key),
      key === this.chosen ? { 'aria-current': 'true' } : {},
    );
    return h('li', {}, open);
  }

  private choose(key: string | null): void {
    this.chosen = key;
    this.element.classList.toggle('open', key !== null);
    for (const [i, item] of [...this.found.children].entries())
      if (this.rows[i]?.key === key) item.firstElementChild?.setAttribute('aria-current', 'true');
      else item.firstElementChild?.removeAttribute('aria-current');
    if (key === null) put(this.detail, h('p', { class: 'quiet' }, 'Choose a key to see what it holds.'));
    else void this.look(key).catch((error: unknown) => this.gone(error));
  }

  private gone(error: unknown): void {
    if (!(error instanceof CommandError)) complain(error);
    else put(this.detail, h('p', { class: 'quiet' }, error.message));
  }

  private async look(key: string): Promise<void> {
    const head = h('div', {});
    const describe = async (): Promise<string> => {
      const { type, encoding, ttl, size } = await this.keys.about(key);
      if (this.chosen !== key) return type;
      const kind = encoding === '' || encoding === type ? type : `${type}, as ${encoding}`;
      put(
        head,
        facts([
          ['Type', kind],
          ['Expires', ttl < 0 ? 'never' : `in ${ttlText(ttl)}`],
          ['In memory', size === null ? '–' : bytes(size)],
        ]),
      );
      return type;
    };
    const type = await describe();
    if (this.chosen !== key) return;
    const changed = (): void => void describe().catch((error: unknown) => this.gone(error));
    put(
      this.detail,
      h(
        'header',
        {},
        button('Back', () => this.choose(null), { class: 'back' }),
        h('h2', { class: 'key-name' }, shown(key) || '(empty)'),
      ),
      head,
      h(
        'div',
        { class: 'bar' },
        button('Read again', () => this.choose(key)),
        button('Expiry', () => this.expire(key)),
        button('Rename', () => this.rename(key)),
        button('Delete', () => this.remove(key), { class: 'danger' }),
      ),
      contents(this.keys, key, type, changed),
    );
  }

  private make(): void {
    const types = Object.keys(NEW_KEYS);
    const asked = [{ kind: 'choice', label: 'Type', choices: types }] as const;
    form('New key', asked, 'Go on', async ([type]) => {
      const fields = ['Key', ...NEW_KEYS[type]].map((label) => ({ kind: 'bytes', label, rows: 2 }) as const);
      form(`New ${type}`, fields, 'Create', async ([key, ...values]) => {
        if (number(await this.keys.call('EXISTS', key)) > 0) throw new CommandError('There is a key of this name');
        await create(this.keys, type, key, values);
        await this.search();
        this.choose(key);
      });
    });
  }

  private expire(key: string): void {
    const asked = [{ kind: 'text', label: 'Seconds from now', hint: 'nothing: it does not expire' }] as const;
    form('Expiry', asked, 'Set', async ([seconds]) => {
      if (seconds.trim() === '') await this.keys.call('PERSIST', key);
      else await this.keys.call('EXPIRE', key, typed(seconds.trim()));
      this.choose(key);
    });
  }

  private rename(key: string): void {
    form('Rename', [{ kind: 'bytes', label: 'New name', value: key }], 'Rename', async ([name]) => {
      if (number(await this.keys.call('RENAMENX', key, name)) === 0)
        throw new CommandError('There is a key of this name');
      await this.search();
      this.choose(name);
    });
  }

  private remove(key: string): void {
    confirm('Delete this key?', h('code', {}, shown(key)), 'Delete', async () => {
      await this.keys.call('UNLINK', key);
      note('Deleted');
      this.choose(null);
      await this.search();
    });
  }
}
