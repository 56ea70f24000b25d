/** A thread that appends to a file of a folder and syncs it again and again, so that another's syncs are not alone. */
import { parentPort } from 'node:worker_threads';
import { SyncedFile } from './synced-file.ts';

/** Syncs between two looks whether it is to end. */
const SYNCS_PER_LOOK = 16;

const port = parentPort;
if (port === null) throw new Error('syncer.ts runs as a thread');
port.once('message', (folder: string) => {
  const file = new SyncedFile(folder);
  let ended = false;
  const goOn = (): void => {
    if (ended) {
      file.close();
      port.close();
      return;
    }
    for (let i = 0; i < SYNCS_PER_LOOK; i++) file.sync();
    setImmediate(goOn);
  };
  port.once('message', () => {
    ended = true;
  });
  port.postMessage('begun');
  goOn();
});
