// Instructions of OpenFlow 1.1 and later around lists of actions. OpenFlow 1.3.5 section 7.2.4.

import { PeerError } from '../../../base/errors.ts';
import type { Action, ActionKind } from '../../action.ts';
import type { OfVersion } from '../../message.ts';
import { actionsLog as log } from '../../peer-logs.ts';
import { ByteReader, type ByteWriter } from '../bytes.ts';
import { decodeActionBytes, decodeUnplaced, encodeActions, encodeInContext } from './action-codec.ts';
import type { ActionContext } from './action-context.ts';
import { checkPlaces, checkWhole } from './list-check.ts';

/** Instructions that are all of some bytes; OpenFlow 1.0 has actions instead. */
export function decodeInstructionBytes(bytes: Uint8Array, version: OfVersion): Action[] {
  if (version === 1) return decodeActionBytes(bytes, version);
  checkWhole(bytes, 'instructions', 'OFPBIC_BAD_LEN');
  return decodeInstructions(new ByteReader(bytes, 'OFPBIC_BAD_LEN'), version);
}

/** Actions that a set cannot hold. */
const NOT_IN_SETS: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'outputReg',
  'outputTrunc',
  'controller',
  'enqueue',
  'bundle',
  'deleteField',
  'popQueue',
  'finTimeout',
  'learn',
  'conjunction',
  'note',
  'exit',
  'sample',
  'push',
  'pop',
  'clone',
  'checkPktLarger',
  'multipath',
  'meter',
  'nat',
  'writeMetadata',
  'debugRecirc',
  'debugSlow',
]);

/** Instruction types of OpenFlow 1.1 and later. */
const INSTRUCTION = { GOTO: 1, METADATA: 2, WRITE: 3, APPLY: 4, CLEAR: 5, METER: 6 } as const;

/** Bytes of those that have a size of their own. */
const INSTRUCTION_SIZE: Readonly<Record<number, number>> = {
  [INSTRUCTION.GOTO]: 8,
  [INSTRUCTION.METADATA]: 24,
  [INSTRUCTION.CLEAR]: 8,
  [INSTRUCTION.METER]: 8,
};

/** Reads instructions to the end of `from`, given in the specification's order of execution. */
export function decodeInstructions(from: ByteReader, version: OfVersion): Action[] {
  const bodies: (ByteReader | undefined)[] = [];
  const start = from.at;
  while (from.left > 0) {
    const offset = from.at - start;
    const left = from.left;
    const type = left < 8 ? 0 : from.u16();
    const length = left < 8 ? 0 : from.u16();
    if (length < 8 || length % 8 !== 0 || length > left) {
      const text = `bad instruction format at offset ${offset}`;
      log.warn(text);
      throw new PeerError('OFPBIC_BAD_LEN', text);
    }
    if ((INSTRUCTION_SIZE[type] ?? length) !== length) throw new PeerError('OFPBIC_BAD_LEN', `instruction ${type} of ${length} bytes`);
    const body = from.sub(length - 4, 'OFPBIC_BAD_LEN');
    if (type === 0xffff) throw new PeerError('OFPBIC_BAD_EXPERIMENTER', 'experimenter instruction');
    // OpenFlow 1.5 has metering as an action.
    if (type < 1 || type > (version >= 6 ? INSTRUCTION.CLEAR : INSTRUCTION.METER)) {
      throw new PeerError('OFPBIC_UNKNOWN_INST', `instruction ${type}`);
    }
    if (bodies[type] !== undefined) throw new PeerError('OFPBIC_DUP_INST', `instruction ${type} twice`);
    bodies[type] = body;
  }
  let actions: Action[] = [];
  const meter = bodies[INSTRUCTION.METER];
  if (meter !== undefined) {
    actions.push({ kind: 'meter', meter: meter.u32() });
  }
  const apply = bodies[INSTRUCTION.APPLY];
  if (apply !== undefined) {
    apply.skip(4);
    const list = decodeUnplaced(apply, version);
    if (actions.length === 0) actions = list;
    else for (const action of list) actions.push(action);
  }
  if (bodies[INSTRUCTION.CLEAR] !== undefined) actions.push({ kind: 'clearActions' });
  const write = bodies[INSTRUCTION.WRITE];
  if (write !== undefined) {
    write.skip(4);
    const set = decodeUnplaced(write, version);
    if (set.some(({ kind }) => NOT_IN_SETS.has(kind))) {
      log.warn('disallowed action in action set');
      throw new PeerError('OFPBAC_BAD_TYPE', 'action in a set');
    }
    actions.push({ kind: 'writeActions', actions: set });
  }
  const metadata = bodies[INSTRUCTION.METADATA];
  if (metadata !== undefined) {
    metadata.skip(4);
    actions.push({ kind: 'writeMetadata', metadata: metadata.u64(), mask: metadata.u64() });
  }
  const goto = bodies[INSTRUCTION.GOTO];
  if (goto !== undefined) actions.push({ kind: 'gotoTable', table: goto.u8() });
  checkPlaces(actions, version, 'flow');
  return actions;
}

const isInstruction = (action: Action): boolean =>
  action.kind === 'clearActions' || action.kind === 'writeActions' || action.kind === 'writeMetadata' || action.kind === 'gotoTable';

/** Bytes of an instruction with a list of actions that has none. */
const EMPTY_LIST = 8;

/** Writes a flow's actions as instructions (OpenFlow 1.1 and later). */
export function encodeInstructions(out: ByteWriter, actions: readonly Action[], version: OfVersion, context: ActionContext = {}): void {
  const hasMeter = version < 6;
  const canMeter = version === 4 || version === 5;
  const now = { ...context };
  const apply = actions.filter((a) => !isInstruction(a) && !(hasMeter && a.kind === 'meter'));
  const block = (type: number, body: (out: ByteWriter) => void): void => {
    const start = out.size;
    out.u16(type).u16(0);
    body(out);
    // Where none of the actions takes any room there is no instruction.
    const isList = type === INSTRUCTION.APPLY || type === INSTRUCTION.WRITE;
    if (isList && out.size === start + EMPTY_LIST) {
      out.bytes.fill(0, start, out.size);
      out.size = start;
    } else out.patch16(start + 2, out.size - start);
  };
  for (const action of actions) {
    if (canMeter && action.kind === 'meter') block(INSTRUCTION.METER, (o) => o.u32(action.meter));
  }
  if (apply.length > 0) block(INSTRUCTION.APPLY, (o) => encodeInContext(o.zeros(4), apply, version, now));
  for (const action of actions) {
    if (action.kind === 'clearActions') block(INSTRUCTION.CLEAR, (o) => o.zeros(4));
    else if (action.kind === 'writeActions') block(INSTRUCTION.WRITE, (o) => encodeActions(o.zeros(4), action.actions, version, now));
    else if (action.kind === 'writeMetadata') block(INSTRUCTION.METADATA, (o) => o.zeros(4).u64(action.metadata).u64(action.mask));
    else if (action.kind === 'gotoTable') block(INSTRUCTION.GOTO, (o) => o.u8(action.table).zeros(3));
  }
}
