/** Who belongs together: a master and its replicas, a cluster's shards and their slots, what Sentinels watch. As a picture. */
import { button, h, put, svg } from './dom.ts';
import { bytes, whole } from './format.ts';
import { errorIn, type Link, list, number, record, word } from './link.ts';
import type { View } from './view.ts';

const SLOTS = 16_384;
const PERIOD_MS = 5000;

interface Server {
  readonly name: string;
  readonly role: string;
  readonly note: string;
  readonly isWell: boolean;
  /** Whether it is the one that shows this page. */
  readonly isThis?: boolean;
}

interface Group {
  readonly title: string;
  readonly head: Server;
  readonly below: readonly Server[];
  /** Ranges of slots, of a cluster's shard. */
  readonly slots?: readonly (readonly [number, number])[];
}

export function topology(link: Link): View {
  const picture = h('div', {});
  const element = h(
    'section',
    { class: 'panel' },
    h(
      'header',
      {},
      h('h2', {}, 'Who belongs together'),
      button('Read again', () => read()),
    ),
    picture,
  );
  let timer = 0;
  const read = (): void => {
    if (link.hello === null) return;
    look(link).then(
      (groups) => put(picture, drawn(groups)),
      (error: Error) => put(picture, h('p', { class: 'error' }, error.message)),
    );
  };
  link.listeners.add({ hello: () => element.isConnected && read() });
  return {
    element,
    show() {
      read();
      window.clearInterval(timer);
      timer = window.setInterval(read, PERIOD_MS);
    },
    hide: () => window.clearInterval(timer),
  };
}

function look(link: Link): Promise<Group[]> {
  const mode = link.hello?.mode;
  if (mode === 'sentinel') return watched(link);
  return mode === 'cluster' ? shards(link) : replicas(link);
}

