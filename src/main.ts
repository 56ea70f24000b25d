#!/usr/bin/env node
/** The command line. */
import { Config } from './config/config.ts';
import { ConfigReader, readCommandLine } from './config/file.ts';
import { greet } from './server/banner.ts';
import { ServerLog } from './server/log.ts';
import { createServer } from './server/server.ts';
import { Signals } from './server/signals.ts';

const config = new Config();
new ConfigReader(config, { renameCommand: () => undefined, user: () => undefined, loadModule: () => 'modules are not supported' }).read(readCommandLine(process.argv.slice(2)));
const log = new ServerLog({ file: config.settings.logfile, level: config.settings.loglevel, format: 'redis' });
const server = createServer({ config, log, onExit: (code) => process.exit(code) });
log.role = 'M';
greet(log, config.settings, '7.0.15', false);
new Signals(log, config.settings, {
  stop: () => {
    server.engine.server.shutdown({ save: false, noSave: false, now: false, force: false });
  },
}).install();
server.listen().then(
  () => log.notice('Ready to accept connections'),
  () => process.exit(1),
);
