/** What an append-only file has got since one last looked, command by command. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { RespReader } from './resp.ts';

export class AofTail {
  private readonly fd: number;
  private position = 0;

  constructor(file: string) {
    this.fd = openSync(file, 'r');
  }

  /** The commands that have come; each is its words. A file that ends within one is an error. */
  next(): string[][] {
    const bytes = Buffer.alloc(fstatSync(this.fd).size - this.position);
    readSync(this.fd, bytes, 0, bytes.length, this.position);
    this.position += bytes.length;
    const text = bytes.toString('latin1').replace(/^#TS:\d+\r\n/gm, '');
    return new RespReader(Buffer.from(text, 'latin1')).all().map((value) => {
      if (typeof value !== 'object' || value === null || !('items' in value)) throw new Error('no command');
      return value.items.map(String);
    });
  }

  close(): void {
    closeSync(this.fd);
  }
}
