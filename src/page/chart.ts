/**
 * Charts of the last minutes, drawn as SVG: lines, or areas on top of one another. A pointer over one, or the arrow keys in it,
 * chooses a moment, whose figures the legend then shows; otherwise those of the latest.
 */
import { h, put, svg } from './dom.ts';
import { clockTime } from './format.ts';

export interface Series<T> {
  readonly name: string;
  /** Of the palette in page.css, 1 to 6. */
  readonly colour: number;
  /** Null where there is nothing to draw. */
  readonly of: (point: T) => number | null;
}

export interface ChartOptions<T> {
  readonly title: string;
  readonly series: readonly Series<T>[];
  readonly format: (value: number) => string;
  readonly time: (point: T) => number;
  /** Series on top of one another. */
  readonly stacked?: boolean;
  /** Steps of ten are equally far apart. */
  readonly logarithmic?: boolean;
  /** The least that the top stands for. */
  readonly top?: number;
  /** The most, where values have one. */
  readonly limit?: number;
  /** Bytes: ticks are at powers of two. */
  readonly binary?: boolean;
}

/** What is shown from left to right: as much as there is, within these. */
const LEAST_SPAN_MS = 60_000;
const MOST_SPAN_MS = 300_000;
const HEIGHT = 150;
const INSET = { left: 60, right: 8, top: 8, bottom: 20 };
/** Points further apart than this are not joined. */
const GAP_MS = 5000;

interface Scale {
  readonly ticks: readonly number[];
  y(value: number): number;
}

export class Chart<T> {
  readonly element: HTMLElement;
  private readonly options: ChartOptions<T>;
  private readonly picture = svg('svg', { class: 'chart', role: 'img', tabindex: 0 });
  private readonly legend = h('div', { class: 'legend' });
  private readonly moment = h('span', { class: 'moment' });
  private points: readonly T[] = [];
  /** Chosen, counted from the latest; null while none is. */
  private chosen: number | null = null;
  private width = 0;

  constructor(options: ChartOptions<T>) {
    this.options = options;
    const { title } = options;
    this.element = h(
      'section',
      { class: 'panel' },
      h('header', {}, h('h2', {}, title), this.moment),
      this.picture,
      this.legend,
    );
    this.picture.addEventListener('pointermove', (event) => this.choose(this.indexAt(event.offsetX)));
    this.picture.addEventListener('pointerleave', () => this.choose(null));
    this.picture.addEventListener('blur', () => this.choose(null));
    this.picture.addEventListener('keydown', (event) => this.key(event));
    new ResizeObserver(([entry]) => {
      this.width = Math.floor(entry.contentRect.width);
      this.draw();
    }).observe(this.picture);
  }

  update(points: readonly T[]): void {
    this.points = points;
    if (this.picture.isConnected) this.draw();
  }

  private key(event: KeyboardEvent): void {
    const step = event.key === 'ArrowLeft' ? 1 : event.key === 'ArrowRight' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    this.choose(Math.max(0, Math.min(this.points.length - 1, (this.chosen ?? 0) + step)));
  }

  private choose(index: number | null): void {
    this.chosen = index;
    this.draw();
  }

  private get end(): number {
    const last = this.points.at(-1);
    return last === undefined ? 0 : this.options.time(last);
  }

  private get span(): number {
    const [first] = this.points;
    const there = first === undefined ? 0 : this.end - this.options.time(first);
    return Math.max(LEAST_SPAN_MS, Math.min(MOST_SPAN_MS, there));
  }

  private x(time: number): number {
    const { left, right } = INSET;
    return left + (this.width - left - right) * (1 - (this.end - time) / this.span);
  }

  /** The point that lies nearest, counted from the latest. */
  private indexAt(x: number): number | null {
    let best: number | null = null;
    let distance = Number.POSITIVE_INFINITY;
    for (const [i, point] of this.points.entries()) {
      const away = Math.abs(this.x(this.options.time(point)) - x);
      if (away < distance) {
        best = this.points.length - 1 - i;
        distance = away;
      }
    }
    return best;
  }

  private draw(): void {
    const { width, points, picture } = this;
    if (width <= 0) return;
    const point = points.at(-1 - (this.chosen ?? 0));
    this.describe(point);
    picture.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    const scale = this.scale();
    put(picture, ...this.grid(scale), ...this.curves(scale), this.cursor(point, scale));
  }

  private describe(point: T | undefined): void {
    const { series, format, title, time } = this.options;
    const values = series.map(({ of }) => (point === undefined ? null : of(point)));
    const texts = values.map((value) => (value === null ? '–' : format(value)));
    put(
      this.legend,
      ...series.map(({ name, colour }, i) =>
        h('span', { class: `key colour-${colour}` }, h('i', {}), name, h('b', {}, texts[i])),
      ),
    );
    put(this.moment, this.chosen === null || point === undefined ? '' : clockTime(time(point)));
    const said = series.map(({ name }, i) => `${name} ${texts[i]}`).join(', ');
    this.picture.setAttribute('aria-label', `${title}: ${said}. Arrow keys go back and forth in time.`);
  }

