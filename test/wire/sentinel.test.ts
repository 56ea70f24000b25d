/** A Sentinel of ours beside the real one: the same commands to both, the same bytes back, in both protocols. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lines } from '../support/beside.ts';
import { RespReader, type RespValue } from '../support/resp.ts';
import { type ServerProcess, startSentinel } from '../support/server-process.ts';

const MASTER = ['sentinel monitor mymaster 127.0.0.1 1 2', 'sentinel down-after-milliseconds mymaster 600000'];
const END = 'that was all';

let ours: ServerProcess;
let theirs: ServerProcess;

beforeAll(async () => {
  [ours, theirs] = await Promise.all([startSentinel('cinnabar', MASTER), startSentinel('redis', MASTER)]);
}, 30_000);

afterAll(() => Promise.all([ours?.stop(), theirs?.stop()]));

/** The replies to commands, one a line, over a connection of their own. */
async function replies(port: number, text: string, protocol: 2 | 3): Promise<RespValue[]> {
  const commands = [...(protocol === 3 ? [['HELLO', '3']] : []), ...lines(text), ['PING', END]];
  const socket = connect(port, '127.0.0.1');
  let bytes = Buffer.alloc(0);
  const all = new Promise<void>((done) => {
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.includes(END)) done();
    });
    socket.on('close', () => done());
  });
  for (const words of commands)
    socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
  await all;
  socket.destroy();
  const found = new RespReader(bytes).all();
  return found.slice(protocol === 3 ? 1 : 0, -1);
}

async function same(
  text: string,
  protocol: 2 | 3,
  shown: (value: RespValue) => unknown = (value) => value,
): Promise<void> {
  const [a, b] = await Promise.all([replies(ours.port, text, protocol), replies(theirs.port, text, protocol)]);
  const commands = lines(text);
  const named = (values: RespValue[]): unknown[] => values.map((value, i) => [commands[i]?.join(' '), shown(value)]);
  expect(named(a)).toEqual(named(b));
}

/** Sorted, where the order is nobody's. */
function sorted(value: RespValue): unknown {
  if (typeof value !== 'object' || value === null || !('items' in value)) return value;
  return value.items.map((item) => JSON.stringify(item)).sort();
}

const NAMES_ONLY = `
  SENTINEL MASTER mymaster
  SENTINEL MASTERS
  HELLO
`;

/** What differs from moment to moment left out: digits. */
function withoutNumbers(value: RespValue): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/\d+/g, '0'));
}

