/** The page's connection with its server: a stream of events down, commands up. */
import type { Hello, Lane, Pushes, RunReply, Sample, WireReply } from '../console/wire.ts';

/** The server refused a command, in its words. */
export class CommandError extends Error {
  override name = 'CommandError';
}

/** What the server answers to a request, where that is no success. */
export class HttpError extends Error {
  override name = 'HttpError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface LinkListener {
  hello?(hello: Hello): void;
  sample?(sample: Sample): void;
  push?(lane: Lane, reply: WireReply): void;
  skipped?(count: number): void;
  /** The stream has broken and will be opened again, or `error` says why not. */
  lost?(error: HttpError | null): void;
}

/** Five minutes. */
const MOST_SAMPLES = 300;
const RETRY_MS = [500, 1000, 2000, 4000];

export class Link {
  /** Of the stream that is open. */
  hello: Hello | null = null;
  /** The latest figures, oldest first. */
  samples: Sample[] = [];
  readonly listeners = new Set<LinkListener>();
  private tries = 0;
  private stream: AbortController | null = null;

  /** Opens the stream, and opens it again whenever it breaks; resolves when that makes no sense any more. */
  async open(): Promise<void> {
    for (;;) {
      const error = await this.follow().catch((reason: unknown) => (reason instanceof HttpError ? reason : null));
      this.hello = null;
      const isFinal = error !== null && error.status < 500;
      for (const listener of [...this.listeners]) listener.lost?.(isFinal ? error : null);
      if (isFinal) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]));
    }
  }

  /** Ends the stream; it is opened again. */
  restart(): void {
    this.stream?.abort();
  }

  private async follow(): Promise<null> {
    this.stream = new AbortController();
    const response = await checked(
      fetch('events', { signal: this.stream.signal, headers: { Accept: 'text/event-stream' } }),
    );
    if (response.body === null) return null;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return null;
      text += value;
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) this.event(part);
    }
  }

  private event(part: string): void {
    const [first = '', second = ''] = part.split('\n', 2);
    const name = first.slice('event: '.length);
    const data: unknown = JSON.parse(second.slice('data: '.length));
    if (name === 'hello') {
      this.tries = 0;
      this.hello = data as Hello;
      this.samples = [...this.hello.samples];
    }
    if (name === 'sample') this.samples = [...this.samples.slice(1 - MOST_SAMPLES), data as Sample];
    if (name === 'bye') {
      this.restart();
      return;
    }
    for (const listener of [...this.listeners]) {
      if (name === 'hello') listener.hello?.(data as Hello);
      else if (name === 'sample') listener.sample?.(data as Sample);
      else if (name === 'push') tell(listener, data as Pushes);
    }
  }

  /** Runs commands, one after another; errors are replies as others are. Words are bytes. */
  async run(lane: Lane, commands: readonly (readonly string[])[], signal?: AbortSignal): Promise<readonly WireReply[]> {
    const page = this.hello?.page;
    if (page === undefined) throw new HttpError(0, 'The server can’t be reached');
    const response = await posted('run', { page, lane, commands }, signal);
    return ((await response.json()) as RunReply).replies;
  }

  /** Runs one command. Rejects with a CommandError where the server refuses it. */
  async call(lane: Lane, ...words: readonly string[]): Promise<WireReply> {
    const [reply] = await this.run(lane, [words]);
    return accepted(reply);
  }

  /** In the browser's own lane. */
  ask(...words: readonly string[]): Promise<WireReply> {
    return this.call('browse', ...words);
  }
}

function tell(listener: LinkListener, { pushes, skipped }: Pushes): void {
  for (const { lane, reply } of pushes) listener.push?.(lane, reply);
  if (skipped > 0) listener.skipped?.(skipped);
}

/** Sends JSON. Rejects with an HttpError. */
export function posted(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' };
  return checked(fetch(path, { method: 'POST', headers, body: JSON.stringify(body), ...(signal && { signal }) }));
}

async function checked(request: Promise<Response>): Promise<Response> {
  const response = await request;
  if (!response.ok) throw new HttpError(response.status, (await response.text()).trim());
  return response;
}

/** The reply, unless it is an error, which is thrown. */
export function accepted(reply: WireReply): WireReply {
  const error = errorIn(reply);
  if (error !== undefined) throw new CommandError(error);
  return reply;
}

export function errorIn(reply: WireReply): string | undefined {
  return typeof reply === 'object' && reply !== null && 'error' in reply ? reply.error : undefined;
}

// Replies of a form that is known.

/** A string or a status; '' for all else. */
export function word(reply: WireReply | undefined): string {
  if (typeof reply === 'string') return reply;
  if (typeof reply === 'number') return String(reply);
  if (typeof reply !== 'object' || reply === null) return '';
  if ('status' in reply) return reply.status;
  if ('beginning' in reply) return reply.beginning;
  return 'integer' in reply ? reply.integer : '';
}

export function list(reply: WireReply | undefined): readonly WireReply[] {
  return Array.isArray(reply) ? (reply as readonly WireReply[]) : [];
}

export function words(reply: WireReply | undefined): string[] {
  return list(reply).map(word);
}

export function number(reply: WireReply | undefined): number {
  return Number(word(reply)) || 0;
}

/** Names and values in turn, as RESP2 has maps. */
export function record(reply: WireReply | undefined): Map<string, WireReply> {
  const items = list(reply);
  return new Map(Array.from({ length: items.length >> 1 }, (_, i) => [word(items[2 * i]), items[2 * i + 1]]));
}
