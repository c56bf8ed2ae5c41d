// Requests of every kind as bytes, with numbers from so small a space that they meet: the same few flows, groups, meters, tables and
// ports are added, changed, looked at and taken away again. Some are spoilt.
import { ConfigError, PeerError } from '../../../src/base/errors.ts';
import { matchAll } from '../../../src/flow/key.ts';
import { encodeMessage } from '../../../src/openflow/codec/codec.ts';
import { OFPG } from '../../../src/openflow/group.ts';
import type { Message, OfVersion } from '../../../src/openflow/message.ts';
import { parseFlow } from '../../../src/openflow/text/flow-text.ts';
import { anyMessage, HEADS } from '../messages.ts';
import type { Dice } from '../random.ts';
import { wireMessage } from '../sections.ts';
import { flowMod, group, groupMod, MATCHES, meter, meterMod, packetOut, port } from './changes.ts';

const ANY_PORT = 0xffff;
/** Stands for the address of the port that is meant, which each side has its own of. */
export const PORT_MAC: readonly [number, number] = [0x0213, 0x57acf1d9];

const flowRequest = (d: Dice) => ({
  match: d.chance(1, 2) ? matchAll() : parseFlow(d.pick(MATCHES.filter((one) => one !== '')), 'delete').match,
  table: d.pick([0, 1, 255, 255, 255, 254, 253]),
  outPort: d.chance(3, 4) ? ANY_PORT : port(d),
  outGroup: d.chance(3, 4) ? OFPG.ANY : group(d),
  cookie: BigInt(d.below(3)),
  cookieMask: d.chance(3, 4) ? 0n : 0xffffffffffffffffn,
});

type Make = (d: Dice, version: OfVersion) => Message;

const monitorRequest: Make = (d) => ({
  kind: 'flowMonitorRequest',
  requests: Array.from({ length: d.chance(3, 4) ? 1 : d.below(4) }, () => ({
    id: d.below(4),
    flags: d.chance(1, 8) ? d.below(128) : d.below(64),
    outPort: d.chance(3, 4) ? ANY_PORT : port(d),
    outGroup: d.chance(3, 4) ? OFPG.ANY : group(d),
    table: d.pick([255, 255, 0, 1, 254]),
    command: d.pick(['add', 'add', 'modify', 'delete'] as const),
    match: d.chance(2, 3) ? matchAll() : parseFlow(d.pick(MATCHES.filter((one) => one !== '')), 'delete').match,
  })),
});

