// Whole peers in this process and what hostile ones say to them: controllers to a switch that forwards hostile frames meanwhile, switches to a controller.
import { VirtualClock } from '../../src/base/clock.ts';
import { ConfigError, PeerError } from '../../src/base/errors.ts';
import { type Stream, streamPair } from '../../src/base/stream.ts';
import type { App } from '../../src/controller/app.ts';
import { createController } from '../../src/controller/controller.ts';
import { learning } from '../../src/controller/learning.ts';
import { type DummyDatapath, openDummyDatapath } from '../../src/datapath/userspace/dummy.ts';
import { Framing } from '../../src/openflow/channel/framing.ts';
import { encodeMessage } from '../../src/openflow/codec/codec.ts';
import type { OfVersion } from '../../src/openflow/message.ts';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import type { Bridge } from '../../src/switch/bridge.ts';
import { FakeNetwork } from '../../src/switch/core-fixture.ts';
import { Host } from '../../src/switch/host.ts';
import { actionsText, flowText } from '../compare/flow-lines.ts';
import { anyMessage, damagedMessage, HEADS } from '../compare/messages.ts';
import type { Dice } from '../compare/random.ts';
import { anyFrame, harm } from './frame-maker.ts';
import type { Target } from './runner.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const hello = (version: number): Uint8Array => Uint8Array.of(version, 0, 0, 8, 0, 0, 0, 1);

/** Rows of each version. */
const ROWS: readonly (readonly number[])[] = [0, 1, 2, 3, 4, 5, 6].map((version) =>
  HEADS.flatMap((head, index) => (head.version === version ? [index] : [])),
);

interface Site {
  clock: VirtualClock;
  network: FakeNetwork;
  host: Host;
  bridge: Bridge;
  datapath: DummyDatapath;
  ports: number[];
  runs: number;
}
let site: Promise<Site> | undefined;

async function openSite(): Promise<Site> {
  const clock = new VirtualClock();
  const network = new FakeNetwork(clock);
  const datapath = openDummyDatapath(clock);
  datapath.setSentSink(() => {});
  const host = new Host({ ...network.environment, openDatapath: () => datapath });
  const bridge = host.bridgeAdd('br0', 'dummy');
  bridge.configure({ ...bridge.core.settings, versions: [1, 2, 3, 4, 5, 6] });
  await bridge.listen();
  const ports: number[] = [];
  for (const name of ['p1', 'p2', 'p3']) {
    const number = await bridge.portAdd({ name, port: { kind: 'dummy' }, ofportRequest: undefined });
    const dpPort = bridge.core.ports.get(number)?.dpPort;
    if (dpPort !== undefined) ports.push(dpPort);
    bridge.bundleSet({
      name,
      members: [number],
      vlanMode: 'trunk',
      vlan: -1,
      trunks: [],
      cvlans: [],
      qinqEthertype: 0x8100,
      priorityTags: 'never',
      protectedPort: false,
    });
  }
  await turn();
  return { clock, network, host, bridge, datapath, ports, runs: 0 };
}

const PLACES = [
  '',
  'ip,',
  'ipv6,',
  'tcp,',
  'udp,',
  'in_port=1,',
  'arp,',
  'mpls,',
  'ct_state=+trk,',
  'dl_type=0x894f,',
  'icmp6,',
  'vlan_tci=0x1000/0x1000,',
];

/** A flow that frames meet, a flow of any kind, or a message of any row, each sound or spoilt. */
function request(d: Dice, version: OfVersion): Uint8Array {
  if (d.chance(1, 2)) {
    const text = d.chance(2, 3) ? `${d.pick(PLACES)}table=${d.below(3)},actions=${actionsText(d)}` : flowText(d, 1);
    try {
      const bytes = encodeMessage(version, d.below(1000), parseFlow(text, d.pick(['add', 'add', 'add', 'modify', 'delete'])), {
        nxFlows: version === 1,
      });
      return d.chance(1, 4) ? harm(d, bytes) : bytes;
    } catch (error) {
      if (!(error instanceof PeerError) && !(error instanceof ConfigError)) throw error;
    }
  }
  const index = d.pick(ROWS[version]!);
  return (d.chance(1, 4) ? damagedMessage(d, index) : anyMessage(d, index)).bytes;
}

const NX_TYPE = 0x2320;
const [SET_PACKET_IN_FORMAT, RESUME, PACKET_IN2] = [16, 28, 30];

function nicira(version: number, subtype: number, value: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  bytes.set([version, 4, 0, 20]);
  view.setUint32(8, NX_TYPE);
  view.setUint32(12, subtype);
  view.setUint32(16, value);
  return bytes;
}

