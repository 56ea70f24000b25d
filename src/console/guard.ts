/**
 * What browsers do to servers on the machines of those who use them, and how it is told from what those want. Every page of the
 * web can send requests to 127.0.0.1 from the inside; it cannot choose these headers of theirs:
 *
 *   Host              a name of the attacker's that leads here (DNS rebinding): only addresses and names that are ours pass
 *   Origin            another site's page: only our own passes, where it is given
 *   Sec-Fetch-Site    the same, of newer browsers, also for requests without an Origin
 *   Content-Type      JSON is asked for first, across origins (CORS), and nobody here consents
 *
 * Programs (curl, Prometheus) send none of them but Host, and are nobody's deputies.
 */
import { isIP } from '../base/network.ts';

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Sec-Fetch-Site and Sec-Fetch-Mode. */
  readonly site: string | undefined;
  readonly mode: string | undefined;
  readonly contentType: string | undefined;
}

/** Why a request is not answered; undefined where it may be. `hosts`: further names that are ours. */
export function refusal(head: RequestHead, hosts: readonly string[]): string | undefined {
  const { method, path, host = '', origin, site, mode, contentType = '' } = head;
  if (!isOurs(host, hosts)) return `Host '${host}' is not known here: console-hosts names those that are`;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
    return 'A page of another origin has sent this';
  // A link from elsewhere to the page itself is harmless; one to a stream of events would open it.
  const isVisit = method === 'GET' && mode === 'navigate' && path === '/';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isVisit)
    return 'A page of another site has sent this';
  if (method === 'POST' && contentType.split(';', 1)[0].trim() !== 'application/json') return 'JSON is taken only';
  return undefined;
}

function isOurs(host: string, hosts: readonly string[]): boolean {
  const parts = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d+)?$/i.exec(host);
  if (parts === null) return false;
  const name = parts[1].toLowerCase();
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return true;
  return name === 'localhost' || name.endsWith('.localhost') || hosts.some((own) => own.toLowerCase() === name);
}

/** The page loads only what is served here, runs no script of a text, and stands in no frame. */
export const GUARDING_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};
