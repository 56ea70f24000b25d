/**
 * Prints lowered functions as JavaScript, in two forms.
 *
 * The quick form is what calls run: plain code with one try around it; when time runs out, the runtime throws and each
 * frame on the way out leaves its variables and its pc (runtime.ts).
 *
 * The resuming form continues such a frame: the same code, in which every statement is guarded so that nothing happens
 * (R is not 0) until the op with the pc in R is reached; that op takes the result V of what it had called, R becomes 0,
 * and from there on it runs as the quick form does, with calls that begin in the quick form again.
 */
import { WEIGHT } from './depth.ts';
import type { Item, Lowered } from './emit.ts';

/** The first and last pc in a list of items; [0, -1] where there is none. */
function range(items: readonly Item[]): [number, number] {
  let low = 0;
  let high = -1;
  for (const item of items) {
    const [a, b] = itemRange(item);
    if (b < 0) continue;
    if (high < 0 || a < low) low = a;
    if (b > high) high = b;
  }
  return [low, high];
}

function itemRange(item: Item): [number, number] {
  if (item.kind === 'op') return [item.pc, item.pc];
  if (item.kind === 'loop') return range(item.body);
  if (item.kind === 'if') return range([...item.yes, ...item.otherwise]);
  return [0, -1];
}

function within([low, high]: [number, number]): string {
  if (high < 0) return 'false';
  return low === high ? `R===${low}` : `R>=${low}&&R<=${high}`;
}

function quick(items: readonly Item[]): string {
  let text = '';
  for (const item of items) {
    switch (item.kind) {
      case 'js':
      case 'op':
        text += item.code + '\n';
        break;
      case 'if':
        text += `if(${item.condition}){\n${quick(item.yes)}}`;
        text += item.otherwise.length > 0 ? `else{\n${quick(item.otherwise)}}\n` : '\n';
        break;
      case 'loop':
        text += `${item.label}:for(;;){\n${quick(item.body)}}\n`;
        break;
      case 'break':
        text += `break ${item.label};\n`;
        break;
      case 'return':
        text += `return ${item.code};\n`;
    }
  }
  return text;
}

function resuming(items: readonly Item[]): string {
  let text = '';
  for (const item of items) {
    switch (item.kind) {
      case 'js':
        text += `if(R===0){${item.code}}\n`;
        break;
      case 'op':
        text += `if(R===0){${item.code}}else if(R===${item.pc}){R=0;${item.resume}}\n`;
        break;
      case 'if':
        text += `if(R===0?(${item.condition}):(${within(range(item.yes))})){\n${resuming(item.yes)}}`;
        text += `else if(R===0||(${within(range(item.otherwise))})){\n${resuming(item.otherwise)}}\n`;
        break;
      case 'loop':
        text += `if(R===0||(${within(range(item.body))}))${item.label}:for(;;){\n${resuming(item.body)}}\n`;
        break;
      case 'break':
        text += `if(R===0)break ${item.label};\n`;
        break;
      case 'return':
        text += `if(R===0)return ${item.code};\n`;
    }
  }
  return text;
}

function weight(lowered: Lowered): number {
  return WEIGHT * (1 + ((lowered.variables.length + lowered.node.params.length) >>> 4));
}

function saved({ node, variables }: Lowered): string[] {
  return [...node.params.map((param) => `l${param.id}`), ...variables];
}

function upvalues({ node }: Lowered): string {
  return node.upvalues.map((_, i) => `u${i}`).join(',');
}

function handler(lowered: Lowered): string {
  const { node } = lowered;
  const va = node.vararg ? 'va' : 'NONE';
  const frame = `new Frame(P[${node.id}],pc,d,[${saved(lowered).join(',')}],[${upvalues(lowered)}],${va})`;
  return `catch(e){if(e===SUSPEND){if(!P[${node.id}].tails.has(pc)||!rt.tailCalled())rt.captured.push(${frame});}else e=rt.trace(e,P[${node.id}],pc,d);throw e;}`;
}

/** Uses the limit of the JavaScript stack. */
function limited(code: string): string {
  return code.replace('d>LIMIT', 'd>rt.maxDepth');
}

const MAKERS = (count: number): string => Array.from({ length: count }, (_, i) => `mk${i}`).join(',');

/** A program whose value is the list of makers: each takes upvalues and gives a LuaFunction. */
export function printQuick(functions: readonly Lowered[]): string {
  const makers = functions.map((lowered) => {
    const { node, variables } = lowered;
    const params = ['d', ...node.params.map((param) => `l${param.id}`)];
    if (node.vararg) params.push('...va');
    const declared = ['pc=0', `w=d+${weight(lowered)}`, ...variables].join(',');
    const body = `let ${declared};try{\n${limited(quick(lowered.items))}}${handler(lowered)}`;
    return `function mk${node.id}(${upvalues(lowered)}){return new F(P[${node.id}].name,(${params.join(',')})=>{${body}});}`;
  });
  return `'use strict';const {${NAMES}}=K;\n${makers.join('\n')}\nreturn [${MAKERS(functions.length)}];`;
}

/** A program whose value is the function that resumes frames of `lowered`. */
export function printResuming(lowered: Lowered, functions: number): string {
  const names = saved(lowered);
  const body = `let pc=R,w=d+${weight(lowered)};let [${names.join(',')}]=S;const [${upvalues(lowered)}]=U;`;
  const code = `${body}try{\n${limited(resuming(lowered.items))}}${handler(lowered)}`;
  return `'use strict';const {${NAMES}}=K;const [${MAKERS(functions)}]=M;\nreturn (R,S,U,va,V,d)=>{${code}};`;
}

/** What the programs use of the runtime. */
export const NAMES = 'rt,T,F,Box,Frame,SUSPEND,NONE,P,G,first,many,truth,pow';
