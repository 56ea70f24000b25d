/** Figures for people. */

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'];

function scaled(value: number, step: number): string {
  let unit = 0;
  let left = Math.abs(value);
  while (left >= step && unit < UNITS.length - 1) {
    left /= step;
    unit++;
  }
  const digits = unit === 0 && Number.isInteger(left) ? 0 : left >= 100 ? 0 : left >= 10 ? 1 : 2;
  return `${value < 0 ? '-' : ''}${trimmed(left.toFixed(digits))} ${UNITS[unit]}`;
}

function trimmed(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}

/** 1.5 MB, of 1024 each. */
export function bytes(value: number): string {
  return `${scaled(value, 1024)}B`;
}

export function bytesRate(value: number): string {
  return `${bytes(value)}/s`;
}

/** 12.3 K */
export function count(value: number): string {
  return scaled(value, 1000).trim();
}

/** 1,234,567 */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

export function percent(value: number): string {
  return `${trimmed(value.toFixed(value < 10 ? 1 : 0))} %`;
}

export function micros(value: number): string {
  if (value < 1000) return `${trimmed(value.toFixed(value < 10 ? 1 : 0))} µs`;
  if (value < 1e6) return `${trimmed((value / 1e3).toFixed(value < 1e4 ? 2 : 1))} ms`;
  return `${trimmed((value / 1e6).toFixed(2))} s`;
}

/** 3 d 4 h, the two largest units. */
export function duration(seconds: number): string {
  const parts: string[] = [];
  let left = Math.max(0, Math.floor(seconds));
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const amount = Math.floor(left / size);
    left -= amount * size;
    if (amount > 0 && parts.length < 2) parts.push(`${amount} ${unit}`);
  }
  return parts.length === 0 ? '0 s' : parts.join(' ');
}

export function clockTime(ms: number): string {
  return new Date(ms).toLocaleTimeString('en-GB');
}

export function dateTime(ms: number): string {
  return new Date(ms).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}
