/**
 * What Sentinels tell one another of themselves and of a master, on __sentinel__:hello and by PUBLISH at one another:
 *
 *   <ip>,<port>,<runid>,<current epoch>,<master's name>,<master's ip>,<master's port>,<master's config epoch>
 */

export const HELLO_CHANNEL = '__sentinel__:hello';

export interface Hello {
  /** Where the Sentinel that speaks is reached. */
  readonly host: string;
  readonly port: number;
  readonly runid: string;
  readonly currentEpoch: number;
  readonly master: string;
  readonly masterHost: string;
  readonly masterPort: number;
  readonly configEpoch: number;
}

export function formatHello(hello: Hello): string {
  const { host, port, runid, currentEpoch, master, masterHost, masterPort, configEpoch } = hello;
  return [host, port, runid, currentEpoch, master, masterHost, masterPort, configEpoch].join(',');
}

/** Undefined where it is no such message. */
export function parseHello(text: string): Hello | undefined {
  const parts = text.split(',', 9);
  if (parts.length !== 8) return undefined;
  const [host, port, runid, currentEpoch, master, masterHost, masterPort, configEpoch] = parts;
  const numbers = [port, currentEpoch, masterPort, configEpoch].map(wholeNumber);
  if (numbers.includes(-1) || numbers[0] > 65535 || numbers[2] > 65535) return undefined;
  if (host === '' || runid === '' || masterHost === '') return undefined;
  return {
    host,
    port: numbers[0],
    runid,
    currentEpoch: numbers[1],
    master,
    masterHost,
    masterPort: numbers[2],
    configEpoch: numbers[3],
  };
}

/** -1 where it is no number from 0 to 2^53 - 1. */
function wholeNumber(text: string): number {
  if (!/^\d{1,16}$/.test(text)) return -1;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : -1;
}
