/**
 * Machines for rounds of real processes: each a network namespace of the kernel, with a cable to one switch, at which this
 * process stands as well and reaches all of them.
 *
 *   this process ─ 198.18.N.254 ─┐          what is cut: one machine has a wrong hardware address for another, so that what
 *   machine 0 ──── 198.18.N.1 ───┤ bridge   it says to that one vanishes, and nobody is told; the other way is another
 *   machine 1 ──── 198.18.N.2 ───┘          address, so that one way may be cut and the other not
 *
 * This takes root and the program `ip`. Where they are not to be had, there is one machine only, and nothing can be cut.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Machine {
  readonly host: string;
  /** What stands before a program that is to run there. */
  readonly enter: readonly string[];
}

/** The one on which everything runs. */
export const HERE: Machine = { host: '127.0.0.1', enter: [] };

/** What the first says to the second. */
export type Way = readonly [from: Machine, to: Machine];

export interface Ground {
  readonly machines: readonly Machine[];
  /** How it is told in a report. */
  readonly name: string;
  readonly canCut: boolean;
  cut(ways: readonly Way[]): Promise<void>;
  /** Nothing is cut any more. */
  heal(): Promise<void>;
  close(): Promise<void>;
}

/** Networks that are set apart for tests of devices: 198.18.0.0/16. */
const NETWORKS = 256;
const NOBODY = '02:00:00:00:00:01';
const CABLE = 'eth0';

/** So many machines; where there can be no namespaces, all of them are this one. */
export async function openGround(count: number): Promise<Ground> {
  try {
    return await Namespaces.open(count);
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).trim().split('\n').pop();
    return new Loopback(count, `one machine, without cuts of the network (${why})`);
  }
}

class Loopback implements Ground {
  readonly machines: readonly Machine[];
  readonly name: string;
  readonly canCut = false;

  constructor(count: number, name: string) {
    this.machines = Array.from({ length: count }, () => HERE);
    this.name = name;
  }

  cut(): Promise<void> {
    return Promise.reject(new Error(this.name));
  }

  async heal(): Promise<void> {}

  async close(): Promise<void> {}
}

class Namespaces implements Ground {
  readonly machines: Machine[] = [];
  readonly name = 'network namespaces';
  readonly canCut = true;
  private readonly network: number;
  private readonly severed: Way[] = [];

  private constructor(network: number) {
    this.network = network;
  }

  static async open(count: number): Promise<Namespaces> {
    const ground = new Namespaces(await freeNetwork());
    try {
      await ip(`addr add ${ground.address(254)}/24 dev ${ground.bridge}`, `link set ${ground.bridge} up`);
      for (let i = 0; i < count; i++) await ground.add(i);
      return ground;
    } catch (error) {
      await ground.close();
      throw error;
    }
  }

  private get bridge(): string {
    return bridgeOf(this.network);
  }

  private address(last: number): string {
    return `198.18.${this.network}.${last}`;
  }

  private nameOf(machine: Machine): string {
    return `${this.bridge}-${this.machines.indexOf(machine)}`;
  }

  private async add(i: number): Promise<void> {
    const machine = { host: this.address(i + 1), enter: ['ip', 'netns', 'exec', `${this.bridge}-${i}`] };
    this.machines.push(machine);
    const name = this.nameOf(machine);
    await ip(`netns add ${name}`);
    await ip(
      `link add ${name} type veth peer name ${CABLE} netns ${name}`,
      `link set ${name} master ${this.bridge} up`,
    );
    await ip(
      `-n ${name} addr add ${machine.host}/24 dev ${CABLE}`,
      `-n ${name} link set ${CABLE} up`,
      `-n ${name} link set lo up`,
    );
  }

  async cut(ways: readonly Way[]): Promise<void> {
    this.severed.push(...ways);
    const wrong = `lladdr ${NOBODY} dev ${CABLE} nud permanent`;
    await Promise.all(ways.map(([from, to]) => ip(`-n ${this.nameOf(from)} neigh replace ${to.host} ${wrong}`)));
  }

  async heal(): Promise<void> {
    const ways = this.severed.splice(0);
    await Promise.all(ways.map(([from, to]) => ip(`-n ${this.nameOf(from)} neigh del ${to.host} dev ${CABLE}`)));
  }

  async close(): Promise<void> {
    for (const machine of this.machines) await ip(`netns del ${this.nameOf(machine)}`).catch(() => {});
    await ip(`link del ${this.bridge}`).catch(() => {});
  }
}

const bridgeOf = (network: number): string => `cinnabar${network}`;

async function ip(...commands: readonly string[]): Promise<void> {
  for (const command of commands) await run('ip', command.split(' '));
}

/** The number of a network whose bridge this process has made. */
async function freeNetwork(): Promise<number> {
  for (let i = 0; ; i++) {
    const network = (process.pid + i) % NETWORKS;
    try {
      await ip(`link add ${bridgeOf(network)} type bridge`);
      return network;
    } catch (error) {
      if (i === NETWORKS || !String(error).includes('File exists')) throw error;
    }
  }
}
