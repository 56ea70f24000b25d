/**
 * A stage for scripts of text, on which the rules of Sentinel meet servers and sentinels that do what the script says. Lines
 * of a script are what happens; those that begin with `>` are what the rules have to put out by then, all of it, in order.
 *
 *   monitor m 10.0.0.1 6379 2 [down-after 3000 ...]   what sentinel.conf has, before anything happens; also
 *   known-replica, known-sentinel, epoch, leader-epoch, config-epoch, resolve-hostnames, announce-hostnames, ...
 *   server 10.0.0.1 role:master slave0:ip=...         a server, and lines of its INFO: later ones replace those of that name
 *   peer 10.0.0.12 b                                  another sentinel, whose runid is b, 40 times
 *   says b 1 * 0                                      what it answers about masters: down, leader, epoch
 *   pings 10.0.0.1 -BUSY Redis is busy                what a host answers to PING
 *   silent, answers, refuses 10.0.0.1                 it answers nothing; does again; takes no connections
 *   closes 10.0.0.1 pubsub                            it ends a connection
 *   hello b 10.0.0.12 26379 0 m 10.0.0.1 6379 0       runid, host, port, current epoch, master, host, port, config epoch
 *   run 3000                                          time passes, with a tick every 100 ms
 *   stall 3000                                        it passes without
 *   ask set m quorum 3                                a command
 *   disk slow | done | fails | well                   a write does not end; ends; fails; ends at once, as it usually does
 *   resolved name 10.0.0.1 ...                        what a name stands for
 *   ends 0 1                                          exit code and signal of the script that runs for the longest time
 *   shows ping info connect ...                       what else is shown: connect ping info hello question persist debug
 *   field 10.0.0.2 flags                              puts fields of what commands show among the output, of whom is meant
 */
import { SeededRandom } from '../../../src/base/random.ts';
import type { Reply } from '../../../src/links/reply-reader.ts';
import { ReplyError } from '../../../src/protocol/reply-error.ts';
import {
  type Configuration,
  defaultSettings,
  type MasterConfiguration,
  unconfigured,
} from '../../../src/sentinel/configuration.ts';
import { instanceFields } from '../../../src/sentinel/fields.ts';
import type { Answer, Command, Input, Output, Request } from '../../../src/sentinel/messages.ts';
import { Sentinel } from '../../../src/sentinel/sentinel.ts';
import { type Connection, everyInstance, type Script } from '../../../src/sentinel/state.ts';

const MYID = 'a'.repeat(40);
const OWN_IP = '10.0.0.11';
const TICK = 100;
const HIDDEN = new Set(['connect', 'ping', 'info', 'hello', 'question', 'persist', 'debug']);

interface Host {
  /** Lines of INFO, by their names; none where it is a sentinel. */
  readonly info: Map<string, string>;
  ping: string;
  /** What a sentinel answers about masters. */
  verdict: readonly [number, string, number];
  state: 'answers' | 'silent' | 'refuses';
  readonly unanswered: (() => void)[];
}

export class Stage {
  /** Lines that the rules have put out. */
  readonly output: string[] = [];
  private now = 1000;
  private started: Sentinel | null = null;
  private readonly inputs: Input[] = [];
  private readonly configuration: { -readonly [Key in keyof Configuration]: Configuration[Key] } = unconfigured(MYID);
  private readonly hosts = new Map<string, Host>();
  private readonly connections = new Set<Connection>();
  private readonly running: Script[] = [];
  private readonly shown = new Set<string>();
  private disk: 'well' | 'slow' | 'fails' = 'well';
  private unwritten = 0;

  perform(line: string): void {
    const [verb, ...words] = line.split(/ +/);
    if (this.started === null && this.configure(verb, words)) return;
    const act = this.acts[verb];
    if (act === undefined) throw new Error(`nothing is known of ${verb}`);
    act(words);
  }

