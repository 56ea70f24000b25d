/** `cinnabar cluster`: a whole cluster in this process, until it is told to end. */

import { resolve } from 'node:path';
import { PORT_MAX } from '../base/network.ts';
import { createCluster } from './local-cluster.ts';
import type { ClusterOptions } from './local-options.ts';

const USAGE = `Usage: cinnabar cluster [--masters 3] [--replicas 0] [--port 7000] [--dir FOLDER] [--NAME VALUE ...]
       cinnabar cluster --raft 3 [--port 7000] [--dir FOLDER] [--NAME VALUE ...]

Starts a cluster in one process, for development and tests: so many masters, so many replicas of each, at the ports from
--port on, and says when it serves. With --raft they are one group instead, of so many members, that loses no acknowledged write. Nothing is kept without --dir; with it each node has a folder there, and an append-only
file. Every setting of redis.conf is an option for all nodes.
`;
const FIRST_PORT = 7000;
const MOST_NODES = 1000;
const MOST_MEMBERS = 9;

export class ClusterCommandError extends Error {
  override name = 'ClusterCommandError';
}

/** What the words behind `cluster` ask for; throws ClusterCommandError. */
export function clusterOptions(words: readonly string[]): ClusterOptions {
  const settings: Record<string, string> = {};
  for (let i = 0; i < words.length; i += 2) {
    const [name, value] = words.slice(i, i + 2);
    if (!name.startsWith('--') || value === undefined) throw new ClusterCommandError(`what is meant by '${name}'?`);
    settings[name.slice(2).toLowerCase()] = value;
  }
  const { masters = '3', replicas = '0', raft, port = String(FIRST_PORT), dir, ...rest } = settings;
  if (raft !== undefined) {
    return {
      raft: wholeNumber('raft', raft, 1, MOST_MEMBERS),
      port: wholeNumber('port', port, 1, PORT_MAX),
      ...(dir !== undefined && { folder: resolve(dir) }),
      settings: rest,
    };
  }
  return {
    masters: wholeNumber('masters', masters, 1, MOST_NODES),
    replicas: wholeNumber('replicas', replicas, 0, MOST_NODES),
    port: wholeNumber('port', port, 1, PORT_MAX),
    ...(dir !== undefined && { folder: resolve(dir) }),
    settings: { ...(dir !== undefined && { appendonly: 'yes' }), ...rest },
  };
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new ClusterCommandError(`--${name} is a number from ${least} to ${most}`);
}

/** Resolves with the code to leave with, once the cluster has ended. */
export async function runCluster(words: readonly string[], print: (text: string) => void): Promise<number> {
  if (['-h', '--help', 'help'].includes(words[0])) {
    print(USAGE);
    return 0;
  }
  try {
    const options = clusterOptions(words);
    const cluster = await createCluster(options);
    const { masters = 1, raft } = options;
    cluster.addresses.forEach(({ host, port }, i) => {
      const follows = `replica of ${host}:${cluster.addresses[i % masters].port}`;
      const what = raft !== undefined ? 'member' : i < masters ? 'master' : follows;
      print(`${host}:${port} ${what}\n`);
    });
    const [{ host, port }] = cluster.addresses;
    print(`Ready: ${cluster.nodes.length} nodes. Try redis-cli -c -h ${host} -p ${port}\n`);
    await new Promise<void>((done) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done());
    });
    await cluster.close();
    return 0;
  } catch (error) {
    print(`cinnabar cluster: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
