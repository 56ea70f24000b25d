/** The command line's own words, before anything is a setting: --version, --help, and whether a Sentinel is asked for. */
import { basename } from 'node:path';
import { commander } from '../base/packages.ts';
import { REDIS_VERSION, VERSION } from '../base/version.ts';
import { memoryOvercommit, transparentHugePages } from './system.ts';

/** What to print, where, and the code to leave with. */
export interface Answer {
  readonly text: string;
  readonly code: number;
}

const USAGE = `Usage: cinnabar [/path/to/redis.conf] [--NAME VALUE ...] [-]

Starts a server that speaks Redis ${REDIS_VERSION}'s protocol. Every setting of redis.conf is an option; options win over the file,
and - reads further settings from the standard input. Without any it listens at port 6379.

  cinnabar                                                 the usual settings
  cinnabar /etc/redis/6379.conf --loglevel verbose         a file, and one setting otherwise
  cinnabar --port 7777 --maxmemory 100mb --maxmemory-policy allkeys-lru
  cinnabar --appendonly yes --dir /var/lib/cinnabar        what is written survives a restart
  cinnabar --save "" --save 900 1                          no save points but this one
  cinnabar --port 6380 --replicaof "127.0.0.1 6379"        a replica
  cinnabar --console-port 8379                             and a page for browsers, http://127.0.0.1:8379/
  echo 'maxmemory 128mb' | cinnabar -                      settings from the standard input

Talking to a server (each has --help, and -h HOST -p PORT -a PASSWORD -u URI --tls):
  cinnabar cli                    a prompt with history and completion
  cinnabar cli PING               one command; leaves with 1 where nobody answers
  cinnabar doctor                 what is wrong with it, in words, and what to do
  cinnabar bench                  requests a second, and how long they take

More than one server:
  cinnabar --sentinel /path/to/sentinel.conf               a Sentinel, which fails over
  cinnabar cluster --masters 3 --replicas 1 --port 7000    a cluster in one process, for development and tests
  cinnabar cluster --raft 3                                a group that loses no acknowledged write

Working on files:
  cinnabar check-rdb dump.rdb
  cinnabar check-aof [--fix | --truncate-to-timestamp TIME] FILE.manifest|FILE.aof
  cinnabar convert INPUT OUTPUT                            between snapshots, append-only files and JSON

  cinnabar -v, --version          cinnabar -h, --help          cinnabar --check-system
`;

export function versionLine(): string {
  return `Redis server v=${REDIS_VERSION} sha=00000000:0 malloc=cinnabar bits=64 build=cinnabar-${VERSION}`;
}

function checkSystem(): Answer {
  const checks = [memoryOvercommit(), transparentHugePages()];
  const text = checks.map(({ name, warning }) => `[${name}]...${warning ? `WARNING:\n${warning}` : 'OK'}`).join('\n');
  return { text: `${text}\n`, code: checks.some((check) => check.warning) ? 1 : 0 };
}

/** How the words begin that are not settings. */
const OWN = ['-v', '-h', '--version', '--help', '--test-memory', '--check-system'];

interface Given {
  readonly version?: true;
  readonly help?: true;
  readonly testMemory?: true;
  readonly checkSystem?: true;
}

/** Only the first word may be one of these: further on they are values of settings, or settings. */
function ownOptions([first = '']: readonly string[]): Given {
  if (!OWN.some((word) => first.startsWith(word))) return {};
  const { Command } = commander();
  const program = new Command('cinnabar')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .exitOverride()
    .option('-v, --version')
    .option('-h, --help')
    .option('--test-memory [megabytes]')
    .option('--check-system');
  return program.parse([first], { from: 'user' }).opts<Given>();
}

/** The answer to a command line that doesn't start a server; undefined for one that does. */
export function answerCommandLine(args: readonly string[]): Answer | undefined {
  let answer: Answer | undefined;
  const given = ownOptions(args);
  if (given.version) answer = { text: `${versionLine()}\n`, code: 0 };
  else if (given.help) answer = { text: USAGE, code: 0 };
  else if (given.testMemory)
    answer = { text: 'The memory test is not part of this server; use memtester or memtest86 for it.\n', code: 1 };
  else if (given.checkSystem) answer = checkSystem();
  return answer;
}

/** Whether a Sentinel is asked for; `names` as in tools.ts. */
export function isSentinel(names: readonly string[], args: readonly string[]): boolean {
  return args.includes('--sentinel') || names.some((name) => basename(name).includes('-sentinel'));
}

/** The arguments of a Sentinel: the file comes first, where it may also stand behind --sentinel. */
export function sentinelArguments(args: readonly string[]): readonly string[] {
  const [first, file = '-', next = '--'] = args;
  return first === '--sentinel' && !file.startsWith('-') && next.startsWith('--') ? args.slice(1) : args;
}
