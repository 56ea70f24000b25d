/** One of the page's views. */
export interface View {
  readonly element: HTMLElement;
  /** It is shown from now on, or again. */
  show?(): void;
  /** It is not shown any more. */
  hide?(): void;
}