/** Requests with how often each is drawn. */
const MAKERS: readonly (readonly [number, Make])[] = [
  [30, flowMod],
  [14, groupMod],
  [8, meterMod],
  [6, packetOut],
  [4, (d) => ({ kind: 'flowStatsRequest', request: flowRequest(d) })],
  [2, (d) => ({ kind: 'flowStatsRequest', request: { ...flowRequest(d), match: matchAll(), table: 254 } })],
  // The bridge's own flows count misses: see `flowRows`.
  [2, (d) => ({ kind: 'aggregateRequest', request: { ...flowRequest(d), table: d.pick([0, 1, 255, 253]) } })],
  [2, (d) => ({ kind: 'groupStatsRequest', group: group(d) })],
  [2, (d) => ({ kind: 'groupDescRequest', group: group(d) })],
  [1, () => ({ kind: 'groupFeaturesRequest' })],
  [2, (d) => ({ kind: 'meterStatsRequest', meter: meter(d) })],
  [2, (d) => ({ kind: 'meterConfigRequest', meter: meter(d) })],
  [1, () => ({ kind: 'meterFeaturesRequest' })],
  [2, () => ({ kind: 'tableStatsRequest' })],
  [1, () => ({ kind: 'tableDescRequest' })],
  [1, () => ({ kind: 'descRequest' })],
  [1, (d) => ({ kind: 'portStatsRequest', port: port(d) })],
  [1, (d) => ({ kind: 'portDescRequest', port: port(d) })],
  [2, (d) => ({ kind: 'queueStatsRequest', port: port(d), queue: d.pick([0, 1, 0xffffffff]) })],
  [2, (d) => ({ kind: 'queueConfigRequest', port: port(d), queue: d.pick([0, 1, 0xffffffff]) })],
  [1, () => ({ kind: 'featuresRequest' })],
  [1, () => ({ kind: 'getConfigRequest' })],
  [2, (d) => ({ kind: 'setConfig', flags: d.pick([0, 1, 2, 3, 4, 8, 0xffff]), missSendLength: d.pick([0, 64, 128, 0xffff]) })],
  [1, () => ({ kind: 'barrierRequest' })],
  [1, (d) => ({ kind: 'echoRequest', data: d.bytes(d.below(9)) })],
  [
    3,
    (d) => ({
      kind: 'portMod',
      port: port(d),
      mac: d.chance(1, 8) ? [0, 1] : PORT_MAC,
      config: d.u32() & 0x7f,
      mask: d.pick([0x7f, 1, 0x20, 0x10, 0xffffffff, 0]),
      advertise: d.chance(3, 4) ? 0 : d.u32() & 0xff,
    }),
  ],
  [
    4,
    (d, version) => {
      const table = d.pick([0, 1, 2, 253, 254, 255]);
      if (version < 5 || d.chance(1, 4)) return { kind: 'tableMod', table, missConfig: d.below(5) };
      const evicts = d.chance(1, 2);
      const tells = d.chance(1, 2);
      return {
        kind: 'tableMod',
        table,
        missConfig: 0,
        settings: {
          ...(d.chance(3, 4) ? { evicts, evictionFlags: d.below(9) } : {}),
          ...(d.chance(3, 4) ? { tellsVacancy: tells, vacancy: { down: d.below(103), up: d.below(103), now: d.below(3) } } : {}),
        },
      };
    },
  ],
  [
    2,
    (d) => ({
      kind: 'roleRequest',
      role: d.pick(['nochange', 'equal', 'equal', 'primary', 'secondary'] as const),
      generationId: d.chance(1, 4) ? undefined : BigInt(d.below(5)),
    }),
  ],
  [1, () => ({ kind: 'getAsyncRequest' })],
  [
    2,
    (d, version) => {
      const names = ['packetIn', 'portStatus', 'flowRemoved', ...(version >= 5 ? ['roleStatus', 'tableStatus', 'requestForward'] : [])];
      const masks = new Map<string, number>();
      for (const name of names)
        for (const role of ['primary', 'secondary'])
          if (version < 5 || d.chance(2, 3)) masks.set(`${name}.${role}`, d.chance(1, 8) ? d.u32() & 0xff : d.below(64));
      return { kind: 'setAsync', masks };
    },
  ],
  [1, (d) => ({ kind: 'setPacketInFormat', format: d.below(4) })],
  [1, (d) => ({ kind: 'setFlowFormat', format: d.below(3) })],
  [1, (d) => ({ kind: 'flowModTableId', enabled: d.chance(1, 2) })],
  [1, (d) => ({ kind: 'setControllerId', controllerId: d.below(3) })],
  [
    2,
    (d) => ({
      kind: 'tlvTableMod',
      command: d.pick(['add', 'add', 'delete', 'clear'] as const),
      maps: d.some(3, () => ({
        optionClass: d.below(2),
        optionType: d.below(3),
        size: d.pick([4, 8, 124, 5, 128]),
        field: d.pick([0, 1, 2, 63, 64]),
      })),
    }),
  ],
  [1, () => ({ kind: 'tlvTableRequest' })],
  [3, monitorRequest],
  [1, (d) => ({ kind: 'flowMonitorCancel', id: d.below(4) })],
  [1, (d) => ({ kind: 'ctFlushZone', zone: d.below(4) })],
  // Of ICMP the reference does not survive one that names more than addresses.
  [
    1,
    (d) => ({
      kind: 'ctFlush',
      proto: d.pick([0, 6, 17]),
      zone: d.chance(1, 2) ? undefined : d.below(4),
      original: d.chance(1, 2) ? {} : { src: MAPPED, dst: MAPPED, srcPort: d.below(3), dstPort: d.below(3) },
      reply: d.chance(3, 4) ? {} : { src: MAPPED },
    }),
  ],
  [1, (d) => ({ kind: d.pick(['ipfixBridgeRequest', 'ipfixFlowRequest'] as const) })],
  [1, (d) => ({ kind: 'setFlowFormat', format: d.below(3) })],
  // One by one, so that several are open at a time, on both connections and over other requests.
  [2, (d) => ({ kind: 'bundleControl', bundleId: d.below(3), type: d.pick([0, 0, 2, 4, 6] as const), flags: d.pick([0, 1, 2, 3]) })],
];

