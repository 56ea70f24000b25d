/** The page as a whole: who is logged in, which view is shown, whether the server is there. */
import type { Hello } from '../console/wire.ts';
import { diagnostics } from './diagnostics.ts';
import { complain } from './dialogs.ts';
import { button, field, h, put, svg } from './dom.ts';
import { keysView } from './keys.ts';
import { type HttpError, Link, posted } from './link.ts';
import { overview } from './overview.ts';
import { pubsub } from './pubsub.ts';
import { serverView } from './server-view.ts';
import { shell } from './shell.ts';
import { topology } from './topology.ts';
import type { View } from './view.ts';

interface Place {
  readonly id: string;
  readonly title: string;
  /** The path of its icon, in a square of 24. */
  readonly icon: string;
  readonly make: (link: Link) => View;
  /** A Sentinel has no data. */
  readonly needsData?: boolean;
}

const PLACES: readonly Place[] = [
  { id: 'overview', title: 'Overview', icon: 'M4 19V5M4 19H20M8 15l4-5 3 3 5-7', make: overview },
  {
    id: 'keys',
    title: 'Keys',
    icon: 'M8 15a4 4 0 1 1 3.5-6H21v3h-3v3h-3v-3h-3.5A4 4 0 0 1 8 15z',
    make: keysView,
    needsData: true,
  },
  { id: 'shell', title: 'Command line', icon: 'M4 6l5 6-5 6M12 18h8', make: shell },
  {
    id: 'slow',
    title: 'Slow log',
    icon: 'M12 7v5l3 3M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z',
    make: diagnostics,
    needsData: true,
  },
  {
    id: 'pubsub',
    title: 'Pub/sub',
    icon: 'M12 12v0M8.5 15.5a5 5 0 0 1 0-7M15.5 8.5a5 5 0 0 1 0 7M5.6 18.4a9 9 0 0 1 0-12.8M18.4 5.6a9 9 0 0 1 0 12.8',
    make: pubsub,
  },
  {
    id: 'topology',
    title: 'Topology',
    icon: 'M12 4v5M12 9H6v5M12 9h6v5M4 14h4v5H4zM16 14h4v5h-4zM10 2h4v4h-4z',
    make: topology,
  },
  { id: 'server', title: 'Server', icon: 'M4 5h16v6H4zM4 13h16v6H4zM8 8h0M8 16h0', make: serverView },
];

class Page {
  private readonly link = new Link();
  private readonly views = new Map<string, View>();
  private readonly nav = h('nav', { 'aria-label': 'Views' });
  private readonly main = h('main', { id: 'main', tabindex: -1 });
  private readonly title = h('h1', {});
  private readonly status = h('span', { class: 'status', role: 'status' });
  private readonly account = h('span', { class: 'account' });
  private shown: View | null = null;

  begin(): void {
    this.link.listeners.add({
      hello: (hello) => this.arrived(hello),
      lost: (error) => this.lost(error),
    });
    window.addEventListener('hashchange', () => this.show());
    this.open();
  }

  private open(): void {
    put(
      document.body,
      h('a', { class: 'skip', href: '#main', onclick: (event: Event) => this.skip(event) }, 'Skip to the content'),
      h(
        'div',
        { class: 'frame' },
        h('aside', {}, h('div', { class: 'brand' }, h('img', { src: 'icon.svg', alt: '' }), 'Cinnabar'), this.nav),
        h('div', { class: 'content' }, h('header', { class: 'top' }, this.title, this.status, this.account), this.main),
      ),
    );
    this.status.textContent = 'connecting';
    void this.link.open();
  }

  private skip(event: Event): void {
    event.preventDefault();
    this.main.focus();
  }

  private arrived(hello: Hello): void {
    const { user, login, mode, raft, version } = hello;
    const kind = raft ? 'member of a group' : mode;
    this.status.className = 'status up';
    put(this.status, kind);
    this.status.title = `Cinnabar ${version}`;
    put(
      this.account,
      h('span', {}, user),
      login ? button('Log out', () => void this.logOut(), { class: 'small' }) : null,
    );
    this.drawNav();
    if (this.shown === null) this.show();
    else this.shown.show?.();
  }

  private get places(): readonly Place[] {
    const isSentinel = this.link.hello?.mode === 'sentinel';
    return PLACES.filter(({ needsData }) => !isSentinel || !needsData);
  }

  private get place(): Place {
    const wanted = location.hash.slice(1);
    return this.places.find(({ id }) => id === wanted) ?? this.places[0];
  }

  private drawNav(): void {
    const { id: current } = this.place;
    put(
      this.nav,
      ...this.places.map(({ id, title, icon }) =>
        h(
          'a',
          { href: `#${id}`, 'aria-current': id === current ? 'page' : null },
          svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, svg('path', { d: icon })),
          h('span', {}, title),
        ),
      ),
    );
    // In a narrow window they are a row that is wider than it.
    this.nav.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  private show(): void {
    const { id, title, make } = this.place;
    let view = this.views.get(id);
    if (view === undefined) this.views.set(id, (view = make(this.link)));
    if (this.shown !== view) this.shown?.hide?.();
    this.shown = view;
    this.title.textContent = title;
    document.title = `${title} · Cinnabar`;
    put(this.main, view.element);
    this.drawNav();
    if (this.link.hello !== null) view.show?.();
  }

  private lost(error: HttpError | null): void {
    this.status.className = 'status down';
    put(this.status, error === null ? 'the server is not there; trying again' : 'not connected');
    if (error !== null) this.askForLogin(error);
  }

  private async logOut(): Promise<void> {
    await posted('logout', {}).catch(complain);
    location.reload();
  }

  private askForLogin(error: HttpError): void {
    const user = h('input', { type: 'text', autocomplete: 'username', placeholder: 'default', autocapitalize: 'off' });
    const password = h('input', { type: 'password', autocomplete: 'current-password' });
    const wrong = h('p', { class: 'error', role: 'alert' }, error.status === 401 ? '' : error.message);
    const send = async (): Promise<void> => {
      try {
        await posted('login', { user: user.value, password: password.value });
        location.reload();
      } catch (reason) {
        wrong.textContent = reason instanceof Error ? reason.message : String(reason);
      }
    };
    const onsubmit = (event: SubmitEvent): void => {
      event.preventDefault();
      void send();
    };
    put(
      document.body,
      h(
        'div',
        { class: 'login' },
        h(
          'form',
          { class: 'panel', onsubmit },
          h('div', { class: 'brand' }, h('img', { src: 'icon.svg', alt: '' }), h('h1', {}, 'Cinnabar')),
          h('p', { class: 'quiet' }, 'With a user of the server’s ACL.'),
          field('User', user),
          field('Password', password),
          wrong,
          h('button', { type: 'submit', class: 'primary' }, 'Log in'),
        ),
      ),
    );
    password.focus();
  }
}

new Page().begin();
