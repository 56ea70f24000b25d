/**
 * Commands of one's own: a counter that stops at a cap, and a leaderboard that answers with the neighbours of a player.
 *
 *   cinnabar --loadmodule examples/commands.js
 *   127.0.0.1:6379> INCRCAP visits 10
 *
 * A server in the same process takes them as well: `createServer({ commands: commands({ args }) })`, with `args` of 'cinnabar'.
 */

/** @param {import('cinnabar').ModuleContext} context */
export default function commands({ args }) {
  return [
    {
      name: 'INCRCAP',
      summary: 'Increments a number, and stops at a cap.',
      complexity: 'O(1)',
      flags: ['write', 'denyoom', 'fast'],
      args: [args.key('key', 'RW ACCESS UPDATE'), args.integer('cap')],
      /** The number after it. Nobody comes between the two calls: a command runs by itself. */
      run(c) {
        const cap = c.integer(1);
        const before = Number(c.call('GET', c.args[0]) ?? 0);
        return before >= cap ? before : c.call('INCR', c.args[0]);
      },
    },
    {
      name: 'NEIGHBOURS',
      summary: 'Shows a member of a sorted set among those next to it.',
      complexity: 'O(log(N)+M) with M the number of members shown',
      flags: ['readonly'],
      args: [args.key('key', 'RO ACCESS'), args.bytes('member'), args.integer('distance')],
      /** A map of members and their scores, the best first; null where the member is not there. */
      run(c) {
        const [key, member] = c.args;
        const distance = c.integer(2);
        const rank = c.call('ZREVRANK', key, member);
        if (rank === null) return null;
        const members = c.callBuffer('ZRANGE', key, Math.max(0, rank - distance), rank + distance, 'REV');
        return new Map(members.map((each) => [each, c.call('ZSCORE', key, each)]));
      },
    },
  ];
}
