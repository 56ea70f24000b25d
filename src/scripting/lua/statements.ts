/** Lowering of statements and whole functions. */
import type { Expression, FunctionNode, Local, Statement } from './ast.ts';
import { folded } from './choice.ts';
import { LEVELS_MAX, WEIGHT } from './depth.ts';
import { type Atom, type Item, isBoxed, type Lowered, literal, NIL } from './emit.ts';
import { ExpressionLowering, isMulti } from './expressions.ts';

type Kind<K extends Statement['kind']> = Statement & { kind: K };

/** `bare`: tables are indexed without metamethods. */
export function lower(node: FunctionNode, bare = false): Lowered {
  return new FunctionLowering(node, bare).whole();
}

/** The place of an assignment, with its parts already evaluated. */
type Place = { local: Local; code: string } | { object: Atom; key: Atom; line: number };

class FunctionLowering extends ExpressionLowering {
  /** Labels of the loops around this place, innermost last. */
  private readonly loops: string[] = [];

  whole(): Lowered {
    const { node, out } = this;
    const entry = this.pc(node.line);
    const count = node.vararg ? '(rt.budget-=1+(va.length>>>3))' : '--rt.budget';
    this.op(entry, `if(${count}<0||d>LIMIT){pc=${entry};rt.enter(d);}`);
    for (const param of node.params) {
      if (isBoxed(param)) this.js(`${this.variable(param)}=new Box(${this.variable(param)});`);
    }
    if (node.argTable !== null) this.declareLocal(node.argTable, 'rt.argTable(va)');
    this.block(node.body);
    if (node.body.at(-1)?.kind !== 'return') this.items.push({ kind: 'return', code: 'NONE' });
    for (const local of node.locals) if (!node.params.includes(local)) out.variables.push(this.variable(local));
    return out;
  }

  private block(body: readonly Statement[]): void {
    for (const statement of body) {
      this.freeTemps();
      this.statement(statement);
    }
  }

  private statement(s: Statement): void {
    switch (s.kind) {
      case 'local':
        this.local(s);
        break;
      case 'assign':
        this.assign(s);
        break;
      case 'call': {
        const { pc, code } = this.call(s.call as Expression & { kind: 'call' });
        this.op(pc, `pc=${pc};${code};`);
        break;
      }
      case 'localFunction':
        this.localFunction(s);
        break;
      case 'if':
        this.ifArms(s, 0);
        break;
      case 'while':
        this.loop(s.line, (label) => {
          this.breakUnless(this.condition(s.condition), label);
          this.block(s.body);
        });
        break;
      case 'repeat':
        this.loop(s.line, (label) => {
          this.block(s.body);
          this.freeTemps();
          if (!ends(s.body)) this.breakUnless(`!(${this.condition(s.condition)})`, label);
        });
        break;
      case 'for':
        this.numericFor(s);
        break;
      case 'forIn':
        this.genericFor(s);
        break;
      case 'do':
        this.block(s.body);
        break;
      case 'return':
        this.returns(s);
        break;
      case 'break':
        this.items.push({ kind: 'break', label: this.loops.at(-1)! });
    }
  }

  private declareLocal(local: Local, code: string): void {
    this.js(`${this.variable(local)}=${isBoxed(local) ? `new Box(${code})` : code};`);
  }

  /** As many values as are wanted, as texts that stay good until all are used. */
  private adjusted(values: readonly Expression[], wanted: number): Atom[] {
    const found: Atom[] = [];
    values.forEach((e, i) => {
      if (i === values.length - 1 && isMulti(e) && wanted > values.length) {
        const raw = this.raw(e);
        const list = e.kind === 'vararg' ? 'va' : this.set(`many(${raw})`);
        for (let k = 0; found.length < wanted; k++) found.push({ code: `${list}[${k}]`, type: 'any' });
        return;
      }
      const value = this.value(e);
      if (i < wanted) found.push(value);
    });
    while (found.length < wanted) found.push(NIL);
    return found;
  }

