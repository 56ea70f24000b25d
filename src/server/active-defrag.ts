/**
 * Active defragmentation: when blocks lie so sparsely that it is worth it, they are moved together, in slices between
 * which commands run.
 *
 * With `activedefrag yes` it is worth it beyond active-defrag-ignore-bytes and -threshold-lower of waste in the pages in
 * use, with a share of the time between cycle-min and -max as the waste lies between the thresholds. Whatever is
 * configured, it is when more than half of the pages in use is waste, since a free slot serves blocks of one size only:
 * what a deletion of most keys leaves would never go back otherwise.
 */
import { type Clock, sliceOf, type Timer } from '../base/time.ts';
import type { Settings } from '../config/settings.ts';
import type { Engine } from '../engine/engine.ts';

/** A slice begins every so many ms. */
const PERIOD = 10;
const SLICE_MICROS_MAX = 5000;
/** Elements of one value in a row, whatever is configured. */
const PORTION_MAX = 1000;
/** A pass that set little free is not followed by another for so long, ms. */
const REST = 10_000;
/** Waste that is much, whatever is configured. */
const MUCH_BYTES = 24 * 1024 * 1024;
const MUCH_PERCENT = 100;
const MUCH_SHARE = 10;

export class ActiveDefrag {
  private readonly engine: Engine;
  private readonly settings: Readonly<Settings>;
  private readonly clock: Clock;
  private timer: Timer | null = null;
  private restUntil = 0;
  private wasteBefore = 0;

  constructor(engine: Engine, settings: Readonly<Settings>, clock: Clock) {
    this.engine = engine;
    this.settings = settings;
    this.clock = clock;
  }

  /**
   * Once a tick of the cron; `expiring` while keys fall due faster than they are removed: what they leave behind is more than
   * what is moved, and moved with them for nothing.
   */
  tick(expiring: boolean): void {
    const { memory, keyspaces, defrag } = this.engine;
    const { defragmenter } = keyspaces;
    defragmenter.portion = Math.min(PORTION_MAX, this.settings.activeDefragMaxScanFields);
    if (this.timer !== null) return;
    const share = this.share();
    if (!defragmenter.running) {
      // What values that are being released leave behind may be free soon.
      const isSoonFree = !keyspaces.reclaimer.idle || (expiring && !this.settings.activedefrag);
      if (share === 0 || isSoonFree || this.clock.now() < this.restUntil || !defragmenter.begin()) return;
      this.wasteBefore = memory.active - memory.used;
    }
    defrag.begin(share, this.clock.monotonic());
    this.schedule(share);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** Percent of the time that is to be spent, 0 for nothing. */
  private share(): number {
    const { memory } = this.engine;
    const { settings } = this;
    const waste = memory.active - memory.used;
    const percent = memory.used === 0 ? 0 : (waste / memory.used) * 100;
    const much = waste > MUCH_BYTES && percent > MUCH_PERCENT ? MUCH_SHARE : 0;
    const lower = settings.activeDefragThresholdLower;
    if (!settings.activedefrag || waste < settings.activeDefragIgnoreBytes || percent < lower) return much;
    const upper = Math.max(settings.activeDefragThresholdUpper, lower + 1);
    const { activeDefragCycleMin: least, activeDefragCycleMax: most } = settings;
    const share = least + ((most - least) * (percent - lower)) / (upper - lower);
    return Math.max(much, Math.max(least, Math.min(most, Math.floor(share))));
  }

  private schedule(share: number): void {
    this.timer = this.clock.after(PERIOD, () => this.slice(share));
  }

  private slice(share: number): void {
    this.timer = null;
    const { memory, keyspaces, propagation, defrag } = this.engine;
    if (propagation.held || keyspaces.cronPaused) {
      this.schedule(share);
      return;
    }
    const micros = Math.min(SLICE_MICROS_MAX, PERIOD * 10 * share);
    if (keyspaces.defragmenter.run(sliceOf(micros, this.clock))) {
      this.schedule(this.share() || share);
      return;
    }
    defrag.end(this.clock.monotonic());
    const gain = this.wasteBefore - (memory.active - memory.used);
    this.restUntil = gain * 4 < this.wasteBefore ? this.clock.now() + REST : 0;
  }
}
