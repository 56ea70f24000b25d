/** The rules of Sentinel as one machine: `step` takes what has happened and says what is to be done. */
import type { Random } from '../base/random.ts';
import type { Configuration } from './configuration.ts';
import type { Input, Output } from './messages.ts';
import { defaultPeriods } from './periods.ts';
import type { SentinelState } from './state.ts';

export class Sentinel {
  readonly state: SentinelState;
  readonly random: Random;

  /**
   * Starts from what was kept. Masters are announced (+monitor) and names resolved by the first `step`. Hosts must be IP
   * addresses unless resolve-hostnames is set. `port` is the one that we listen at.
   */
  constructor(configuration: Configuration, port: number, random: Random, now: number) {
    this.random = random;
    this.state = {
      myid: configuration.myid,
      port,
      currentEpoch: configuration.currentEpoch,
      announceIp: configuration.announceIp,
      announcePort: configuration.announcePort,
      resolveHostnames: configuration.resolveHostnames,
      announceHostnames: configuration.announceHostnames,
      denyScriptsReconfig: configuration.denyScriptsReconfig,
      sentinelUser: configuration.sentinelUser,
      sentinelPass: configuration.sentinelPass,
      masters: new Map(),
      periods: defaultPeriods(),
      tilt: false,
      tiltSince: 0,
      lastTick: now,
      scripts: [],
      simulatedFailures: new Set(),
    };
  }

  /** `now` in milliseconds of the wall clock: where it jumps, TILT guards what follows. */
  step(_now: number, _input: Input): readonly Output[] {
    return [];
  }
}
