/** Refusals of the operating system: their codes, and their words as strerror() has them. */

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  ENOSPC: 'No space left on device',
  EROFS: 'Read-only file system',
  EIO: 'Input/output error',
  EEXIST: 'File exists',
  EXDEV: 'Invalid cross-device link',
  EINVAL: 'Invalid argument',
  EFBIG: 'File too large',
  EDQUOT: 'Disk quota exceeded',
  EBUSY: 'Device or resource busy',
  ENFILE: 'Too many open files in system',
  EMFILE: 'Too many open files',
  ENAMETOOLONG: 'File name too long',
  ELOOP: 'Too many levels of symbolic links',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EPIPE: 'Broken pipe',
  ETIMEDOUT: 'Connection timed out',
};

/** The words for a code; the code itself where there are none. */
export function wordsOf(code: string): string {
  return WORDS[code] ?? code;
}

/** An error as node:fs and node:net throw it, for those who stand in for them. */
export class SystemError extends Error {
  override name = 'SystemError';
  readonly code: string;
  readonly syscall: string;

  constructor(code: string, syscall: string, subject = '') {
    super(`${code}: ${wordsOf(code)}, ${syscall}${subject && ` '${subject}'`}`);
    this.code = code;
    this.syscall = syscall;
  }
}

/** 'ENOENT' and the like; empty where it is no refusal of the system. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Whether the system has refused something, and not a fault of our own been thrown. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** The system's own words for what went wrong. */
export function systemError(error: unknown): string {
  return WORDS[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}
