/**
 * Conversations on the wire, as prose. A Markdown file holds one heading a case and code blocks of lines:
 *
 *   > bytes sent        < bytes expected, to the byte        <~ a pattern for all that has come
 *   2> and 2< speak of a second connection, 3> of a third    < !closed  the server closes the connection
 *
 * In sent and expected bytes \r \n \t \" \\ \0 \xHH are escapes and {70000*x} repeats. Lines of one kind in a row are one
 * run of bytes; each run sent is written at once, except that a line `> !pause` lets what came before it arrive first.
 */
import { connect, type Socket } from 'node:net';

export interface WireStep {
  readonly kind: 'send' | 'expect' | 'match' | 'closed' | 'pause';
  readonly connection: number;
  readonly text: string;
  readonly line: number;
}

export interface WireCase {
  readonly name: string;
  readonly steps: readonly WireStep[];
}

export function readCases(markdown: string): WireCase[] {
  const cases: { name: string; steps: WireStep[] }[] = [];
  let inside = false;
  markdown.split('\n').forEach((line, index) => {
    if (line.startsWith('```')) inside = !inside;
    else if (!inside && line.startsWith('## ')) cases.push({ name: line.slice(3).trim(), steps: [] });
    else if (inside && line.trim() !== '') cases.at(-1)?.steps.push(readStep(line, index + 1));
  });
  return cases.map(({ name, steps }) => ({ name, steps: joined(steps) }));
}

function readStep(text: string, line: number): WireStep {
  const parts = /^(\d?)(>|<~|<) (.*)$/.exec(text);
  if (!parts) throw new Error(`line ${line}: neither sent nor expected: ${text}`);
  const connection = parts[1] === '' ? 1 : Number(parts[1]);
  const [, , mark, rest] = parts;
  if (mark === '<~') return { kind: 'match', connection, text: rest, line };
  if (rest === '!closed') return { kind: 'closed', connection, text: '', line };
  if (rest === '!pause') return { kind: 'pause', connection, text: '', line };
  return { kind: mark === '>' ? 'send' : 'expect', connection, text: unescaped(rest), line };
}

function unescaped(text: string): string {
  const simple: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0' };
  return text
    .replace(/\{(\d+)\*([^}]*)\}/g, (_, count: string, piece: string) => piece.repeat(Number(count)))
    .replace(/\\(x[0-9a-f]{2}|.)/gi, (_, code: string) =>
      code.length === 3 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (simple[code] ?? code),
    );
}

function joined(steps: WireStep[]): WireStep[] {
  const out: WireStep[] = [];
  for (const step of steps) {
    const last = out.at(-1);
    const joins = step.kind === 'send' || step.kind === 'expect';
    if (last && joins && last.kind === step.kind && last.connection === step.connection)
      out[out.length - 1] = { ...last, text: last.text + step.text };
    else out.push(step);
  }
  return out;
}

class Peer {
  readonly socket: Socket;
  received = '';
  closed = false;
  private wake: () => void = () => {};

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      this.wake();
    });
    for (const event of ['end', 'close', 'error'])
      this.socket.on(event, () => {
        this.closed = true;
        this.wake();
      });
  }

  /** Waits until `condition` holds, or for as long as a server may take. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + 5000;
    while (!condition() && !this.closed && Date.now() < deadline)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
  }
}

/** Plays a case against a server; throws, with the line, where it answers otherwise. */
export async function play(wireCase: WireCase, port: number): Promise<void> {
  const peers = new Map<number, Peer>();
  try {
    for (const step of wireCase.steps) {
      let peer = peers.get(step.connection);
      if (!peer) peers.set(step.connection, (peer = new Peer(port)));
      await playStep(step, peer);
    }
    for (const [number, peer] of peers)
      if (peer.received !== '') throw new Error(`connection ${number} got more: ${JSON.stringify(peer.received)}`);
  } finally {
    for (const peer of peers.values()) peer.socket.destroy();
  }
}

async function playStep(step: WireStep, peer: Peer): Promise<void> {
  const { kind, text, line } = step;
  const shown = (): string => JSON.stringify(peer.received.slice(0, 2000));
  if (kind === 'send') {
    peer.socket.write(Buffer.from(text, 'latin1'));
  } else if (kind === 'pause') {
    await new Promise((resolve) => setTimeout(resolve, 30));
  } else if (kind === 'closed') {
    await peer.until(() => peer.closed);
    if (!peer.closed) throw new Error(`line ${line}: the connection is open still`);
  } else if (kind === 'match') {
    const pattern = new RegExp(`^${text}`, 's');
    await peer.until(() => pattern.test(peer.received));
    const found = pattern.exec(peer.received);
    if (!found) throw new Error(`line ${line}: expected /${text}/, got ${shown()}`);
    peer.received = peer.received.slice(found[0].length);
  } else {
    await peer.until(() => peer.received.length >= text.length);
    if (!peer.received.startsWith(text))
      throw new Error(`line ${line}: expected ${JSON.stringify(text)}, got ${shown()}`);
    peer.received = peer.received.slice(text.length);
  }
}
