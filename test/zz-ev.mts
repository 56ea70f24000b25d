import { readFileSync } from 'node:fs';
import { Pipeline } from './support/pipeline.ts';
const src = readFileSync('/work/main/test/commands/pubsub.test.ts', 'utf8');
const m = /`SET a 1([\s\S]*?)`/.exec(src)!;
const cmds = ('SET a 1' + m[1]).split('|').map((l) => l.trim().split(' '));
const out: any[] = [];
for (const port of [17311, 17301]) {
  const l = new Pipeline(port), s = new Pipeline(port);
  await l.send([['PSUBSCRIBE', '__key*']]);
  const per: string[] = [];
  for (const c of cmds) { await s.send([c]); await new Promise((d) => setTimeout(d, 15)); per.push(c.join(' ') + ' => ' + l.unasked().map((x: any) => x.slice(2).join(' ')).join(' ; ')); }
  out.push(per); l.close(); s.close();
}
out[0].forEach((x: string, i: number) => { if (x !== out[1][i]) console.log('ours ', x, '\nredis', out[1][i]); });
process.exit(0);
