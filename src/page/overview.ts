/** How the server fares: figures of the moment, and charts of the last minutes. */
import type { Sample } from '../console/wire.ts';
import { Chart, type ChartOptions } from './chart.ts';
import { h, panel, put, svg, table } from './dom.ts';
import { bytes, bytesRate, count, duration, micros, percent, whole } from './format.ts';
import type { Link } from './link.ts';
import type { View } from './view.ts';

type SampleChart = Omit<ChartOptions<Sample>, 'time'>;

const CHARTS: readonly SampleChart[] = [
  {
    title: 'Operations a second',
    format: count,
    top: 10,
    series: [{ name: 'Commands', colour: 1, of: (s) => s.operations }],
  },
  {
    title: 'Latency of commands',
    format: micros,
    logarithmic: true,
    series: [
      { name: 'Median', colour: 2, of: (s) => s.latency?.median ?? null },
      { name: '99 %', colour: 3, of: (s) => s.latency?.p99 ?? null },
      { name: '99.9 %', colour: 1, of: (s) => s.latency?.p999 ?? null },
    ],
  },
  {
    title: 'Memory by kind',
    format: bytes,
    binary: true,
    stacked: true,
    series: [
      { name: 'Server', colour: 6, of: (s) => s.memory.server },
      { name: 'Data', colour: 1, of: (s) => s.memory.data },
      { name: 'Tables', colour: 3, of: (s) => s.memory.tables },
      { name: 'Clients', colour: 2, of: (s) => s.memory.clients },
      { name: 'Replication, AOF', colour: 4, of: (s) => s.memory.buffers },
    ],
  },
  {
    title: 'Hit rate',
    format: percent,
    top: 100,
    limit: 100,
    series: [{ name: 'Reads that found their key', colour: 4, of: hitRate }],
  },
  {
    title: 'Clients',
    format: count,
    top: 3,
    series: [
      { name: 'Connected', colour: 2, of: (s) => s.clients.connected },
      { name: 'Blocked', colour: 3, of: (s) => s.clients.blocked },
    ],
  },
  {
    title: 'Network',
    format: bytesRate,
    binary: true,
    top: 1024,
    series: [
      { name: 'In', colour: 2, of: (s) => s.input },
      { name: 'Out', colour: 5, of: (s) => s.output },
    ],
  },
];

function hitRate({ hits, misses }: Sample): number | null {
  return hits + misses === 0 ? null : (100 * hits) / (hits + misses);
}

export function overview(link: Link): View {
  const charts = CHARTS.map((options) => new Chart<Sample>({ ...options, time: ({ at }) => at }));
  const tiles = h('div', { class: 'tiles' });
  const busiest = h('div', {});
  const none = h(
    'p',
    { class: 'notice', hidden: true },
    'This user may not run INFO, so there are no figures to show.',
  );
  const element = h(
    'div',
    {},
    none,
    tiles,
    h('div', { class: 'charts' }, ...charts.map((chart) => chart.element)),
    panel('Busiest commands', busiest),
  );
  const draw = (): void => {
    const { samples, hello } = link;
    const last = samples.at(-1);
    none.hidden = hello?.figures ?? true;
    element.classList.toggle('empty', !none.hidden);
    for (const chart of charts) chart.update(samples);
    put(tiles, ...(last === undefined ? [] : tilesOf(last)));
    put(busiest, busiestOf(last));
  };
  link.listeners.add({ sample: () => element.isConnected && draw() });
  return { element, show: draw };
}

function tile(name: string, value: string, note: string): HTMLElement {
  return h('div', { class: 'tile' }, h('span', {}, name), h('strong', {}, value), h('small', {}, note));
}

function tilesOf(s: Sample): HTMLElement[] {
  const rate = hitRate(s);
  const { memory, clients } = s;
  const limit = memory.limit === 0 ? 'no limit' : `of ${bytes(memory.limit)}`;
  return [
    tile('Operations', `${count(s.operations)}/s`, s.errors > 0 ? `${count(s.errors)} errors/s` : 'no errors'),
    tile('Memory', bytes(memory.used), `${limit}, process ${bytes(memory.resident)}`),
    tile('Keys', whole(s.keys), `${whole(s.expiring)} expire`),
    tile('Hit rate', rate === null ? '–' : percent(rate), rate === null ? 'no reads' : `${count(s.misses)} misses/s`),
    tile('Clients', whole(clients.connected), `${whole(clients.blocked)} blocked, ${whole(clients.replicas)} replicas`),
    tile('Processor', percent(s.processor), `up ${duration(s.uptime)}`),
  ];
}

function busiestOf(sample: Sample | undefined): HTMLElement {
  if (sample === undefined || sample.commands.length === 0)
    return h('p', { class: 'quiet' }, 'Nothing is being called.');
  const total = sample.commands.reduce((sum, { time }) => sum + time, 0);
  const rows = sample.commands.map(({ name, calls, time }) => [
    h('code', {}, name.replace('|', ' ').toUpperCase()),
    `${count(calls)}/s`,
    micros(time / calls),
    h('span', { class: 'share' }, bar(total === 0 ? 0 : time / total), percent(total === 0 ? 0 : (100 * time) / total)),
  ]);
  return table(['Command', 'Calls', 'Time each', 'Share of the time'], rows, 'Busiest commands');
}

function bar(share: number): SVGElement {
  return svg(
    'svg',
    { class: 'share-bar', viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect', { class: 'whole', width: 100, height: 6 }),
    svg('rect', { class: 'part', width: 100 * share, height: 6 }),
  );
}
