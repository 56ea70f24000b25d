/** The link to a master, over the links that are handed in: by TLS with tls-replication, out from bind-source-addr. */
import { type Dialer, type Link, LinkError, type LinkReceiver } from '../links/link.ts';
import type { FollowerParts, MasterLink } from './follower.ts';
import type { ReplicationSettings } from './options.ts';
import type { StreamPort } from './stream.ts';

/** Bytes that wait to be written to a master that does not read; it gets signs of life and acknowledgements only. */
const UNSENT_MOST = 1024 * 1024;

class DialledLink implements MasterLink {
  private readonly link: Link;

  constructor(link: Link) {
    this.link = link;
  }

  write(bytes: Uint8Array): void {
    if (this.link.unsent > UNSENT_MOST) this.link.fail(new LinkError('lost', 'The master takes nothing more'));
    else this.link.write(bytes);
  }

  pause(): void {
    this.link.pause();
  }

  resume(): void {
    this.link.resume();
  }

  close(): void {
    this.link.close();
  }

  session(broken: StreamPort['broken'], resume: () => void): StreamPort {
    const { link } = this;
    const { host, port } = link.target;
    // The master is owed nothing but acknowledgements, so that an end needn't wait for them.
    const close = (): void => link.fail(new LinkError('lost', 'The link to the master is closed'));
    return {
      fd: -1,
      address: `${host}:${port}`,
      localAddress: link.localAddress,
      unix: false,
      secure: false,
      queryBytes: 0,
      queryFree: 0,
      argumentBytes: 0,
      get lastActive() {
        return link.lastRead;
      },
      pace: (more) => (more ? link.resume() : link.pause()),
      close,
      closeAfterReply: close,
      resume,
      divert: () => {},
      flush: () => {},
      broken,
    };
  }
}

/** How masters are reached. The follower itself sees to it that none is waited for too long. */
export function masterDialer(links: Dialer, settings: ReplicationSettings): FollowerParts['dial'] {
  return (host, port, receiver) => {
    const { tlsReplication: secure, bindSourceAddr: source } = settings;
    const link = links.open({ host, port, secure, source, timeout: null, fleeting: true }, keptAlive(receiver));
    return new DialledLink(link);

    /** Probed by the system as clients are, from its opening on. */
    function keptAlive({ opened, ...rest }: LinkReceiver): LinkReceiver {
      return {
        ...rest,
        opened: () => {
          link.keepAlive(settings.tcpKeepalive);
          opened();
        },
      };
    }
  };
}
