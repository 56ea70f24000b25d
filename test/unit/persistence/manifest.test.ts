/** The manifest of the append-only file, in Redis 7.0's form and with its errors. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { bytesOf } from '../../../src/base/slice.ts';
import { Manifest, ManifestError } from '../../../src/persistence/aof/manifest.ts';
import { drawSeed } from '../../support/seed.ts';

const parse = (text: string): Manifest => Manifest.parse(bytesOf(text));
const shown = (manifest: Manifest): string => Buffer.from(manifest.format()).toString('latin1');

function fault(text: string): ManifestError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ManifestError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('reading', () => {
  test('base, history and increments come in this order, whatever the order of the lines', () => {
    const text = 'file i.3 seq 3 type i\nfile b.2 seq 2 type b\nfile h.1 seq 1 type h\nfile i.7 seq 7 type i\n';
    const manifest = parse(text);
    expect(manifest.base).toEqual({ name: 'b.2', seq: 2, type: 'b' });
    expect(manifest.files.map(({ name }) => name)).toEqual(['b.2', 'i.3', 'i.7']);
    expect(shown(manifest)).toBe(
      'file b.2 seq 2 type b\nfile h.1 seq 1 type h\nfile i.3 seq 3 type i\nfile i.7 seq 7 type i\n',
    );
  });

  test.each([
    ['# a comment\nfile a seq 1 type b\n', 'file a seq 1 type b\n'],
    ['file a seq 1 type b later version\n', 'file a seq 1 type b\n'],
    ['  FILE a  SEQ 1\tTYPE both \r\n', 'file a seq 1 type b\n'],
    ['type i file a seq 1\n', 'file a seq 1 type i\n'],
    ['file " a b\\n" seq 1 type i\n', 'file " a b\\n" seq 1 type i\n'],
    ['file "\\xff\\"\\\\" seq 1 type i\n', 'file "\\xff\\"\\\\" seq 1 type i\n'],
    ['#\n', ''],
  ])('%j is taken as %j', (text, same) => expect(shown(parse(text))).toBe(same));

  test.each<[text: string, message: string, line: number]>([
    ['', 'Found an empty AOF manifest', 0],
    ['file a seq 1 type b', 'The AOF manifest file contains too long line', 0],
    [`file ${'a'.repeat(1020)} seq 1 type b\n`, 'The AOF manifest file contains too long line', 0],
    ['\n', 'Invalid AOF manifest file format', 1],
    ['file a seq 1 type b\n\n', 'Invalid AOF manifest file format', 2],
    ['filx a seq 1 type b\n', 'Invalid AOF manifest file format', 1],
    ['file a type b\n', 'Invalid AOF manifest file format', 1],
    ['file a seq 1 type b more\n', 'Invalid AOF manifest file format', 1],
    ['file a seq 0 type b\n', 'Invalid AOF manifest file format', 1],
    ['file a seq x type b\n', 'Invalid AOF manifest file format', 1],
    ['file "a seq 1 type b\n', 'Invalid AOF manifest file format', 1],
    ['file a/b seq 1 type b\n', "File can't be a path, just a filename", 1],
    ['file a seq 1 type b\nfile b seq 2 type b\n', 'Found duplicate base file information', 2],
    ['file a seq 2 type i\nfile b seq 1 type i\n', 'Found a non-monotonic sequence number', 2],
    ['file a seq 2 type i\nfile b seq 2 type i\n', 'Found a non-monotonic sequence number', 2],
    ['file a seq 1 type x\n', 'Unknown AOF file type', 1],
  ])('%j is refused: %s', (text, message, line) => {
    const error = fault(text);
    expect(error.message).toBe(message);
    expect(error.line).toBe(line);
    expect(error.report[0]).toBe('\n*** FATAL AOF MANIFEST FILE ERROR ***\n');
    expect(error.report.at(-1)).toBe(`${message}\n`);
    expect(error.report).toHaveLength(line === 0 ? 2 : 4);
  });

  test('random bytes are taken or refused, never anything else', () => {
    const seed = drawSeed();
    const random = new SeededRandom(seed);
    const good = 'file a.1.base.rdb seq 1 type b\nfile "a b" seq 1 type h\n# x\nfile a.2.incr.aof seq 2 type i\n';
    for (let i = 0; i < 5000; i++) {
      const bytes = bytesOf(good);
      for (let n = random.below(6); n >= 0; n--) bytes[random.below(bytes.length)] = random.below(256);
      try {
        const manifest = Manifest.parse(bytes.subarray(0, random.below(bytes.length + 1)));
        expect(shown(parse(shown(manifest) || '#\n')), `seed ${seed}`).toBe(shown(manifest));
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(ManifestError);
      }
    }
  });
});

describe('changing', () => {
  test('a rewrite makes history of what its base holds, the latest first', () => {
    const manifest = parse('file l.1.base.rdb seq 1 type b\nfile l.1.incr.aof seq 1 type i\n');
    manifest.newIncrement('l');
    manifest.newIncrement('l');
    manifest.newBase('l', 'aof');
    manifest.retireIncrements(1);
    expect(shown(manifest)).toBe(
      [
        'file l.2.base.aof seq 2 type b',
        'file l.1.incr.aof seq 1 type h',
        'file l.2.incr.aof seq 2 type h',
        'file l.1.base.rdb seq 1 type h',
        'file l.3.incr.aof seq 3 type i',
        '',
      ].join('\n'),
    );
  });

  test('a copy goes its own way', () => {
    const manifest = parse('file l.4.base.rdb seq 4 type b\nfile l.9.incr.aof seq 9 type i\n');
    const copy = manifest.copy();
    expect(copy.newIncrement('l').name).toBe('l.10.incr.aof');
    expect(copy.newBase('l', 'rdb').name).toBe('l.5.base.rdb');
    copy.history = [];
    expect(shown(manifest)).toBe('file l.4.base.rdb seq 4 type b\nfile l.9.incr.aof seq 9 type i\n');
    expect(manifest.newIncrement('l').seq).toBe(10);
  });

  test('the file of before Redis 7 becomes the base under its own name', () => {
    const manifest = new Manifest();
    expect(manifest.empty).toBe(true);
    manifest.adopt('appendonly.aof');
    manifest.newIncrement('appendonly.aof');
    expect(shown(manifest)).toBe('file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n');
  });
});