  private local(s: Kind<'local'>): void {
    const values = this.adjusted(s.values, s.locals.length);
    s.locals.forEach((local, i) => {
      this.declareLocal(local, values[i].code);
    });
  }

  private localFunction(s: Kind<'localFunction'>): void {
    const name = this.variable(s.local);
    if (isBoxed(s.local)) this.js(`${name}=new Box(undefined);`);
    const closure = this.closure({ kind: 'function', node: s.node, line: s.line });
    this.js(`${isBoxed(s.local) ? `${name}.v` : name}=${closure};`);
  }

  private assign(s: Kind<'assign'>): void {
    const places = s.targets.map((target) => this.place(target));
    let values = this.adjusted(s.values, places.length);
    if (places.length > 1) values = values.map((v) => ({ ...v, code: this.set(v.code) }));
    for (let i = places.length - 1; i >= 0; i--) this.store(places[i], values[i]);
  }

  private place(target: Expression): Place {
    if (target.kind === 'local' || target.kind === 'upvalue') {
      const name = this.shared(target.local);
      return { local: target.local, code: isBoxed(target.local) ? `${name}.v` : name };
    }
    if (target.kind === 'global') {
      return {
        object: { code: 'G', type: 'table' },
        key: { code: literal(target.name), type: 'string' },
        line: target.line,
      };
    }
    if (target.kind !== 'index') throw new Error('not a place');
    return { object: this.kept(target.object), key: this.kept(target.key), line: target.line };
  }

  /** A value that assignments to locals in the same statement don't change. */
  private kept(e: Expression): Atom {
    const value = this.value(e);
    return e.kind === 'local' && e.local.assigned ? { ...value, code: this.set(value.code) } : value;
  }

  private store(place: Place, value: Atom): void {
    if ('local' in place) {
      this.js(`${place.code}=${value.code};`);
      return;
    }
    const { object, key } = place;
    const pc = this.pc(place.line, object.operand);
    const o = object.code;
    const k = key.code;
    let test = object.type === 'table' ? '' : `${o} instanceof T&&`;
    test += this.bare ? `!${o}.readonly` : `${o}.meta===null&&!${o}.readonly`;
    if (key.type === 'any' || key.type === 'number') test += `&&${k}===${k}&&${k}!==undefined`;
    const set = key.type === 'string' ? 'setHash' : 'set';
    const slow = `{pc=${pc};${this.bare ? 'rt.setRaw(' : 'rt.setIndex(w,'}${o},${k},${value.code});}`;
    this.op(pc, key.type === 'nil' ? slow : `if(${test})${o}.${set}(${k},${value.code});else${slow}`);
  }

  private ifArms(s: Kind<'if'>, arm: number): void {
    const { condition, body } = s.arms[arm];
    this.branch(
      this.condition(condition),
      () => this.block(body),
      () => {
        if (arm + 1 < s.arms.length) this.ifArms(s, arm + 1);
        else this.block(s.otherwise);
      },
    );
  }

  private returns(s: Kind<'return'>): void {
    const { values } = s;
    if (values.length === 1 && (values[0].kind === 'call' || values[0].kind === 'method')) {
      const { pc, code } = this.call(values[0]);
      this.out.tails.add(pc);
      this.op(pc, `pc=${pc};return ${code};`, 'return V;');
      return;
    }
    let code = 'NONE';
    if (values.length === 1) code = values[0].kind === 'vararg' ? 'va' : this.value(values[0]).code;
    else if (values.length > 1) code = `[${this.list(values).join(',')}]`;
    this.items.push({ kind: 'return', code });
  }

  // ---- loops

  private breakUnless(condition: string, label: string): void {
    if (condition === 'true') return;
    this.items.push({ kind: 'if', condition: `!(${condition})`, yes: [{ kind: 'break', label }], otherwise: [] });
  }

  /** An endless loop; `body` breaks it. Each round is counted. */
  private loop(line: number, body: (label: string) => void, step = ''): void {
    const label = this.label();
    this.loops.push(label);
    const items: Item[] = this.inside(() => {
      this.freeTemps();
      body(label);
      if (step !== '') this.js(step);
      const pc = this.pc(line);
      this.op(pc, `if(--rt.budget<0){pc=${pc};rt.slice();}`);
    });
    this.loops.pop();
    this.items.push({ kind: 'loop', label, body: items });
  }