/** 10.0.0.2 inside IPv6. */
const MAPPED = Uint8Array.from(Buffer.from('00000000000000000000ffff0a000002', 'hex'));

/** A message alone for a bundle that may be open, or not. */
function bundleAdd(d: Dice, version: OfVersion, xid: number): Uint8Array {
  const inner = plainRequest(d, version, xid, d.pick([flowMod, groupMod, packetOut]));
  return encodeMessage(version, xid, { kind: 'bundleAdd', bundleId: d.below(3), flags: d.pick([0, 1, 2, 3]), inner });
}

const ofVersion = new Map<OfVersion, number[]>();

/** The rows of the table of messages that a version has. */
function rowsOf(version: OfVersion): number[] {
  let rows = ofVersion.get(version);
  if (rows === undefined) {
    rows = HEADS.flatMap((head, i) => (head.version === version ? [i] : []));
    ofVersion.set(version, rows);
  }
  return rows;
}

/** A message of any row, what only a switch says included, with a body of its kind. */
function anyRow(d: Dice, version: OfVersion, xid: number): Uint8Array {
  const { bytes } = anyMessage(d, d.pick(rowsOf(version)));
  new DataView(bytes.buffer).setUint32(4, xid);
  return bytes;
}

/** A message of any row with nothing in it, or of a length that it cannot have. */
function bare(d: Dice, version: OfVersion, xid: number): Uint8Array {
  const { form, head } = HEADS[d.pick(rowsOf(version))]!;
  const size = Math.max(8, form.minSize + d.pick([0, 0, form.step, 8, -8, -4, 4, 1, -1]));
  const bytes = new Uint8Array(size);
  bytes.set(head.subarray(0, size));
  const view = new DataView(bytes.buffer);
  view.setUint16(2, size);
  view.setUint32(4, xid);
  return bytes;
}

/** Types, statistics, vendors and vendors' messages that there are not. */
function unknown(d: Dice, version: OfVersion, xid: number): Uint8Array {
  const multipart = version === 1 ? 16 : 18;
  const bytes = new Uint8Array(8 + 4 * d.below(6));
  const view = new DataView(bytes.buffer);
  bytes.set([version, d.pick([4, 4, multipart, multipart, multipart + 1, d.below(256)])]);
  view.setUint16(2, bytes.length);
  view.setUint32(4, xid);
  const vendor = d.pick([0x2320, 0x2320, 0x4f4e4600, 0, 0x154d, 0x5ad650]);
  if (bytes[1] === 4) {
    if (bytes.length >= 12) view.setUint32(8, vendor);
    if (bytes.length >= 16) view.setUint32(12, d.below(40));
  } else if (bytes.length >= 12) {
    view.setUint16(8, d.chance(1, 2) ? 0xffff : d.below(24));
    view.setUint16(10, d.below(2));
    const at = version === 1 ? 12 : 16;
    if (bytes.length >= at + 8) view.setUint32(at + 4, d.below(20));
    if (bytes.length >= at + 4) view.setUint32(at, vendor);
  }
  return bytes;
}

/** A multipart request in parts, which may lack the last, or have one of another kind. */
function inParts(d: Dice, version: OfVersion, xid: number): Uint8Array[] {
  const request = (): Uint8Array => plainRequest(d, version, xid, d.pick([monitorRequest, draw(d)]));
  let whole = request();
  for (let tries = 0; whole[1] !== 18 && tries < 50; tries++) whole = request();
  const parts: Uint8Array[] = [];
  let rest = whole.subarray(16);
  for (let more = d.below(4); more >= 0; more--) {
    const size = more === 0 ? rest.length : d.pick([0, rest.length, Math.min(rest.length, 8 * d.below(6))]);
    const part = new Uint8Array(16 + size);
    part.set(whole.subarray(0, 16));
    part.set(rest.subarray(0, size), 16);
    rest = rest.subarray(size);
    const view = new DataView(part.buffer);
    view.setUint16(2, part.length);
    view.setUint16(10, more > 0 || d.chance(1, 12) ? 1 : 0);
    if (d.chance(1, 25)) view.setUint16(8, d.pick([1, 9, 12, 16]));
    parts.push(part);
  }
  return parts;
}

