/** A Redis server as a Sentinel sees it: it answers PING, INFO and PUBLISH, and does what SLAVEOF says. */
import type { Reply } from '../../src/links/reply-reader.ts';
import type { Request } from '../../src/sentinel/messages.ts';
import { Host, type Network } from './network.ts';
import type { Respondent } from './sentinel-respondent.ts';

export const PORT = 6379;
/** Milliseconds that a full synchronization takes. */
const SYNC = 300;

export class Server extends Host implements Respondent {
  ip = this.name;
  priority = 100;
  /** The host that it replicates from, as it was told; null where it is a master. */
  master: string | null;
  offset = 0;
  /** How often it was started: each time it is another to those who know it by its runid. */
  starts = 1;
  private readonly network: Network;
  private linkUp = false;
  /** When the link was last up, and when it can be up at the earliest. */
  private lastUp: number;
  private synced = 0;
  /** Who is told what is published. */
  readonly subscribers = new Set<(text: string) => void>();
  /** Hosts that replicate from it, as the world keeps them. */
  replicas: readonly string[] = [];

  constructor(network: Network, name: string, number: number, master: string | null) {
    super(name, number);
    this.network = network;
    this.master = master;
    this.lastUp = network.timeline.now;
  }

  /** What of replication happens in a moment: `master` is who it replicates from. */
  replicate(master: Server | undefined): void {
    const { timeline } = this.network;
    if (!this.up || this.frozen) return;
    if (this.master === null) {
      this.offset += 10;
      return;
    }
    const serves =
      master?.up && this.network.isFree(this, master) && master !== this && (master.master === null || master.linkUp);
    if (!serves) this.synced = timeline.now + SYNC;
    this.linkUp = serves === true && timeline.now >= this.synced;
    if (!this.linkUp) return;
    this.lastUp = timeline.now;
    this.offset = master!.offset;
  }

  follow(master: string | null): void {
    if (this.master === master) return;
    const { now } = this.network.timeline;
    this.master = master;
    this.linkUp = false;
    this.lastUp = now;
    this.synced = now + SYNC;
  }

  override kill(): void {
    super.kill();
    this.subscribers.clear();
  }

  start(): void {
    this.up = true;
    this.starts++;
    this.linkUp = false;
    this.synced = this.network.timeline.now + SYNC;
  }

  serve({ commands }: Request, answer: (reply: Reply) => void): void {
    let reply: Reply = null;
    for (const words of commands) reply = this.execute(words);
    answer(reply);
  }

  private execute(words: readonly string[]): Reply {
    switch (words[0]) {
      case 'PING':
        return Buffer.from('PONG');
      case 'INFO':
        return Buffer.from(this.info(), 'latin1');
      case 'PUBLISH':
        for (const tell of this.subscribers) tell(words[2]);
        return this.subscribers.size;
      case 'SLAVEOF':
        this.follow(words[1] === 'NO' ? null : words[1]);
        return Buffer.from('QUEUED');
      default:
        return Buffer.from('OK');
    }
  }

  private info(): string {
    const lines = [`run_id:${String(this.number).repeat(20)}${String(this.starts).padStart(20, '0')}`];
    if (this.master === null) lines.push('role:master', 'connected_slaves:0');
    else {
      const down = Math.floor((this.network.timeline.now - this.lastUp) / 1000);
      lines.push('role:slave', `master_host:${this.master}`, `master_port:${PORT}`);
      lines.push(`master_link_status:${this.linkUp ? 'up' : 'down'}`, `slave_repl_offset:${this.offset}`);
      if (!this.linkUp) lines.push(`master_link_down_since_seconds:${down}`);
      lines.push(`slave_priority:${this.priority}`, 'replica_announced:1');
    }
    lines.push(...this.replicas.map((name, at) => `slave${at}:ip=${name},port=${PORT},state=online,offset=0,lag=0`));
    return `# Server\r\n${lines.join('\r\n')}\r\n`;
  }
}
