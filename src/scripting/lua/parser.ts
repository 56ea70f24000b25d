/** Recursive descent over Lua 5.1, with the reference's messages and limits; resolves names on the way. */
import type { Expression, FunctionNode, Local, Statement, TableItem } from './ast.ts';
import { LEVELS_MAX } from './depth.ts';
import { END, Lexer, NAME, NUMBER, printable, STRING } from './lexer.ts';

const MAX_LOCALS = 200;
const MAX_UPVALUES = 60;
/** The global that a probed chunk calls before each statement; no script can spell it. */
export const PROBE = '\0probe';

const UNARY_PRIORITY = 8;
/** Left and right priorities: right below left is right-associative. */
const PRIORITY: Record<string, readonly [number, number]> = {
  '+': [6, 6],
  '-': [6, 6],
  '*': [7, 7],
  '/': [7, 7],
  '%': [7, 7],
  '^': [10, 9],
  '..': [5, 4],
  '~=': [3, 3],
  '==': [3, 3],
  '<': [3, 3],
  '<=': [3, 3],
  '>': [3, 3],
  '>=': [3, 3],
  and: [2, 2],
  or: [1, 1],
};

/** A function being parsed. */
interface Scope {
  node: FunctionNode;
  outer: Scope | null;
  /** Locals that are visible now, innermost last. */
  visible: Local[];
  /** Nested loops around this place. */
  loops: number;
}

/**
 * The main function first; the others where they begin. Throws a LuaError. When `probed`, the chunk calls PROBE before each
 * statement, with the line, the statement's number, and a function that returns names and values of the visible locals.
 * `level` is that of the caller (depth.ts).
 */
export function parse(source: string, chunk: string, probed = false, level = 0): FunctionNode[] {
  return new Parser(source, chunk, probed, level).main();
}

class Parser {
  private readonly lexer: Lexer;
  private readonly functions: FunctionNode[] = [];
  private scope!: Scope;
  /** Of nesting, those of the caller among them. */
  private levels: number;
  private readonly probed: boolean;
  private probes = 0;

  constructor(source: string, chunk: string, probed: boolean, level: number) {
    this.probed = probed;
    this.levels = level;
    this.lexer = new Lexer(source, chunk);
  }

  main(): FunctionNode[] {
    const node = this.open('main chunk', 0);
    node.vararg = true;
    this.lexer.next();
    node.body = this.block();
    if (this.lexer.kind !== END) throw this.expected(END);
    return this.functions;
  }

  // ---- functions and names

  private open(name: string, line: number): FunctionNode {
    const node: FunctionNode = {
      id: this.functions.length,
      parent: this.scope?.node ?? null,
      line,
      name,
      params: [],
      locals: [],
      upvalues: [],
      vararg: false,
      argTable: null,
      usesVararg: false,
      body: [],
    };
    this.functions.push(node);
    this.scope = { node, outer: this.scope ?? null, visible: [], loops: 0 };
    return node;
  }

  private limit(scope: Scope, limit: number, what: string) {
    const { line } = scope.node;
    const where = line === 0 ? 'main function' : `function at line ${line}`;
    return this.lexer.error(`${where} has more than ${limit} ${what}`, false);
  }

  /** Makes a local that is not yet visible. */
  private declare(name: string, pending = 0): Local {
    const { node, visible } = this.scope;
    if (visible.length + pending + 1 > MAX_LOCALS) throw this.limit(this.scope, MAX_LOCALS, 'local variables');
    const local = { name, id: node.locals.length, owner: node, captured: false, assigned: false, counter: false };
    node.locals.push(local);
    return local;
  }

  private resolve(name: string, line: number): Expression {
    for (let scope: Scope | null = this.scope; scope !== null; scope = scope.outer) {
      for (let i = scope.visible.length - 1; i >= 0; i--) {
        const local = scope.visible[i];
        if (local.name !== name) continue;
        if (scope === this.scope) return { kind: 'local', local, line };
        this.capture(local, scope);
        return { kind: 'upvalue', local, line };
      }
    }
    return { kind: 'global', name, line };
  }

  private capture(local: Local, owner: Scope): void {
    local.captured = true;
    for (let scope: Scope | null = this.scope; scope !== owner && scope !== null; scope = scope.outer) {
      const { upvalues } = scope.node;
      if (upvalues.includes(local)) continue;
      if (upvalues.length + 1 > MAX_UPVALUES) throw this.limit(scope, MAX_UPVALUES, 'upvalues');
      upvalues.push(local);
    }
  }

