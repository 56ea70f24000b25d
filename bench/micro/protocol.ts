/** Requests in and replies out, without a socket: 64 KiB of pipelined commands, replies into pooled chunks. */
import { bytesOf, Slice } from '../../src/base/slice.ts';
import { Reply } from '../../src/protocol/reply.ts';
import { READY, RequestParser } from '../../src/protocol/request.ts';
import { keep, measure } from './harness.ts';

const OPERATIONS = 500_000;

function pipeline(command: string): Uint8Array {
  return bytesOf(command.repeat(Math.floor(65536 / command.length)));
}

const REQUESTS: readonly (readonly [string, string])[] = [
  ['PING, inline', 'PING\r\n'],
  ['GET of a 16-byte key', '*2\r\n$3\r\nGET\r\n$16\r\nkey:000000001234\r\n'],
  ['SET of a 3-byte value', '*3\r\n$3\r\nSET\r\n$16\r\nkey:000000001234\r\n$3\r\nxxx\r\n'],
];

for (const [name, command] of REQUESTS) {
  const buffer = pipeline(command);
  const parser = new RequestParser({ protoMaxBulkLen: 512 * 1024 * 1024 });
  measure(`parse ${name}`, OPERATIONS, () => {
    let parsed = 0;
    let bytes = 0;
    while (parsed < OPERATIONS) {
      parser.start(0);
      while (parser.next(buffer, buffer.length, true) === READY) {
        parsed++;
        bytes += parser.args[parser.argc - 1].length;
      }
    }
    keep(bytes);
  });
}

const shared = new Slice(new Uint8Array(new SharedArrayBuffer(4096)), 100, 3);
const long = new Slice(new Uint8Array(new SharedArrayBuffer(4096)), 0, 1024);
const reply = new Reply();

/** Replies as a session does: sixteen to a turn, then drained. */
function replies(name: string, one: (i: number) => void): void {
  measure(`reply ${name}`, OPERATIONS, () => {
    for (let i = 0; i < OPERATIONS; i++) {
      one(i);
      if ((i & 15) === 15) reply.consumed(reply.only()?.length ?? reply.pending);
    }
    keep(reply.pending);
    reply.clear();
  });
}

replies('ok', () => reply.ok());
replies('status', () => reply.status('PONG'));
replies('int', (i) => reply.int(i));
replies('bulk of 3 bytes of the image', () => reply.bulk(shared));
replies('bulk of 1 KiB of the image', () => reply.bulk(long));
replies('array of two, deferred', (i) => {
  const handle = reply.deferArray();
  reply.int(i);
  reply.int(i);
  reply.settleArray(handle, 2);
});
