/** The periods and limits of time of a Sentinel, in milliseconds, as SENTINEL DEBUG knows and sets them. */

export interface Periods {
  'info-period': number;
  'ping-period': number;
  'ask-period': number;
  'publish-period': number;
  'default-down-after': number;
  'default-failover-timeout': number;
  'tilt-trigger': number;
  'tilt-period': number;
  'slave-reconf-timeout': number;
  'min-link-reconnect-period': number;
  'election-timeout': number;
  'script-max-runtime': number;
  'script-retry-delay': number;
}

export function defaultPeriods(): Periods {
  return {
    'info-period': 10_000,
    'ping-period': 1000,
    'ask-period': 1000,
    'publish-period': 2000,
    'default-down-after': 30_000,
    'default-failover-timeout': 180_000,
    'tilt-trigger': 2000,
    'tilt-period': 30_000,
    'slave-reconf-timeout': 10_000,
    'min-link-reconnect-period': 15_000,
    'election-timeout': 10_000,
    'script-max-runtime': 60_000,
    'script-retry-delay': 30_000,
  };
}
