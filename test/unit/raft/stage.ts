/**
 * A stage for scripts of text, on which members of a group meet. Nothing happens but what a line says; lines that begin with
 * `>` are what has come of it by then, all of it, in order. Terms of entries stand for logs.
 *
 *   group 1 2 3 4?            members; learners have a question mark
 *   log 2 term 3 1 1 3        before anything happens: the term that a member has seen, and its log
 *   set leases 1              a setting
 *   wait 100                  time passes for all; nobody has a tick
 *   tick 1 3                  they look at the clock
 *   deliver                   messages arrive until there are none; what is sent over a cut is lost
 *   deliver 1 2               the messages that 1 has sent to 2 until now arrive
 *   lose 1 2                  they are lost
 *   double 1 2                they arrive, and stay
 *   last 1 2                  the last of them arrives before the others
 *   cut 1 2                   these two are cut off from the others, until `heal`
 *   elect 1                   an election timeout passes, 1 looks at the clock, messages arrive
 *   disk 1 slow | done        what is stored is not on the disk until `done`; usually it is at once
 *   crash 1                   it starts again from its disk
 *   propose 1 x y             commands of the given payloads, which follow each other
 *   read 1 name [seen]        change 1 add 4 (promote, remove)        transfer 1 2        campaign 1
 *   snapshot 1 5              it has a snapshot up to the entry
 *   fail 1 2                  the transfer of the snapshot from 1 to 2 comes to nothing
 *   show 1 2                  puts role, term, commit and log among the output
 *   sent                      puts the messages that are on their way among the output
 *   group of 4 is 1 2 3 4?    asks for the configuration of 4
 */
import { SeededRandom } from '../../../src/base/random.ts';
import type { Change, Configuration, NodeId } from '../../../src/raft/configuration.ts';
import { command, type Entry, type HardState, type Mark, newSaved, type Saved } from '../../../src/raft/entry.ts';
import type { Message } from '../../../src/raft/message.ts';
import type { Input, Output, RaftSettings } from '../../../src/raft/messages.ts';
import { Raft } from '../../../src/raft/raft.ts';
import { verify } from '../../../src/raft/state.ts';

const ELECTION_TIMEOUT = 1000;
/** Elections are due after exactly one election timeout. */
const RANDOM = new (class extends SeededRandom {
  override double01(): number {
    return 0;
  }
})(1);

class Settings implements RaftSettings {
  electionTimeout = ELECTION_TIMEOUT;
  heartbeat = 100;
  leases = false;
  clockDrift = 0.1;
  batchBytes = 1000;
  inflight = 4;
  uncommittedBytes = 2000;
  kept = 0;
  promotionLag = 1;
}

type Stored = Output & { readonly kind: 'store' | 'install' };
type Sent = Output & { readonly kind: 'send' | 'send-snapshot' };

class Actor {
  raft!: Raft;
  saved: Saved;
  slow = false;
  durable = 0;
  writes: Stored[] = [];
  held: Sent[] = [];

  constructor(configuration: Configuration) {
    this.saved = newSaved(configuration);
  }
}

export class Stage {
  readonly output: string[] = [];
  private now = 1;
  private readonly settings = new Settings();
  private configuration: Configuration = [];
  private readonly actors = new Map<NodeId, Actor>();
  private messages: Message[] = [];
  private cutOff = new Set<NodeId>();

  perform(line: string): void {
    const [verb, ...words] = line.split(/ +/);
    const act = this.acts[verb];
    if (act === undefined) throw new Error(`nothing is known of ${verb}`);
    act(words);
    for (const { raft } of this.actors.values()) if (raft !== undefined) verify(raft.state);
  }

