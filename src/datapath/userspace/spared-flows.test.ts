import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKey, W } from '../../flow/key.ts';
import { newPacket } from '../../netdev/packet.ts';
import type { DpAction, FlowId, Upcall } from '../datapath.ts';
import type { Command } from './command.ts';
import { UserspaceControl } from './control.ts';
import { sharedState } from './shared-state.ts';
import { UpcallQueue } from './upcall-queue.ts';

/** Notes what the frame path is told. */
class Noted extends UserspaceControl {
  readonly told: string[] = [];
  isCarried = true;

  constructor() {
    super('system', 'noted', sharedState(), new UpcallQueue(1 << 16));
  }

  /** A frame has missed; gives what `sink` makes of it. */
  miss(destination: number, recirc: number, sink: (upcall: Upcall) => FlowId): FlowId {
    const key = newKey();
    key[W.IN_PORT] = 1;
    key[W.NW_DST] = destination;
    key[W.RECIRC_ID] = recirc;
    const packet = newPacket();
    packet.point(packet.bytes, 0, 128, 60);
    assert.ok(this.upcalls.put('miss', packet, key, undefined));
    let id = 0;
    this.setUpcallSink((upcalls) => {
      for (const upcall of upcalls) id = sink(upcall);
    });
    this.deliverUpcalls();
    return id;
  }

  protected command(command: Command): void {
    if (command.op === 'flowPut') this.told.push(`put ${command.words.join()} ${command.actions.length}`);
    else if (command.op !== 'upcallsDone') this.told.push(command.op);
  }

  protected override flowBooked(): boolean {
    return this.isCarried;
  }

  protected async openPort(): Promise<void> {}

  protected async closePort(): Promise<void> {}

  async close(): Promise<void> {}

  conntrack(): never {
    throw new Error('there is none');
  }
}

const mask = newKey();
mask[W.IN_PORT] = 0xffffffff;
mask[W.NW_DST] = 0xffffffff;
mask[W.RECIRC_ID] = 0xffffffff;
const one: DpAction[] = [{ kind: 'output', port: 2 }];
const two: DpAction[] = [...one, { kind: 'output', port: 3 }];

test('the frame path is spared flows that are carried elsewhere until a frame of theirs comes all the same', () => {
  const datapath = new Noted();
  const put = ({ key }: Upcall): FlowId => datapath.flowPut(key, mask, one, key);
  const told = (): string[] => datapath.told.splice(0);

  const spared = datapath.miss(5, 0, put);
  const other = datapath.miss(6, 0, put);
  datapath.flowModify(spared, two);
  datapath.flowDelete(other);
  assert.deepEqual(told(), []);
  assert.equal(datapath.flowCount(), 1);

  // It gets the flow as it is now, once.
  datapath.flowToUserspace(spared);
  datapath.flowToUserspace(spared);
  datapath.flowToUserspace(other);
  assert.deepEqual(told(), ['put 1,5,0 2']);
  datapath.flowModify(spared, one);
  datapath.flowDelete(spared);
  assert.deepEqual(told(), ['flowModify', 'flowDelete']);

  // Flows of frames that come again, that nobody carries, or that no miss brought: at once.
  datapath.miss(7, 1, put);
  datapath.isCarried = false;
  datapath.miss(8, 0, put);
  datapath.isCarried = true;
  const key = newKey();
  key[W.NW_DST] = 9;
  const asked = datapath.flowPut(key, mask, one);
  assert.deepEqual(told(), ['put 1,7,1 1', 'put 1,8,0 1', 'put 0,9,0 1']);

  // One that takes another's match, too: the frame path may have that.
  datapath.miss(5, 0, put);
  const again = datapath.miss(5, 0, put);
  assert.deepEqual(told(), ['put 1,5,0 1']);
  datapath.flowDelete(again);
  datapath.flowDelete(asked);
  assert.deepEqual(told(), ['flowDelete', 'flowDelete']);
  assert.equal(datapath.lookupStats().masks, 1);
});
