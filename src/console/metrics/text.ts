/**
 * Prometheus's text format, version 0.0.4: families in the order in which they were begun, each with its lines together.
 *
 *   # HELP redis_db_keys Keys by database
 *   # TYPE redis_db_keys gauge
 *   redis_db_keys{db="db0"} 2
 */

export type MetricType = 'gauge' | 'counter' | 'summary';
export type Labels = Readonly<Record<string, string>>;

const PREFIX = 'redis_';

export class MetricsText {
  private readonly families = new Map<string, string[]>();

  /** Begins a family, or goes on with it. `suffix`: of the parts of a summary. Values that are no numbers are left out. */
  add(
    name: string,
    [type, help]: readonly [MetricType, string],
    value: number,
    labels: Labels = {},
    suffix = '',
  ): void {
    if (Number.isNaN(value)) return;
    let lines = this.families.get(name);
    if (lines === undefined)
      this.families.set(name, (lines = [`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`]));
    lines.push(`${PREFIX}${name}${suffix}${labelled(labels)} ${value}`);
  }

  get text(): string {
    return `${[...this.families.values()].flat().join('\n')}\n`;
  }
}

function labelled(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapedLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapedLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
