/** Machines on which a server or a Sentinel runs from its configuration file, as the program does. */
import { Config } from '../../src/config/config.ts';
import { ConfigReader } from '../../src/config/file.ts';
import { ALL_COMMANDS } from '../../src/server/commands.ts';
import { ServerDirectives } from '../../src/server/directives.ts';
import { createSentinel, SentinelDirectives, sentinelDefaults } from '../../src/server/sentinel.ts';
import { createServer } from '../../src/server/server.ts';
import type { Maker, Surroundings } from './world.ts';

const FILE = '/data/redis.conf';

/** The configuration of the file, which holds `lines` where the machine has none yet. */
function configured({ disk }: Surroundings, lines: readonly string[]): Config {
  if (disk.status(FILE) === undefined) {
    const file = disk.open(FILE, 'w');
    file.writeAll(Buffer.from(`${lines.join('\n')}\n`));
    file.sync();
    file.close();
    disk.syncFolder('/data');
  }
  return new Config(disk);
}

function read(config: Config, directives: ServerDirectives): void {
  new ConfigReader(config, directives).read({ file: FILE, input: false, lines: '' });
  config.file = FILE;
}

/** `onRole` is told when it has become a replica, or a master. */
export function serverOf(lines: readonly string[], onRole: (isReplica: boolean) => void): Maker {
  return (surroundings) => {
    const config = configured(surroundings, lines);
    read(config, new ServerDirectives(ALL_COMMANDS, config));
    return createServer({ ...surroundings, config, persistent: true, onRole });
  };
}

export function sentinelOf(lines: readonly string[]): Maker {
  return (surroundings) => {
    const config = configured(surroundings, lines);
    sentinelDefaults(config);
    const id = surroundings.ids.secret(20).toString('hex');
    const directives = new SentinelDirectives(config, id, () => false);
    read(config, directives);
    surroundings.log.role = 'X';
    return createSentinel({ ...surroundings, config, start: directives.read() });
  };
}
