// Checksums of outer headers that cover the whole inner frame (`csum=true`), made by the kernel's program, through BPF_PROG_TEST_RUN: right for
// every frame as it will be on the wire, checksums that are still to be filled in included. (Segments of super-segments: `tunnels-ebpf.test.ts`.)
// WEFT_EBPF_PAIRS sets how many (2,000 by default).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { verifiedInstructions } from '../../src/bpf/objects.ts';
import type { DpAction } from '../../src/datapath/datapath.ts';
import { shapeActions } from '../../src/datapath/ebpf/compiler/action-cutter.ts';
import { EXTRACTED_WORDS } from '../../src/datapath/ebpf/compiler/extract-program.ts';
import { compileProgram, MAX_MASKS } from '../../src/datapath/ebpf/compiler/program.ts';
import { extractKey, layoutL3, layoutL4, setVlanLimit } from '../../src/flow/extract.ts';
import { newKey, W } from '../../src/flow/key.ts';
import { sumBytes } from '../../src/wire/checksum.ts';
import type { TunnelProtocol } from '../../src/wire/tunnel-headers.ts';
import { closeAll, programMaps } from './support/program-maps.ts';
import { currentSeed, random, randomFrame } from './support/random-frames.ts';
import { load, pusher, tunnelKey } from './support/tunnel-programs.ts';

const pairs = Number(process.env['WEFT_EBPF_PAIRS'] ?? 2_000);
const CSUM = 4;
setVlanLimit(2);
after(closeAll);

const get16 = (b: Uint8Array, at: number): number => (b[at]! << 8) | b[at + 1]!;
const put16 = (b: Uint8Array, at: number, value: number): void => void b.set([value >> 8, value & 255], at);
const hex = (b: Uint8Array): string => Buffer.from(b.buffer, b.byteOffset, b.length).toString('hex');

/** Where a frame has a transport checksum that a device may fill in, and the sum of its pseudo header; undefined where it has none. */
function transport(frame: Uint8Array): { l3: number; l4: number; at: number; end: number; pseudo: number } | undefined {
  const key = newKey();
  const layout = extractKey(frame, 0, frame.length, key);
  const [l3, l4, proto] = [layoutL3(layout), layoutL4(layout), key[W.TYPE]! & 255];
  const type = key[W.TYPE]! >>> 16;
  if (l4 === 0 || (proto !== 6 && proto !== 17) || ((key[W.TYPE]! >>> 8) & 255) !== 0) return undefined;
  const isIpv4 = type === 0x0800;
  if (!isIpv4 && type !== 0x86dd) return undefined;
  const length = isIpv4 ? get16(frame, l3 + 2) - (l4 - l3) : get16(frame, l3 + 4) + 40 - (l4 - l3);
  const at = l4 + (proto === 6 ? 16 : 6);
  if (at + 2 > l4 + length) return undefined;
  return { l3, l4, at, end: l4 + length, pseudo: sumBytes(frame, isIpv4 ? l3 + 12 : l3 + 8, isIpv4 ? 8 : 32, proto + length) };
}

/** Asserts that the checksum of the outer header is right for this inner frame. */
function check(packet: Uint8Array, inner: Uint8Array, protocol: TunnelProtocol, isIpv6: boolean, what: string): void {
  const l4 = isIpv6 ? 54 : 34;
  const whole = packet.slice();
  whole.set(inner, packet.length - inner.length);
  if (protocol === 'gre') {
    assert.equal(sumBytes(whole, l4, whole.length - l4), 0xffff, what);
    return;
  }
  const length = whole.length - l4;
  assert.notEqual(get16(whole, l4 + 6), 0, what);
  assert.equal(get16(whole, l4 + 4), length, what);
  const pseudo = sumBytes(whole, isIpv6 ? 22 : 26, isIpv6 ? 32 : 8, 17 + length);
  assert.equal(sumBytes(whole, l4, length, pseudo), 0xffff, what);
}

