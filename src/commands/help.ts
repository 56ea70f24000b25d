/** The HELP subcommand; scripting/ has containers too, so the engine holds it. */
export { help, replyHelp } from '../engine/help.ts';
