/** A command line, as redis-cli's: history, completion and help from COMMAND DOCS, and what the server sends unasked. */
import { splitArguments } from '../base/quoting.ts';
import { type CommandDocs, commandOf, completions, readDocs } from '../client/docs.ts';
import { forPeople } from '../client/format.ts';
import type { Reply } from '../client/reply.ts';
import type { WireReply } from '../console/wire.ts';
import { textOf, typed } from './bytes.ts';
import { button, h, put } from './dom.ts';
import { errorIn, type Link } from './link.ts';
import type { View } from './view.ts';

const MOST_ENTRIES = 300;
const MOST_HISTORY = 200;
const MOST_OFFERED = 8;
const HISTORY = 'cinnabar-console-history';

/** A reply with its kinds named, as the client's programs have them. */
function named(reply: WireReply): Reply {
  if (reply === null) return { kind: 'null' };
  if (typeof reply === 'string') return { kind: 'bulk', text: reply };
  if (typeof reply === 'boolean') return { kind: 'boolean', text: reply ? 't' : 'f' };
  if (typeof reply === 'number') return { kind: Number.isInteger(reply) ? 'integer' : 'double', text: String(reply) };
  if (Array.isArray(reply)) return { kind: 'array', items: reply.map(named) };
  return namedObject(reply as Exclude<WireReply, readonly WireReply[] | string | number | boolean | null>);
}

function namedObject(reply: Exclude<WireReply, readonly WireReply[] | string | number | boolean | null>): Reply {
  if ('status' in reply) return { kind: 'status', text: reply.status };
  if ('error' in reply) return { kind: 'error', text: reply.error };
  if ('integer' in reply) return { kind: 'integer', text: reply.integer };
  if ('double' in reply) return { kind: 'double', text: reply.double };
  if ('map' in reply) return { kind: 'map', items: reply.map.map(named) };
  if ('set' in reply) return { kind: 'set', items: reply.set.map(named) };
  if ('omitted' in reply) return { kind: 'status', text: `... and ${reply.omitted} more` };
  return {
    kind: 'status',
    text: `${forPeople({ kind: 'bulk', text: reply.beginning }).trimEnd()}... (${reply.length} bytes)`,
  };
}

/** As redis-cli prints it. */
export function printed(reply: WireReply): string {
  const text = forPeople(named(reply));
  return (textOf(text) ?? text).replace(/\n$/, '');
}

export function shell(link: Link): View {
  const line = new CommandLine(link);
  return { element: line.element, show: () => line.show() };
}

class CommandLine {
  readonly element: HTMLElement;
  private readonly link: Link;
  private readonly log = h('div', {
    class: 'log',
    role: 'log',
    'aria-live': 'polite',
    tabindex: 0,
    'aria-label': 'Output',
  });
  private readonly input = h('input', {
    type: 'text',
    spellcheck: 'false',
    autocomplete: 'off',
    autocapitalize: 'off',
    'aria-label': 'Command',
    role: 'combobox',
    'aria-expanded': 'false',
    'aria-controls': 'offered',
    placeholder: 'PING',
    oninput: () => this.offer(),
    onkeydown: (event: KeyboardEvent) => this.key(event),
    onblur: () => this.withdraw(),
  });
  private readonly offered = h('ul', { id: 'offered', class: 'offered', role: 'listbox', hidden: true });
  private readonly help = h('p', { class: 'help' });
  private readonly prompt = h('span', { class: 'prompt' });
  private docs: ReadonlyMap<string, CommandDocs> | null = null;
  private history: string[] = [];
  private place = 0;
  private choice = -1;
  private db = 0;
  private queues = false;
  private running: AbortController | null = null;

  constructor(link: Link) {
    this.link = link;
    const onsubmit = (event: SubmitEvent): void => {
      event.preventDefault();
      void this.send();
    };
    this.element = h(
      'section',
      { class: 'panel shell' },
      this.log,
      this.help,
      h('form', { class: 'command', onsubmit }, this.prompt, h('div', { class: 'entry' }, this.input, this.offered)),
    );
    this.history = JSON.parse(sessionStorage.getItem(HISTORY) ?? '[]') as string[];
    this.place = this.history.length;
    link.listeners.add({
      hello: () => this.begin(),
      push: (lane, reply) => {
        if (lane === 'shell') this.print('push', printed(reply));
      },
      skipped: (count) => this.print('push', `(${count} messages were too many to be shown)`),
    });
    this.begin();
  }

  show(): void {
    this.input.focus();
    void this.readDocs();
  }

  /** The session is new. */
  private begin(): void {
    this.db = 0;
    this.queues = false;
    this.drawPrompt();
  }

  private drawPrompt(): void {
    put(this.prompt, `${location.hostname}${this.db === 0 ? '' : `[${this.db}]`}${this.queues ? ' (TX)' : ''}>`);
  }

  private async readDocs(): Promise<void> {
    if (this.docs !== null || this.link.hello === null) return;
    const [reply] = await this.link.run('browse', [['COMMAND', 'DOCS']]);
    if (errorIn(reply) === undefined) this.docs = readDocs(named(reply));
  }

  // Completion.

