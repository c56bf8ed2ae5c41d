// A frame that waits at a controller, as text: lines of their own in a packet-in or a resume. Facts: the running reference.
import type { PortNames } from '../../flow/field-text.ts';
import { type Continuation, decodeContinuation } from '../codec/continuation-codec.ts';
import { formatActions } from './action-format.ts';

/** The bridge's name as a UUID: words as a little-endian machine keeps them. */
function uuidText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const hex = [0, 4, 8, 12].map((at) => view.getUint32(at, true).toString(16).padStart(8, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const hex = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

function partText({ table, cookie, actions }: Continuation['parts'][number], names?: PortNames): string {
  return `unroll_xlate(table=${table}, cookie=${cookie}),${formatActions([...actions], names)}`;
}

/** Its lines, each with its end. Throws PeerError. */
export function formatContinuation(bytes: Uint8Array, names?: PortNames): string {
  const c = decodeContinuation(bytes);
  let text = ` continuation.bridge=${uuidText(c.bridge)}\n`;
  if (c.stack.length > 0) text += ` continuation.stack=(top) ${c.stack.map(({ value }) => hex(value)).join(' ')} (bottom)\n`;
  if (c.mirrors !== 0) text += ` continuation.mirrors=0x${c.mirrors.toString(16)}\n`;
  if (c.isConntracked) text += ' continuation.conntracked=true\n';
  if (c.parts.length > 0) text += ` continuation.actions=${c.parts.map((part) => partText(part, names)).join(',')}\n`;
  if (c.actionSet.length > 0) text += ` continuation.action_set=${formatActions([...c.actionSet], names)}\n`;
  if (c.dpPort !== 0) text += ` continuation.odp_port=${c.dpPort}\n`;
  return text;
}
