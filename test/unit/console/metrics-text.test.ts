/** Prometheus's text format. */
import { expect, test } from 'vitest';
import { MetricsText } from '../../../src/console/metrics/text.ts';

test('families keep together, labels are escaped, and what is no number is left out', () => {
  const text = new MetricsText();
  text.add('a', ['gauge', 'A'], 1, { name: 'x\\y"z\n' });
  text.add('b', ['summary', 'B'], 0.5, { quantile: '50' });
  text.add('a', ['gauge', 'A'], -2);
  text.add('b', ['summary', 'B'], 3, {}, '_count');
  text.add('c', ['counter', 'C'], Number.NaN);
  expect(text.text).toBe(
    [
      '# HELP redis_a A',
      '# TYPE redis_a gauge',
      'redis_a{name="x\\\\y\\"z\\n"} 1',
      'redis_a -2',
      '# HELP redis_b B',
      '# TYPE redis_b summary',
      'redis_b{quantile="50"} 0.5',
      'redis_b_count 3',
      '',
    ].join('\n'),
  );
});
