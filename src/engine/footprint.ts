/** What clients' doings take on the heap beside their bytes, as it is counted. */

/** What a session and its connection take on the heap, apart from buffers (measured over 5,000 idle connections). */
export const SESSION_BYTES = 2048;
/** What one subscription or prefix takes in the registers beside its name, and a watched key beside its own. */
export const SUBSCRIPTION_BYTES = 96;
export const WATCH_BYTES = 160;
/** What keeping an argument takes beside its bytes. */
export const ARGUMENT_BYTES = 64;
