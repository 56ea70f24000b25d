/** Where clients find nodes, by cluster-preferred-endpoint-type, and nodes each other. */
import type { Node } from './state.ts';

/** How far the port of the bus lies above that for clients, where nothing else is said. */
export const BUS_PORT_INCREMENT = 10_000;

export type EndpointType = 'ip' | 'hostname' | 'unknown-endpoint';

/** What a client is given in the place of a host: '' for that which it is connected to. */
export function preferredHost(node: Node, type: EndpointType): string {
  if (type === 'ip') return node.ip;
  if (type === 'unknown-endpoint') return '';
  return node.hostname === '' ? '?' : node.hostname;
}

/** `plain`: of the clients' ports that without TLS, where there are two. */
export function clientPort(node: Node, plain: boolean): number {
  return plain && node.plainPort !== 0 ? node.plainPort : node.port;
}
