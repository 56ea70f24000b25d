/**
 * All data as bytes in memory, and back: what an owner keeps of a server, to put it there again. The bytes are an RDB file's.
 *
 * Both go on in slices of the event loop, and clients are answered meanwhile: an image is of the moment at which it was
 * asked for, and until the last byte of one is loaded the old data are served. Where it is damaged they stay.
 */
import type { Libraries } from '../engine/persistence-port.ts';
import type { Incoming, IncomingResult } from '../engine/replication-port.ts';
import type { Background } from './background.ts';
import { currentDataset } from './dataset.ts';
import { type DataOwner, loadAside } from './incoming.ts';
import type { PersistenceParts } from './parts.ts';
import type { SlicedSave } from './save/sliced.ts';

interface ImagesOwner extends DataOwner {
  readonly libraries: Libraries | null;
}

export class Images {
  private readonly parts: PersistenceParts;
  private readonly background: Background;
  private readonly owner: ImagesOwner;
  /** What is under way, and whom its end is told. */
  private save: SlicedSave | null = null;
  private incoming: Incoming | null = null;
  private refuse: (reason: Error) => void = () => {};

  constructor(parts: PersistenceParts, background: Background, owner: ImagesOwner) {
    this.parts = parts;
    this.background = background;
    this.owner = owner;
  }

  /** Begins at once. Rejects while a snapshot is being written or sent, and where there is no memory for it. */
  async take(): Promise<Buffer> {
    const { parts, background, owner } = this;
    const pieces: Uint8Array[] = [];
    const take = (piece: Uint8Array): boolean => pieces.push(piece) > 0;
    if (background.busy) throw new Error('A snapshot is being written');
    await new Promise<void>((done, failed) => {
      const dataset = currentDataset(parts, owner.libraries, false);
      const format = { kind: 'rdb', compress: false, checksum: true } as const;
      this.save = background.stream(dataset, format, 0, take, (error) => {
        this.save = null;
        if (error === null) done();
        else failed(error);
      });
    });
    return Buffer.concat(pieces);
  }

  /** Rejects where the bytes are no whole snapshot, with the reason as its cause; the data are as they were then. */
  async put(bytes: Uint8Array): Promise<void> {
    const { parts, owner } = this;
    const result = await new Promise<IncomingResult>((done, failed) => {
      const { engine } = parts;
      const emptied = (): void => engine.replication.replaced();
      this.refuse = failed;
      this.incoming = loadAside(parts, owner, { length: bytes.length, alive() {}, pace() {}, emptied, done });
      this.incoming.piece(bytes, 0, bytes.length);
      this.incoming.finish();
    });
    this.incoming = null;
    if ('error' in result) throw new Error('The snapshot is damaged', { cause: result.error });
  }

  /** Ends what is under way, which rejects: the server closes. */
  close(): void {
    this.save?.abort();
    this.incoming?.abort();
    this.refuse(new Error('The server is closed'));
  }
}
