/**
 * Between the strings of JavaScript and strings of one character a byte, in which the server keeps text that came from
 * clients, files or the command line.
 */

/** The UTF-8 bytes of `text`, one a character. */
export function narrow(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The text whose UTF-8 bytes `bytes` holds, one a character; for paths that are handed to the system. */
export function widen(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