  // ---- helpers

  private expected(what: string) {
    return this.lexer.error(`'${printable(what)}' expected`);
  }

  private accept(kind: string): boolean {
    if (this.lexer.kind !== kind) return false;
    this.lexer.next();
    return true;
  }

  private expect(kind: string): void {
    if (this.lexer.kind !== kind) throw this.expected(kind);
    this.lexer.next();
  }

  private close(kind: string, opener: string, line: number): void {
    if (this.lexer.kind !== kind && line !== this.lexer.line) {
      throw this.lexer.error(`'${kind}' expected (to close '${opener}' at line ${line})`);
    }
    this.expect(kind);
  }

  private name(): string {
    if (this.lexer.kind !== NAME) throw this.expected(NAME);
    const name = this.lexer.value as string;
    this.lexer.next();
    return name;
  }

  private enter(): void {
    if (++this.levels > LEVELS_MAX) throw this.lexer.error('chunk has too many syntax levels', false);
  }

  // ---- statements

  private blockEnds(): boolean {
    const { kind } = this.lexer;
    return kind === 'else' || kind === 'elseif' || kind === 'end' || kind === END || kind === 'until';
  }

  /** A block; its locals are no more visible after it, unless `keep`. */
  private block(keep = false): Statement[] {
    const { visible } = this.scope;
    const before = visible.length;
    const body: Statement[] = [];
    this.enter();
    for (let last = false; !last && !this.blockEnds(); ) {
      if (this.probed) body.push(this.probe(this.lexer.line));
      const statement = this.statement();
      body.push(statement);
      last = statement.kind === 'return' || statement.kind === 'break';
      this.accept(';');
    }
    this.levels--;
    if (!keep) visible.length = before;
    return body;
  }

  private probe(line: number): Statement {
    const around = this.scope;
    const values: Expression[] = [];
    const node = this.open('probe', line);
    for (const local of around.visible.slice(-MAX_UPVALUES)) {
      this.capture(local, around);
      values.push({ kind: 'string', value: local.name, line }, { kind: 'upvalue', local, line });
    }
    node.body = [{ kind: 'return', values, line }];
    this.scope = around;
    const callee: Expression = { kind: 'global', name: PROBE, line };
    const args: Expression[] = [
      { kind: 'number', value: line, line },
      { kind: 'number', value: this.probes++, line },
      { kind: 'function', node, line },
    ];
    return { kind: 'call', call: { kind: 'call', callee, args, line }, line };
  }

  private loop(keep = false): Statement[] {
    this.scope.loops++;
    const body = this.block(keep);
    this.scope.loops--;
    return body;
  }

  private statement(): Statement {
    const { line } = this.lexer;
    switch (this.lexer.kind) {
      case 'if':
        return this.ifStatement(line);
      case 'while': {
        this.lexer.next();
        const condition = this.expression();
        this.expect('do');
        const body = this.loop();
        this.close('end', 'while', line);
        return { kind: 'while', condition, body, line };
      }
      case 'do': {
        this.lexer.next();
        const body = this.block();
        this.close('end', 'do', line);
        return { kind: 'do', body, line };
      }
      case 'for':
        return this.forStatement(line);
      case 'repeat':
        return this.repeatStatement(line);
      case 'function':
        return this.functionStatement(line);
      case 'local':
        this.lexer.next();
        return this.accept('function') ? this.localFunction(line) : this.localStatement(line);
      case 'return':
        return this.returnStatement(line);
      case 'break':
        this.lexer.next();
        if (this.scope.loops === 0) throw this.lexer.error('no loop to break');
        return { kind: 'break', line };
      default:
        return this.expressionStatement(line);
    }
  }

  private ifStatement(line: number): Statement {
    const arms: Array<{ condition: Expression; body: Statement[] }> = [];
    let otherwise: Statement[] = [];
    do {
      this.lexer.next();
      const condition = this.expression();
      this.expect('then');
      arms.push({ condition, body: this.block() });
    } while (this.lexer.kind === 'elseif');
    if (this.accept('else')) otherwise = this.block();
    this.close('end', 'if', line);
    return { kind: 'if', arms, otherwise, line };
  }

  private repeatStatement(line: number): Statement {
    const { visible } = this.scope;
    const before = visible.length;
    this.lexer.next();
    const body = this.loop(true);
    this.close('until', 'repeat', line);
    const condition = this.expression();
    visible.length = before;
    return { kind: 'repeat', condition, body, line };
  }

