/** The replica's side of the handshake, as a conversation: `>` what it sends, `<` the lines it is told. */
import { describe, expect, test } from 'vitest';
import { Handshake, type HandshakeOptions } from '../../../src/replication/handshake.ts';

const ID = 'a'.repeat(40);
const PLAIN: HandshakeOptions = { user: null, password: null, port: 6380, ip: null, from: null, failover: false };

function converse(options: Partial<HandshakeOptions>, script: string): { ended: string; log: string[] } {
  const handshake = new Handshake({ ...PLAIN, ...options });
  const log: string[] = [];
  const sent: string[] = [];
  let ended = '';
  const take = (step: ReturnType<Handshake['begin']>): void => {
    sent.push(...step.send.map((words) => words.join(' ')));
    log.push(...step.log.map(({ text }) => text));
    if (step.outcome !== null) ended = `${step.outcome.kind} ${step.outcome.id} ${step.outcome.offset}`;
  };
  take(handshake.begin());
  for (const line of script
    .trim()
    .split('\n')
    .map((text) => text.trim())) {
    if (line.startsWith('>')) expect(sent.shift()).toBe(line.slice(2));
    else take(handshake.line(line.slice(2)));
  }
  expect(sent).toEqual([]);
  return { ended, log };
}

describe('the handshake of a replica', () => {
  test('without a history asks for everything', () => {
    const { ended } = converse(
      {},
      `> PING
       < +PONG
       > REPLCONF listening-port 6380
       > REPLCONF capa eof capa psync2
       < +OK
       < +OK
       > PSYNC ? -1
       <
       < +FULLRESYNC ${ID} 1234`,
    );
    expect(ended).toBe(`full ${ID} 1234`);
  });

  test('says who it is, and by which address it wants to be shown', () => {
    const { ended } = converse(
      { user: 'copy', password: 'secret', ip: '10.0.0.1', from: { id: ID, offset: 77 } },
      `> PING
       < -NOAUTH Authentication required.
       > AUTH copy secret
       > REPLCONF listening-port 6380
       > REPLCONF ip-address 10.0.0.1
       > REPLCONF capa eof capa psync2
       < +OK
       < +OK
       < +OK
       < +OK
       > PSYNC ${ID} 77
       < +CONTINUE ${'b'.repeat(40)}`,
    );
    expect(ended).toBe(`continue ${'b'.repeat(40)} -1`);
  });

  test('an old master knows none of it', () => {
    const { ended, log } = converse(
      { password: 'p' },
      `> PING
       < +PONG
       > AUTH p
       > REPLCONF listening-port 6380
       > REPLCONF capa eof capa psync2
       < +OK
       < -ERR unknown command
       < -ERR unknown command
       > PSYNC ? -1
       < -ERR unknown command 'PSYNC'
       > SYNC`,
    );
    expect(ended).toBe('full  -1');
    expect(log.filter((text) => text.includes('does not understand'))).toHaveLength(2);
  });

  test.each([
    ['-NOMASTERLINK Can not SYNC while not connected with my master', 'later  -1'],
    ['-LOADING Redis is loading the dataset in memory', 'later  -1'],
    ['+CONTINUE', 'continue  -1'],
    ['+FULLRESYNC short 1', 'full  -1'],
    [`+FULLRESYNC ${ID} -5`, 'full  -1'],
  ])('%s', (answer, expected) => {
    const { ended } = converse(
      {},
      `> PING
       < +PONG
       > REPLCONF listening-port 6380
       > REPLCONF capa eof capa psync2
       < +OK
       < +OK
       > PSYNC ? -1
       < ${answer}`,
    );
    expect(ended).toBe(expected);
  });

  test('ends where it is not let in', () => {
    const password = { password: 'wrong' };
    expect(converse({}, '> PING\n < -DENIED Redis is running in protected mode').ended).toBe('failed  -1');
    const { ended, log } = converse(
      password,
      `> PING
       < +PONG
       > AUTH wrong
       > REPLCONF listening-port 6380
       > REPLCONF capa eof capa psync2
       < -WRONGPASS invalid username-password pair or user is disabled.`,
    );
    expect(ended).toBe('failed  -1');
    expect(log.at(-1)).toContain('Unable to AUTH to MASTER');
  });

  test('who is to take over asks for that, and does not fall back', () => {
    const { ended } = converse(
      { failover: true, from: { id: ID, offset: 5 } },
      `> PING
       < +PONG
       > REPLCONF listening-port 6380
       > REPLCONF capa eof capa psync2
       < +OK
       < +OK
       > PSYNC ${ID} 5 FAILOVER
       < -ERR PSYNC FAILOVER replid must match my replid.`,
    );
    expect(ended).toBe('failed  -1');
  });
});
