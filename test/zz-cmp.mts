import { readFileSync } from 'node:fs';
import { Pipeline } from './support/pipeline.ts';
const lines = (text: string) => text.split('\n').map((line) => [...line.replace(/^\s*#.*/, '').matchAll(/"([^"]*)"|(\S+)/g)].map((found) => found[1] ?? found[2])).filter((words) => words.length > 0);
for (const f of ['generic', 'expire', 'transaction', 'pubsub']) {
  const src = readFileSync(`/work/main/test/commands/${f}.test.ts`, 'utf8');
  const a = new Pipeline(17311), b = new Pipeline(17301);
  for (const m of src.matchAll(/both\.same\(\s*`([\s\S]*?)`/g)) {
    const cmds = lines(eval('`' + m[1] + '`'));
    const [x, y] = await Promise.all([a.send(cmds), b.send(cmds)]);
    cmds.forEach((c, i) => { const s = (v: any): any => Array.isArray(v) ? (c[0] === 'KEYS' ? [...v].sort() : v.map(s)) : v instanceof Error ? 'E' + v.message : v; const p = JSON.stringify(s(x[i])), q = JSON.stringify(s(y[i])); if (p !== q) console.log(f, c.join(' '), '\n   ours', p?.slice(0, 300), '\n  redis', q?.slice(0, 300)); });
  }
  a.close(); b.close();
}
process.exit(0);
