/** Requests to a server of HTTP as no browser would let one send them, and streams of events. */
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export type Headers = Readonly<Record<string, string>>;

/** Sends one request over a connection of its own. */
export function send(port: number, path: string, options: RequestOptions = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // A connection of the caller's is used where there is no agent.
    const agent = options.createConnection === undefined ? false : undefined;
    const sent = request({ host: '127.0.0.1', port, path, agent, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export function post(port: number, path: string, body: unknown, headers: Headers = {}): Promise<Answer> {
  const all = { 'Content-Type': 'application/json', ...headers };
  return send(port, path, { method: 'POST', headers: all }, JSON.stringify(body));
}

export interface Events {
  /** The data of the next event of this name; others before it are dropped. */
  next(name: string): Promise<unknown>;
  close(): void;
  /** Resolves when the server ends it. */
  readonly ended: Promise<void>;
}

/** Opens a stream of events. Rejects where it is refused. */
export function follow(port: number, path: string, headers: Headers = {}): Promise<Events> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`status ${response.statusCode}`));
        response.destroy();
        return;
      }
      let text = '';
      let wake = (): void => {};
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        wake();
      });
      const ended = new Promise<void>((done) => response.once('close', done));
      const next = async (name: string): Promise<unknown> => {
        for (;;) {
          const end = text.indexOf('\n\n');
          if (end < 0) {
            await new Promise<void>((done) => (wake = done));
            continue;
          }
          const [first, second] = text.slice(0, end).split('\n');
          text = text.slice(end + 2);
          if (first === `event: ${name}`) return JSON.parse(second.slice('data: '.length));
        }
      };
      resolve({ next, ended, close: () => void sent.destroy() });
    });
    sent.on('error', reject);
    sent.end();
  });
}
