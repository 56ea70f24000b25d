/** Who asks the nodes of a simulated cluster, from outside of all machines: one request after another to each node. */
import type { Client, World } from './world.ts';

/** Milliseconds after which an answer does not come any more. */
const LATE_MS = 2500;
const MOST_HOPS = 8;
const RETRY_MS = 40;

/** It may have been done, or not. */
export class Unanswered extends Error {}

/** A node that has done what it was asked. */
interface Done {
  readonly name: string;
  readonly answer: unknown;
}

export class Asking {
  private readonly world: World;
  /** Undefined where nobody is there. */
  private readonly dial: (name: string) => Client | undefined;
  private readonly clients = new Map<string, Client>();
  private readonly known = new Map<number, string>();

  constructor(world: World, dial: (name: string) => Client | undefined) {
    this.world = world;
    this.dial = dial;
  }

  /** What it answers, which may be an error. Rejects with Unanswered. */
  async ask(name: string, words: readonly string[]): Promise<unknown> {
    return (await this.askAll(name, [words]))[0];
  }

  /** The same of several requests that go together. */
  async askAll(name: string, requests: readonly (readonly string[])[]): Promise<readonly unknown[]> {
    const client = this.clients.get(name) ?? this.dial(name);
    if (client === undefined) throw new Unanswered(`${name} is not there`);
    this.clients.set(name, client);
    const answers = requests.map((words) => client.send(...words));
    for (const answer of answers) answer.catch(() => {});
    let timer: { cancel(): void } | undefined;
    const late = new Promise<never>((_, fail) => {
      timer = this.world.clock.after(LATE_MS, () => fail(new Unanswered(`${name} does not answer`)));
    });
    try {
      return await Promise.race([Promise.all(answers), late]);
    } catch (error) {
      client.close();
      if (this.clients.get(name) === client) this.clients.delete(name);
      throw error instanceof Unanswered ? error : new Unanswered(String(error));
    } finally {
      timer?.cancel();
    }
  }

  /**
   * Who has done it, as clients of a cluster find out: where it is not known, they begin with `anybody`. Undefined where
   * nobody does it, after some tries.
   */
  async route(slot: number, words: readonly string[], anybody: () => string): Promise<Done | undefined> {
    let name = this.known.get(slot) ?? anybody();
    let asking = false;
    for (let hop = 0; hop < MOST_HOPS; hop++) {
      const answers = await this.askAll(name, asking ? [['ASKING'], words] : [words]).catch((error) => {
        this.known.delete(slot);
        throw error;
      });
      const answer = answers[answers.length - 1];
      if (!(answer instanceof Error)) return { name, answer };
      const redirected = /^(MOVED|ASK) \d+ (.+):\d+$/.exec(answer.message);
      asking = redirected?.[1] === 'ASK';
      if (redirected !== null) {
        name = redirected[2];
        if (!asking) this.known.set(slot, name);
        continue;
      }
      if (!/^(TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|READONLY)/.test(answer.message)) throw answer;
      await this.pause(RETRY_MS);
      name = anybody();
    }
    return undefined;
  }

  pause(ms: number): Promise<void> {
    return new Promise((done) => void this.world.clock.after(ms, done));
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }
}
