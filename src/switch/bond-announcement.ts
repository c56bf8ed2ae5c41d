// After a bond's traffic has moved to another link, the switches behind it still send to the old one: frames in the name of every station on
// this side tell them. Each is a reverse ARP request (RFC 903), which nobody else minds.
import { type DpAction, NO_OFFLOAD } from '../datapath/datapath.ts';
import { extractKey } from '../flow/extract.ts';
import { newKey, VLAN_CFI, W } from '../flow/key.ts';
import type { Core } from './bridge-core.ts';
import { includesVlan, type PortBundle } from './ports.ts';

const RARP = 0x8035;
const REVERSE_REQUEST = 3;
/** So many stations are told of at once; the others tell of themselves. */
const MOST = 4096;

function frameOf(high: number, low: number): Uint8Array {
  const frame = new Uint8Array(60);
  const view = new DataView(frame.buffer);
  const address = (at: number): void => {
    view.setUint32(at, high);
    view.setUint16(at + 4, low);
  };
  frame.fill(0xff, 0, 6);
  address(6);
  view.setUint16(12, RARP);
  view.setUint16(14, 1);
  view.setUint16(16, 0x0800);
  frame.set([6, 4], 18);
  view.setUint16(20, REVERSE_REQUEST);
  address(22);
  address(32);
  return frame;
}

/** Sends them by the bond's active member. */
export function announceStations({ macs, megaflows }: Core, bundle: PortBundle): void {
  const member = bundle.members.find(({ name }) => name === bundle.bond?.active?.name);
  if (member?.dpPort === undefined) return;
  const { vlanMode, vlan: own } = bundle.request;
  let count = 0;
  for (const { port, vlan, high, low } of macs.entries()) {
    if (port === bundle || !includesVlan(bundle, vlan) || ++count > MOST) continue;
    const isUntagged = vlan === 0 || vlanMode === 'access' || (vlanMode === 'native-untagged' && vlan === Math.max(0, own));
    const actions: DpAction[] = isUntagged ? [] : [{ kind: 'pushVlan', tpid: 0x8100, tci: VLAN_CFI | vlan }];
    actions.push({ kind: 'output', port: member.dpPort });
    const frame = frameOf(high, low);
    const key = newKey();
    extractKey(frame, 0, frame.length, key);
    key[W.IN_PORT] = 0;
    megaflows.datapath.execute(frame, key, actions, NO_OFFLOAD);
  }
}