describe.each([2, 3] as const)('RESP%i', (protocol) => {
  test('the commands that there are', async () => {
    await same('COMMAND COUNT\nCOMMAND LIST', protocol, sorted);
    await same('COMMAND INFO ping get config auth publish role info shutdown hello subscribe', protocol);
    await same('COMMAND GETKEYS get a\nACL CAT\nACL CAT sentinel', protocol);
    await same('COMMAND INFO sentinel|set sentinel|help sentinel|debug sentinel|simulate-failure', protocol);
  });

  test('what a Sentinel does not know', async () => {
    await same(
      `GET a
       ECHO a
       SELECT 0
       RESET
       QUIT
       CONFIG GET port
       MULTI
       MONITOR
       SSUBSCRIBE a
       SPUBLISH a b
       PUBSUB CHANNELS
       WAIT 0 0
       REPLICAOF NO ONE
       SLOWLOG GET
       DEBUG SLEEP 0
       PUBLISH a b
       PUBLISH a
       PUBLISH __sentinel__:hello nothing
       INFO commandstats
       INFO nosuch
       ACL SETUSER joe +get
       SHUTDOWN x
       SHUTDOWN ABORT`,
      protocol,
    );
  });

  test('what is known is shown alike', async () => {
    await same(NAMES_ONLY, protocol, withoutNumbers);
    await same(
      `ROLE
       SENTINEL REPLICAS mymaster
       SENTINEL SLAVES mymaster
       SENTINEL SENTINELS mymaster
       SENTINEL GET-MASTER-ADDR-BY-NAME mymaster
       SENTINEL GET-MASTER-ADDR-BY-NAME nope
       SENTINEL MASTER nope
       SENTINEL REPLICAS nope
       SENTINEL SENTINELS nope
       SENTINEL CKQUORUM mymaster
       SENTINEL CKQUORUM nope
       SENTINEL INFO-CACHE nope
       SENTINEL INFO-CACHE mymaster
       SENTINEL PENDING-SCRIPTS
       SENTINEL DEBUG
       SENTINEL CONFIG GET *
       SENTINEL CONFIG GET ANNOUNCE*
       SENTINEL CONFIG GET nosuch
       SENTINEL SIMULATE-FAILURE HELP
       SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 0 *
       SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 x 0 *
       SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 x *
       SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 2 0 *
       SENTINEL FAILOVER mymaster
       SENTINEL FAILOVER nope
       INFO sentinel`,
      protocol,
    );
  });

  test('every subcommand refuses in the same words', async () => {
    await same(
      `SENTINEL
       SENTINEL bogus
       SENTINEL MASTERS x
       SENTINEL MASTER
       SENTINEL INFO-CACHE
       SENTINEL RESET
       SENTINEL RESET nope
       SENTINEL HELP x
       SENTINEL REMOVE nope
       SENTINEL FLUSHCONFIG x
       SENTINEL SIMULATE-FAILURE
       SENTINEL SIMULATE-FAILURE bogus
       SENTINEL DEBUG a
       SENTINEL DEBUG a b
       SENTINEL DEBUG ping-period 0
       SENTINEL DEBUG ping-period 1000 ask-period
       SENTINEL CONFIG
       SENTINEL CONFIG GET
       SENTINEL CONFIG SET a
       SENTINEL CONFIG SET a b
       SENTINEL CONFIG SET announce-port x
       SENTINEL CONFIG SET announce-port 70000
       SENTINEL CONFIG SET resolve-hostnames x
       SENTINEL CONFIG bogus x
       SENTINEL MONITOR x 127.0.0.1 1 0
       SENTINEL MONITOR x 127.0.0.1 70000 1
       SENTINEL MONITOR x 127.0.0.1 p 1
       SENTINEL MONITOR x 127.0.0.1 1 q
       SENTINEL MONITOR x localhost 1 1
       SENTINEL MONITOR mymaster 127.0.0.1 1 1
       SENTINEL MONITOR mymaster 127.0.0.1 70000 1`,
      protocol,
    );
  });

  test('masters are added, set and removed', async () => {
    await same(
      `SENTINEL MONITOR x 127.0.0.1 2 1
       SENTINEL SET x quorum 0
       SENTINEL SET x quorum zz
       SENTINEL SET x quorum 3
       SENTINEL SET nope quorum 3
       SENTINEL SET x bogus 1
       SENTINEL SET x down-after-milliseconds -1
       SENTINEL SET x down-after-milliseconds 600000 failover-timeout 0
       SENTINEL SET x parallel-syncs 2
       SENTINEL SET x notification-script /bin/true
       SENTINEL SET x auth-pass p auth-user u
       SENTINEL SET x rename-command a
       SENTINEL SET x rename-command a b
       SENTINEL SET x rename-command "" b
       SENTINEL SET x master-reboot-down-after-period 50
       SENTINEL SET x QUORUM 2 Parallel-Syncs 5
       SENTINEL SET x quorum 2 parallel-syncs
       SENTINEL GET-MASTER-ADDR-BY-NAME x
       SENTINEL RESET x*
       SENTINEL CKQUORUM x
       SENTINEL CONFIG SET announce-port 7
       SENTINEL CONFIG SET sentinel-user u
       SENTINEL CONFIG GET *
       SENTINEL CONFIG SET announce-port 0
       SENTINEL CONFIG SET sentinel-user ""
       SENTINEL FLUSHCONFIG
       SENTINEL REMOVE x
       SENTINEL REMOVE x`,
      protocol,
    );
  });
});
