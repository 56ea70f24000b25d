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

/** So many requests of a stream may be sent ahead of answers; who sends more is cut off. */
const MOST_AHEAD = 16;

/** Answers what takes streams over. A request whose head is longer than `headBytes`, or is none, is refused. */
export function httpOver(handle: HttpHandler, headBytes: number): (stream: Duplex) => void {
  // Most servers have no use for it, and to load it takes a start 10 ms.
  const { createServer } = process.getBuiltinModule('node:http');
  const untimed = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 };
  const server = createServer({ ...untimed, maxHeaderSize: headBytes }, inTurn(handle));
  server.on('clientError', (_, stream) => {
    if (stream.writable && !stream.destroyed) stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else stream.destroy();
  });
  return (stream) => void server.emit('connection', stream);
}

/**
 * One request of a stream at a time: the next is handled when the answer of the one before has left. So what goes on for a
 * stream is bounded, and each response has the stream, without which its 'close' would never come.
 */
function inTurn(handle: HttpHandler): HttpHandler {
  const ahead = new WeakMap<Duplex, (() => void)[]>();
  return (request, response) => {
    const { socket } = request;
    const begin = (): void => {
      // It has none after an answer that is a stream's last.
      if (response.socket === null) return;
      response.once('finish', () => {
        const next = ahead.get(socket)?.shift();
        if (next === undefined) ahead.delete(socket);
        else next();
      });
      handle(request, response);
    };
    const waiting = ahead.get(socket);
    if (waiting === undefined) {
      ahead.set(socket, []);
      begin();
    } else if (waiting.length < MOST_AHEAD) waiting.push(begin);
    else socket.destroy();
  };
}
