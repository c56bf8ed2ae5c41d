// The part of the shared suite that is about what actions do to frames: headers put on and taken off, branches, connection tracking.
import assert from 'node:assert/strict';
import { CT_STATE, newKey, W } from '../flow/key.ts';
import { type ContractFixture, hex, udpFrame } from './contract-fixture.ts';
import type { DpAction, DpPort } from './datapath.ts';

type Contract = (title: string, body: (f: ContractFixture) => Promise<void>) => void;

function put(f: ContractFixture, port: DpPort, recirc: number, actions: readonly DpAction[], ...more: [number, number, number][]): void {
  const key = newKey();
  const mask = newKey();
  for (const [word, value, bits] of [[W.IN_PORT, port, 0xffffffff], [W.RECIRC_ID, recirc, 0xffffffff], ...more] as const) {
    key[word] = value;
    mask[word] = bits;
  }
  f.datapath.flowPut(key, mask, actions);
}

/** A 24-byte NSH of metadata type 1 before an Ethernet frame. */
const nsh = hex('0fc6 01 03 00123405 00000011 00000000 00000000 00000000');

/** Defines the tests. */
export function actionContracts(contract: Contract): void {
  contract('headers come and go: labels, NSH, Ethernet', async (f) => {
    const [a, b] = f.ports;
    const output: DpAction = { kind: 'output', port: b };
    const cases: [DpAction[], Uint8Array][] = [
      [
        [{ kind: 'pushMpls', ethertype: 0x8847, lse: 0x00064140 }, output],
        Uint8Array.of(...udpFrame.subarray(0, 12), 0x88, 0x47, 0, 6, 0x41, 0x40, ...udpFrame.subarray(14)),
      ],
      [[{ kind: 'pushMpls', ethertype: 0x8847, lse: 0x00064140 }, { kind: 'popMpls', ethertype: 0x0800 }, output], udpFrame],
      [
        [{ kind: 'pushNsh', header: nsh }, { kind: 'pushEth', dst: [0x02000000, 0x0001], src: [0x02000000, 0x0002] }, output],
        Uint8Array.of(...hex('020000000001 020000000002 894f'), ...nsh, ...udpFrame),
      ],
      [
        [
          { kind: 'pushNsh', header: nsh },
          { kind: 'pushEth', dst: [0x02000000, 0x0001], src: [0x02000000, 0x0002] },
          { kind: 'set', group: 'nsh', words: Uint32Array.of(W.NSH_PATH, 0x00aaaa07, 0xffffffff) },
          { kind: 'popEth' },
          { kind: 'popNsh' },
          output,
        ],
        udpFrame,
      ],
      [
        [{ kind: 'popEth' }, { kind: 'pushEth', dst: [0x02000000, 0x0001], src: [0x02000000, 0x0002] }, output],
        Uint8Array.of(...hex('020000000001 020000000002 0800'), ...udpFrame.subarray(14)),
      ],
      [
        [
          { kind: 'popEth' },
          { kind: 'addMpls', ethertype: 0x8847, lse: 0x00064140, isL3: true },
          { kind: 'pushEth', dst: [0x02000000, 0x0001], src: [0x02000000, 0x0002] },
          output,
        ],
        Uint8Array.of(...hex('020000000001 020000000002 8847 00064140'), ...udpFrame.subarray(14)),
      ],
    ];
    for (const [actions, want] of cases) {
      put(f, a, 0, actions);
      f.inject(a, udpFrame);
      assert.deepEqual(await f.settle(), [{ port: b, frame: want }], JSON.stringify(actions.map((action) => action.kind)));
    }
  });

  contract('a bare packet goes no further than to be given a header', async (f) => {
    put(f, f.ports[0], 0, [{ kind: 'popEth' }, { kind: 'output', port: f.ports[1] }]);
    f.inject(f.ports[0], udpFrame);
    assert.deepEqual(await f.settle(), []);
    assert.equal(f.datapath.drops().get('malformed'), 1n);
  });

  contract('longer frames take one branch, the others the other', async (f) => {
    const [a, b, c] = f.ports;
    for (const [length, port] of [
      [udpFrame.length, c],
      [udpFrame.length - 1, b],
    ] as const) {
      put(f, a, 0, [{ kind: 'checkPktLen', length, larger: [{ kind: 'output', port: b }], smaller: [{ kind: 'output', port: c }] }]);
      f.inject(a, udpFrame);
      assert.deepEqual(await f.settle(), [{ port, frame: udpFrame }]);
    }
  });

  contract('a meter lets its burst pass and counts what it drops; without the meter all passes', async (f) => {
    const [a, b] = f.ports;
    f.datapath.meterSet!(3, { countsPackets: true, bands: [{ rate: 1, burst: 5 }] });
    put(f, a, 0, [
      { kind: 'meter', meter: 3 },
      { kind: 'output', port: b },
    ]);
    for (let i = 0; i < 20; i++) f.inject(a, udpFrame);
    const passed = (await f.settle()).length;
    // A machine that is very busy may take seconds for this.
    assert.ok(passed >= 5 && passed < 15, `${passed} passed`);
    const dropped = BigInt(20 - passed);
    const size = BigInt(udpFrame.length);
    const stats = f.datapath.meterStats!(3);
    assert.deepEqual(stats, { packets: 20n, bytes: 20n * size, bands: [{ packets: dropped, bytes: dropped * size }] });
    assert.equal(f.datapath.drops().get('meter'), dropped);
    f.datapath.meterSet!(3, {
      countsPackets: false,
      bands: [
        { rate: 1_000_000, burst: 1000 },
        { rate: 1, burst: 2 },
      ],
    });
    for (let i = 0; i < 20; i++) f.inject(a, udpFrame);
    assert.ok((await f.settle()).length < 15, 'two bands: 2000 bits, and 1000 a second');
    f.datapath.meterDelete!(3);
    assert.equal(f.datapath.meterStats!(3), undefined);
    for (let i = 0; i < 20; i++) f.inject(a, udpFrame);
    assert.equal((await f.settle()).length, 20);
  });

  contract('connections: new, answered, established; addresses translated both ways', async (f) => {
    const [a, b] = f.ports;
    const nat = (addrMin: number[]) => ({
      direction: 'src' as const,
      addrMin,
      addrMax: [0, 0, 0, 0],
      portMin: 0,
      portMax: 0,
      persistent: false,
      hash: false,
      random: false,
    });
    const track = { kind: 'ct' as const, commit: false, force: false, zone: 3, helper: '', timeout: '' };
    const none = { ...nat([0, 0, 0, 0]), direction: '' as const };
    for (const port of [a, b])
      put(f, port, 0, [
        { ...track, nat: none },
        { kind: 'recirc', id: 1 },
      ]);
    const state = (bits: number): [number, number, number] => [W.CT_STATE, bits, CT_STATE.TRK | CT_STATE.NEW | CT_STATE.EST | CT_STATE.INV];
    put(
      f,
      a,
      1,
      [
        { ...track, commit: true, mark: [7, 0xffffffff], nat: nat([0, 0, 0, 0x0a000063]) },
        { kind: 'output', port: b },
      ],
      state(CT_STATE.TRK | CT_STATE.NEW),
    );
    put(f, a, 1, [{ kind: 'output', port: b }], state(CT_STATE.TRK | CT_STATE.EST));
    put(f, b, 1, [{ kind: 'output', port: a }], state(CT_STATE.TRK | CT_STATE.EST));
    f.datapath.setUpcallSink(() => {});
    const translated = hex(`50540000000a 505400000009 0800
      45000020 00010000 40116668 0a000063 0a000002 03e807d0000c1af3 61626364 000000000000000000000000000000000000`);
    f.inject(a, udpFrame);
    assert.deepEqual(await f.settle(), [{ port: b, frame: translated }]);
    const answer = hex(`505400000009 50540000000a 0800
      45000020 00010000 40116668 0a000002 0a000063 07d003e8000c1af3 61626364 000000000000000000000000000000000000`);
    const arrived = hex(`505400000009 50540000000a 0800
      45000020 00010000 401166ca 0a000002 0a000001 07d003e8000c1b55 61626364 000000000000000000000000000000000000`);
    f.inject(b, answer);
    assert.deepEqual(await f.settle(), [{ port: a, frame: arrived }]);
    f.inject(a, udpFrame);
    assert.deepEqual(await f.settle(), [{ port: b, frame: translated }]);
    // Nobody spoke to this one.
    const stranger = answer.slice();
    stranger[36] = 9;
    stranger.set([0, 0], 40);
    f.inject(b, stranger);
    assert.deepEqual(await f.settle(), []);
    const { entries } = await f.datapath.conntrack!({ kind: 'dump', zone: 3, most: 10 });
    assert.equal(entries.length, 1);
    assert.equal(entries[0]?.mark, 7);
    await f.datapath.conntrack!({ kind: 'flush', filter: { zone: 3, original: undefined, reply: undefined } });
    f.inject(b, answer);
    assert.deepEqual(await f.settle(), []);
  });
}