  private readonly acts: Readonly<Record<string, (words: string[]) => void>> = {
    group: (words) => {
      if (words[0] === 'of') this.output.push(named(this.raft(words[1]).state.log.configuration));
      else this.create(words);
    },
    log: ([id, , term, ...terms]) => {
      const entries = terms.map((each, i) => command(i + 1, Number(each), new Uint8Array(0)));
      const actor = this.actor(id);
      actor.saved = { ...actor.saved, term: Number(term), entries };
      this.start(Number(id));
    },
    set: ([name, value]) => {
      const settings = this.settings as unknown as Record<string, number | boolean>;
      settings[name] = typeof settings[name] === 'boolean' ? value === '1' : Number(value);
    },
    wait: ([ms]) => {
      this.now += Number(ms);
    },
    tick: (ids) => ids.forEach((id) => void this.step(Number(id), { kind: 'tick' })),
    deliver: ([from, to]) => this.deliver(from, to),
    lose: ([from, to]) => void this.taken(from, to),
    double: ([from, to]) => {
      const taken = this.taken(from, to);
      for (const message of taken) this.receive(message);
      this.messages.push(...taken);
    },
    last: ([from, to]) => {
      const taken = this.taken(from, to);
      this.receive(taken.pop()!);
      this.messages.unshift(...taken);
    },
    cut: (ids) => {
      this.cutOff = new Set(ids.map(Number));
    },
    heal: () => this.cutOff.clear(),
    elect: ([id]) => {
      this.now += ELECTION_TIMEOUT;
      this.step(Number(id), { kind: 'tick' });
      this.deliver();
    },
    disk: ([id, how]) => {
      this.actor(id).slow = how === 'slow';
      this.write(Number(id));
    },
    crash: ([id]) => this.start(Number(id)),
    propose: ([id, ...texts]) =>
      this.step(Number(id), { kind: 'propose', asker: 0, payloads: texts.map((text) => Buffer.from(text)) }),
    read: ([id, asker, seen = '0']) => this.step(Number(id), { kind: 'read', asker: { asker }, seen: Number(seen) }),
    change: ([id, kind, of]) => {
      const change = { kind, id: Number(of), address: `address-${of}` } as Change;
      this.step(Number(id), { kind: 'change', asker: 0, change });
    },
    transfer: ([id, to = '0']) => this.step(Number(id), { kind: 'transfer', asker: 0, to: Number(to) }),
    campaign: ([id]) => this.step(Number(id), { kind: 'campaign' }),
    snapshot: ([id, index]) => this.snapshot(Number(id), Number(index)),
    fail: ([id, to]) => {
      this.taken(id, to);
      this.step(Number(id), { kind: 'snapshot-sent', to: Number(to), ok: false });
    },
    show: (ids) => ids.forEach((id) => void this.output.push(`${id} ${shown(this.raft(id))}`)),
    sent: () => {
      for (const message of this.messages) this.output.push(told(message));
    },
  };

  private create(words: readonly string[]): void {
    this.configuration = words.map((word) => {
      const id = Number.parseInt(word, 10);
      return { id, address: `address-${id}`, kind: word.endsWith('?') ? 'learner' : 'voter' };
    });
    for (const { id } of this.configuration) {
      this.actors.set(id, new Actor(this.configuration));
      this.start(id);
    }
  }

  /** Who joins knows nothing. */
  private actor(id: NodeId | string): Actor {
    const number = Number(id);
    let actor = this.actors.get(number);
    if (actor === undefined) {
      actor = new Actor([]);
      this.actors.set(number, actor);
      this.start(number);
    }
    return actor;
  }

  private raft(id: NodeId | string): Raft {
    return this.actor(id).raft;
  }

  private start(id: NodeId): void {
    const actor = this.actor(id);
    actor.writes = [];
    actor.held = [];
    actor.durable = 0;
    actor.raft = new Raft(id, actor.saved, { random: RANDOM, settings: this.settings }, this.now);
  }

  private deliver(from?: string, to?: string): void {
    if (from !== undefined) {
      for (const message of this.taken(from, to!)) this.receive(message);
      return;
    }
    for (let message = this.messages.shift(); message !== undefined; message = this.messages.shift())
      this.receive(message);
  }

  private taken(from: string, to: string): Message[] {
    const isMeant = (message: Message): boolean => message.from === Number(from) && message.to === Number(to);
    const taken = this.messages.filter(isMeant);
    this.messages = this.messages.filter((message) => !isMeant(message));
    return taken;
  }

  private receive(message: Message): void {
    if (this.cutOff.has(message.from) !== this.cutOff.has(message.to)) return;
    this.step(message.to, { kind: 'message', message });
    if (message.type === 'snapshot') this.step(message.from, { kind: 'snapshot-sent', to: message.to, ok: true });
  }

  private step(id: NodeId, input: Input): void {
    const actor = this.actor(id);
    for (const output of actor.raft.step(this.now, input)) this.take(id, actor, output);
    if (!actor.slow) this.write(id);
  }