  private bound(e: Expression, what: string, line: number): () => string {
    const value = this.value(e);
    if (folded(e) !== undefined) return () => value.code;
    const h = this.own();
    this.js(`${h}=${value.code};`);
    if (value.type === 'number') return () => h;
    return () => {
      this.js(`if(typeof ${h}!=='number'){pc=${this.pc(line)};${h}=rt.forNumber(${h},'${what}');}`);
      return h;
    };
  }

  private numericFor(s: Kind<'for'>): void {
    const bounds = [
      this.bound(s.from, 'initial value', s.line),
      this.bound(s.to, 'limit', s.line),
      s.step === null ? () => '1' : this.bound(s.step, 'step', s.line),
    ];
    const [from, to, step] = bounds.map((check) => check());
    const index = this.own();
    this.js(`${index}=${from};`);
    const up = `${index}<=${to}`;
    const down = `${to}<=${index}`;
    const constant = Number(step.replace(/[()]/g, ''));
    const goesOn = Number.isNaN(constant) ? `(${step}>0?${up}:${down})` : constant > 0 ? up : down;
    this.loop(
      s.line,
      (label) => {
        this.breakUnless(goesOn, label);
        this.declareLocal(s.local, index);
        this.block(s.body);
      },
      `${index}+=${step};`,
    );
  }

  /** pairs and ipairs are walked without calls; any other iterator is called. For the reference it is C that calls. */
  private genericFor(s: Kind<'forIn'>): void {
    const [f, state, control, at] = [this.own(), this.own(), this.own(), this.own()];
    const values = this.adjusted(s.values, 3);
    this.js(`${f}=${values[0].code};${state}=${values[1].code};${control}=${values[2].code};${at}=0;`);
    this.js(`if((d&${WEIGHT - 1})>${LEVELS_MAX - 2}){pc=${this.pc(s.line)};rt.nest(d,1);}`);
    this.js(`if(${f}===rt.next&&${state} instanceof T)${at}=${state}.after(${control});`);
    this.loop(s.line, (label) => {
      const [k, v, all] = [this.temp(), this.temp(), this.temp()];
      const names = s.locals;
      const more = (i: number): string => (i === 0 ? k : i === 1 ? v : `${all}[${i}]`);
      this.branch(
        `${f}===rt.next&&${state} instanceof T&&${at}>=0`,
        () => {
          this.js(`${at}=${state}.seek(${at});${all}=NONE;`);
          this.js(`if(${at}<0){${k}=undefined;}else{${k}=${state}.keyAt(${at});${v}=${state}.valueAt(${at}++);}`);
        },
        () => this.callIterator(s.line, [f, state, control, k, v, all]),
      );
      this.breakUnless(`${k}!==undefined`, label);
      this.js(`${control}=${k};`);
      names.forEach((local, i) => {
        this.declareLocal(local, more(i));
      });
      this.block(s.body);
    });
  }

  private callIterator(line: number, [f, state, control, k, v, all]: string[]): void {
    const pc = this.pc(line, undefined, { kind: 'local', name: '(for generator)' });
    this.branch(
      `${f}===rt.inext&&${state} instanceof T`,
      () => this.js(`${k}=${control}+1;${v}=${state}.get(${k});${all}=NONE;if(${v}===undefined)${k}=undefined;`),
      () => {
        const call = `${f} instanceof F?${f}.call(w+1,${state},${control}):rt.callMeta(w+1,${f},${state},${control})`;
        this.op(pc, `pc=${pc};${all}=many(${call});`, `${all}=many(V);`);
        this.js(`${k}=${all}[0];${v}=${all}[1];`);
      },
    );
  }
}

/** The block's end isn't reached. */
function ends(body: readonly Statement[]): boolean {
  const last = body.at(-1)?.kind;
  return last === 'return' || last === 'break';
}
