/**
 * What the main thread and an I/O thread say to each other about the connections that the thread reads and writes.
 *
 *   main thread                              I/O thread
 *   OPEN id  (and the handle, by a pipe)  ->
 *                                         <- OPENED id, its descriptor
 *                                         <- DATA id, written; bytes that were read
 *   DATA id, tell?; bytes to write        ->
 *   TELL id                               ->
 *                                         <- WRITTEN id, written    once all is, for DATA that asks and for TELL
 *   READ id, 0 or 1                       ->
 *   NODELAY, KEEPALIVE id, value          ->
 *                                         <- ENDED id, status       the peer's end (0), or why the connection broke
 *   CLOSE id                              ->                        at once, but what came before has been tried
 *                                         <- CLOSED id              the last of this id: another connection may have it
 *   END                                   ->                        the thread closes all, and ends
 *
 * `written` counts the bytes that the kernel has taken of a connection, modulo 2^32. The main thread sends at most WINDOW
 * bytes more than it has heard to be written, and asks to be told with the frame that fills the window: so much at most of
 * a client that doesn't read lies in its thread, and all else is counted where it is owed. Nothing is sent to a connection
 * before OPENED, nor after CLOSE. One handle is on its way at a time.
 */
export const OPEN = 1;
export const DATA = 2;
export const TELL = 3;
export const READ = 4;
export const NODELAY = 5;
export const KEEPALIVE = 6;
export const CLOSE = 7;
export const END = 8;
export const OPENED = 9;
export const WRITTEN = 10;
export const ENDED = 11;
export const CLOSED = 12;

/** The most of a connection that its thread holds for the kernel. */
export const WINDOW = 128 * 1024;
