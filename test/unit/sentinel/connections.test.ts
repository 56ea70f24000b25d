/** How the shell's connections greet, and what they make of what comes. */
import type { Duplex } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { defaultSettings } from '../../../src/sentinel/configuration.ts';
import { Connections } from '../../../src/sentinel/connections.ts';
import { type Channel, Connection, Link, Master, Peer } from '../../../src/sentinel/state.ts';
import { Hosts } from '../links/net.ts';

const ADDRESS = { host: 'them', ip: 'them', port: 1 };
const MYID = 'a'.repeat(40);

let hosts: Hosts;
let seen: string[];
let sent: string;
let connections: Connections;
let answer: (stream: Duplex, text: string) => void;

beforeEach(async () => {
  hosts = new Hosts();
  seen = [];
  sent = '';
  answer = () => {};
  await hosts.listen((stream, bytes) => {
    sent += bytes
      .toString('latin1')
      .replaceAll(/[*$]\d+\r\n/g, '')
      .replaceAll('\r\n', ' ');
    answer(stream, bytes.toString('latin1'));
  });
  const settings = { tlsReplication: false, bindSourceAddr: '', requirepass: 'ours' };
  connections = new Connections(hosts.dialer, settings, {
    opened: (_, ip) => seen.push(`opened ${ip === '' ? 'nowhere' : 'here'}`),
    lost: (_, reason) => seen.push(`lost: ${reason}`),
    replied: (_, request, reply) => seen.push(`${request.purpose}: ${reply}`),
    heard: (_, text) => seen.push(`heard '${text}'`),
  });
});

function master(password = ''): Master {
  const settings = { ...defaultSettings(2, 1000, 1000), authPass: password };
  return new Master('m', ADDRESS, settings, 1);
}

function connect(channel: Channel, to: Master | Peer, user = '', password = ''): Connection {
  const link = new Link(1);
  link.users.add(to);
  const connection = new Connection(link, channel, ADDRESS, { myid: MYID, user, password }, 1);
  connections.connect(connection);
  return connection;
}

test('a server is greeted by a name, and by a password where it has one', async () => {
  connect('cmd', master());
  await hosts.pass(20);
  expect(sent).toBe('CLIENT SETNAME sentinel-aaaaaaaa-cmd ');
  sent = '';
  connect('pubsub', master(), 'bob', 'secret');
  await hosts.pass(20);
  expect(sent).toBe('AUTH bob secret CLIENT SETNAME sentinel-aaaaaaaa-pubsub SUBSCRIBE __sentinel__:hello ');
});

test('another Sentinel is taken to have our own password, where none is set for it', async () => {
  connect('cmd', new Peer(master(), 'b'.repeat(40), ADDRESS, 1), 'bob');
  await hosts.pass(20);
  expect(sent).toBe('AUTH ours CLIENT SETNAME sentinel-aaaaaaaa-cmd ');
});

test('commands are called by the names that a server has for them', async () => {
  const renamed = master();
  renamed.settings.renamedCommands.set('client', 'klient');
  connect('cmd', renamed);
  await hosts.pass(20);
  expect(sent).toBe('klient SETNAME sentinel-aaaaaaaa-cmd ');
});

test('of several commands the last reply counts, and hellos are told from other messages', async () => {
  const message = (channel: string, text: string): string =>
    `*3\r\n$7\r\nmessage\r\n$${channel.length}\r\n${channel}\r\n$${text.length}\r\n${text}\r\n`;
  const replies = {
    SETNAME: '+OK\r\n',
    MULTI: '+OK\r\n',
    SLAVEOF: '+QUEUED\r\n',
    EXEC: '*0\r\n',
    SUBSCRIBE: `*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n${message('__sentinel__:hello', 'hi')}${message('x', 'no')}`,
  };
  answer = (stream, text) => {
    for (const [word, reply] of Object.entries(replies)) if (text.includes(word)) stream.write(reply);
  };
  const instance = master();
  const connection = connect('cmd', instance);
  await hosts.pass(20);
  connections.send(connection, {
    purpose: 'slaveof',
    commands: [['MULTI'], ['SLAVEOF', 'NO', 'ONE'], ['EXEC']],
    instance,
  });
  await hosts.pass(20);
  connect('pubsub', instance);
  await hosts.pass(20);
  expect(seen.filter((line) => !line.startsWith('opened'))).toEqual([
    'slaveof: ',
    "heard ''",
    "heard 'hi'",
    "heard ''",
  ]);
});

test('one over which nothing can be heard is lost', async () => {
  answer = (stream) => stream.write('-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n');
  connect('pubsub', master());
  await hosts.pass(20);
  expect(seen.at(-1)).toBe('lost: NOAUTH Authentication required.');
});
