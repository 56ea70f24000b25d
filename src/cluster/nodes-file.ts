/**
 * nodes.conf, both ways. Redis's own text, to the byte:
 *
 *   <id> <ip>:<port>@<bus port>[,<host>] <flags> <master's id or -> <ping sent> <pong received> <config epoch> <link> <slots>
 *   07c37dfe... 127.0.0.1:7001@17001,a.example.org myself,master - 0 0 3 connected 0-5460 [77->-e7d1eecc...] [78-<-67ed2db8...]
 *   vars currentEpoch 6 lastVoteEpoch 5
 *
 * Slots that are being moved stand with the node whose file it is. What newer versions write behind the host's name
 * (`,shard-id=...`) is read over, and so are variables that we don't know. A variable of our own, which Redis reads over, is
 * `unclaimed 77,80-91`: slots that their owners claim no more.
 */
import { PORT_MAX } from '../base/network.ts';
import { BUS_PORT_INCREMENT } from './endpoints.ts';
import { flagsText, MASTER, MYSELF, parseFlags, SLAVE } from './flags.ts';
import { isSlot, type SlotRange } from './slots.ts';

/** What a node keeps over a restart. */
export interface NodesFile {
  /** Exactly one of them is myself. */
  readonly nodes: readonly SavedNode[];
  readonly currentEpoch: number;
  readonly lastVoteEpoch: number;
  /** Slots of others that these claim no more. */
  readonly unclaimed: readonly SlotRange[];
}

export interface SavedNode {
  /** 40 hexadecimal digits. */
  readonly id: string;
  /** '' where it is not known. */
  readonly ip: string;
  readonly port: number;
  readonly busPort: number;
  /** '' where it has told none. */
  readonly hostname: string;
  readonly flags: number;
  /** '' where it has none. */
  readonly master: string;
  /** Milliseconds since 1970; 0 where there is none. */
  readonly pingSent: number;
  readonly pongReceived: number;
  readonly configEpoch: number;
  readonly connected: boolean;
  readonly slots: readonly SlotRange[];
  /** In the order of the slots. */
  readonly moves: readonly SlotMove[];
}

/** A slot that is being moved to another node, or comes from it. */
export interface SlotMove {
  readonly slot: number;
  readonly direction: 'migrating' | 'importing';
  readonly node: string;
}

/** The file is damaged: where, and how. */
export class NodesFileError extends Error {
  override name = 'NodesFileError';
  /** From 1. */
  readonly line: number;

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
    this.line = line;
  }
}

const ARROWS = { migrating: '->-', importing: '-<-' } as const;
const ID = /^[0-9a-f]{40}$/;
const ADDRESS = /^([0-9A-Za-z.:%_-]*):(\d{1,5})(?:@(\d{1,5}))?$/;
const HOSTNAME = /^[0-9A-Za-z._-]*$/;
const RANGE = /^(\d{1,5})(?:-(\d{1,5}))?$/;
const MOVE = /^\[(\d{1,5})(->-|-<-)([0-9a-f]{40})\]$/;
const NUMBER = /^\d{1,16}$/;
const LEAST_WORDS = 8;
const UNCLAIMED = 'unclaimed';

export function formatNodesFile(file: NodesFile): string {
  const lines = file.nodes.map(formatNode);
  const unclaimed = file.unclaimed.length === 0 ? '' : ` ${UNCLAIMED} ${rangesText(file.unclaimed, ',')}`;
  return `${lines.join('')}vars currentEpoch ${file.currentEpoch} lastVoteEpoch ${file.lastVoteEpoch}${unclaimed}\n`;
}

/** One line of nodes.conf and of CLUSTER NODES, with its line end. */
export function formatNode(node: SavedNode): string {
  const host = node.hostname === '' ? '' : `,${node.hostname}`;
  const address = `${node.ip}:${node.port}@${node.busPort}${host}`;
  const who = `${node.id} ${address} ${flagsText(node.flags)} ${node.master === '' ? '-' : node.master}`;
  let text = `${who} ${node.pingSent} ${node.pongReceived} ${node.configEpoch}`;
  text += node.connected ? ' connected' : ' disconnected';
  if (node.slots.length > 0) text += ` ${slotsText(node.slots)}`;
  for (const { slot, direction, node: other } of node.moves) text += ` [${slot}${ARROWS[direction]}${other}]`;
  return `${text}\n`;
}

/** What many ranges are in text: a node whose slots lie scattered has thousands, and they are written again and again. */
const texts = new WeakMap<readonly SlotRange[], string>();
const MANY = 16;

function slotsText(ranges: readonly SlotRange[]): string {
  const kept = ranges.length < MANY ? undefined : texts.get(ranges);
  if (kept !== undefined) return kept;
  const text = rangesText(ranges, ' ');
  if (ranges.length >= MANY) texts.set(ranges, text);
  return text;
}

function rangesText(ranges: readonly SlotRange[], between: string): string {
  let text = '';
  for (const { start, end } of ranges) {
    if (text !== '') text += between;
    text += start === end ? start : `${start}-${end}`;
  }
  return text;
}

/** `text` holds one byte a character. Throws NodesFileError. */
export function parseNodesFile(text: string): NodesFile {
  const reader = new Reader();
  const lines = text.split('\n');
  lines.forEach((line, index) => {
    if (line !== '') reader.take(line, index + 1);
  });
  return reader.file(lines.length);
}

