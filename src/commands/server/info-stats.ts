/** The sections of INFO that have a line for each command or error. */
import { percentileText } from '../../config/special.ts';
import type { Engine } from '../../engine/engine.ts';

/** Characters that would break a line of INFO are shown as underscores. */
function fieldName(name: string): string {
  return name.replace(/[#:\n\r]/g, '_');
}

export function commandStats(engine: Engine): string {
  let text = '';
  for (const { name, calls, microseconds, rejected, failed } of engine.table.seen()) {
    if (calls === 0 && rejected === 0 && failed === 0) continue;
    const each = calls === 0 ? 0 : microseconds / calls;
    text += `cmdstat_${fieldName(name)}:calls=${calls},usec=${Math.round(microseconds)},usec_per_call=${each.toFixed(2)},`;
    text += `rejected_calls=${rejected},failed_calls=${failed}\r\n`;
  }
  return text;
}

export function errorStats(engine: Engine): string {
  let text = '';
  for (const code of [...engine.stats.errors.keys()].sort())
    text += `errorstat_${fieldName(code)}:count=${engine.stats.errors.get(code)}\r\n`;
  return text;
}

export function latencyStats(engine: Engine): string {
  const percentiles = engine.server.settings.latencyTrackingInfoPercentiles;
  let text = '';
  for (const { name, histogram } of engine.table.seen()) {
    if (!histogram || histogram.total === 0) continue;
    const values = percentiles.map((p) => `p${percentileText(p)}=${histogram.percentile(p).toFixed(3)}`);
    text += `latency_percentiles_usec_${fieldName(name)}:${values.join(',')}\r\n`;
  }
  return text;
}
