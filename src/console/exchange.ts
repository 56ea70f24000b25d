/** One request and its answer. */
import type { HttpRequest, HttpResponse } from '../base/http.ts';
import { GUARDING_HEADERS, type RequestHead } from './guard.ts';

/** The longest body that is taken of a user: everybody waits while it is read. */
const MOST_BODY = 1024 * 1024;

/** Why a request is answered by an error, in its words. */
export class Refused extends Error {
  override name = 'Refused';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly method: string;
  readonly path: string;

  constructor(request: HttpRequest, response: HttpResponse) {
    this.request = request;
    this.response = response;
    this.method = request.method ?? '';
    this.path = (request.url ?? '').split('?', 1)[0];
  }

  get head(): RequestHead {
    const { host, origin, 'content-type': contentType } = this.request.headers;
    return {
      method: this.method,
      path: this.path,
      host,
      origin,
      site: this.header('sec-fetch-site'),
      mode: this.header('sec-fetch-mode'),
      contentType,
    };
  }

  /** Where the browser is: an address without a port; '' where that is not known. */
  get peer(): string {
    return this.request.socket.remoteAddress ?? '';
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** The body as JSON. Throws Refused where it is too long, or none. */
  async json(most = MOST_BODY): Promise<unknown> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > most) throw new Refused(413, `A request may have ${most} bytes`);
      chunks.push(chunk);
    }
    try {
      return JSON.parse(Buffer.concat(chunks).toString());
    } catch {
      throw new Refused(400, 'The body is no JSON');
    }
  }

  begin(status: number, type: string, headers: Readonly<Record<string, string>> = {}): void {
    this.response.writeHead(status, {
      'Content-Type': type,
      'Cache-Control': 'no-store',
      ...GUARDING_HEADERS,
      ...headers,
    });
  }

  answer(status: number, type: string, body: string | Buffer, headers?: Readonly<Record<string, string>>): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.begin(status, type, { 'Content-Length': String(bytes.length), ...headers });
    this.response.end(this.method === 'HEAD' ? undefined : bytes);
  }

  text(status: number, text: string, headers?: Readonly<Record<string, string>>): void {
    this.answer(status, 'text/plain; charset=utf-8', `${text}\n`, headers);
  }

  /** It is done, and there is nothing to tell. */
  done(headers: Readonly<Record<string, string>> = {}): void {
    this.bare(204, headers);
  }

  /** The browser has it already. */
  unchanged(headers: Readonly<Record<string, string>>): void {
    this.bare(304, headers);
  }

  private bare(status: number, headers: Readonly<Record<string, string>>): void {
    this.response.writeHead(status, { 'Cache-Control': 'no-store', ...GUARDING_HEADERS, ...headers });
    this.response.end();
  }
}
