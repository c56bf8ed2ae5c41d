// The programs that wrap and unwrap tunnel packets, loaded for BPF_PROG_TEST_RUN with maps of their own.
import assert from 'node:assert/strict';
import { loadProgram, lookupElement, testRun, updateElement } from '../../../src/bpf/kernel.ts';
import type { TunnelKey } from '../../../src/datapath/datapath.ts';
import { shapeActions } from '../../../src/datapath/ebpf/compiler/action-cutter.ts';
import { ACTIONS_VALUE, FLOW_VALUE, OUTER_VALUE, TOTALS_VALUE } from '../../../src/datapath/ebpf/compiler/map-layout.ts';
import { outerTemplate } from '../../../src/datapath/ebpf/compiler/outer-header.ts';
import { compileProgram, type MaskSpec } from '../../../src/datapath/ebpf/compiler/program.ts';
import { W } from '../../../src/flow/key.ts';
import type { TunnelProtocol } from '../../../src/wire/tunnel-headers.ts';
import { keep, programMaps } from './program-maps.ts';
import { random } from './random-frames.ts';

const DEVICE_PORT = 7;
export const TUNNEL_PORT = 9;
const REDIRECTED = 7;
const MTU = 9000;
/** Where frames are cut off, longer ones come than the way lets pass. */
const CUT_MTU = 1500;
const ETHERNET = 14;
export const UDP_PORTS: Record<TunnelProtocol, number> = { gre: 0, vxlan: 4789, geneve: 6081 };
const us = [0xfd000000, 0, 0, 1];
export const them = [0xfd000000, 0, 0, 2];
const OURS4 = 0xac100001;
export const THEIRS4 = 0xac100002;

/** `flags` are added to those of a key. */
export function tunnelKey(isIpv6: boolean, options: Uint8Array, flags = 0): TunnelKey {
  return {
    id: BigInt(random(1 << 24)),
    src: isIpv6 ? us : [0, 0, 0, OURS4],
    dst: isIpv6 ? them : [0, 0, 0, THEIRS4],
    ipv6: isIpv6,
    tos: random(64) * 4,
    ttl: 1 + random(255),
    tpSrc: 0,
    tpDst: 0,
    flags: 8 | (random(2) * 2) | flags,
    gbpId: 0,
    gbpFlags: 0,
    options,
    mark: 0,
  };
}

/** Maps for a program; `words`: of the keys of `flows`. */
export const open = (words: readonly number[]): Map<string, number> => programMaps(DEVICE_PORT, [{ map: 'flows', words }]);

export function load(maps: ReadonlyMap<string, number>, program: Parameters<typeof loadProgram>[0]): number {
  return keep(loadProgram(program, maps, 'weft_test'));
}

/** Wraps frames, cut off at a length first; gives what leaves, with the Ethernet type that the kernel would write. */
export function pusher(protocol: TunnelProtocol, tunnel: TunnelKey, maxLength?: number) {
  const maps = open([0]);
  const made = outerTemplate(protocol, UDP_PORTS[protocol], tunnel, tunnel.src);
  assert.ok(typeof made !== 'string');
  const value = new Uint8Array(OUTER_VALUE.size);
  const view = new DataView(value.buffer);
  view.setUint32(OUTER_VALUE.ifindex, 1, true);
  view.setUint32(OUTER_VALUE.mtu, maxLength === undefined ? MTU : CUT_MTU, true);
  view.setUint32(OUTER_VALUE.sum, made.sum, true);
  view.setUint16(OUTER_VALUE.covered, made.covered);
  value.set(made.bytes, OUTER_VALUE.header);
  updateElement(maps.get('outers')!, new Uint8Array(4), value);
  const shaped = shapeActions(
    [
      { kind: 'setTunnel', tunnel },
      ...(maxLength === undefined ? [] : [{ kind: 'trunc', maxLength } as const]),
      { kind: 'output', port: TUNNEL_PORT },
    ],
    () => ({
      outer: () => ({ index: 0, size: made.bytes.length, isIpv6: made.isIpv6, isUdp: made.isUdp, hasSum: made.hasSum, users: 0 }),
    }),
  );
  assert.ok(typeof shaped !== 'string');
  const actions = new Uint8Array(ACTIONS_VALUE.size);
  actions[ACTIONS_VALUE.shape] = 1;
  actions.set(shaped.params, ACTIONS_VALUE.params);
  updateElement(maps.get('actions')!, new Uint8Array(4), actions);
  const all: MaskSpec = { map: 'flows', words: [W.IN_PORT], masks: [0xffffffff] };
  updateElement(maps.get('flows')!, Uint8Array.of(0, 0, 0, DEVICE_PORT), new Uint8Array(FLOW_VALUE.size));
  const program = load(maps, compileProgram({ masks: [all], shapes: [{ number: 1, shape: shaped.shape }], vlanLimit: 2 }));
  // Counters of what is not sent: handed to user space, dropped, not wrapped.
  const unsent = (): string => {
    const totals = new Uint8Array(TOTALS_VALUE.size);
    lookupElement(maps.get('totals')!, new Uint8Array(4), totals);
    return totals.join();
  };
  let before = unsent();
  return (frame: Uint8Array): Uint8Array | undefined => {
    const run = testRun(program, frame);
    const former = before;
    before = unsent();
    if (before !== former) return undefined;
    assert.equal(run.frame.length, ETHERNET + made.bytes.length + Math.min(frame.length, maxLength ?? frame.length));
    assert.equal(run.verdict, REDIRECTED);
    assert.equal(run.frame[0]! & 1, 0, 'the kernel sends nothing to a neighbour that is addressed to many');
    run.frame.set(tunnel.ipv6 ? [0x86, 0xdd] : [8, 0], 12);
    return run.frame;
  };
}