  private readonly acts: Readonly<Record<string, (words: string[]) => void>> = {
    server: ([ip, ...lines]) => {
      const { info } = this.host(ip);
      for (const text of lines) info.set(text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1));
    },
    peer: ([ip, letter]) => void this.hosts.set(letter, this.host(ip)),
    says: ([letter, down, leader, epoch]) => {
      this.host(letter).verdict = [Number(down), runid(leader), Number(epoch)];
    },
    pings: ([ip, ...reply]) => {
      this.host(ip).ping = reply.join(' ');
    },
    silent: (ips) => this.setState(ips, 'silent'),
    refuses: (ips) => this.setState(ips, 'refuses'),
    answers: (ips) => this.setState(ips, 'answers'),
    closes: ([ip, channel]) => {
      for (const connection of this.connections)
        if (connection.address.ip === ip && connection.channel === channel) this.lose(connection);
    },
    hello: ([letter, host, port, epoch, ...rest]) =>
      this.step({ kind: 'hello', connection: null, text: [host, port, runid(letter), epoch, ...rest].join(',') }),
    run: ([ms]) => this.run(Number(ms)),
    stall: ([ms]) => {
      this.now += Number(ms);
    },
    ask: (words) => this.step({ kind: 'command', asker: null, command: command(words) }),
    disk: ([how]) => this.setDisk(how),
    resolved: ([host, ...ips]) => this.step({ kind: 'resolved', host, ips }),
    ends: ([code, signal]) =>
      this.step({
        kind: 'script-ended',
        script: this.running.shift()!,
        exitCode: Number(code),
        signal: Number(signal),
      }),
    shows: (kinds) => kinds.forEach((kind) => void this.shown.add(kind)),
    field: ([name, ...fields]) => this.showFields(name, fields),
  };

  /** Lines of the configuration; false where a line is none. */
  private configure(verb: string, words: readonly string[]): boolean {
    const { configuration } = this;
    const masters = configuration.masters as Mutable<MasterConfiguration>[];
    const master = masters.find(({ name }) => name === words[0]);
    switch (verb) {
      case 'monitor':
        masters.push(monitored(words));
        return true;
      case 'known-replica':
        master!.replicas = [...master!.replicas, { host: words[1], port: Number(words[2]) }];
        return true;
      case 'known-sentinel': {
        const known = { host: words[1], port: Number(words[2]), runid: runid(words[3]) };
        master!.sentinels = [...master!.sentinels, known];
        return true;
      }
      case 'config-epoch':
        master!.configEpoch = Number(words[1]);
        return true;
      case 'leader-epoch':
        master!.leaderEpoch = Number(words[1]);
        return true;
      case 'epoch':
        configuration.currentEpoch = Number(words[0]);
        return true;
      case 'resolve-hostnames':
        configuration.resolveHostnames = true;
        return true;
      case 'announce-hostnames':
        configuration.announceHostnames = true;
        return true;
      case 'allow-scripts':
        configuration.denyScriptsReconfig = false;
        return true;
      default:
        return false;
    }
  }

  private get sentinel(): Sentinel {
    this.started ??= new Sentinel(this.configuration, 26379, new SeededRandom(1), this.now);
    return this.started;
  }

  private host(name: string): Host {
    let host = this.hosts.get(name);
    if (host === undefined) {
      host = { info: new Map(), ping: '+PONG', verdict: [0, '*', 0], state: 'answers', unanswered: [] };
      this.hosts.set(name, host);
    }
    return host;
  }

  private setState(ips: readonly string[], state: Host['state']): void {
    for (const ip of ips) {
      const host = this.host(ip);
      host.state = state;
      if (state === 'answers') for (const answer of host.unanswered.splice(0)) answer();
      if (state === 'refuses')
        for (const connection of this.connections) if (connection.address.ip === ip) this.lose(connection);
    }
  }

  private lose(connection: Connection): void {
    this.connections.delete(connection);
    this.step({ kind: 'lost', connection, reason: 'Connection refused' });
  }

  private run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += TICK;
      this.step({ kind: 'tick' });
    }
  }

  private setDisk(how: string): void {
    if (how !== 'done') this.disk = how as typeof this.disk;
    else if (this.unwritten > 0) this.step({ kind: 'persisted', version: this.unwritten });
  }

  /** Whatever comes of an input at once is the next. */
  private step(input: Input): void {
    this.inputs.push(input);
    if (this.inputs.length > 1) return;
    for (; this.inputs.length > 0; this.inputs.shift())
      for (const output of this.sentinel.step(this.now, this.inputs[0])) {
        const [kind, text] = shown(output);
        if (!HIDDEN.has(kind) || this.shown.has(kind)) this.output.push(text);
        this.follow(output);
      }
  }

  private follow(output: Output): void {
    switch (output.kind) {
      case 'connect':
        this.connect(output.connection);
        break;
      case 'disconnect':
        this.connections.delete(output.connection);
        break;
      case 'send':
        this.send(output.connection, output.request);
        break;
      case 'persist':
        this.unwritten = output.version;
        if (this.disk === 'well') this.step({ kind: 'persisted', version: output.version });
        if (this.disk === 'fails')
          this.step({ kind: 'persist-failed', version: output.version, reason: 'No space left on device' });
        break;
      case 'run-script':
        this.running.push(output.script);
        this.step({ kind: 'script-started', script: output.script, pid: 100 + this.running.length });
        break;
      default:
    }
  }

  private connect(connection: Connection): void {
    this.connections.add(connection);
    const { state } = this.host(connection.address.ip);
    if (state === 'refuses') this.lose(connection);
    else if (state === 'answers') this.step({ kind: 'connected', connection, localIp: OWN_IP });
  }

  private send(connection: Connection, request: Request): void {
    const host = this.host(connection.address.ip);
    const answer = (): void => {
      if (!this.connections.has(connection)) return;
      this.step({ kind: 'reply', connection, request, reply: replyOf(host, request) });
    };
    if (host.state === 'answers') answer();
    else host.unanswered.push(answer);
  }

  private showFields(name: string, names: readonly string[]): void {
    const { state } = this.sentinel;
    for (const instance of everyInstance(state)) {
      if (instance.address.ip !== name && instance.name !== name && instance.name !== runid(name)) continue;
      const fields = instanceFields(state, instance, this.now);
      for (const field of names) {
        const at = fields.indexOf(field);
        this.output.push(at < 0 ? `no ${field}` : `${field} ${fields[at + 1]}`);
      }
    }
  }
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** `m 10.0.0.1 6379 2`, and settings. */
function monitored([name, host, port, quorum, ...settings]: readonly string[]): Mutable<MasterConfiguration> {
  const own = defaultSettings(Number(quorum), 3000, 20_000);
  const numbers: Record<string, (value: number) => void> = {
    'down-after': (value) => (own.downAfter = value),
    'failover-timeout': (value) => (own.failoverTimeout = value),
    'parallel-syncs': (value) => (own.parallelSyncs = value),
    'reboot-down-after': (value) => (own.masterRebootDownAfter = value),
    'forget-after': (value) => (own.forgetAfter = value),
  };
  for (let at = 0; at < settings.length; at += 2) {
    if (settings[at] === 'notification-script') own.notificationScript = settings[at + 1];
    else if (settings[at] === 'client-reconfig-script') own.clientReconfigScript = settings[at + 1];
    else if (settings[at] === 'auth-pass') own.authPass = settings[at + 1];
    else numbers[settings[at]](Number(settings[at + 1]));
  }
  return { name, host, port: Number(port), settings: own, configEpoch: 0, leaderEpoch: 0, replicas: [], sentinels: [] };
}