  /** The sums up to each series, or its own value. */
  private heights(point: T): (number | null)[] {
    let sum = 0;
    return this.options.series.map(({ of }) => {
      const value = of(point);
      if (!this.options.stacked || value === null) return value;
      sum += value;
      return sum;
    });
  }

  private scale(): Scale {
    const { top = 0, limit = Number.POSITIVE_INFINITY, logarithmic } = this.options;
    const all = this.points.flatMap((point) => this.heights(point)).filter((value) => value !== null);
    const most = Math.min(limit, Math.max(top, ...all));
    const high = INSET.top;
    const low = HEIGHT - INSET.bottom;
    if (logarithmic) {
      const last = Math.max(2, Math.ceil(Math.log10(Math.max(1, most))));
      const y = (value: number): number => low - ((low - high) * Math.log10(Math.max(1, value))) / last;
      return { ticks: Array.from({ length: last + 1 }, (_, i) => 10 ** i), y };
    }
    const step = this.options.binary ? 2 ** Math.ceil(Math.log2(Math.max(1, most / 4))) : niceStep(most / 3);
    const steps = Math.max(1, Math.ceil(most / step - 1e-9));
    const y = (value: number): number => low - ((low - high) * value) / (steps * step);
    return { ticks: Array.from({ length: steps + 1 }, (_, i) => i * step), y };
  }

  private grid({ ticks, y }: Scale): SVGElement[] {
    const { left, right } = INSET;
    const lines = ticks.flatMap((tick) => [
      svg('line', { class: 'grid', x1: left, x2: this.width - right, y1: y(tick), y2: y(tick) }),
      svg('text', { class: 'tick', x: left - 6, y: y(tick) + 4, 'text-anchor': 'end' }, this.options.format(tick)),
    ]);
    return [...lines, ...this.times()];
  }

  /** Marks of time, as many as there is room for. */
  private times(): SVGElement[] {
    const { span } = this;
    const step = [15_000, 30_000, 60_000, 120_000].find((ms) => span / ms <= this.width / 75) ?? 240_000;
    const marks = Array.from({ length: Math.floor(span / step) + 1 }, (_, i) => i * step);
    return marks.map((ago) => {
      const text = ago === 0 ? 'now' : step < 60_000 ? `−${ago / 1000} s` : `−${ago / 60_000} min`;
      const anchor = ago === 0 ? 'end' : ago === span ? 'start' : 'middle';
      return svg('text', { class: 'tick', x: this.x(this.end - ago), y: HEIGHT - 4, 'text-anchor': anchor }, text);
    });
  }

  private curves({ y }: Scale): SVGElement[] {
    const { series, stacked, time } = this.options;
    const heights = this.points.map((point) => this.heights(point));
    const base = HEIGHT - INSET.bottom;
    const paths: SVGElement[] = [];
    for (let n = series.length - 1; n >= 0; n--) {
      for (const run of runsOf(this.points, (point, i) => (heights[i][n] === null ? null : time(point)))) {
        const above = run.map((i) => `${this.x(time(this.points[i])).toFixed(1)} ${y(heights[i][n] ?? 0).toFixed(1)}`);
        const line = `M${above.join('L')}`;
        const below = [...run].reverse().map((i) => {
          const under = stacked && n > 0 ? y(heights[i][n - 1] ?? 0) : base;
          return `${this.x(time(this.points[i])).toFixed(1)} ${under.toFixed(1)}`;
        });
        const isFilled = stacked || series.length === 1;
        if (isFilled)
          paths.push(
            svg('path', {
              class: `area${stacked ? ' stacked' : ''} colour-${series[n].colour}`,
              d: `${line}L${below.join('L')}Z`,
            }),
          );
        paths.push(svg('path', { class: `line colour-${series[n].colour}`, d: line }));
      }
    }
    return paths;
  }

  private cursor(point: T | undefined, { y }: Scale): SVGElement | null {
    if (point === undefined) return null;
    const x = this.x(this.options.time(point));
    const dots = this.heights(point).map((value, i) =>
      value === null
        ? null
        : svg('circle', { class: `dot colour-${this.options.series[i].colour}`, cx: x, cy: y(value), r: 3 }),
    );
    const line =
      this.chosen === null
        ? null
        : svg('line', { class: 'cursor', x1: x, x2: x, y1: INSET.top, y2: HEIGHT - INSET.bottom });
    return svg('g', {}, line, ...dots);
  }
}

/** 1, 2 or 5 times a power of ten, no less than `least`. */
function niceStep(least: number): number {
  if (least <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * (1 - 1e-9)) ?? 10 * power;
}

/** The indexes of points that are joined; those without a time are left out. */
function runsOf<T>(points: readonly T[], time: (point: T, i: number) => number | null): number[][] {
  const runs: number[][] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const [i, point] of points.entries()) {
    const at = time(point, i);
    if (at === null) continue;
    if (at - before > GAP_MS) runs.push([]);
    runs.at(-1)?.push(i);
    before = at;
  }
  return runs;
}
