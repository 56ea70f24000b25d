/** What was slow: the slow log, and the events that LATENCY keeps. */
import { shown } from './bytes.ts';
import { complain, confirm, form } from './dialogs.ts';
import { button, h, panel, put, svg, table } from './dom.ts';
import { clockTime, dateTime, micros } from './format.ts';
import { errorIn, type Link, list, number, word, words } from './link.ts';
import type { View } from './view.ts';

const MOST_ENTRIES = '128';

export function diagnostics(link: Link): View {
  const slow = h('div', {});
  const events = h('div', {});
  const read = (): void => {
    readSlow(link, slow).catch(complain);
    readEvents(link, events).catch(complain);
  };
  const element = h('div', {}, panel('Slow log', slow), panel('Latency events', events));
  link.listeners.add({ hello: () => element.isConnected && read() });
  return { element, show: read };
}

async function readSlow(link: Link, into: HTMLElement): Promise<void> {
  const [entries, setting] = await link.run('browse', [
    ['SLOWLOG', 'GET', MOST_ENTRIES],
    ['CONFIG', 'GET', 'slowlog-log-slower-than'],
  ]);
  const again = (): void => void readSlow(link, into).catch(complain);
  const refused = errorIn(entries);
  if (refused !== undefined) return put(into, h('p', { class: 'error' }, refused));
  const rows = list(entries).map((entry) => {
    const [, at, time, command, address, name] = list(entry);
    return [
      dateTime(number(at) * 1000),
      micros(number(time)),
      h('code', { class: 'bytes-cell' }, words(command).map(shown).join(' ')),
      [word(address), shown(word(name))].filter((text) => text !== '').join(' '),
    ];
  });
  const [, threshold] = words(setting);
  const limit =
    threshold === undefined
      ? ''
      : Number(threshold) < 0
        ? 'Nothing is kept. '
        : `From ${micros(Number(threshold))} on. `;
  put(
    into,
    h(
      'div',
      { class: 'bar' },
      h('span', { class: 'quiet' }, `${limit}${rows.length} entries.`),
      button('Read again', again),
      button('Threshold', () =>
        form(
          'Commands are kept from',
          [{ kind: 'text', label: 'Microseconds', value: threshold ?? '' }],
          'Set',
          async ([value]) => {
            await link.ask('CONFIG', 'SET', 'slowlog-log-slower-than', value.trim());
            again();
          },
        ),
      ),
      button('Empty', () =>
        confirm('Empty the slow log?', '', 'Empty', async () => {
          await link.ask('SLOWLOG', 'RESET');
          again();
        }),
      ),
    ),
    rows.length === 0
      ? h('p', { class: 'quiet' }, 'No command was slow.')
      : table(['When', 'Time', 'Command', 'Client'], rows, 'Slow log'),
  );
}

async function readEvents(link: Link, into: HTMLElement): Promise<void> {
  const [latest, setting] = await link.run('browse', [
    ['LATENCY', 'LATEST'],
    ['CONFIG', 'GET', 'latency-monitor-threshold'],
  ]);
  const again = (): void => void readEvents(link, into).catch(complain);
  const refused = errorIn(latest);
  if (refused !== undefined) return put(into, h('p', { class: 'error' }, refused));
  const names = list(latest).map((event) => word(list(event)[0]));
  const histories =
    names.length === 0
      ? []
      : await link.run(
          'browse',
          names.map((name) => ['LATENCY', 'HISTORY', name]),
        );
  const rows = list(latest).map((event, i) => {
    const [name, at, last, most] = list(event);
    return [
      h('code', {}, word(name)),
      clockTime(number(at) * 1000),
      `${number(last)} ms`,
      `${number(most)} ms`,
      spikes(list(histories[i]).map((point) => number(list(point)[1]))),
    ];
  });
  const [, threshold] = words(setting);
  put(
    into,
    h(
      'div',
      { class: 'bar' },
      h(
        'span',
        { class: 'quiet' },
        Number(threshold) > 0 ? `From ${threshold} ms on.` : 'Nothing is kept: the threshold is 0.',
      ),
      button('Read again', again),
      button('Threshold', () =>
        form(
          'Events are kept from',
          [{ kind: 'text', label: 'Milliseconds, 0 for none', value: threshold ?? '' }],
          'Set',
          async ([value]) => {
            await link.ask('CONFIG', 'SET', 'latency-monitor-threshold', value.trim());
            again();
          },
        ),
      ),
      button('Empty', () =>
        confirm('Forget all latency events?', '', 'Forget', async () => {
          await link.ask('LATENCY', 'RESET');
          again();
        }),
      ),
    ),
    rows.length === 0 ? null : table(['Event', 'Last', 'Took', 'At most', 'History'], rows, 'Latency events'),
  );
}

/** A column for each time that it happened. */
function spikes(values: readonly number[]): SVGElement {
  const latest = values.slice(-40);
  const most = Math.max(1, ...latest);
  return svg(
    'svg',
    { class: 'spikes', viewBox: '0 0 160 24', role: 'img', 'aria-label': `${values.length} times, at most ${most} ms` },
    ...latest.map((value, i) =>
      svg('rect', { x: i * 4, width: 3, y: 24 - (24 * value) / most, height: Math.max(1, (24 * value) / most) }),
    ),
  );
}
