/**
 * HTTP/1.1 as node:http speaks it, over streams that were accepted elsewhere: it listens nowhere and has no timers, so that
 * who hands in the streams says how many there may be and for how long.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export type HttpRequest = IncomingMessage;
export type HttpResponse = ServerResponse;

/** Called for each request of each stream, in order; the body is still to come. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void;

/** Answers what takes streams over. A request whose head is longer than `headBytes`, or is none, is refused. */
export function httpOver(handle: HttpHandler, headBytes: number): (stream: Duplex) => void {
  // Most servers have no use for it, and to load it takes a start 10 ms.
  const { createServer } = process.getBuiltinModule('node:http');
  const untimed = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 };
  const server = createServer({ ...untimed, maxHeaderSize: headBytes }, handle);
  server.on('clientError', (_, stream) => {
    if (stream.writable && !stream.destroyed) stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else stream.destroy();
  });
  return (stream) => void server.emit('connection', stream);
}
