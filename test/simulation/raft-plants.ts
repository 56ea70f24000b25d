/** How the faults of raft-bugs.ts come into whole servers: at the seams of the shell, for all that run until it is undone. */
import { Keeper, type LogView } from '../../src/raft/keeper.ts';
import type { Input, Output, RaftSettings } from '../../src/raft/messages.ts';
import { Raft } from '../../src/raft/raft.ts';
import type { Turn } from '../../src/raft/rules/turn.ts';
import { commitOlder, type RaftBug } from './raft-bugs.ts';
import type { Machine } from './world.ts';

type Step = (this: Raft, now: number, input: Input) => readonly Output[];

/** Shows what the rules of all servers put out, before it is done, until it is undone. */
export function watch(observe: (raft: Raft, output: Output) => void): () => void {
  return wrapSteps((raft, outputs) => {
    for (const output of outputs) observe(raft, output);
    return outputs;
  });
}

/** Puts another step in the place of the rules', made from it; what is answered puts it back. */
function replaceStep(make: (step: Step) => Step): () => void {
  const step: Step = Raft.prototype.step;
  Raft.prototype.step = make(step);
  return () => {
    Raft.prototype.step = step;
  };
}

function wrapSteps(wrap: (raft: Raft, outputs: readonly Output[]) => readonly Output[]): () => void {
  return replaceStep(
    (step) =>
      function (now, input) {
        return wrap(this, step.call(this, now, input));
      },
  );
}

function beforeSteps(change: (raft: Raft) => void): () => void {
  return replaceStep(
    (step) =>
      function (now, input) {
        change(this);
        return step.call(this, now, input);
      },
  );
}

/** An entry that stands in the log, and is not done yet, counts as done. */
function skipEntries(): () => void {
  const { begin, look } = Keeper.prototype;
  const logs = new WeakMap<Keeper, LogView>();
  Keeper.prototype.look = function (log) {
    logs.set(this, log);
    look.call(this, log);
  };
  Keeper.prototype.begin = function (name, index, term) {
    const next = logs.get(this)?.term(index + 1) ?? -1;
    return next < 0 ? begin.call(this, name, index, term) : begin.call(this, name, index + 1, next);
  };
  return () => {
    Object.assign(Keeper.prototype, { begin, look });
  };
}

function withSettings(settings: Partial<RaftSettings>, also: (raft: Raft) => void = () => {}): () => void {
  return beforeSteps((raft) => {
    const { world } = Reflect.get(raft, 'turn') as Turn;
    Object.assign(world.settings, settings);
    also(raft);
  });
}

/** Plants it in all servers; what is answered takes it away again. */
export function plant(bug: RaftBug): () => void {
  switch (bug) {
    case 'vote-not-synced':
      return wrapSteps((_raft, outputs) =>
        outputs.map((output) =>
          output.kind === 'send' && output.message.type.startsWith('vote') ? { ...output, after: 0 } : output,
        ),
      );
    case 'older-term':
      // One message has one entry: otherwise a leader's own entry comes together with those before it.
      return withSettings({ batchBytes: 1 }, commitOlder);
    case 'lease-margin':
      return withSettings({ clockDrift: 0 });
    case 'snapshot-skips':
      return skipEntries();
    default:
      return () => {};
  }
}

/** For the fault that is one server's: its replies leave at once. */
export function replyEarly(machine: Machine): void {
  const { server } = machine.process!;
  const gate = server.engine.replyGate;
  const settle = gate.settle.bind(gate);
  gate.settle = (session) => {
    settle(session);
    session.reply.allowed = session.reply.position;
  };
}
