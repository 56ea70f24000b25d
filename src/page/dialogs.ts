/** Questions to whoever sits before the page, and short notes to him. */
import { BytesField } from './bytes-field.ts';
import { button, type Child, field, h } from './dom.ts';

/** What a form asks for: bytes, a line of text, or one of several words. */
export type Asked =
  | { readonly kind: 'bytes'; readonly label: string; readonly value?: string; readonly rows?: number }
  | { readonly kind: 'text'; readonly label: string; readonly value?: string; readonly hint?: string }
  | { readonly kind: 'choice'; readonly label: string; readonly choices: readonly string[] };

interface Control {
  readonly element: HTMLElement;
  /** Undefined where it makes no sense. */
  value(): string | undefined;
}

function controlFor(asked: Asked): Control {
  if (asked.kind === 'bytes') {
    const control = new BytesField(asked.label, asked.value ?? '', asked.rows);
    return { element: control.element, value: () => control.bytes };
  }
  if (asked.kind === 'choice') {
    const select = h('select', {}, ...asked.choices.map((choice) => h('option', {}, choice)));
    return { element: field(asked.label, select), value: () => select.value };
  }
  const input = h('input', { type: 'text', value: asked.value ?? '', placeholder: asked.hint, autocomplete: 'off' });
  return { element: field(asked.label, input), value: () => input.value };
}

/** Asks for values; `act` is done with them, and what it rejects with is shown and leaves the form open. */
export function form(
  title: string,
  asked: readonly Asked[],
  label: string,
  act: (values: readonly string[]) => Promise<unknown>,
): void {
  const controls = asked.map(controlFor);
  const wrong = h('p', { class: 'error', role: 'alert' });
  const submit = h('button', { type: 'submit', class: 'primary' }, label);
  const dialog = h('dialog', { 'aria-label': title });
  const send = async (): Promise<void> => {
    const values: string[] = [];
    for (const control of controls) {
      const value = control.value();
      if (value === undefined) return;
      values.push(value);
    }
    submit.disabled = true;
    try {
      await act(values);
      dialog.close();
    } catch (error) {
      wrong.textContent = error instanceof Error ? error.message : String(error);
    }
    submit.disabled = false;
  };
  const onsubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    void send();
  };
  dialog.append(
    h(
      'form',
      { onsubmit },
      h('h2', {}, title),
      ...controls.map(({ element }) => element),
      wrong,
      h(
        'div',
        { class: 'actions' },
        button('Cancel', () => dialog.close()),
        submit,
      ),
    ),
  );
  open(dialog);
}

/** Asks whether something that can't be undone is to be done. */
export function confirm(question: string, detail: Child, label: string, act: () => Promise<unknown>): void {
  const dialog = h('dialog', { 'aria-label': question });
  const wrong = h('p', { class: 'error', role: 'alert' });
  const go = async (): Promise<void> => {
    try {
      await act();
      dialog.close();
    } catch (error) {
      wrong.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  dialog.append(
    h('h2', {}, question),
    h('p', { class: 'detail' }, detail),
    wrong,
    h(
      'div',
      { class: 'actions' },
      button('Cancel', () => dialog.close(), { autofocus: true }),
      button(label, () => void go(), { class: 'danger' }),
    ),
  );
  open(dialog);
}

function open(dialog: HTMLDialogElement): void {
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

const NOTE_MS = 6000;

/** A line that goes away by itself. */
export function note(text: string, kind: 'good' | 'bad' = 'good'): void {
  const shelf =
    document.querySelector('.notes') ?? document.body.appendChild(h('div', { class: 'notes', role: 'status' }));
  const line = h('p', { class: kind }, text);
  shelf.append(line);
  setTimeout(() => line.remove(), NOTE_MS);
}

/** What went wrong, as a note. */
export function complain(error: unknown): void {
  note(error instanceof Error ? error.message : String(error), 'bad');
}