  private take(id: NodeId, actor: Actor, output: Output): void {
    switch (output.kind) {
      case 'store':
      case 'install':
        actor.writes.push(output);
        break;
      case 'send':
      case 'send-snapshot':
        if (output.after <= actor.durable) this.messages.push(output.message);
        else actor.held.push(output);
        break;
      case 'apply':
        this.output.push(`${id} applies ${output.entries.map(entryText).join(' ')}`);
        break;
      case 'accepted':
        this.output.push(`${id} takes ${output.first} to ${output.last}`);
        break;
      case 'refused':
        this.output.push(`${id} refuses${asked(output.asker)}: ${output.reason}`);
        break;
      case 'readable':
        this.output.push(`${id} reads${output.askers.map(asked).join('')}`);
        break;
      case 'role':
        if (output.role === 'leader') this.output.push(`${id} leads in ${output.term}`);
        break;
      case 'compacted':
        actor.saved = actor.raft.saved;
        break;
      case 'transferring':
        break;
    }
  }

  /** All that was stored comes to the disk. */
  private write(id: NodeId): void {
    const actor = this.actor(id);
    while (!actor.slow && actor.writes.length > 0) {
      const write = actor.writes.shift()!;
      if (write.kind === 'install') {
        this.output.push(`${id} installs ${write.mark.index}`);
        actor.saved = { ...actor.saved, snapshot: write.mark, base: write.mark, entries: [] };
      } else actor.saved = stored(actor.saved, write.state, write.entries);
      actor.durable = write.version;
      for (const { message } of actor.held.filter(({ after }) => after <= actor.durable)) this.messages.push(message);
      actor.held = actor.held.filter(({ after }) => after > actor.durable);
      for (const output of actor.raft.step(this.now, { kind: 'stored', version: write.version }))
        this.take(id, actor, output);
    }
  }

  private snapshot(id: NodeId, index: number): void {
    const actor = this.actor(id);
    const snapshot: Mark = actor.raft.mark(index);
    actor.saved = { ...actor.saved, snapshot };
    this.step(id, { kind: 'snapshotted', index });
  }
}

function stored(saved: Saved, state: HardState | null, entries: readonly Entry[]): Saved {
  const kept = entries.length === 0 ? saved.entries : saved.entries.filter(({ index }) => index < entries[0].index);
  return { ...saved, ...state, entries: [...kept, ...entries] };
}

function asked(asker: unknown): string {
  return typeof asker === 'object' && asker !== null && 'asker' in asker ? ` ${asker.asker}` : '';
}

function entryText({ index, kind, payload, configuration }: Entry): string {
  const what =
    kind === 'command' ? Buffer.from(payload).toString() : configuration === null ? '-' : `[${named(configuration)}]`;
  return `${index}:${what}`;
}

function named(configuration: Configuration): string {
  return configuration.map(({ id, kind }) => `${id}${kind === 'voter' ? '' : '?'}`).join(' ');
}

function shown({ state }: Raft): string {
  const { log, snapshot } = state;
  const terms = log.from(log.first).map(({ term }) => term);
  const base = log.first === 1 ? '' : ` after ${log.first - 1}`;
  const since = snapshot.index === 0 ? '' : ` snapshot ${snapshot.index}`;
  return `${state.role} term ${state.term} commit ${state.commit}${since} log${base} ${terms.join(' ')}`.trimEnd();
}

function told(message: Message): string {
  const head = `${message.from}>${message.to} ${message.type} ${message.term}`;
  switch (message.type) {
    case 'vote':
      return `${head}${message.pre ? ' pre' : ''}${message.transfer ? ' transfer' : ''} ${message.lastIndex}/${message.lastTerm}`;
    case 'vote-reply':
      return `${head}${message.pre ? ' pre' : ''} ${message.granted ? 'yes' : 'no'}`;
    case 'append':
      return [
        `${head} ${message.prevIndex}/${message.prevTerm} commit ${message.commit}`,
        ...message.entries.map(entryText),
      ].join(' ');
    case 'append-reply':
      return message.ok
        ? `${head} has ${message.match} of ${message.held}`
        : `${head} lacks ${message.rejected}, try ${message.hintIndex}/${message.hintTerm}`;
    case 'snapshot':
      return `${head} ${message.mark.index}/${message.mark.term}`;
    case 'timeout-now':
      return head;
    case 'removal':
      return `${head} ${message.index}`;
  }
}
