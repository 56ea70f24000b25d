/** What the server keeps and for whom it is there: saving, replication, clients, settings. */
import { shown, typed } from './bytes.ts';
import { complain, confirm, form, note } from './dialogs.ts';
import { button, type Child, facts, h, panel, put, table } from './dom.ts';
import { bytes, dateTime, duration, whole } from './format.ts';
import { errorIn, type Link, word, words } from './link.ts';
import type { View } from './view.ts';

const MOST_CLIENTS = 200;

type Fields = ReadonlyMap<string, string>;

function fieldsOf(info: string): Map<string, string> {
  return new Map([...info.matchAll(/^([^#:\r\n]+):([^\r\n]*)/gm)].map(([, name, value]) => [name, value]));
}

export function serverView(link: Link): View {
  const view = new ServerView(link);
  return { element: view.element, show: () => view.read() };
}

class ServerView {
  readonly element: HTMLElement;
  private readonly link: Link;
  private readonly saving = h('div', {});
  private readonly replication = h('div', {});
  private readonly clients = h('div', {});
  private readonly settings = h('div', {});
  private readonly filter = h('input', {
    type: 'search',
    placeholder: 'maxmemory*',
    'aria-label': 'Settings that match',
    oninput: () => this.drawSettings(),
  });
  private values: readonly (readonly [string, string])[] = [];

  constructor(link: Link) {
    this.link = link;
    this.element = h(
      'div',
      {},
      h('div', { class: 'pair' }, panel('Saving', this.saving), panel('Replication', this.replication)),
      panel('Clients', this.clients),
      panel('Settings', h('div', { class: 'toolbar' }, this.filter), this.settings),
    );
  }

  read(): void {
    this.readInfo().catch(complain);
    this.readClients().catch(complain);
    this.readSettings().catch(complain);
  }

  private async readInfo(): Promise<void> {
    const [persistence, replication] = await this.link.run('browse', [
      ['INFO', 'persistence'],
      ['INFO', 'replication'],
    ]);
    const refused = errorIn(persistence);
    if (refused !== undefined) {
      put(this.saving, h('p', { class: 'error' }, refused));
      put(this.replication, h('p', { class: 'error' }, refused));
      return;
    }
    this.drawSaving(fieldsOf(word(persistence)));
    this.drawReplication(fieldsOf(word(replication)));
  }

  private act(...command: readonly string[]): void {
    const done = (text: string): void => {
      note(text);
      void this.readInfo().catch(complain);
    };
    this.link.ask(...command).then((reply) => done(word(reply)), complain);
  }

  private drawSaving(fields: Fields): void {
    if (fields.size === 0) {
      put(this.saving, h('p', { class: 'quiet' }, 'A Sentinel keeps no data.'));
      return;
    }
    const figure = (name: string): number => Number(fields.get(name) ?? 0);
    const isLogged = fields.get('aof_enabled') === '1';
    const log: readonly (readonly [string, Child])[] = isLogged
      ? [
          ['Log', `${bytes(figure('aof_current_size'))}, ${bytes(figure('aof_base_size'))} after the last rewrite`],
          ['Log written', state(fields.get('aof_last_write_status'))],
          ['Rewriting', figure('aof_rewrite_in_progress') > 0 ? 'under way' : 'no'],
        ]
      : [['Log', 'appendonly is off']];
    put(
      this.saving,
      facts([
        ['Last snapshot', dateTime(figure('rdb_last_save_time') * 1000)],
        ['It went', state(fields.get('rdb_last_bgsave_status'))],
        ['Changes since', whole(figure('rdb_changes_since_last_save'))],
        ['Saving', figure('rdb_bgsave_in_progress') > 0 ? 'under way' : 'no'],
        ...log,
      ]),
      h(
        'div',
        { class: 'actions' },
        button('Save a snapshot', () => this.act('BGSAVE')),
        button('Rewrite the log', () => this.act('BGREWRITEAOF'), { disabled: !isLogged }),
      ),
    );
  }

  private drawReplication(fields: Fields): void {
    if (fields.size === 0) {
      put(this.replication, h('p', { class: 'quiet' }, 'A Sentinel does not replicate.'));
      return;
    }
    const isReplica = fields.get('role') === 'slave';
    const master = `${fields.get('master_host')}:${fields.get('master_port')}`;
    const replicas = [...fields].filter(([name]) => /^slave\d+$/.test(name)).map(([, value]) => partsOf(value));
    const offset = Number(fields.get('master_repl_offset') ?? 0);
    put(
      this.replication,
      facts([
        ['Role', isReplica ? `replica of ${master}` : 'master'],
        ...(isReplica
          ? ([
              ['Link', `${fields.get('master_link_status')}, heard ${fields.get('master_last_io_seconds_ago')} s ago`],
            ] as const)
          : []),
        ['Offset', whole(offset)],
        ['Backlog', bytes(Number(fields.get('repl_backlog_histlen') ?? 0))],
        ['Replicas', whole(replicas.length)],
      ]),
      replicas.length === 0
        ? null
        : table(
            ['Replica', 'State', 'Behind', 'Heard'],
            replicas.map((replica) => [
              `${replica.get('ip')}:${replica.get('port')}`,
              replica.get('state'),
              bytes(Math.max(0, offset - Number(replica.get('offset')))),
              `${replica.get('lag')} s ago`,
            ]),
            'Replicas',
          ),
    );
  }

  private async readClients(): Promise<void> {
    const [reply] = await this.link.run('browse', [['CLIENT', 'LIST']]);
    const refused = errorIn(reply);
    if (refused !== undefined) return put(this.clients, h('p', { class: 'error' }, refused));
    const all = word(reply)
      .trim()
      .split('\n')
      .map((line) => new Map(line.split(' ').map(pairOf)));
    const rows = all.slice(0, MOST_CLIENTS).map((client) => {
      const id = client.get('id') ?? '';
      const end = async (): Promise<void> => {
        await this.link.ask('CLIENT', 'KILL', 'ID', id, 'SKIPME', 'no');
        await this.readClients();
      };
      return [
        id,
        client.get('addr'),
        shown(client.get('name') ?? ''),
        client.get('user'),
        duration(Number(client.get('age'))),
        duration(Number(client.get('idle'))),
        h('code', {}, client.get('cmd')),
        bytes(Number(client.get('tot-mem'))),
        button('Close', () => confirm('Close this connection?', client.get('addr'), 'Close', end), {
          class: 'small',
          'aria-label': `Close client ${id}`,
        }),
      ];
    });
    const more = all.length > MOST_CLIENTS ? ` The first ${MOST_CLIENTS} are shown.` : '';
    put(
      this.clients,
      h(
        'div',
        { class: 'bar' },
        h('span', { class: 'quiet' }, `${whole(all.length)} clients.${more}`),
        button('Read again', () => void this.readClients().catch(complain)),
      ),
      table(['Id', 'Address', 'Name', 'User', 'Age', 'Idle', 'Command', 'Memory', ''], rows, 'Clients'),
    );
  }

  private async readSettings(): Promise<void> {
    const [reply] = await this.link.run('browse', [['CONFIG', 'GET', '*']]);
    const refused = errorIn(reply);
    if (refused !== undefined) return put(this.settings, h('p', { class: 'error' }, refused));
    const items = words(reply);
    this.values = Array.from({ length: items.length >> 1 }, (_, i) => [items[2 * i], items[2 * i + 1]] as const).sort();
    this.drawSettings();
  }

  private drawSettings(): void {
    const wanted = this.filter.value.trim().toLowerCase().replace(/\*+$/, '');
    const rows = this.values
      .filter(([name]) => name.includes(wanted))
      .map(([name, value]) => [
        h('code', {}, name),
        h('code', { class: 'bytes-cell' }, value === '' ? h('span', { class: 'quiet' }, 'empty') : shown(value)),
        button('Change', () => this.change(name, value), { class: 'small', 'aria-label': `Change ${name}` }),
      ]);
    put(this.settings, table(['Setting', 'Value', ''], rows, 'Settings'));
    this.settings.firstElementChild?.classList.add('low');
  }

  private change(name: string, value: string): void {
    form(name, [{ kind: 'text', label: 'Value', value }], 'Set', async ([text]) => {
      await this.link.ask('CONFIG', 'SET', name, typed(text));
      await this.readSettings();
    });
  }
}

function state(value: string | undefined): Child {
  return value === 'ok' ? 'well' : h('span', { class: 'error' }, value ?? '–');
}

function pairOf(pair: string): readonly [string, string] {
  const equals = pair.indexOf('=');
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}

function partsOf(value: string): Map<string, string> {
  return new Map(value.split(',').map(pairOf));
}
