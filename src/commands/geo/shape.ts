/** The area of a search, and the cells that together cover it. */
import { Cell, degreesOf, distance, latitudeDegreesOf, latitudeDistance, STEP_MAX } from '../../base/geohash.ts';

/** Half the length of the equator in Mercator's projection: a cell of step 1. */
const HALF_EQUATOR = 20037726.37;

/** More than what rounding can make of a distance. */
const ROUNDING = 1 + 1e-9;

/** A cell with its eight neighbours: columns and rows to go, in the order in which they are searched. */
const AROUND: readonly (readonly [columns: number, rows: number])[] = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
];

/** A circle, or a box that is as wide at its middle as it says, around a position. */
export class Shape {
  longitude = 0;
  latitude = 0;
  circular = true;
  /** In units of `metres`. */
  radius = 0;
  width = 0;
  height = 0;
  metres = 1;
  /** Metres from the middle of the last point that `holds` was true of. */
  distance = 0;

  /** Whether the position lies within; how far from the middle it is stays in `distance`. */
  holds(longitude: number, latitude: number): boolean {
    if (this.circular) {
      const radius = this.radius * this.metres;
      // The way to another latitude is never shorter than straight north or south.
      if (latitudeDistance(latitude, this.latitude) > radius * ROUNDING) return false;
      this.distance = distance(this.longitude, this.latitude, longitude, latitude);
      return this.distance <= radius;
    }
    if (latitudeDistance(latitude, this.latitude) > (this.height * this.metres) / 2) return false;
    if (distance(longitude, latitude, this.longitude, latitude) > (this.width * this.metres) / 2) return false;
    this.distance = distance(this.longitude, this.latitude, longitude, latitude);
    return true;
  }

  /** The cells to search in their order: the one in the middle and those of its neighbours that are needed. */
  cells(): Cell[] {
    const bounds = this.bounds();
    let step = this.step();
    let center = new Cell().enclose(this.longitude, this.latitude, step);
    if (step > 1 && !reaches(center, bounds)) {
      step--;
      center = new Cell().enclose(this.longitude, this.latitude, step);
    }
    const cells: Cell[] = [];
    for (const [columns, rows] of AROUND) {
      if (step >= 2 && !isNeeded(center, bounds, columns, rows)) continue;
      cells.push(new Cell().like(center).move(columns, rows));
    }
    return cells;
  }

  private bounds(): Bounds {
    const { circular, longitude, latitude, metres } = this;
    const height = metres * (circular ? this.radius : this.height / 2);
    const width = metres * (circular ? this.radius : this.width / 2);
    const rows = latitudeDegreesOf(height);
    // On the side of the nearer pole a degree of longitude is shortest.
    const columns = degreesOf(width, latitude < 0 ? latitude - rows : latitude + rows);
    return {
      west: longitude - columns,
      east: longitude + columns,
      south: latitude - rows,
      north: latitude + rows,
    };
  }

  /** How fine cells may be for nine of them to cover the shape. */
  private step(): number {
    const { circular, width, height } = this;
    const corner = circular ? this.radius : Math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2));
    let reach = corner * this.metres;
    if (reach === 0) return STEP_MAX;
    let step = -1;
    for (; reach < HALF_EQUATOR; reach *= 2) step++;
    const polar = Math.abs(this.latitude);
    if (polar > 66) step--;
    if (polar > 80) step--;
    return Math.max(1, Math.min(step, STEP_MAX));
  }
}

interface Bounds {
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
}

const neighbour = new Cell();

/** Whether the neighbours of a cell go as far as the bounds. */
function reaches(center: Cell, bounds: Bounds): boolean {
  return !(
    neighbour.like(center).move(0, 1).north < bounds.north ||
    neighbour.like(center).move(0, -1).south > bounds.south ||
    neighbour.like(center).move(1, 0).east < bounds.east ||
    neighbour.like(center).move(-1, 0).west > bounds.west
  );
}

/** Whether a neighbour can hold anything that lies within the bounds. */
function isNeeded(center: Cell, bounds: Bounds, columns: number, rows: number): boolean {
  if (rows < 0 && center.south < bounds.south) return false;
  if (rows > 0 && center.north > bounds.north) return false;
  if (columns < 0 && center.west < bounds.west) return false;
  return !(columns > 0 && center.east > bounds.east);
}