  private forStatement(line: number): Statement {
    this.lexer.next();
    const first = this.name();
    if (this.lexer.kind === '=') return this.numericFor(first, line);
    if (this.lexer.kind !== ',' && this.lexer.kind !== 'in') throw this.lexer.error("'=' or 'in' expected");
    const names = [first];
    while (this.accept(',')) names.push(this.name());
    this.expect('in');
    const values = this.expressions();
    this.expect('do');
    const { visible } = this.scope;
    const before = visible.length;
    const locals = names.map((name, i) => this.declare(name, i + 3));
    visible.push(...locals);
    const body = this.loop();
    visible.length = before;
    this.close('end', 'for', line);
    return { kind: 'forIn', locals, values, body, line };
  }

  private numericFor(name: string, line: number): Statement {
    this.lexer.next();
    const from = this.expression();
    this.expect(',');
    const to = this.expression();
    const step = this.accept(',') ? this.expression() : null;
    this.expect('do');
    const { visible } = this.scope;
    const local = this.declare(name, 3);
    local.counter = true;
    visible.push(local);
    const body = this.loop();
    visible.pop();
    this.close('end', 'for', line);
    return { kind: 'for', local, from, to, step, body, line };
  }

  private functionStatement(line: number): Statement {
    this.lexer.next();
    let target = this.resolve(this.name(), line);
    let method = false;
    while (this.lexer.kind === '.' || this.lexer.kind === ':') {
      method = this.lexer.kind === ':';
      this.lexer.next();
      target = { kind: 'index', object: target, key: { kind: 'string', value: this.name(), line }, line };
      if (method) break;
    }
    const node = this.body(method, line);
    this.assignTo(target);
    return { kind: 'assign', targets: [target], values: [{ kind: 'function', node, line }], line };
  }

  private localFunction(line: number): Statement {
    const local = this.declare(this.name());
    this.scope.visible.push(local);
    local.assigned = true;
    const node = this.body(false, this.lexer.line);
    return { kind: 'localFunction', local, node, line };
  }

  private localStatement(line: number): Statement {
    const locals: Local[] = [];
    do locals.push(this.declare(this.name(), locals.length));
    while (this.accept(','));
    const values = this.accept('=') ? this.expressions() : [];
    this.scope.visible.push(...locals);
    return { kind: 'local', locals, values, line };
  }

  private returnStatement(line: number): Statement {
    this.lexer.next();
    const values = this.blockEnds() || this.lexer.kind === ';' ? [] : this.expressions();
    return { kind: 'return', values, line };
  }

  private expressionStatement(line: number): Statement {
    const first = this.primary();
    if (first.kind === 'call' || first.kind === 'method') return { kind: 'call', call: first, line };
    const targets: Expression[] = [first];
    this.checkTarget(first);
    while (this.accept(',')) {
      const target = this.primary();
      this.checkTarget(target);
      targets.push(target);
      const most = LEVELS_MAX - this.levels;
      if (targets.length - 1 > most) throw this.limit(this.scope, most, 'variables in assignment');
    }
    this.expect('=');
    const values = this.expressions();
    for (const target of targets) {
      this.assignTo(target);
      // The assignment itself stands where the statement ends.
      target.line = this.lexer.lastLine;
    }
    return { kind: 'assign', targets, values, line };
  }

  private checkTarget(target: Expression): void {
    const { kind } = target;
    if (kind !== 'local' && kind !== 'upvalue' && kind !== 'global' && kind !== 'index') {
      throw this.lexer.error('syntax error');
    }
  }

  private assignTo(target: Expression): void {
    if (target.kind === 'local' || target.kind === 'upvalue') target.local.assigned = true;
  }

  // ---- expressions

  private expressions(): Expression[] {
    const list = [this.expression()];
    while (this.accept(',')) list.push(this.expression());
    return list;
  }

  private expression(limit = 0): Expression {
    this.enter();
    let left: Expression;
    const { kind, line } = this.lexer;
    if (kind === 'not' || kind === '-' || kind === '#') {
      this.lexer.next();
      left = { kind: 'unary', op: kind, operand: this.expression(UNARY_PRIORITY), line };
    } else {
      left = this.simple();
    }
    for (;;) {
      const op = this.lexer.kind;
      const priority = Object.hasOwn(PRIORITY, op) ? PRIORITY[op] : undefined;
      if (priority === undefined || priority[0] <= limit) break;
      this.lexer.next();
      const right = this.expression(priority[1]);
      left = { kind: 'binary', op, left, right, line: this.lexer.lastLine };
    }
    this.levels--;
    return left;
  }

