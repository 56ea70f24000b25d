/**
 * Random steps of several connections. Each run draws a few themes, so that what belongs together meets; within one all
 * connections work on the same few keys and channels.
 *
 * What Redis decides by its secret hash seed is left out (of several channels and patterns the order; of sets with several
 * members), and so is CLIENT UNBLOCK where commands may be paused: it ends redis-server 7.0.15 (crashes.test.ts).
 */
import type { SeededRandom } from '../../../src/base/random.ts';
import type { Command } from '../wire.ts';

export interface Step {
  readonly connection: number;
  readonly command: Command;
  /** Sent in one piece with the step before it, which is one of the same connection. */
  readonly joined: boolean;
}

/** A run: what is played, and under which settings. */
export interface Run {
  readonly connections: number;
  /** What CONFIG SET notify-keyspace-events is told. */
  readonly events: string;
  readonly steps: readonly Step[];
}

/** Steps that are no commands: bytes as they are; the connection is closed and opened anew; what expires soon is gone. */
export const RAW = '(raw)';
export const REOPEN = '(reopen)';
export const WAIT = '(wait)';

/** Steps of a theme: commands, one or several in a row, with words that stand for random ones (see `word`). */
const THEMES: Readonly<Record<string, readonly string[]>> = {
  basic: [
    'SET KEY VALUE',
    'SET KEY VALUE',
    'GET KEY',
    'GET KEY',
    'DEL KEY',
    'DEL KEY KEY',
    'INCR n',
    'MGET KEY KEY n',
    'MSET KEY VALUE KEY VALUE',
    'EXISTS KEY KEY',
    'TYPE KEY',
    'RENAME KEY KEY',
    'COPY KEY KEY REPLACE',
    'LPUSH KEY VALUE',
    'RPUSH KEY VALUE VALUE',
    'LPOP KEY',
    'LRANGE KEY 0 -1',
    'APPEND KEY VALUE',
    'GETDEL KEY',
    'UNLINK KEY',
    'OBJECT REFCOUNT KEY',
    'OBJECT ENCODING KEY',
    'SORT KEY BY nosort STORE KEY',
    'LMOVE KEY KEY LEFT RIGHT',
    'ZADD KEY 1 VALUE',
    'SADD KEY VALUE',
    'HSET h VALUE VALUE',
    'HGET h VALUE',
    'ECHO VALUE',
    'PING',
    'PING VALUE',
    'TOUCH KEY',
    'STRLEN KEY',
  ],
  wrong: [
    'GET',
    'GET KEY KEY',
    'NOSUCH VALUE',
    'CLIENT NOSUCH',
    'OBJECT',
    'EXEC 1',
    'SET KEY',
    'BLPOP KEY',
    'CONFIG SET',
  ],
  databases: ['SELECT 0', 'SELECT 1', 'SWAPDB 0 1', 'FLUSHALL', 'FLUSHDB', 'MOVE KEY 1', 'DBSIZE', 'SELECT 77'],
  blocking: [
    'BLPOP KEY 0',
    'BLPOP KEY KEY 0',
    'BRPOP KEY 0',
    'BLMOVE KEY KEY LEFT RIGHT 0',
    'BRPOPLPUSH KEY KEY 0',
    'BLMPOP 0 2 KEY KEY LEFT COUNT 2',
    'BZPOPMIN KEY 0',
    'BZMPOP 0 1 KEY MAX',
    'LPUSH KEY VALUE',
    'RPUSH KEY VALUE VALUE VALUE',
    'ZADD KEY 2 VALUE',
    'LPUSH KEY VALUE',
    'DEL KEY',
    'BLPOP KEY -1',
    'BLPOP KEY x',
    'WAIT 0 0',
  ],
  streams: [
    'XADD s ID f VALUE',
    'XADD s ID f VALUE',
    'XREAD BLOCK 0 STREAMS s $',
    'XREAD BLOCK 0 STREAMS s KEY $ $',
    'XREAD STREAMS s KEY $ $',
    'XREAD COUNT 1 STREAMS s 0',
    'XREAD BLOCK 0 STREAMS s 5',
    'XGROUP CREATE s g $ MKSTREAM',
    'XGROUP DESTROY s g',
    'XREADGROUP GROUP g alice BLOCK 0 STREAMS s >',
    'XREADGROUP GROUP g bob NOACK STREAMS s >',
    'DEL s',
    'SET s VALUE',
    'XLEN s',
  ],
  reply: [
    'CLIENT REPLY ON',
    'CLIENT REPLY ON',
    'CLIENT REPLY OFF',
    'CLIENT REPLY SKIP',
    'CLIENT REPLY SKIP',
    'CLIENT REPLY NO',
    '(raw) EMPTY',
    '(raw) EMPTY',
  ],
  pause: ['CLIENT PAUSE 100000 WRITE', 'CLIENT UNPAUSE', 'CLIENT UNPAUSE', 'PUBLISH CHANNEL VALUE'],
  unblock: ['CLIENT UNBLOCK @', 'CLIENT UNBLOCK @ ERROR', 'CLIENT UNBLOCK @ TIMEOUT', 'BLPOP KEY 0'],
  kill: ['CLIENT KILL ID @', '(reopen)', '(reopen)', 'CLIENT KILL ID @ SKIPME no', 'CLIENT KILL TYPE pubsub', 'QUIT'],
  pubsub: [
    'SUBSCRIBE CHANNEL',
    'SUBSCRIBE CHANNEL CHANNEL',
    'UNSUBSCRIBE CHANNEL',
    'PSUBSCRIBE ch*',
    'PUNSUBSCRIBE ch*',
    'SSUBSCRIBE CHANNEL',
    'SUNSUBSCRIBE CHANNEL',
    'PUBLISH CHANNEL VALUE',
    'PUBLISH CHANNEL VALUE',
    'SPUBLISH CHANNEL VALUE',
    'PUBSUB NUMSUB CHANNEL',
    'PUBSUB NUMPAT',
    'PING',
  ],
  events: ['PSUBSCRIBE __key*', 'PUNSUBSCRIBE __key*', 'SUBSCRIBE __keyevent@0__:keymiss', 'GET KEY'],
  monitor: ['MONITOR', 'MONITOR', 'GET KEY', 'RESET', 'AUTH VALUE VALUE'],
  tracking: [
    'CLIENT TRACKING ON',
    'CLIENT TRACKING ON NOLOOP',
    'CLIENT TRACKING ON OPTIN',
    'CLIENT TRACKING ON OPTOUT',
    'CLIENT TRACKING ON BCAST',
    'CLIENT TRACKING ON BCAST PREFIX KEY',
    'CLIENT TRACKING ON BCAST NOLOOP',
    'CLIENT TRACKING ON REDIRECT @',
    'CLIENT TRACKING ON REDIRECT @ NOLOOP',
    'CLIENT TRACKING ON REDIRECT @ BCAST',
    'CLIENT TRACKING OFF',
    'CLIENT TRACKING OFF',
    'CLIENT CACHING YES',
    'CLIENT CACHING NO',
    'CLIENT GETREDIR',
    'CLIENT TRACKINGINFO',
    'SUBSCRIBE __redis__:invalidate',
    'HELLO 3',
    'GET KEY',
    'MGET KEY KEY',
    'SET KEY VALUE',
  ],
  multi: ['MULTI', 'MULTI', 'EXEC', 'EXEC', 'EXEC', 'DISCARD', 'WATCH KEY', 'WATCH KEY KEY', 'UNWATCH', 'RESET'],
  scripts: [
    "EVAL return(redis.call('get',KEYS[1])) 1 KEY",
    "EVAL return(redis.call('set',KEYS[1],ARGV[1])) 1 KEY VALUE",
    "EVAL return(redis.call('rpush',KEYS[1],ARGV[1])) 1 KEY VALUE",
    "EVAL return(redis.call('blpop',KEYS[1],0)) 1 KEY",
    "EVAL return(redis.call('publish','ch1',ARGV[1])) 0 VALUE",
    "EVAL return(redis.pcall('nosuch')) 0",
    "EVAL redis.call('set',KEYS[1],1);return(redis.call('incr',KEYS[1])) 1 KEY",
    "EVAL_RO return(redis.call('get',KEYS[1])) 1 KEY",
    'EVAL return{1,2,{3}} 0',
  ],
  list: [
    'CLIENT LIST ID @',
    'CLIENT LIST ID @ @',
    'CLIENT INFO',
    'CLIENT SETNAME VALUE',
    'CLIENT GETNAME',
    'CLIENT NO-EVICT on',
    'CLIENT ID',
    'INFO clients_of_interest',
  ],
  resp: ['HELLO 2', 'HELLO 3', 'RESET', 'HELLO', 'HELLO 4'],
  expiry: [
    'PEXPIRE KEY -1',
    'EXPIREAT KEY 1',
    'EXPIRE KEY 1000',
    'PERSIST KEY',
    'TTL KEY',
    'GETEX KEY PERSIST',
    'SET KEY VALUE PX 20|(wait)',
    'PEXPIRE KEY 1|(wait)',
  ],
};

