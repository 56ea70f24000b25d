/** Files that are part of the program itself, wherever the server's data lie. */
import { existsSync, readFileSync } from 'node:fs';

/** All of a file that is at one of these places; throws where it is at none. */
export function readOwnFile(places: readonly URL[]): Buffer {
  return readFileSync(places.find((place) => existsSync(place)) ?? places[0]);
}
