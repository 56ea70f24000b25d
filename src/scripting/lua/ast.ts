/** The tree that the parser makes: names are already resolved to locals, upvalues and globals. */

/** A local variable, unique in its function. */
export interface Local {
  name: string;
  /** Its number in its function. */
  id: number;
  owner: FunctionNode;
  /** An inner function uses it. */
  captured: boolean;
  /** It is assigned after its declaration. */
  assigned: boolean;
  /** The variable of a numeric for: a number as long as nobody assigns it. */
  counter: boolean;
}

export interface FunctionNode {
  id: number;
  parent: FunctionNode | null;
  line: number;
  name: string;
  params: Local[];
  locals: Local[];
  /** Variables of outer functions that this one or its inner ones use. */
  upvalues: Local[];
  vararg: boolean;
  /** The old `arg` table, where `...` isn't used itself. */
  argTable: Local | null;
  usesVararg: boolean;
  body: Statement[];
}

export type Expression =
  | { kind: 'nil' | 'true' | 'false' | 'vararg'; line: number }
  | { kind: 'number'; value: number; line: number }
  | { kind: 'string'; value: string; line: number }
  | { kind: 'local' | 'upvalue'; local: Local; line: number }
  | { kind: 'global'; name: string; line: number }
  | { kind: 'index'; object: Expression; key: Expression; line: number }
  | { kind: 'call'; callee: Expression; args: Expression[]; line: number }
  | { kind: 'method'; object: Expression; name: string; args: Expression[]; line: number }
  | { kind: 'function'; node: FunctionNode; line: number }
  | { kind: 'binary'; op: string; left: Expression; right: Expression; line: number }
  | { kind: 'unary'; op: string; operand: Expression; line: number }
  | { kind: 'paren'; inner: Expression; line: number }
  | { kind: 'table'; items: TableItem[]; line: number };

/** `key` is null for positional items. */
export interface TableItem {
  key: Expression | null;
  value: Expression;
  line: number;
}

export type Statement =
  | { kind: 'local'; locals: Local[]; values: Expression[]; line: number }
  | { kind: 'assign'; targets: Expression[]; values: Expression[]; line: number }
  | { kind: 'call'; call: Expression; line: number }
  | { kind: 'localFunction'; local: Local; node: FunctionNode; line: number }
  | { kind: 'if'; arms: Array<{ condition: Expression; body: Statement[] }>; otherwise: Statement[]; line: number }
  | { kind: 'while'; condition: Expression; body: Statement[]; line: number }
  | { kind: 'repeat'; condition: Expression; body: Statement[]; line: number }
  | {
      kind: 'for';
      local: Local;
      from: Expression;
      to: Expression;
      step: Expression | null;
      body: Statement[];
      line: number;
    }
  | { kind: 'forIn'; locals: Local[]; values: Expression[]; body: Statement[]; line: number }
  | { kind: 'do'; body: Statement[]; line: number }
  | { kind: 'return'; values: Expression[]; line: number }
  | { kind: 'break'; line: number };