/** A controller that says anything, and gives back what waited with it, changed or not. */
async function switchTarget(d: Dice): Promise<void> {
  site ??= openSite();
  const now = await site;
  if (++now.runs % 300 === 0) site = undefined;
  const version = d.pick([1, 2, 3, 4, 5, 6] as const);
  const stream = now.network.dial('punix:/run/br0.mgmt');
  const framing = new Framing();
  let isOpen = true;
  let resumed = 0;
  stream.start({
    onData: (bytes) =>
      framing.push(bytes, (message) => {
        const view = new DataView(message.buffer, message.byteOffset, message.length);
        if (message[1] !== 4 || message.length < 16 || view.getUint32(8) !== NX_TYPE || view.getUint32(12) !== PACKET_IN2 || resumed++ > 3)
          return;
        const back = message.slice();
        new DataView(back.buffer).setUint32(12, RESUME);
        stream.write(framed(d, d.chance(1, 2) ? back : harm(d, back)));
      }),
    onClose: () => {
      isOpen = false;
    },
  });
  stream.write(hello(version));
  if (d.chance(2, 3)) stream.write(nicira(version, SET_PACKET_IN_FORMAT, d.pick([0, 1, 2, 2, 2, 3])));
  for (let i = 1 + d.below(5); i > 0 && isOpen; i--) {
    const bytes = request(d, version);
    stream.write(framed(d, bytes));
    if (d.chance(1, 3)) await turn();
    for (let n = d.below(3); n > 0; n--) now.datapath.receive(d.pick(now.ports), anyFrame(d));
  }
  await turn();
  if (d.chance(1, 10)) now.clock.advance(d.pick([1, 100, 1100, 5000, 70_000]));
  stream.close();
  await turn();
}

/** With the length that it has, mostly: another is the end of the connection. */
function framed(d: Dice, bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 8 && !d.chance(1, 30)) new DataView(bytes.buffer, bytes.byteOffset).setUint16(2, bytes.length);
  return bytes;
}

/** A switch that says anything to a controller with an app. */
async function controllerTarget(d: Dice): Promise<void> {
  const clock = new VirtualClock();
  let accept: ((stream: Stream) => void) | undefined;
  let fault: unknown;
  const app = learning();
  const watched: App = {
    name: 'watched',
    onPacketIn: async (sw, event) => {
      try {
        await app.onPacketIn?.(sw, event);
      } catch (error) {
        fault ??= error;
      }
    },
  };
  const controller = await createController(
    {
      listen: 'ptcp:6653',
      versions: [1, 2, 3, 4, 5, 6],
      environment: {
        clock,
        connect: () => Promise.reject(new PeerError('refused', 'nobody there')),
        listen: (name, onStream) => {
          accept = onStream;
          return Promise.resolve({ name, boundPort: 6653, close: () => {} });
        },
      },
    },
    watched,
  );
  const [ours, theirs] = streamPair('tcp:127.0.0.1:40000');
  accept?.(theirs);
  const version = d.pick([1, 3, 4, 5, 6] as const);
  const framing = new Framing();
  let isOpen = true;
  const base = { buffers: 0, tables: 254, auxiliaryId: 0, capabilities: 0, actions: 0 };
  ours.start({
    onData: (bytes) =>
      framing.push(bytes, (message) => {
        const xid = new DataView(message.buffer, message.byteOffset).getUint32(4);
        const isDamaged = d.chance(1, 6);
        let reply: Uint8Array | undefined;
        if (message[1] === 5)
          reply = encodeMessage(version, xid, { kind: 'featuresReply', datapathId: 7n, ...base, ...(version < 4 ? { ports: [] } : {}) });
        else if (message[1] === 18) reply = encodeMessage(version, xid, { kind: 'portDescReply', ports: [], more: d.chance(1, 8) });
        if (reply !== undefined) ours.write(framed(d, isDamaged ? harm(d, reply) : reply));
      }),
    onClose: () => {
      isOpen = false;
    },
  });
  ours.write(d.chance(1, 20) ? harm(d, hello(version)) : hello(version));
  await turn();
  await turn();
  for (let i = 1 + d.below(4); i > 0 && isOpen; i--) {
    const index = d.pick(ROWS[version]!);
    const bytes = (d.chance(1, 3) ? damagedMessage(d, index) : anyMessage(d, index)).bytes;
    if (d.chance(1, 2) && bytes.length >= 8) new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, 1 + d.below(6));
    ours.write(framed(d, bytes));
    if (d.chance(1, 3)) await turn();
  }
  await turn();
  if (d.chance(1, 10)) clock.advance(6000);
  controller.close();
  ours.close();
  await turn();
  if (fault !== undefined) throw fault;
}

export const PEER_TARGETS: Readonly<Record<string, Target>> = { switch: switchTarget, controller: controllerTarget };
