// The programs that wrap and unwrap tunnel packets, through BPF_PROG_TEST_RUN: what comes in is what `wire/tunnel-headers.ts` reads, what
// goes out is what it writes, and what is not for a tunnel is left alone. WEFT_EBPF_PAIRS sets how many (2,000 by default).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { deleteElement, testRun, updateElement } from '../../src/bpf/kernel.ts';
import { shapeActions } from '../../src/datapath/ebpf/compiler/action-cutter.ts';
import { EXTRACTED_WORDS, TUNNEL_WORD_SET } from '../../src/datapath/ebpf/compiler/extract-program.ts';
import { ACTIONS_VALUE, FLOW_VALUE, TUNNEL_KEY, TUNNEL_PROTOCOL, TUNNEL_VALUE } from '../../src/datapath/ebpf/compiler/map-layout.ts';
import { compileProgram, type MaskSpec } from '../../src/datapath/ebpf/compiler/program.ts';
import { compileTunnelPop } from '../../src/datapath/ebpf/compiler/tunnel-pop-program.ts';
import { extractKey, setVlanLimit } from '../../src/flow/extract.ts';
import { newKey, W } from '../../src/flow/key.ts';
import { sumBytes } from '../../src/wire/checksum.ts';
import { decodeTunnel, type TunnelProtocol } from '../../src/wire/tunnel-headers.ts';
import { closeAll } from './support/program-maps.ts';
import { currentSeed, random, randomFrame } from './support/random-frames.ts';
import { load, open, pusher, THEIRS4, TUNNEL_PORT, them, tunnelKey, UDP_PORTS } from './support/tunnel-programs.ts';

const pairs = Number(process.env['WEFT_EBPF_PAIRS'] ?? 2_000);
const NEXT = 0xffffffff;

setVlanLimit(2);
after(closeAll);

// All that a frame and its outer header tell.
const words = [...EXTRACTED_WORDS, ...TUNNEL_WORD_SET];
const mask: MaskSpec = { map: 'flows', words, masks: words.map(() => 0xffffffff) };
const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');

/** Unwraps packets for the tunnel port; gives the frame if its key was `key`. */
function popper(protocol: TunnelProtocol, isIpv6: boolean) {
  const maps = open(words);
  const end = new Uint8Array(TUNNEL_KEY.size);
  const endView = new DataView(end.buffer);
  if (isIpv6) for (const [i, word] of them.entries()) endView.setUint32(i * 4, word);
  else endView.setUint32(12, THEIRS4);
  end[TUNNEL_KEY.ipProtocol] = protocol === 'gre' ? 47 : 17;
  endView.setUint16(TUNNEL_KEY.port, UDP_PORTS[protocol]);
  const value = new Uint8Array(TUNNEL_VALUE.size);
  value[TUNNEL_VALUE.port] = TUNNEL_PORT;
  value[TUNNEL_VALUE.protocol] = TUNNEL_PROTOCOL[protocol];
  updateElement(maps.get('tunnels')!, end, value);
  const shaped = shapeActions([{ kind: 'pushVlan', tpid: 0x8100, tci: 0x1001 }], () => undefined);
  assert.ok(typeof shaped !== 'string');
  const actions = new Uint8Array(ACTIONS_VALUE.size);
  actions[ACTIONS_VALUE.shape] = 1;
  actions.set(shaped.params, ACTIONS_VALUE.params);
  updateElement(maps.get('actions')!, new Uint8Array(4), actions);
  const main = load(maps, compileProgram({ masks: [mask], shapes: [{ number: 1, shape: shaped.shape }], hasTunnels: true, vlanLimit: 2 }));
  updateElement(maps.get('programs')!, new Uint8Array(4), new Uint8Array(Uint32Array.of(main).buffer));
  const program = load(maps, compileTunnelPop());
  return { flows: maps.get('flows')!, run: (packet: Uint8Array) => testRun(program, packet) };
}

function keyBytes(inner: Uint8Array, packet: Uint8Array, protocol: TunnelProtocol, isIpv6: boolean): Uint8Array | undefined {
  const key = newKey();
  extractKey(inner, 0, inner.length, key);
  const view = new DataView(packet.buffer, packet.byteOffset);
  const l4 = isIpv6 ? 54 : 34;
  const header = { idHigh: 0, idLow: 0, flags: 0, gbpId: 0, gbpFlags: 0, optionsSize: 0 };
  const at = l4 + (protocol === 'gre' ? 0 : 8);
  if (decodeTunnel(protocol, packet, at, packet.length, header) < 0) return undefined;
  key[W.IN_PORT] = TUNNEL_PORT;
  key[W.TUN_ID + 1] = header.idLow;
  if (isIpv6) {
    for (let i = 0; i < 4; i++) {
      key[W.TUN_IPV6_SRC + i] = view.getUint32(22 + i * 4);
      key[W.TUN_IPV6_DST + i] = view.getUint32(38 + i * 4);
    }
  } else {
    key[W.TUN_SRC] = view.getUint32(26);
    key[W.TUN_DST] = view.getUint32(30);
  }
  const fragment = !isIpv6 && (packet[20]! & 0x40) !== 0 ? 2 : 0;
  const tos = isIpv6 ? (view.getUint16(14) >> 4) & 0xff : packet[15]!;
  key[W.TUN_FLAGS] = (((header.flags | fragment) << 16) | (tos << 8) | packet[isIpv6 ? 21 : 22]!) >>> 0;
  if (protocol !== 'gre') key[W.TUN_TP] = view.getUint32(l4);
  for (let i = 0; i < header.optionsSize; i += 4) key[W.TUN_METADATA + i / 4] = view.getUint32(l4 + 16 + i);
  key[W.TUN_METADATA_MAP] = header.optionsSize;
  const bytes = new Uint8Array(words.length * 4);
  for (const [i, word] of words.entries()) new DataView(bytes.buffer).setUint32(i * 4, key[word]!);
  return bytes;
}

