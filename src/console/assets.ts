/** The page's files, as they lie beside the program; read when they are first asked for. */
import { createHash } from 'node:crypto';
import { readOwnFile } from '../base/own-files.ts';

export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
  /** Changes with the bytes. */
  readonly tag: string;
}

const FILES: Readonly<Record<string, readonly [name: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};

/** Where they lie: beside what the build has joined, in their room, and of the script, which the build makes, in what it made. */
const PLACES = ['./page/', '../page/', '../../dist/page/'];

export class Assets {
  private readonly read = new Map<string, Asset>();

  /** Undefined where there is none at the path. */
  find(path: string): Asset | undefined {
    const known = this.read.get(path);
    if (known !== undefined || !Object.hasOwn(FILES, path)) return known;
    const [name, type] = FILES[path];
    const bytes = readOwnFile(PLACES.map((place) => new URL(place + name, import.meta.url)));
    const asset = { type, bytes, tag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"` };
    this.read.set(path, asset);
    return asset;
  }
}
