/** The port of sessions that nobody is behind: the one that plays a file again, and others of the server's own. */
import type { SessionPort } from './ports.ts';

export const NULL_PORT: SessionPort = {
  fd: -1,
  address: '',
  localAddress: '',
  unix: false,
  secure: false,
  queryBytes: 0,
  queryFree: 0,
  argumentBytes: 0,
  lastActive: 0,
  close: () => {},
  closeAfterReply: () => {},
  resume: () => {},
  divert: () => {},
  flush: () => {},
};
