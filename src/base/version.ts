/** The server's own version; package.json says the same. */
export const VERSION = '0.1.0';
/** The version of Redis whose behaviour is kept, as INFO and HELLO tell it to clients. */
export const REDIS_VERSION = '7.0.15';