class Reader {
  private readonly nodes = new Map<string, SavedNode>();
  private readonly owners = new Map<number, string>();
  private readonly variables = new Map<string, number>();
  private unclaimed: readonly SlotRange[] = [];
  private myself = '';
  private line = 0;

  take(line: string, number: number): void {
    this.line = number;
    const words = line.split(' ').filter((word) => word !== '');
    if (words[0] === 'vars') this.takeVariables(words.slice(1));
    else this.takeNode(words);
  }

  file(lines: number): NodesFile {
    this.line = lines;
    if (this.myself === '') this.refuse('no node is myself');
    const currentEpoch = this.variables.get('currentEpoch');
    const lastVoteEpoch = this.variables.get('lastVoteEpoch');
    if (currentEpoch === undefined || lastVoteEpoch === undefined)
      this.refuse('the file ends without currentEpoch and lastVoteEpoch');
    return { nodes: [...this.nodes.values()], currentEpoch, lastVoteEpoch, unclaimed: this.unclaimed };
  }

  private takeVariables(words: readonly string[]): void {
    if (words.length % 2 !== 0) this.refuse('a variable without its value');
    for (let i = 0; i < words.length; i += 2) {
      const [name, value] = [words[i], words[i + 1]];
      if (name === UNCLAIMED) this.unclaimed = value.split(',').map((range) => this.slots(range));
      else this.variables.set(name, this.number(value, name));
    }
  }

  private takeNode(words: readonly string[]): void {
    if (words.length < LEAST_WORDS) this.refuse(`${words.length} words where a node has at least ${LEAST_WORDS}`);
    const [id, address, flagNames, master, ping, pong, epoch, link, ...slots] = words;
    if (!ID.test(id)) this.refuse('an ID of 40 hexadecimal digits was expected');
    if (this.nodes.has(id)) this.refuse(`node ${id} was described before`);
    const flags = parseFlags(flagNames) ?? this.refuse(`unknown flags ${flagNames}`);
    if (master !== '-' && (!ID.test(master) || master === id)) this.refuse("a master's ID or - was expected");
    if (((flags & SLAVE) !== 0 || master !== '-') && slots.length > 0) this.refuse('a replica has no slots');
    if (link !== 'connected' && link !== 'disconnected') this.refuse('connected or disconnected was expected');
    this.checkMyself(id, flags);
    this.nodes.set(id, {
      id,
      ...this.address(address),
      flags,
      master: master === '-' ? '' : master,
      pingSent: this.number(ping, 'time'),
      pongReceived: this.number(pong, 'time'),
      configEpoch: this.number(epoch, 'config epoch'),
      connected: link === 'connected',
      slots: slots.filter((word) => !word.startsWith('[')).map((word) => this.range(word, id)),
      moves: slots.filter((word) => word.startsWith('[')).map((word) => this.move(word)),
    });
  }

  private checkMyself(id: string, flags: number): void {
    if ((flags & MYSELF) === 0) return;
    if (this.myself !== '') this.refuse('two nodes are myself');
    if ((flags & (MASTER | SLAVE)) === 0) this.refuse('myself is neither master nor slave');
    this.myself = id;
  }

  private address(word: string): Pick<SavedNode, 'ip' | 'port' | 'busPort' | 'hostname'> {
    const [address, ...more] = word.split(',');
    const hostname = more.find((part) => !part.includes('=')) ?? '';
    const match = ADDRESS.exec(address);
    if (match === null) this.refuse('an address <ip>:<port>@<bus port> was expected');
    if (!HOSTNAME.test(hostname)) this.refuse('a host name was expected');
    const port = Number(match[2]);
    // Files from before there was `@` leave it out.
    const busPort = match[3] === undefined ? port + BUS_PORT_INCREMENT : Number(match[3]);
    if (port > PORT_MAX || busPort > PORT_MAX) this.refuse(`ports end at ${PORT_MAX}`);
    return { ip: match[1], port, busPort, hostname };
  }

  private slots(word: string): SlotRange {
    const match = RANGE.exec(word);
    if (match === null) this.refuse(`${word} are no slots`);
    const start = Number(match[1]);
    const end = match[2] === undefined ? start : Number(match[2]);
    if (!isSlot(start) || !isSlot(end) || start > end) this.refuse(`${word} are no slots`);
    return { start, end };
  }

  private range(word: string, id: string): SlotRange {
    const { start, end } = this.slots(word);
    for (let slot = start; slot <= end; slot++) {
      if (this.owners.has(slot)) this.refuse(`slot ${slot} has an owner already`);
      this.owners.set(slot, id);
    }
    return { start, end };
  }

  private move(word: string): SlotMove {
    const match = MOVE.exec(word);
    if (match === null || !isSlot(Number(match[1]))) this.refuse(`${word} is no slot that is moved`);
    return {
      slot: Number(match[1]),
      direction: match[2] === ARROWS.migrating ? 'migrating' : 'importing',
      node: match[3],
    };
  }

  private number(word: string, what: string): number {
    const value = NUMBER.test(word) ? Number(word) : Number.NaN;
    return Number.isSafeInteger(value) ? value : this.refuse(`${word} is no ${what}`);
  }

  private refuse(reason: string): never {
    throw new NodesFileError(this.line, reason);
  }
}
