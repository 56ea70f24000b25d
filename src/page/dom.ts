/** Elements, made and filled without a text that would be read as markup. */

export type Child = Node | string | number | null | undefined | false;
type Handler = (event: never) => void;
/** Attributes by their names; `on...` are listeners, `value` and `checked` what a field holds at first. */
export type Props = Readonly<Record<string, string | number | boolean | null | undefined | Handler>>;

const SVG = 'http://www.w3.org/2000/svg';

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), props, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled<E extends Element>(element: E, props: Props, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as EventListener);
    else if (name === 'value' || name === 'checked') Reflect.set(element, name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...kept(children));
  return element;
}

function kept(children: readonly Child[]): (Node | string)[] {
  const nodes: (Node | string)[] = [];
  for (const child of children)
    if (child !== null && child !== undefined && child !== false)
      nodes.push(typeof child === 'number' ? String(child) : child);
  return nodes;
}

/** Puts these in place of all that an element holds. */
export function put(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...kept(children));
}

export function button(label: Child, act: () => void, props: Props = {}): HTMLButtonElement {
  return h('button', { type: 'button', onclick: act, ...props }, label);
}

/** A field with its label before it. */
export function field(label: string, control: HTMLElement, props: Props = {}): HTMLLabelElement {
  return h('label', { class: 'field', ...props }, h('span', {}, label), control);
}

export function panel(title: string, ...children: readonly Child[]): HTMLElement {
  return h('section', { class: 'panel' }, h('h2', {}, title), ...children);
}

/** A table that scrolls by itself where it is wider than the page. */
export function table(head: readonly string[], rows: readonly (readonly Child[])[], label: string): HTMLElement {
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...head.map((title) => h('th', { scope: 'col' }, title)))),
      h('tbody', {}, ...rows.map((cells) => h('tr', {}, ...cells.map((cell) => h('td', {}, cell))))),
    ),
  );
}

/** Names and values, one a line. */
export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  return h('dl', { class: 'facts' }, ...pairs.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}
