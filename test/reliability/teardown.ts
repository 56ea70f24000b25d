/**
 * Suite 23. Clients are killed, lose their user, are evicted, pass their output limit, idle out, or see the server end while
 * much is owed to them; then they read on. Whatever the road, none of them may get a byte of another's. Free buffers
 * of the server are poisoned (CINNABAR_VERIFY).
 *
 * Planted once: CLIENT KILL that gives a session's chunks back at once; 7 of 8 rounds showed the killer's bytes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { command, MIB, pause, Raw, until } from './harness.ts';

const VICTIMS = 4;
const REPLIES = 8;
const HEADER = `$${MIB}\r\n`;
const SECRET = 'S';

export interface TeardownReport {
  readonly rounds: number;
  /** Bytes that victims got in all. */
  readonly bytes: number;
  readonly failures: readonly string[];
}

interface Road {
  readonly name: string;
  readonly server: ServerProcess;
  open(): Socket;
}

/** A victim: its value is of one letter, and so is all that it may get. */
class Victim {
  readonly socket: Socket;
  readonly letter: string;
  bytes = 0;
  closed = false;
  foreign = '';

  constructor(socket: Socket, letter: string) {
    this.socket = socket;
    this.letter = letter;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      const text = chunk.toString('latin1');
      for (const char of text)
        if (char !== letter && !HEADER.includes(char) && !':0123456789+OK'.includes(char)) {
          this.foreign ||= JSON.stringify(text.slice(Math.max(0, text.indexOf(char) - 10), text.indexOf(char) + 30));
          break;
        }
    });
    socket.pause();
    for (let i = 0; i < REPLIES; i++) socket.write(command('GET', letter));
  }
}

type End = (good: Raw, road: Road, ids: readonly string[]) => void;

/** What ends the victims. What follows at once on the killer's connection wants every chunk that there is. */
const ENDS: Readonly<Record<string, End>> = {
  kill: (good, _, ids) => good.send(ids.map((id) => command('CLIENT', 'KILL', 'ID', id)).join('') + wantChunks()),
  deluser: (good) => good.send(command('ACL', 'DELUSER', 'victim') + wantChunks()),
  evict: (good) => good.send(command('CONFIG', 'SET', 'maxmemory-clients', MIB) + wantChunks()),
  limit: (good) =>
    good.send(command('CONFIG', 'SET', 'client-output-buffer-limit', `normal ${MIB} 0 0`) + command('PING')),
  timeout: (good) => good.send(command('CONFIG', 'SET', 'timeout', 1) + command('PING')),
  shutdown: (good) => good.send(wantChunks() + command('SHUTDOWN', 'NOSAVE')),
};

function wantChunks(): string {
  return command('GET', SECRET).repeat(REPLIES * VICTIMS);
}

async function round(road: Road, how: string): Promise<Victim[]> {
  const { server } = road;
  const good = new Raw(server.port);
  const sleeper = new Raw(server.port);
  await good.ask('CLIENT', 'NO-EVICT', 'ON');
  await good.ask('SET', SECRET, SECRET.repeat(MIB));
  await good.ask('ACL', 'SETUSER', 'victim', 'on', 'nopass', '+@all', '~*');
  await good.ask('CONFIG', 'RESETSTAT');
  const victims: Victim[] = [];
  for (let i = 0; i < VICTIMS; i++) {
    const letter = 'abcdefgh'[i];
    await good.ask('SET', letter, letter.repeat(MIB));
    const socket = road.open();
    if (how === 'deluser') socket.write(command('AUTH', 'victim', 'x'));
    victims.push(new Victim(socket, letter));
  }
  await until(
    async () => (await good.ask('CLIENT', 'LIST')).split('cmd=get').length > VICTIMS,
    'victims that are owed',
  );
  const list = await good.ask('CLIENT', 'LIST');
  const ids = [...list.matchAll(/id=(\d+) .*cmd=get/g)].map(([, id]) => id);
  // A long turn: the victims' sockets become writable while the command that ends them waits.
  good.counting = true;
  sleeper.call('DEBUG', 'SLEEP', '0.15');
  await pause(30);
  ENDS[how](good, road, ids);
  for (const { socket } of victims) socket.resume();
  await pause(how === 'timeout' ? 2500 : 400);
  for (const { socket } of victims) socket.destroy();
  good.destroy();
  sleeper.destroy();
  return victims;
}

type Roads = Readonly<Record<string, (name: string) => Promise<Road>>>;

async function roads(folder: string, certificates: Certificates): Promise<Roads> {
  const path = join(folder, 'socket');
  const tlsPort = await freePort();
  const usual = ['--enable-debug-command', 'yes'];
  const tls = [
    '--tls-port',
    String(tlsPort),
    '--tls-cert-file',
    certificates.path('server.crt'),
    '--tls-key-file',
    certificates.path('server.key'),
  ];
  const start = async (net: string, ...options: string[]): Promise<ServerProcess> => {
    const before = [process.env['CINNABAR_VERIFY'], process.env['CINNABAR_NET']];
    Object.assign(process.env, { CINNABAR_VERIFY: '1', CINNABAR_NET: net });
    try {
      return await startCinnabar(...usual, ...options);
    } finally {
      for (const [i, name] of ['CINNABAR_VERIFY', 'CINNABAR_NET'].entries())
        if (before[i] === undefined) delete process.env[name];
        else process.env[name] = before[i];
    }
  };
  const over = async (name: string, server: ServerProcess, open: () => Socket): Promise<Road> => ({
    name,
    server,
    open,
  });
  const local = '127.0.0.1';
  const tcp = async (name: string): Promise<Road> => {
    const server = await start(name);
    return over(name, server, () => connect(server.port, local));
  };
  return {
    fast: tcp,
    plain: tcp,
    unix: async (name) => over(name, await start('fast', '--unixsocket', path), () => connect(path)),
    tls: async (name) =>
      over(name, await start('fast', ...tls, '--tls-auth-clients', 'no'), () =>
        connectTls({ port: tlsPort, host: local, rejectUnauthorized: false }),
      ),
  };
}

/** Plays each end on each road `count` times. */
export async function teardowns(count: number, ends = Object.keys(ENDS)): Promise<TeardownReport> {
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-teardown-'));
  const certificates = makeCertificates();
  const failures: string[] = [];
  let rounds = 0;
  let bytes = 0;
  try {
    for (const [name, open] of Object.entries(await roads(folder, certificates)))
      for (const how of ends)
        for (let i = 0; i < count; i++) {
          const road = await open(name);
          for (const victim of await round(road, how)) {
            bytes += victim.bytes;
            if (victim.foreign !== '') failures.push(`${name}, ${how}: ${victim.letter} got ${victim.foreign}`);
          }
          rounds++;
          await road.server.stop();
        }
  } finally {
    certificates.remove();
    rmSync(folder, { recursive: true, force: true });
  }
  return { rounds, bytes, failures };
}
