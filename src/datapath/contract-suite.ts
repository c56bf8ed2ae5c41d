// What every datapath must do, as one suite. An implementation gives it a fixture: a datapath with three ports, a way to put a frame in at
// one, and the frames that came out. Its own test file is a few lines.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newKey, W } from '../flow/key.ts';
import { type ContractFixture, hex, udpFrame } from './contract-fixture.ts';
import { actionContracts } from './contract-suite-actions.ts';
import type { DpAction, DpPort, Upcall } from './datapath.ts';

const inPort = (port: DpPort): [Uint32Array, Uint32Array] => {
  const key = newKey();
  const mask = newKey();
  key[W.IN_PORT] = port;
  mask[W.IN_PORT] = 0xffffffff;
  return [key, mask];
};

/** Defines the tests; `open` makes a fresh fixture for each. */
export function datapathContract(name: string, open: () => Promise<ContractFixture>): void {
  const contract = (title: string, body: (f: ContractFixture) => Promise<void>): void => {
    test(title, async () => {
      const fixture = await open();
      try {
        await body(fixture);
      } finally {
        await fixture.close();
      }
    });
  };

  describe(`datapath contract: ${name}`, () => {
    contract('a frame that no flow matches reaches the sink once, with its key', async (f) => {
      const upcalls: Upcall[] = [];
      f.datapath.setUpcallSink((batch) => void upcalls.push(...batch));
      f.inject(f.ports[0], udpFrame);
      assert.deepEqual(await f.settle(), []);
      assert.equal(upcalls.length, 1);
      assert.equal(upcalls[0]?.kind, 'miss');
      assert.deepEqual(upcalls[0]?.frame, udpFrame);
      assert.equal(upcalls[0]?.key[W.IN_PORT], f.ports[0]);
      assert.equal(upcalls[0]?.key[W.NW_DST], 0x0a000002);
      assert.equal(f.datapath.lookupStats().missed, 1n);
    });

    contract('what the sink executes and installs is what happens', async (f) => {
      f.datapath.setUpcallSink((batch) => {
        for (const upcall of batch) {
          const actions: DpAction[] = [{ kind: 'output', port: f.ports[1] }];
          f.datapath.flowPut(...inPort(f.ports[0]), actions);
          f.datapath.execute(upcall.frame, upcall.key, actions, upcall.offload);
        }
      });
      f.inject(f.ports[0], udpFrame);
      assert.deepEqual(await f.settle(), [{ port: f.ports[1], frame: udpFrame }]);
      f.inject(f.ports[0], udpFrame);
      assert.deepEqual(await f.settle(), [{ port: f.ports[1], frame: udpFrame }]);
      const [flow] = [...f.datapath.flows()];
      assert.ok(flow !== undefined);
      const stats = f.datapath.flowStats(flow.id);
      assert.equal(stats?.packets, 1n);
      assert.equal(stats?.bytes, BigInt(udpFrame.length));
      assert.equal(f.datapath.portCounters(f.ports[1])?.txPackets, 2n);
      assert.equal(f.datapath.portCounters(f.ports[0])?.rxPackets, 2n);
    });

    contract('a flow tells the key that it was made for', async (f) => {
      const sample = newKey();
      sample[W.IN_PORT] = f.ports[0];
      sample[W.NW_DST] = 0x0a000001;
      const told = (): (number[] | undefined)[] => [...f.datapath.flows()].map((flow) => flow.sample && [...flow.sample]);
      f.datapath.flowPut(...inPort(f.ports[0]), [], sample);
      assert.deepEqual(told(), [[...sample]]);
      const other = sample.slice();
      other[W.TP] = 5;
      f.datapath.flowPut(...inPort(f.ports[0]), [], other);
      assert.deepEqual(told(), [[...other]]);
      f.datapath.flowPut(...inPort(f.ports[1]), []);
      assert.deepEqual(told(), [[...other], undefined]);
      await f.settle();
    });

    contract('a flow is replaced, modified and deleted', async (f) => {
      f.datapath.setUpcallSink(() => {});
      const first = f.datapath.flowPut(...inPort(f.ports[0]), [{ kind: 'output', port: f.ports[1] }]);
      const second = f.datapath.flowPut(...inPort(f.ports[0]), [{ kind: 'output', port: f.ports[2] }]);
      assert.equal(f.datapath.flowCount(), 1);
      assert.equal(f.datapath.flowStats(first), undefined);
      f.inject(f.ports[0], udpFrame);
      assert.deepEqual(
        (await f.settle()).map((sent) => sent.port),
        [f.ports[2]],
      );
      f.datapath.flowModify(second, [{ kind: 'output', port: f.ports[1] }]);
      f.inject(f.ports[0], udpFrame);
      assert.deepEqual(
        (await f.settle()).map((sent) => sent.port),
        [f.ports[1]],
      );
      assert.equal(f.datapath.flowStats(second)?.packets, 2n);
      f.datapath.flowDelete(second);
      f.inject(f.ports[0], udpFrame);
      assert.deepEqual(await f.settle(), []);
      assert.equal(f.datapath.flowCount(), 0);
    });

    contract('rewriting keeps checksums right, and what follows a clone sees the frame as it was', async (f) => {
      const nat = Uint32Array.of(W.NW_DST, 0x0a000063, 0xffffffff);
      const ports = Uint32Array.of(W.TP, 80, 0xffff);
      f.datapath.flowPut(...inPort(f.ports[0]), [
        {
          kind: 'clone',
          actions: [
            { kind: 'set', group: 'ipv4', words: nat },
            { kind: 'set', group: 'udp', words: ports },
            { kind: 'pushVlan', tpid: 0x8100, tci: 0x1064 },
            { kind: 'output', port: f.ports[1] },
          ],
        },
        { kind: 'output', port: f.ports[2] },
      ]);
      f.inject(f.ports[0], udpFrame);
      const sent = await f.settle();
      const changed = hex(`50540000000a 505400000009 8100 0064 0800
        45000020 00010000 40116669 0a000001 0a000063 03e80050000c2274 61626364 000000000000000000000000000000000000`);
      assert.deepEqual(sent, [
        { port: f.ports[1], frame: changed },
        { port: f.ports[2], frame: udpFrame },
      ]);
    });

    contract('recirculation looks the changed frame up again', async (f) => {
      f.datapath.flowPut(...inPort(f.ports[0]), [
        { kind: 'pushVlan', tpid: 0x8100, tci: 0x1064 },
        { kind: 'recirc', id: 7 },
      ]);
      const [key, mask] = inPort(f.ports[0]);
      key[W.RECIRC_ID] = 7;
      mask[W.RECIRC_ID] = 0xffffffff;
      key[W.VLAN0] = 0x81001064;
      mask[W.VLAN0] = 0xffffffff;
      f.datapath.flowDelete([...f.datapath.flows()][0]!.id);
      const [first, firstMask] = inPort(f.ports[0]);
      firstMask[W.RECIRC_ID] = 0xffffffff;
      f.datapath.flowPut(first, firstMask, [
        { kind: 'pushVlan', tpid: 0x8100, tci: 0x1064 },
        { kind: 'recirc', id: 7 },
      ]);
      f.datapath.flowPut(key, mask, [{ kind: 'popVlan' }, { kind: 'output', port: f.ports[1] }]);
      f.inject(f.ports[0], udpFrame);
      assert.deepEqual(await f.settle(), [{ port: f.ports[1], frame: udpFrame }]);
    });

    contract('userspace delivers the frame with its cookie; trunc cuts one output', async (f) => {
      const upcalls: Upcall[] = [];
      f.datapath.setUpcallSink((batch) => void upcalls.push(...batch));
      f.datapath.flowPut(...inPort(f.ports[0]), [
        { kind: 'userspace', cookie: { reason: 'controller', token: 42 } },
        { kind: 'trunc', maxLength: 60 },
        { kind: 'output', port: f.ports[1] },
        { kind: 'output', port: f.ports[2] },
      ]);
      f.inject(f.ports[0], udpFrame);
      assert.deepEqual(await f.settle(), [
        { port: f.ports[1], frame: udpFrame.slice(0, 60) },
        { port: f.ports[2], frame: udpFrame },
      ]);
      assert.equal(upcalls[0]?.kind, 'action');
      assert.deepEqual(upcalls[0]?.cookie, { reason: 'controller', token: 42 });
    });

    actionContracts(contract);

    contract('every drop has a reason', async (f) => {
      f.datapath.setUpcallSink(() => {});
      f.datapath.flowPut(...inPort(f.ports[0]), [{ kind: 'output', port: 999 }]);
      f.datapath.flowPut(...inPort(f.ports[1]), []);
      f.inject(f.ports[0], udpFrame);
      f.inject(f.ports[1], udpFrame);
      assert.deepEqual(await f.settle(), []);
      assert.equal(f.datapath.drops().get('no_port'), 1n);
      assert.equal(f.datapath.drops().get('action_drop'), 1n);
    });
  });
}