  private simple(): Expression {
    const { kind, line, value } = this.lexer;
    switch (kind) {
      case NUMBER:
        this.lexer.next();
        return { kind: 'number', value: value as number, line };
      case STRING:
        this.lexer.next();
        return { kind: 'string', value: value as string, line };
      case 'nil':
      case 'true':
      case 'false':
        this.lexer.next();
        return { kind: kind as 'nil' | 'true' | 'false', line };
      case '...':
        if (!this.scope.node.vararg) throw this.lexer.error("cannot use '...' outside a vararg function");
        this.lexer.next();
        this.scope.node.usesVararg = true;
        return { kind: 'vararg', line };
      case '{':
        return this.table();
      case 'function':
        this.lexer.next();
        return { kind: 'function', node: this.body(false, line), line };
      default:
        return this.primary();
    }
  }

  private prefix(): Expression {
    const { line } = this.lexer;
    if (this.accept('(')) {
      const inner = this.expression();
      this.close(')', '(', line);
      return { kind: 'paren', inner, line };
    }
    if (this.lexer.kind !== NAME) throw this.lexer.error('unexpected symbol');
    return this.resolve(this.name(), line);
  }

  private primary(): Expression {
    let left = this.prefix();
    for (;;) {
      const { line } = this.lexer;
      switch (this.lexer.kind) {
        case '.':
          this.lexer.next();
          left = { kind: 'index', object: left, key: { kind: 'string', value: this.name(), line }, line };
          break;
        case '[': {
          this.lexer.next();
          const key = this.expression();
          this.expect(']');
          left = { kind: 'index', object: left, key, line };
          break;
        }
        case ':': {
          this.lexer.next();
          const name = this.name();
          left = { kind: 'method', object: left, name, args: this.args(), line };
          break;
        }
        case '(':
        case STRING:
        case '{':
          left = { kind: 'call', callee: left, args: this.args(), line };
          break;
        default:
          return left;
      }
    }
  }

  private args(): Expression[] {
    const { kind, line, value } = this.lexer;
    if (kind === STRING) {
      this.lexer.next();
      return [{ kind: 'string', value: value as string, line }];
    }
    if (kind === '{') return [this.table()];
    if (kind !== '(') throw this.lexer.error('function arguments expected');
    if (line !== this.lexer.lastLine) throw this.lexer.error('ambiguous syntax (function call x new statement)');
    this.lexer.next();
    if (this.accept(')')) return [];
    const list = this.expressions();
    this.close(')', '(', line);
    return list;
  }

  private table(): Expression {
    const { line } = this.lexer;
    const items: TableItem[] = [];
    this.expect('{');
    while (this.lexer.kind !== '}') {
      items.push(this.item());
      if (!this.accept(',') && !this.accept(';')) break;
    }
    this.close('}', '{', line);
    return { kind: 'table', items, line };
  }

  private item(): TableItem {
    const { line, value } = this.lexer;
    if (this.lexer.kind === NAME && this.lexer.peek() === '=') {
      this.lexer.next();
      this.lexer.next();
      return { key: { kind: 'string', value: value as string, line }, value: this.expression(), line };
    }
    if (!this.accept('[')) return { key: null, value: this.expression(), line };
    const key = this.expression();
    this.expect(']');
    this.expect('=');
    return { key, value: this.expression(), line };
  }

  /** Parameters and body of a function. */
  private body(method: boolean, line: number): FunctionNode {
    const node = this.open('function', line);
    const { visible } = this.scope;
    const param = (name: string): void => {
      const local = this.declare(name);
      node.params.push(local);
      visible.push(local);
    };
    this.expect('(');
    if (method) param('self');
    while (this.lexer.kind !== ')') {
      if (this.lexer.kind === '...') {
        this.lexer.next();
        node.vararg = true;
        break;
      }
      if (this.lexer.kind !== NAME) throw this.lexer.error("<name> or '...' expected");
      param(this.name());
      if (!this.accept(',')) break;
      if ((this.lexer.kind as string) === ')') throw this.lexer.error("<name> or '...' expected");
    }
    if (node.vararg) {
      node.argTable = this.declare('arg');
      visible.push(node.argTable);
    }
    this.expect(')');
    node.body = this.block();
    this.close('end', 'function', line);
    if (node.usesVararg) node.argTable = null;
    this.scope = this.scope.outer!;
    return node;
  }
}
