/**
 * What functions are lowered to: a tree of JavaScript statements in which every place where Lua code may be called, or
 * time may run out, is an `op` with a number (its pc). print.ts prints the tree in its two forms.
 */
import type { FunctionNode, Local } from './ast.ts';
import type { Operand } from './value.ts';

export type Item =
  | { kind: 'js'; code: string }
  /** `code` runs it; `resume` is what is left to do when what it called has given the raw result V. */
  | { kind: 'op'; pc: number; code: string; resume: string }
  | { kind: 'if'; condition: string; yes: Item[]; otherwise: Item[] }
  | { kind: 'loop'; label: string; body: Item[] }
  | { kind: 'break'; label: string }
  | { kind: 'return'; code: string };

/** A function's code, and what is known about its ops by pc. */
export interface Lowered {
  node: FunctionNode;
  items: Item[];
  /** All JavaScript variables but the parameters. */
  variables: string[];
  lines: number[];
  operands: Array<ReadonlyArray<Operand | undefined> | undefined>;
  /** Ops whose result is the function's: tail calls. */
  tails: Set<number>;
}

/** Text of a single value that can be repeated without effect: a variable or a literal. */
export interface Atom {
  code: string;
  type: 'any' | 'nil' | 'number' | 'string' | 'boolean' | 'table' | 'function';
  operand?: Operand;
}

export const NIL: Atom = { code: 'undefined', type: 'nil' };

export function isBoxed(local: Local): boolean {
  return local.captured && local.assigned;
}

/** A literal of JavaScript with the same bytes. */
export function literal(text: string): string {
  return JSON.stringify(text);
}

export class Emitter {
  readonly out: Lowered;
  readonly node: FunctionNode;
  protected readonly bare: boolean;
  protected items: Item[];
  private temps = 0;
  private maxTemps = 0;
  private hidden = 0;
  private labels = 0;

  constructor(node: FunctionNode, bare: boolean) {
    this.node = node;
    this.bare = bare;
    this.items = [];
    this.out = {
      node,
      items: this.items,
      variables: [],
      lines: [node.line],
      operands: [undefined],
      tails: new Set(),
    };
  }

  /** A variable that holds a value until the statement ends. */
  protected temp(): string {
    const name = `t${this.temps++}`;
    if (this.temps > this.maxTemps) {
      this.maxTemps = this.temps;
      this.out.variables.push(name);
    }
    return name;
  }

  protected freeTemps(): void {
    this.temps = 0;
  }

  /** A variable of its own. */
  protected own(): string {
    const name = `h${this.hidden++}`;
    this.out.variables.push(name);
    return name;
  }

  protected label(): string {
    return `L${this.labels++}`;
  }

  /** A new pc at a line. */
  protected pc(line: number, ...operands: Array<Operand | undefined>): number {
    this.out.lines.push(line);
    this.out.operands.push(operands.length > 0 ? operands : undefined);
    return this.out.lines.length - 1;
  }

  protected js(code: string): void {
    this.items.push({ kind: 'js', code });
  }

  protected op(pc: number, code: string, resume = ''): void {
    this.items.push({ kind: 'op', pc, code, resume });
  }

  /** Lowers into a list of its own. */
  protected inside(lower: () => void): Item[] {
    const outer = this.items;
    const list: Item[] = [];
    this.items = list;
    lower();
    this.items = outer;
    return list;
  }

  protected branch(condition: string, yes: () => void, otherwise: () => void = () => {}): void {
    this.items.push({ kind: 'if', condition, yes: this.inside(yes), otherwise: this.inside(otherwise) });
  }

  /** The variable of a local of this function. */
  protected variable(local: Local): string {
    return `l${local.id}`;
  }

  protected upvalue(local: Local): string {
    return `u${this.node.upvalues.indexOf(local)}`;
  }

  /** What an inner function is handed for one of its upvalues: the box, or the value that never changes. */
  protected shared(local: Local): string {
    return local.owner === this.node ? this.variable(local) : this.upvalue(local);
  }
}
