// What the control plane tells the frame path: plain values, so that they can cross to a worker, in one order.
import type { Key } from '../../flow/key.ts';
import type { DpAction, DpMeter, FrameOffload } from '../datapath.ts';
import type { UserspaceCore } from './core.ts';

export type Command =
  | {
      op: 'flowPut';
      slot: number;
      id: number;
      indices: Int32Array;
      masks: Int32Array;
      words: Int32Array;
      actions: readonly DpAction[];
    }
  | { op: 'flowModify'; slot: number; actions: readonly DpAction[] }
  | { op: 'flowDelete'; slot: number }
  | { op: 'flowFlush' }
  /** `place`: its bucket in the memory shared with the kernel, -1 = none. */
  | { op: 'meterSet'; meter: number; config: DpMeter; place: number }
  | { op: 'meterDelete'; meter: number }
  /** A list that a program hands frames with, by its name. */
  | { op: 'listPut'; token: number; actions: readonly DpAction[] }
  | { op: 'listDelete'; token: number }
  | { op: 'upcallsDone'; position: number }
  | { op: 'execute'; frame: Uint8Array; key: Key; actions: readonly DpAction[]; offload: FrameOffload };

/** Carries out a command. */
export function applyCommand(core: UserspaceCore, command: Command): void {
  switch (command.op) {
    case 'flowPut':
      core.flowPut(command.slot, command.id, command.indices, command.masks, command.words, command.actions);
      break;
    case 'flowModify':
      core.flowModify(command.slot, command.actions);
      break;
    case 'flowDelete':
      core.flowDelete(command.slot);
      break;
    case 'upcallsDone':
      core.upcallOrder.done = command.position;
      break;
    case 'flowFlush':
      core.flowFlush();
      break;
    case 'meterSet':
      core.meters.set(command.meter, command.config, core.nowMs, command.place);
      break;
    case 'meterDelete':
      core.meters.delete(command.meter);
      break;
    case 'listPut':
      core.listPut(command.token, command.actions);
      break;
    case 'listDelete':
      core.listDelete(command.token);
      break;
    case 'execute':
      core.execute(command.frame, command.key, command.actions, command.offload);
      core.flush();
      break;
  }
}