/** One letter stands for a runid. */
function runid(letter: string): string {
  return letter === '*' ? letter : letter.repeat(40);
}

function command([name, ...words]: readonly string[]): Command {
  switch (name) {
    case 'monitor': {
      const [master, host, ip, port, quorum] = words;
      return { name, master, host, ip, port: Number(port), quorum: Number(quorum) };
    }
    case 'remove':
    case 'failover':
      return { name, master: words[0] };
    case 'set':
      return { name, master: words[0], words: words.slice(1), executable: (path) => path.startsWith('/bin/') };
    case 'reset':
      return { name, matches: (master) => words.includes(master) };
    case 'config-set':
      return { name, option: words[0], value: words[1] };
    case 'debug':
    case 'simulate-failure':
      return { name, words };
    case 'flushconfig':
      return { name };
    case 'is-master-down-by-addr': {
      const [host, port, epoch, letter] = words;
      return { name, host, port: Number(port), epoch: Number(epoch), runid: runid(letter) };
    }
    default:
      throw new Error(`no command ${name}`);
  }
}

function replyOf(host: Host, { purpose }: Request): Reply {
  switch (purpose) {
    case 'ping':
      return host.ping[0] === '-' ? new ReplyError(host.ping.slice(1)) : Buffer.from(host.ping.slice(1));
    case 'info':
      return Buffer.from([...host.info].map(([name, value]) => `${name}:${value}\r\n`).join(''));
    case 'is-master-down-by-addr': {
      const [down, leader, epoch] = host.verdict;
      return [down, Buffer.from(leader), epoch];
    }
    default:
      return Buffer.from('OK');
  }
}

/** What kind of output it is, and how a script writes it. */
function shown(output: Output): [kind: string, text: string] {
  switch (output.kind) {
    case 'event':
      return [
        output.level === 'debug' || isSaved(output.text) ? 'debug' : 'event',
        `${output.type} ${short(output.text)}`.trim(),
      ];
    case 'connect':
    case 'disconnect': {
      const { channel, address } = output.connection;
      return ['connect', `${output.kind} ${channel} ${address.ip}:${address.port}`];
    }
    case 'send': {
      const { purpose, commands, instance } = output.request;
      const to = `${instance.address.ip}:${instance.address.port}`;
      const text = short(commands.map((words) => words.join(' ')).join('; '));
      return [purpose === 'is-master-down-by-addr' ? 'question' : purpose, `send ${to} ${text}`];
    }
    case 'persist':
      return ['persist', 'persist'];
    case 'answer':
      return ['answer', `answer ${answerText(output.answer)}${output.after > 0 ? ' once saved' : ''}`];
    case 'resolve':
      return ['resolve', `resolve ${output.host}`];
    case 'run-script':
    case 'kill-script':
      return ['script', `${output.kind} ${output.script.words.join(' ')}`];
    case 'exit':
      return ['exit', `exit ${output.code}`];
  }
}

function isSaved(text: string): boolean {
  return text === 'Sentinel new configuration saved on disk';
}

function answerText(answer: Answer): string {
  switch (answer.kind) {
    case 'ok':
      return 'OK';
    case 'number':
      return String(answer.value);
    case 'error':
      return answer.text;
    case 'vote':
      return `${answer.down ? 1 : 0} ${short(answer.leader)} ${answer.epoch}`;
  }
}

/** Runids are of one letter. */
function short(text: string): string {
  return text.replace(/\b([a-z])\1{39}\b/g, '$1');
}