const NAMES = Object.keys(THEMES).filter((name) => name !== 'basic');

/** A run of about so many steps. */
export function drawn(random: SeededRandom, count: number): Run {
  const draw = new Draw(random);
  return { connections: draw.connections, events: draw.events, steps: draw.steps(count) };
}

class Draw {
  readonly connections: number;
  readonly events: string;
  private readonly random: SeededRandom;
  private readonly choices: readonly (readonly string[])[];
  private streamId = 1;

  constructor(random: SeededRandom) {
    this.random = random;
    this.connections = 3 + random.below(3);
    const themes = new Set(['basic']);
    for (let i = 2 + random.below(5); i > 0; i--) themes.add(this.pick(NAMES));
    if (themes.has('unblock')) themes.delete('pause');
    if (themes.has('reply')) themes.delete('kill');
    this.events = themes.has('events') ? this.pick(['KEA', 'KEAm', 'Km', 'AKEn']) : '';
    this.choices = [...themes].map((name) => THEMES[name] ?? []);
  }

  steps(count: number): Step[] {
    const steps: Step[] = [];
    while (steps.length < count) {
      const connection = this.random.below(this.connections);
      const length = this.random.below(3) === 0 ? 1 : 1 + this.random.below(5);
      let joined = false;
      for (let i = 0; i < length; i++) {
        for (const text of this.pick(this.pick(this.choices)).split('|')) {
          const command = text.split(' ').map((word) => this.word(word));
          joined &&= !command[0].startsWith('(') || command[0] === RAW;
          steps.push({ connection, command, joined });
          joined = command[0] !== REOPEN && command[0] !== WAIT;
        }
      }
    }
    return steps;
  }

  private word(word: string): string {
    switch (word) {
      case 'KEY':
        return this.pick(['a', 'b', 'c', 'a', 'b']);
      case 'VALUE':
        return this.pick(['1', 'x', 'y', 'hello']);
      case 'CHANNEL':
        return this.pick(['ch1', 'ch2']);
      case '@':
        return `@${this.random.below(this.connections)}`;
      case 'ID':
        return `${++this.streamId}-1`;
      case 'EMPTY':
        return this.pick(['*0\r\n', '\r\n', '*-1\r\n']);
      default:
        return word;
    }
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)];
  }
}
