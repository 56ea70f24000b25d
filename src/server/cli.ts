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

const USAGE = `Usage: cinnabar [/path/to/redis.conf] [options] [-]
       cinnabar - (read config from stdin)
       cinnabar -v or --version
       cinnabar -h or --help
       cinnabar --check-system
       cinnabar --sentinel /path/to/sentinel.conf (run a Sentinel)
       cinnabar cluster [--masters 3] [--replicas 0] [--port 7000] (a whole cluster, for development and tests)
       cinnabar cluster --raft 3 (a group that loses no acknowledged write)
       cinnabar check-rdb <rdb-file-name>
       cinnabar check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>
       cinnabar convert <input> <output> (between snapshots, append-only files and JSON; see cinnabar convert --help)

Every setting of redis.conf is an option: --NAME VALUE.

Examples:
       cinnabar (run the server with the usual settings)
       echo 'maxmemory 128mb' | cinnabar -
       cinnabar /etc/redis/6379.conf
       cinnabar --port 7777
       cinnabar --port 7777 --maxmemory 100mb --maxmemory-policy allkeys-lru
       cinnabar /etc/myredis.conf --loglevel verbose -
       cinnabar --save "" --save 900 1 --logfile ""
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
