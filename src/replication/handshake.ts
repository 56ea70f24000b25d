/**
 * What a replica and its master say to each other before the data come: rules without a socket, a clock or a file.
 *
 *   PING ─> [AUTH user password] ─> REPLCONF listening-port, [ip-address], capa ─> PSYNC ─┬─> +FULLRESYNC id offset ─> payload
 *                                                                                        ├─> +CONTINUE [id] ─> stream
 *                                                                                        └─> error ─> SYNC ─> payload
 *
 * Input is one line of the master's at a time, without its line end; an empty one only says that the master is alive.
 * AUTH and the REPLCONFs go out together, and their answers are taken in order.
 */
import { assert } from '../base/assert.ts';

export interface HandshakeOptions {
  /** masteruser and masterauth; null where none is set. */
  readonly user: string | null;
  readonly password: string | null;
  /** The port that the master shows of us. */
  readonly port: number;
  /** replica-announce-ip; null where none is set. */
  readonly ip: string | null;
  /** Where the history that we have could go on; null when we have none. */
  readonly from: { readonly id: string; readonly offset: number } | null;
  /** We are to take over (FAILOVER): the master changes places with us on this PSYNC. */
  readonly failover: boolean;
}

/** The steps, by the names that DEBUG and `master_sync` logs know them by. */
export type HandshakeState = 'ping' | 'auth' | 'port' | 'ip' | 'capa' | 'psync' | 'done';

export interface Outcome {
  /**
   * full: a payload follows, and then the stream from `offset` on (`id` is '' where the master only knows SYNC);
   * continue: the stream goes on; later: it can't answer now; failed: the link is of no use.
   */
  readonly kind: 'full' | 'continue' | 'later' | 'failed';
  readonly id: string;
  readonly offset: number;
}

export interface Step {
  /** Commands to send, in order. */
  readonly send: readonly (readonly string[])[];
  readonly log: readonly { readonly level: 'notice' | 'warning'; readonly text: string }[];
  /** Present when the handshake is over. */
  readonly outcome: Outcome | null;
}

const NOTHING: Step = { send: [], log: [], outcome: null };
const FAILED: Outcome = { kind: 'failed', id: '', offset: -1 };
const LATER: Outcome = { kind: 'later', id: '', offset: -1 };
/** The master has no data to give at the moment. */
const NOT_NOW = ['-NOMASTERLINK', '-LOADING'];
/** Errors to PING that are no failure: the master is there, and wants us to say who we are first. */
const TOLERATED = ['-NOAUTH', '-NOPERM', '-ERR operation not permitted'];

export class Handshake {
  private readonly options: HandshakeOptions;
  /** Answers that are still to come, in order. */
  private expected: HandshakeState[] = ['ping'];
  private ended = false;

  constructor(options: HandshakeOptions) {
    this.options = options;
  }

  get state(): HandshakeState {
    return this.ended ? 'done' : this.expected[0];
  }

  /** The link is there: what to say first. */
  begin(): Step {
    return { ...NOTHING, send: [['PING']] };
  }

  line(text: string): Step {
    assert(!this.ended, 'a handshake that is over hears nothing');
    if (text === '') return NOTHING;
    switch (this.expected[0]) {
      case 'ping':
        return this.pinged(text);
      case 'auth':
        return this.authenticated(text);
      case 'port':
        return this.configured(text, 'REPLCONF listening-port');
      case 'ip':
        return this.configured(text, 'REPLCONF ip-address');
      case 'capa':
        return this.configured(text, 'REPLCONF capa');
      default:
        return this.answered(text);
    }
  }

  private pinged(text: string): Step {
    if (text[0] !== '+' && !TOLERATED.some((known) => text.startsWith(known)))
      return this.over(FAILED, 'warning', `Error reply to PING from master: '${text}'`);
    const { user, password, port, ip } = this.options;
    const send: string[][] = [];
    this.expected = [];
    if (password !== null) {
      send.push(user === null ? ['AUTH', password] : ['AUTH', user, password]);
      this.expected.push('auth');
    }
    send.push(['REPLCONF', 'listening-port', String(port)]);
    this.expected.push('port');
    if (ip !== null) {
      send.push(['REPLCONF', 'ip-address', ip]);
      this.expected.push('ip');
    }
    send.push(['REPLCONF', 'capa', 'eof', 'capa', 'psync2']);
    this.expected.push('capa');
    return { send, log: [notice('Master replied to PING, replication can continue...')], outcome: null };
  }

  private authenticated(text: string): Step {
    if (text[0] === '-') return this.over(FAILED, 'warning', `Unable to AUTH to MASTER: ${text}`);
    this.expected.shift();
    return NOTHING;
  }

  /** An old master doesn't know the option, which is no reason to give up. */
  private configured(text: string, what: string): Step {
    this.expected.shift();
    const log = text[0] === '-' ? [notice(`(Non critical) Master does not understand ${what}: ${text}`)] : [];
    if (this.expected.length > 0) return { ...NOTHING, log };
    return this.askToGoOn(log);
  }

  private askToGoOn(log: Step['log']): Step {
    const { from, failover } = this.options;
    this.expected = ['psync'];
    const asks =
      from === null
        ? notice('Partial resynchronization not possible (no cached master)')
        : notice(`Trying a partial resynchronization (request ${from.id}:${from.offset}).`);
    const words = from === null ? ['PSYNC', '?', '-1'] : ['PSYNC', from.id, String(from.offset)];
    if (failover) words.push('FAILOVER');
    return { send: [words], log: [...log, asks], outcome: null };
  }

  private answered(text: string): Step {
    if (text.startsWith('+FULLRESYNC')) return this.fullResync(text);
    if (text.startsWith('+CONTINUE')) return this.over({ kind: 'continue', id: continued(text), offset: -1 });
    if (NOT_NOW.some((known) => text.startsWith(known)))
      return this.over(LATER, 'notice', `Master is currently unable to PSYNC but should be in the future: ${text}`);
    const told = text.startsWith('-ERR')
      ? notice(`Master does not support PSYNC or is in error state (reply: ${text})`)
      : warning(`Unexpected reply to PSYNC from master: ${text}`);
    // Taking over is no matter of copying its data.
    if (this.options.failover) return this.end(FAILED, [told]);
    this.ended = true;
    return {
      send: [['SYNC']],
      log: [told, notice('Retrying with SYNC...')],
      outcome: { kind: 'full', id: '', offset: -1 },
    };
  }

  private fullResync(text: string): Step {
    const [, id = '', offset = ''] = text.split(' ');
    if (id.length !== 40 || !/^\d+$/.test(offset))
      return this.end({ kind: 'full', id: '', offset: -1 }, [warning('Master replied with wrong +FULLRESYNC syntax.')]);
    return this.over(
      { kind: 'full', id, offset: Number(offset) },
      'notice',
      `Full resync from master: ${id}:${offset}`,
    );
  }

  private over(outcome: Outcome, level: 'notice' | 'warning' = 'notice', text = ''): Step {
    return this.end(outcome, text === '' ? [] : [{ level, text }]);
  }

  private end(outcome: Outcome, log: Step['log']): Step {
    this.ended = true;
    return { send: [], log, outcome };
  }
}

/** The id behind +CONTINUE; '' when the master has told none. */
function continued(text: string): string {
  const id = text.slice('+CONTINUE'.length).trim();
  return id.length === 40 ? id : '';
}

function notice(text: string): Step['log'][number] {
  return { level: 'notice', text };
}

function warning(text: string): Step['log'][number] {
  return { level: 'warning', text };
}
