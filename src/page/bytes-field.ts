/**
 * A field for bytes. What a text field would keep as it is stands there as text; all else, and whatever is wanted so, with
 * escapes (`\xff`, `\n`), so that nothing is lost.
 */
import { editable, escaped, typed, unescaped } from './bytes.ts';
import { h } from './dom.ts';

export class BytesField {
  readonly element: HTMLElement;
  private readonly area: HTMLTextAreaElement;
  private readonly escapes: HTMLInputElement;

  constructor(label: string, bytes: string, rows = 3) {
    const text = editable(bytes);
    this.area = h('textarea', { rows, spellcheck: 'false', 'aria-label': label, value: text ?? escaped(bytes) });
    this.escapes = h('input', { type: 'checkbox', checked: text === undefined, onchange: () => this.turn() });
    this.element = h(
      'div',
      { class: 'field bytes' },
      h(
        'div',
        { class: 'bytes-head' },
        h('span', {}, label),
        h('label', { class: 'check' }, this.escapes, 'with escapes (\\xff \\n \\\\)'),
      ),
      this.area,
    );
  }

  /** The bytes; undefined where an escape is wrong, which the field then says. */
  get bytes(): string | undefined {
    const bytes = this.escapes.checked ? unescaped(this.area.value) : typed(this.area.value);
    this.area.setCustomValidity(
      bytes === undefined ? 'A backslash begins \\xHH, \\n, \\r, \\t, \\a, \\b, \\" or \\\\' : '',
    );
    this.area.reportValidity();
    return bytes;
  }

  focus(): void {
    this.area.focus();
  }

  private turn(): void {
    const on = this.escapes.checked;
    const bytes = on ? typed(this.area.value) : unescaped(this.area.value);
    const text = bytes === undefined ? undefined : on ? escaped(bytes) : editable(bytes);
    if (text === undefined) this.escapes.checked = true;
    else this.area.value = text;
  }
}