/** Wraps random frames, half of those that can have one with a checksum to be filled in, and checks the outer checksum. */
function wrap(protocol: TunnelProtocol, isIpv6: boolean, count: number, longest?: number) {
  const made = { carried: 0, filled: 0, left: 0, cut: 0 };
  const each = longest === undefined ? 200 : 20;
  for (let round = 0; round < Math.ceil(count / each); round++) {
    const options = Uint8Array.from({ length: protocol === 'geneve' ? random(9) * 4 : 0 }, () => random(256));
    const maxLength = longest === undefined ? undefined : 14 + random(longest - 14);
    const push = pusher(protocol, tunnelKey(isIpv6, options, CSUM), maxLength);
    for (let i = 0; i < each; i++) {
      const seed = currentSeed();
      const padding = new Uint8Array(longest === undefined ? 0 : random(longest));
      const frame = Uint8Array.from([...randomFrame(), ...padding]);
      const final = frame.slice(0, maxLength);
      const found = transport(frame);
      if (found !== undefined && random(2) === 0) {
        const { l4, at, pseudo } = found;
        put16(frame, at, pseudo);
        if (at + 2 <= final.length) {
          put16(final, at, pseudo);
          // The kernel sums up all that is there, behind the IP packet too.
          put16(final, at, ~sumBytes(final, l4, final.length - l4) & 0xffff);
        }
        made.filled++;
      }
      const packet = push(frame);
      if (packet === undefined) {
        made.left++;
        continue;
      }
      made.carried++;
      if (final.length < frame.length) made.cut++;
      check(packet, final, protocol, isIpv6, `WEFT_SEED=${seed}: ${maxLength} of ${hex(frame)}`);
    }
    closeAll();
  }
  return made;
}

for (const protocol of ['gre', 'vxlan', 'geneve'] as const) {
  for (const isIpv6 of [false, true]) {
    test(`${protocol} over IPv${isIpv6 ? 6 : 4}: checksums over frames`, (t) => {
      const { carried, filled, left } = wrap(protocol, isIpv6, pairs / 6);
      t.diagnostic(`${carried} frames, ${filled} of all with a checksum to be filled in; ${left} left to user space`);
      assert.ok(carried > left && filled > carried / 10);
    });
  }
  test(`${protocol}: checksums over frames that are cut off`, (t) => {
    const { carried, left, cut } = wrap(protocol, random(2) === 0, pairs / 6, 300);
    t.diagnostic(`${carried} frames, ${cut} of them cut off; ${left} left to user space`);
    assert.ok(cut > carried / 10 && carried > left / 4, `${carried} ${left} ${cut}`);
  });
}

test('what checksums cost the verifier is bounded', (t) => {
  const words = [...EXTRACTED_WORDS];
  const masks = Array.from({ length: MAX_MASKS }, (_, i) => ({
    map: `flows${i}`,
    words,
    masks: words.map((_word, j) => (j === 1 ? i + 1 : 0xffffffff)),
  }));
  const maps = programMaps(1, masks);
  // As many kinds of outer headers as nobody has; all lists that use one share it.
  const shapes = Array.from({ length: 8 }, (_, i) => {
    const outer = { index: 0, size: 36 + 4 * i, isIpv6: i % 2 === 1, isUdp: i > 0, hasSum: true, users: 0 };
    const list: DpAction[] = [
      { kind: 'setTunnel', tunnel: tunnelKey(false, new Uint8Array(0)) },
      { kind: 'output', port: 1 },
    ];
    const made = shapeActions(list, () => ({ outer: () => outer }));
    assert.ok(typeof made !== 'string');
    return { number: i + 1, shape: made.shape };
  });
  const compiled = compileProgram({ masks, shapes, vlanLimit: 2, hasTunnels: true });
  const verified = verifiedInstructions(load(maps, compiled));
  closeAll();
  t.diagnostic(`${compiled.length} instructions, ${verified} followed by the verifier`);
  assert.ok(verified < 300_000);
  // Whatever else a list does, this part of it is a list of its own.
  const longer = shapeActions(
    [{ kind: 'popVlan' }, { kind: 'setTunnel', tunnel: tunnelKey(false, new Uint8Array(0)) }, { kind: 'output', port: 1 }],
    () => ({ outer: () => ({ index: 0, size: 36, isIpv6: false, isUdp: true, hasSum: true, users: 0 }) }),
  );
  assert.ok(typeof longer !== 'string');
  assert.deepEqual(
    longer.shape.steps.map(({ op }) => op),
    ['popVlan', 'continue'],
  );
});