async function replicas(link: Link): Promise<Group[]> {
  const info = word(await link.ask('INFO', 'server', 'replication'));
  const fields = new Map([...info.matchAll(/^([^#:\r\n]+):([^\r\n]*)/gm)].map(([, name, value]) => [name, value]));
  const offset = Number(fields.get('master_repl_offset') ?? 0);
  const below = [...fields]
    .filter(([name]) => /^slave\d+$/.test(name))
    .map(([, value]): Server => {
      const parts = new Map(value.split(',').map((part) => part.split('=', 2) as [string, string]));
      const behind = Math.max(0, offset - Number(parts.get('offset')));
      const isWell = parts.get('state') === 'online';
      const name = `${parts.get('ip')}:${parts.get('port')}`;
      return { name, role: 'replica', note: isWell ? `${bytes(behind)} behind` : `${parts.get('state')}`, isWell };
    });
  const isReplica = fields.get('role') === 'slave';
  const here: Server = {
    name: `${location.hostname}:${fields.get('tcp_port')}`,
    role: isReplica ? 'replica' : 'master',
    note: `offset ${whole(offset)}`,
    isWell: !isReplica || fields.get('master_link_status') === 'up',
    isThis: true,
  };
  if (!isReplica) return [{ title: 'This server', head: here, below }];
  const isUp = fields.get('master_link_status') === 'up';
  const master: Server = {
    name: `${fields.get('master_host')}:${fields.get('master_port')}`,
    role: 'master',
    note: isUp ? 'link up' : 'link down',
    isWell: isUp,
  };
  const groups: Group[] = [{ title: 'Its master', head: master, below: [here] }];
  if (below.length > 0) groups.push({ title: 'Its own replicas', head: here, below });
  return groups;
}

async function shards(link: Link): Promise<Group[]> {
  const [reply, myself] = await link.run('browse', [
    ['CLUSTER', 'SHARDS'],
    ['CLUSTER', 'MYID'],
  ]);
  const refused = errorIn(reply);
  if (refused !== undefined) throw new Error(refused);
  return list(reply).map((shard, i): Group => {
    const fields = record(shard);
    const bounds = list(fields.get('slots')).map(number);
    const slots = Array.from({ length: bounds.length >> 1 }, (_, n) => [bounds[2 * n], bounds[2 * n + 1]] as const);
    const servers = list(fields.get('nodes')).map((node): Server & { readonly isMaster: boolean } => {
      const about = record(node);
      const text = (name: string): string => word(about.get(name));
      const health = text('health');
      return {
        name: `${text('endpoint') || text('ip') || '?'}:${text('port') || text('tls-port')}`,
        role: text('role'),
        note: health === 'online' ? `offset ${whole(number(about.get('replication-offset')))}` : health,
        isWell: health === 'online',
        isThis: text('id') === word(myself),
        isMaster: text('role') === 'master',
      };
    });
    const head = servers.find(({ isMaster }) => isMaster) ?? servers[0];
    const count = slots.reduce((sum, [from, to]) => sum + to - from + 1, 0);
    const below = servers.filter((server) => server !== head);
    return { title: `Shard ${i + 1}: ${whole(count)} slots`, head, below, slots };
  });
}

async function watched(link: Link): Promise<Group[]> {
  const masters = list(await link.ask('SENTINEL', 'MASTERS')).map(record);
  const groups: Group[] = [];
  const [, port] = /tcp_port:(\d+)/.exec(word(await link.ask('INFO', 'server'))) ?? [];
  for (const master of masters) {
    const name = word(master.get('name'));
    const [found, others] = await link.run('browse', [
      ['SENTINEL', 'REPLICAS', name],
      ['SENTINEL', 'SENTINELS', name],
    ]);
    const server = (fields: ReturnType<typeof record>, role: string): Server => {
      const flags = word(fields.get('flags'));
      const isWell = !/s_down|o_down|disconnected/.test(flags);
      return {
        name: `${word(fields.get('ip'))}:${word(fields.get('port'))}`,
        role,
        note: isWell ? 'well' : flags,
        isWell,
      };
    };
    groups.push({
      title: `${name}, quorum ${word(master.get('quorum'))}`,
      head: server(master, 'master'),
      below: [
        ...list(found).map((each) => server(record(each), 'replica')),
        ...list(others).map((each) => server(record(each), 'sentinel')),
        { name: `${location.hostname}:${port}`, role: 'sentinel', note: 'this one', isWell: true, isThis: true },
      ],
    });
  }
  return groups;
}

// The picture.

const BOX = { width: 260, height: 46, gap: 12, indent: 28 };

function drawn(groups: readonly Group[]): HTMLElement {
  if (groups.length === 0) return h('p', { class: 'quiet' }, 'Nobody is watched.');
  const hasSlots = groups.some(({ slots }) => slots !== undefined);
  return h('div', {}, hasSlots ? slotBar(groups) : null, h('div', { class: 'groups' }, ...groups.map(drawnGroup)));
}

/** All slots from left to right, in the colours of their shards; what nobody serves is left empty. */
function slotBar(groups: readonly Group[]): SVGElement {
  const parts = groups.flatMap(({ slots = [], title }, i) =>
    slots.map(([from, to]) =>
      svg(
        'rect',
        { class: `slot colour-${(i % 6) + 1}`, x: from, y: 0, width: to - from + 1, height: 20 },
        svg('title', {}, `${title}: ${from} to ${to}`),
      ),
    ),
  );
  const label = groups.map(({ title }) => title).join(', ');
  return svg(
    'svg',
    { class: 'slots', viewBox: `0 0 ${SLOTS} 20`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    ...parts,
  );
}

function drawnGroup({ title, head, below }: Group, i: number): HTMLElement {
  const { width, height, gap, indent } = BOX;
  const total = width + indent;
  const tall = height + below.length * (height + gap);
  const top = (row: number): number => row * (height + gap);
  const lines = below.map((_, n) => {
    const y = top(n + 1) + height / 2;
    return svg('path', { class: 'branch', d: `M14 ${height}V${y}H${indent}` });
  });
  const said = [head, ...below].map(({ name, role, note }) => `${role} ${name}, ${note}`).join('; ');
  return h(
    'figure',
    {},
    h('figcaption', { class: `key colour-${(i % 6) + 1}` }, h('i', {}), title),
    svg(
      'svg',
      {
        class: 'topology',
        viewBox: `0 0 ${total + 2} ${tall + 2}`,
        width: total + 2,
        height: tall + 2,
        role: 'img',
        'aria-label': said,
      },
      ...lines,
      box(head, 1, 1),
      ...below.map((server, n) => box(server, indent + 1, top(n + 1) + 1)),
    ),
  );
}

function box({ name, role, note, isWell, isThis }: Server, x: number, y: number): SVGElement {
  const { width, height } = BOX;
  return svg(
    'g',
    { class: `server ${role} ${isWell ? 'well' : 'ill'}${isThis ? ' this' : ''}`, transform: `translate(${x} ${y})` },
    svg('rect', { width, height, rx: 8 }),
    svg('circle', { cx: 18, cy: height / 2, r: 5 }),
    svg('text', { class: 'server-name', x: 34, y: 20 }, name),
    svg(
      'text',
      { class: 'server-note', x: 34, y: 37 },
      `${role} · ${note}${isThis && note !== 'this one' ? ' · this one' : ''}`,
    ),
  );
}
