/** The options that the programs which talk to a server share, under redis-cli's names. */
import type { Command } from 'commander';
import { commander } from '../base/packages.ts';
import { narrow, widen } from '../base/text.ts';
import type { Target } from './connection.ts';

/** What commander makes of the options. */
interface Given {
  readonly h: string;
  readonly p: string;
  readonly s?: string;
  readonly pass?: string;
  readonly user?: string;
  readonly u?: string;
  readonly n: string;
  /** Instead of `n`, which means something else there. */
  readonly dbnum?: string;
  readonly tls?: true;
  readonly insecure?: true;
  readonly sni?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

export class OptionError extends Error {
  override name = 'OptionError';
}

/** A command with the options that say which server; `name` is what its usage calls it, `database` the option of its database. */
export function programFor(name: string, described: string, database: '-n' | '--dbnum' = '-n'): Command {
  const { Command } = commander();
  return new Command(name)
    .description(described)
    .helpOption('--help', 'show this')
    .exitOverride()
    .option('-h <hostname>', 'server', '127.0.0.1')
    .option('-p <port>', 'port', '6379')
    .option('-s <socket>', 'unix socket, instead of both')
    .option('-a, --pass <password>', 'password; REDISCLI_AUTH of the environment does not show it to others')
    .option('--user <username>', 'user whose password it is')
    .option('-u <uri>', 'all of this as redis://user:password@host:port/database, or rediss://')
    .option(`${database} <database>`, 'number of the database', '0')
    .option('--tls', 'over TLS')
    .option('--cacert <file>', 'certificates to trust instead of the usual ones')
    .option('--cert <file>', 'certificate to show')
    .option('--key <file>', 'its private key')
    .option('--sni <host>', 'name to ask for')
    .option('--insecure', 'whoever it is at the other end');
}

/** The server that the options name; `environment` may hold REDISCLI_AUTH. */
export function targetOf(program: Command, environment: Readonly<Record<string, string | undefined>>): Target {
  const given = program.opts<Given>();
  const uri: Partial<FromUri> = given.u === undefined ? {} : fromUri(given.u);
  const password = given.pass ?? uri.password ?? environment['REDISCLI_AUTH'];
  const user = given.user ?? uri.user;
  const { insecure = false, cacert, cert, key, sni } = given;
  const secure = given.tls === true || uri.secure === true;
  return {
    host: uri.host ?? given.h,
    port: uri.port ?? wholeNumber('port', given.p, 65_535),
    ...(given.s !== undefined && { socket: given.s }),
    ...(user !== undefined && { user: narrow(user) }),
    ...(password !== undefined && { password: narrow(password) }),
    database: uri.database ?? wholeNumber('database', given.dbnum ?? given.n, 0x7fffffff),
    resp: 2,
    ...(secure && {
      tls: {
        insecure,
        ...(cacert !== undefined && { ca: cacert }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
        ...(sni !== undefined && { serverName: sni }),
      },
    }),
  };
}

export function wholeNumber(what: string, text: string, most: number, least = 0): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new OptionError(`Invalid ${what}: a number from ${least} to ${most} is expected, not '${text}'.`);
}

interface FromUri {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: number;
  readonly secure: boolean;
}

function fromUri(text: string): FromUri {
  const uri = URL.canParse(text) ? new URL(text) : undefined;
  if (uri === undefined || !['redis:', 'rediss:'].includes(uri.protocol)) throw new OptionError('Invalid URI scheme');
  const database = uri.pathname.slice(1);
  return {
    secure: uri.protocol === 'rediss:',
    ...(uri.hostname !== '' && { host: uri.hostname.replace(/^\[|\]$/g, '') }),
    ...(uri.port !== '' && { port: Number(uri.port) }),
    ...(uri.username !== '' && { user: decoded(uri.username) }),
    ...(uri.password !== '' && { password: decoded(uri.password) }),
    ...(database !== '' && { database: wholeNumber('database', database, 0x7fffffff) }),
  };
}

function decoded(text: string): string {
  return widen(text.replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))));
}