for (const protocol of ['gre', 'vxlan', 'geneve'] as const) {
  for (const isIpv6 of [false, true]) {
    test(`${protocol} over IPv${isIpv6 ? 6 : 4}: there and back`, (t) => {
      const rounds = Math.ceil(pairs / 6 / 200);
      let carried = 0;
      let left = 0;
      for (let round = 0; round < rounds; round++) {
        const options = Uint8Array.from({ length: protocol === 'geneve' ? (random(2) === 0 ? random(11) : random(64)) * 4 : 0 }, () =>
          random(256),
        );
        const tunnel = tunnelKey(isIpv6, options);
        const push = pusher(protocol, tunnel);
        const pop = popper(protocol, isIpv6);
        for (let i = 0; i < 200; i++) {
          const frame = randomFrame();
          const what = `WEFT_SEED ${currentSeed()}: ${hex(frame)}`;
          const packet = push(frame);
          if (packet === undefined) {
            left++;
            continue;
          }
          carried++;
          const l4 = isIpv6 ? 54 : 34;
          const view = new DataView(packet.buffer, packet.byteOffset);
          const innerAt = packet.length - frame.length;
          assert.equal(hex(packet.subarray(innerAt)), hex(frame), what);
          if (isIpv6) assert.equal(view.getUint16(18), packet.length - 54, what);
          else {
            assert.equal(view.getUint16(16), packet.length - 14, what);
            assert.equal(sumBytes(packet, 14, 20), 0xffff, what);
          }
          if (protocol !== 'gre') {
            assert.equal(view.getUint16(l4 + 4), packet.length - l4, what);
            assert.ok(view.getUint16(l4) >= 32_768 && view.getUint16(l4) < 61_000);
          }
          // The other end: its own address is the destination.
          const key = keyBytes(frame, packet, protocol, isIpv6);
          assert.ok(key !== undefined, what);
          updateElement(pop.flows, key, new Uint8Array(FLOW_VALUE.size));
          const back = pop.run(packet);
          deleteElement(pop.flows, key);
          assert.equal(hex(back.frame), hex(frame), what);
          // What is not ours stays as it is and is the host's.
          const other = packet.slice();
          const change = random(5);
          if (change === 0) other[isIpv6 ? 53 : 33]! ^= 1;
          else if (change === 1) other[isIpv6 ? 20 : 23] = 6;
          else if (change === 2) other[isIpv6 ? 19 : 17]! ^= 1;
          else if (change === 3 && protocol !== 'gre') other[l4 + 3]! ^= 1;
          else if (protocol === 'vxlan') other[l4 + 8] = 0;
          else other[l4 + (protocol === 'gre' ? 2 : 10)] = 0;
          const passed = pop.run(other);
          assert.equal(passed.verdict, NEXT, what);
          assert.equal(hex(passed.frame), hex(other), what);
        }
        closeAll();
      }
      t.diagnostic(`${carried} frames there and back, ${left} left to user space`);
      assert.ok(carried > left / 2);
    });
  }
}

test('a frame is cut off before it goes into a tunnel, whatever it is and however long it was', (t) => {
  let cut = 0;
  let left = 0;
  for (let round = 0; round < Math.ceil(pairs / 1000) * 12; round++) {
    const protocol = (['gre', 'vxlan', 'geneve'] as const)[round % 3]!;
    const isIpv6 = random(2) === 0;
    const maxLength = 14 + random(440);
    const push = pusher(protocol, tunnelKey(isIpv6, new Uint8Array(0)), maxLength);
    for (let i = 0; i < 100; i++) {
      let frame = Uint8Array.from([...randomFrame(), ...new Uint8Array(random(400))]);
      // Longer than the way lets pass: it is not when it leaves.
      if (random(10) === 0) frame = Uint8Array.from([...frame, ...new Uint8Array(2000)]);
      const packet = push(frame);
      if (packet === undefined) {
        left++;
        continue;
      }
      const inner = frame.subarray(0, maxLength);
      if (inner.length < frame.length) cut++;
      const what = `WEFT_SEED ${currentSeed()}: ${maxLength} of ${hex(frame)}`;
      assert.equal(hex(packet.subarray(packet.length - inner.length)), hex(inner), what);
      const view = new DataView(packet.buffer, packet.byteOffset);
      const headers = packet.length - inner.length;
      assert.equal(headers, (isIpv6 ? 54 : 34) + (protocol === 'gre' ? 8 : 16), what);
      if (isIpv6) assert.equal(view.getUint16(18), packet.length - 54, what);
      else assert.equal(view.getUint16(16), packet.length - 14, what);
    }
    closeAll();
  }
  t.diagnostic(`${cut} frames cut off, ${left} left to user space or too short for the kernel`);
  assert.ok(cut > 100 && left < cut);
});
