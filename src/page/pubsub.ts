/** Messages: what is published, as it comes, and who listens to what. */
import { shown, typed } from './bytes.ts';
import { BytesField } from './bytes-field.ts';
import { complain, note } from './dialogs.ts';
import { button, field, h, panel, put, table } from './dom.ts';
import { clockTime } from './format.ts';
import { errorIn, type Link, list, number, word, words } from './link.ts';
import type { View } from './view.ts';

const MOST_MESSAGES = 500;
const FAMILIES = [
  ['channel', 'SUBSCRIBE', 'UNSUBSCRIBE'],
  ['pattern', 'PSUBSCRIBE', 'PUNSUBSCRIBE'],
  ['shard channel', 'SSUBSCRIBE', 'SUNSUBSCRIBE'],
] as const;
type Family = (typeof FAMILIES)[number];

export function pubsub(link: Link): View {
  const view = new Watching(link);
  return { element: view.element, show: () => view.show() };
}

class Watching {
  readonly element: HTMLElement;
  private readonly link: Link;
  private readonly kind = h('select', {}, ...FAMILIES.map(([name]) => h('option', {}, name)));
  private readonly name = h('input', { type: 'text', required: true, spellcheck: 'false', autocomplete: 'off' });
  private readonly subscribed = h('div', { class: 'chips' });
  private readonly messages = h('ol', { class: 'messages', role: 'log', 'aria-label': 'Messages', tabindex: 0 });
  private readonly channels = h('div', {});
  private readonly target = h('input', { type: 'text', required: true, spellcheck: 'false', autocomplete: 'off' });
  /** What is listened to, by family and name. */
  private readonly listening = new Map<string, readonly [Family, string]>();

  constructor(link: Link) {
    this.link = link;
    const payload = new BytesField('Message', '', 2);
    this.element = h(
      'div',
      {},
      panel(
        'Listen',
        h(
          'form',
          { class: 'toolbar', onsubmit: (event: SubmitEvent) => this.submit(event, () => this.subscribe()) },
          field('To a', this.kind),
          field('Name', this.name, { class: 'field grow' }),
          h('button', { type: 'submit', class: 'primary' }, 'Subscribe'),
          button('Clear', () => put(this.messages)),
        ),
        this.subscribed,
        this.messages,
      ),
      panel(
        'Publish',
        h(
          'form',
          { class: 'column', onsubmit: (event: SubmitEvent) => this.submit(event, () => this.publish(payload)) },
          field('Channel', this.target),
          payload.element,
          h('div', { class: 'actions' }, h('button', { type: 'submit' }, 'Publish')),
        ),
      ),
      panel('Channels that are listened to', this.channels),
    );
    this.link.listeners.add({
      hello: () => void this.resume().catch(complain),
      push: (lane, reply) => lane === 'watch' && this.arrived(words(reply)),
      skipped: (count) => this.line('', `${count} messages were too many to be shown`),
    });
    this.draw();
  }

  show(): void {
    void this.readChannels().catch(complain);
  }

  private submit(event: SubmitEvent, act: () => Promise<void>): void {
    event.preventDefault();
    act().catch(complain);
  }

  private async subscribe(): Promise<void> {
    const family = FAMILIES.find(([name]) => name === this.kind.value) ?? FAMILIES[0];
    const name = typed(this.name.value);
    await this.link.call('watch', family[1], name);
    this.listening.set(`${family[0]} ${name}`, [family, name]);
    this.draw();
    await this.readChannels();
  }

  /** The sessions are new: what was listened to is listened to again. */
  private async resume(): Promise<void> {
    for (const [[, subscribe], name] of this.listening.values()) await this.link.call('watch', subscribe, name);
  }

  private async leave(key: string): Promise<void> {
    const found = this.listening.get(key);
    if (found === undefined) return;
    const [[, , unsubscribe], name] = found;
    await this.link.call('watch', unsubscribe, name);
    this.listening.delete(key);
    this.draw();
    await this.readChannels();
  }

  private draw(): void {
    const chips = [...this.listening].map(([key, [[kind], name]]) =>
      h(
        'span',
        { class: 'chip' },
        h('small', {}, kind),
        ` ${shown(name)} `,
        button('×', () => void this.leave(key).catch(complain), { 'aria-label': `Stop listening to ${shown(name)}` }),
      ),
    );
    put(this.subscribed, ...(chips.length > 0 ? chips : [h('p', { class: 'quiet' }, 'Nothing is listened to yet.')]));
  }

  private arrived(message: readonly string[]): void {
    const kind = message[0];
    if (kind === 'message' || kind === 'smessage') this.line(message[1], message[2]);
    if (kind === 'pmessage') this.line(message[2], message[3]);
  }

  private line(channel: string, text: string): void {
    this.messages.prepend(
      h('li', {}, h('time', {}, clockTime(Date.now())), h('b', {}, shown(channel)), h('code', {}, shown(text))),
    );
    while (this.messages.children.length > MOST_MESSAGES) this.messages.lastChild?.remove();
  }

  private async publish(payload: BytesField): Promise<void> {
    const bytes = payload.bytes;
    if (bytes === undefined) return;
    const heard = number(await this.link.ask('PUBLISH', typed(this.target.value), bytes));
    note(heard === 1 ? 'One client has heard it' : `${heard} clients have heard it`);
  }

  private async readChannels(): Promise<void> {
    const [names] = await this.link.run('browse', [['PUBSUB', 'CHANNELS']]);
    const again = button('Read again', () => void this.readChannels().catch(complain));
    const refused = errorIn(names);
    if (refused !== undefined) return put(this.channels, h('p', { class: 'error' }, refused));
    const all = words(names).slice(0, MOST_MESSAGES);
    const counts = list(all.length === 0 ? [] : await this.link.ask('PUBSUB', 'NUMSUB', ...all));
    const rows = all.map((name, i) => [h('code', { class: 'bytes-cell' }, shown(name)), word(counts[2 * i + 1])]);
    put(
      this.channels,
      h('div', { class: 'bar' }, h('span', { class: 'quiet' }, `${all.length} channels`), again),
      rows.length === 0 ? null : table(['Channel', 'Subscribers'], rows, 'Channels'),
    );
  }
}