const TOTAL = MAKERS.reduce((sum, [weight]) => sum + weight, 0);

function draw(d: Dice): Make {
  let at = d.below(TOTAL);
  for (const [weight, make] of MAKERS) {
    if (at < weight) return make;
    at -= weight;
  }
  return flowMod;
}

/** Changes some bytes behind the header, now and then the length, which the header follows. */
function spoilt(d: Dice, bytes: Uint8Array): Uint8Array {
  let made = bytes.slice();
  if (d.chance(1, 4)) {
    const size = Math.max(8, bytes.length + d.pick([-8, -4, -1, 1, 4, 8, 16]));
    made = new Uint8Array(size);
    made.set(bytes.subarray(0, size));
    new DataView(made.buffer).setUint16(2, size);
  }
  for (let i = d.below(3); i > 0 && made.length > 8; i--) {
    const at = 8 + d.below(made.length - 8);
    made[at] = d.pick([0, 1, 0xff, made[at]! ^ (1 << d.below(8)), d.u32() & 0xff]);
  }
  return made;
}

/** A request as a message of a version; draws again until one can be said in it. */
export function plainRequest(d: Dice, version: OfVersion, xid: number, make?: Make): Uint8Array {
  for (;;) {
    try {
      return encodeMessage(version, xid, (make ?? draw(d))(d, version), { nxFlows: version === 1 ? d.chance(1, 2) : false });
    } catch (error) {
      if (!(error instanceof PeerError) && !(error instanceof ConfigError)) throw error;
    }
  }
}

/** A bundle from its opening to its end, with faults now and then at every place. */
function bundle(d: Dice, version: OfVersion, xid: number): Uint8Array[] {
  const bundleId = d.below(3);
  const flags = d.pick([0, 1, 2, 3, 3, 4]);
  const control = (type: number, more = 0): Uint8Array =>
    encodeMessage(version, xid, { kind: 'bundleControl', bundleId, type: type as 0, flags: flags ^ more });
  const out: Uint8Array[] = [];
  if (!d.chance(1, 12)) out.push(control(0));
  for (let i = d.below(5); i > 0; i--) {
    let inner: Uint8Array | undefined;
    for (let tries = 0; inner === undefined && tries < 20; tries++) {
      try {
        const make = d.pick([flowMod, flowMod, flowMod, groupMod, packetOut, d.chance(1, 6) ? draw(d) : flowMod]);
        inner = encodeMessage(
          d.chance(1, 30) ? (((version % 6) + 1) as OfVersion) : version,
          d.chance(1, 30) ? xid + 9 : xid,
          make(d, version),
        );
      } catch (error) {
        if (!(error instanceof PeerError) && !(error instanceof ConfigError)) throw error;
      }
    }
    if (inner === undefined) continue;
    if (d.chance(1, 15)) inner = spoilt(d, inner);
    out.push(encodeMessage(version, xid, { kind: 'bundleAdd', bundleId, flags: flags ^ (d.chance(1, 20) ? 1 : 0), inner }));
  }
  if (d.chance(1, 4)) out.push(control(2));
  out.push(control(d.pick([4, 4, 4, 6, 0, 2, 1, 8]), d.chance(1, 20) ? 1 : 0));
  return out;
}

/** One or more messages of one transaction. */
export function requests(d: Dice, version: OfVersion, xid: number, faults: number): Uint8Array[] {
  if (version >= 4 && d.chance(1, 12)) return bundle(d, version, xid);
  if (version >= 4 && d.chance(1, 40)) return [bundleAdd(d, version, xid)];
  if (version >= 4 && d.chance(1, 40)) return inParts(d, version, xid);
  if (d.chance(faults, 20)) return [d.pick([anyRow, anyRow, anyRow, bare, unknown])(d, version, xid)];
  if (d.chance(faults, 30)) {
    const bytes = Uint8Array.from(Buffer.from(wireMessage(d), 'hex'));
    const view = new DataView(bytes.buffer);
    if (!d.chance(1, 20)) bytes[0] = version;
    view.setUint32(4, xid);
    view.setUint16(2, bytes.length);
    return [bytes];
  }
  const bytes = plainRequest(d, version, xid);
  return [d.chance(faults, 6) ? spoilt(d, bytes) : bytes];
}