  private offer(): void {
    const text = this.input.value.trimStart();
    const names = this.docs === null || text === '' ? [] : completions(this.docs, text).slice(0, MOST_OFFERED);
    this.choice = -1;
    const isWhole = names.length === 1 && names[0] === text.toUpperCase();
    this.offered.hidden = names.length === 0 || isWhole;
    this.input.setAttribute('aria-expanded', String(!this.offered.hidden));
    put(
      this.offered,
      ...names.map((name, i) =>
        h(
          'li',
          { role: 'option', id: `offered-${i}`, onpointerdown: () => this.take(name) },
          h('b', {}, name),
          ` ${this.docs?.get(name)?.syntax ?? ''}`,
        ),
      ),
    );
    this.explain();
  }

  private explain(): void {
    const docs = this.docs === null ? undefined : commandOf(this.docs, this.input.value);
    put(
      this.help,
      ...(docs === undefined ? [] : [h('b', {}, docs.name), ` ${docs.syntax} `, h('i', {}, docs.summary)]),
    );
  }

  private withdraw(): void {
    this.offered.hidden = true;
    this.input.setAttribute('aria-expanded', 'false');
  }

  private choose(step: number): void {
    const { length } = this.offered.children;
    this.choice = (this.choice + step + length) % length;
    for (const [i, option] of [...this.offered.children].entries()) {
      option.setAttribute('aria-selected', String(i === this.choice));
      if (i === this.choice) this.input.setAttribute('aria-activedescendant', option.id);
    }
  }

  private take(name: string): void {
    this.input.value = `${name} `;
    this.offer();
    this.withdraw();
    setTimeout(() => this.input.focus());
  }

  private key(event: KeyboardEvent): void {
    const isOffering = !this.offered.hidden;
    const selected = this.offered.children[Math.max(0, this.choice)]?.firstChild?.textContent;
    if (event.key === 'Tab' && isOffering && selected) this.take(selected);
    else if (event.key === 'Enter' && isOffering && this.choice >= 0 && selected) this.take(selected);
    else if (event.key === 'Escape' && isOffering) this.withdraw();
    else if (event.key === 'ArrowDown' && isOffering) this.choose(1);
    else if (event.key === 'ArrowUp' && isOffering && this.choice >= 0) this.choose(-1);
    else if (event.key === 'ArrowUp') this.recall(-1);
    else if (event.key === 'ArrowDown') this.recall(1);
    else return;
    event.preventDefault();
  }

  private recall(step: number): void {
    this.place = Math.max(0, Math.min(this.history.length, this.place + step));
    this.input.value = this.history[this.place] ?? '';
    this.withdraw();
    this.explain();
  }

  private remember(text: string): void {
    if (this.history.at(-1) !== text) this.history.push(text);
    this.history = this.history.slice(-MOST_HISTORY);
    this.place = this.history.length;
    // A password typed here stays in no store.
    const kept = this.history.filter((line) => !/^\s*(auth|hello|acl|config|migrate)\b/i.test(line));
    sessionStorage.setItem(HISTORY, JSON.stringify(kept));
  }

  // Commands.

  private async send(): Promise<void> {
    const text = this.input.value.trim();
    if (text === '' || this.running !== null) return;
    this.input.value = '';
    this.withdraw();
    this.explain();
    this.remember(text);
    if (/^clear$/i.test(text)) {
      put(this.log);
      return;
    }
    this.print('sent', `${this.prompt.textContent} ${text}`);
    const command = splitArguments(typed(text));
    if (command === undefined || command.length === 0) this.print('reply', 'Invalid argument(s)');
    else await this.run(command);
  }

  private async run(command: readonly string[]): Promise<void> {
    const running = new AbortController();
    this.running = running;
    const cancel = button('Cancel', () => running.abort(), { class: 'small' });
    const waiting = h('div', { class: 'waiting' }, 'Waiting for the reply ', cancel);
    const late = setTimeout(() => this.log.append(waiting), 400);
    try {
      const [reply] = await this.link.run('shell', [command], running.signal);
      this.print(errorIn(reply) === undefined ? 'reply' : 'reply wrong', printed(reply));
      this.follow(command, reply);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.print('reply wrong', running.signal.aborted ? 'Cancelled; its session has ended' : why);
      this.begin();
    } finally {
      clearTimeout(late);
      waiting.remove();
      this.running = null;
    }
  }

  /** What the prompt tells of the session. */
  private follow(command: readonly string[], reply: WireReply): void {
    const name = command[0].toUpperCase();
    const isError = errorIn(reply) !== undefined;
    if (name === 'SELECT' && !isError && !this.queues) this.db = Number(command[1]) || 0;
    if (name === 'MULTI' && !isError) this.queues = true;
    if (name === 'EXEC' || name === 'DISCARD') this.queues = false;
    if ((name === 'RESET' || name === 'QUIT') && !isError) this.begin();
    this.drawPrompt();
  }

  private print(kind: string, text: string): void {
    this.log.append(h('pre', { class: kind }, text));
    while (this.log.children.length > MOST_ENTRIES) this.log.firstChild?.remove();
    this.log.scrollTop = this.log.scrollHeight;
  }
}
