// What two switches answered in one comparable form: parts of one multipart reply joined, rows of lists whose order is nobody's promise
// sorted, each message as hexadecimal with its print beside it.
import { printBytes } from '../../../src/openflow/text/message-print.ts';
import type { Heard } from './sides.ts';

/** Dummy devices of the two sides have addresses by when they were made, and bridges names of their own in continuations. */
const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/aa55aa55[0-9a-f]{4}/g, 'MMMMMMMMMMMM')
    .replace(/(000800[0-9a-f]{2}0000000080000014)[0-9a-f]{32}/g, '$1BRIDGE');

const FEATURES_REPLY = 6;
const QUEUE_CONFIG_REPLY = 23;
const FLOW = 1;
const PORT = 4;
const QUEUE = 5;
const GROUP = 6;
const GROUP_DESC = 7;
const METER = 9;
const METER_CONFIG = 10;
const PORT_DESC = 13;
const QUEUE_DESC = 15;
const MONITOR = 16;

/** Where the rows of a multipart body end, for lists in no order; undefined leaves the body alone. */
function rows(version: number, type: number, body: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const fixed: Record<number, number> = {
    [PORT]: version >= 5 ? 0 : version === 4 ? 112 : 104,
    [QUEUE]: version >= 5 ? 0 : version === 4 ? 40 : 32,
    [PORT_DESC]: version >= 5 ? 0 : version === 1 ? 48 : 64,
  };
  const lists = [QUEUE_DESC, FLOW, GROUP, GROUP_DESC, METER, METER_CONFIG, PORT, QUEUE, PORT_DESC, MONITOR];
  if (!lists.includes(type)) return undefined;
  const at16 = type === METER || type === PORT_DESC ? 4 : type === QUEUE_DESC ? 8 : 0;
  const found: Uint8Array[] = [];
  for (let at = 0; at + 4 <= body.length; ) {
    const size = fixed[type] || view.getUint16(at + at16);
    if (size < 4 || at + size > body.length) return undefined;
    found.push(body.subarray(at, at + size));
    at += size;
  }
  return found;
}

/** The bridge's own table, whose flows count the misses. */
const OWN_TABLE = 254;
const OWN_FLOWS = 4;

/** Packets, bytes and the time of the last in the rows of OpenFlow 1.5: OXS numbers 4, 5 and 1. */
const COUNTED = { packets: /(80020808)([0-9a-f]{16})/, bytes: /(80020a08)([0-9a-f]{16})/, idle: /(80020208)([0-9a-f]{16})/ };

/**
 * Rows of flows as text. Whether the reference counts a miss as one for controllers or as dropped depends on the order in which connections
 * of OpenFlow 1.3 and later opened, so that of table 254 the sum stands.
 */
function flowRows(version: number, isVendor: boolean, split: readonly Uint8Array[]): string[] {
  const at = version === 1 && !isVendor ? 72 : 32;
  const tableAt = version === 6 ? 4 : 2;
  let [packets, bytes, own] = [0n, 0n, 0];
  const texts = split.map((row) => {
    // Userdata in an action the reference fills up to eights of the message instead of the action, so that it cannot read that itself.
    if (version === 1 && !isVendor && hex(row).includes('000023200025')) return `with userdata: ${hex(row.subarray(2, at + 16))}`;
    if (row[tableAt] !== OWN_TABLE || row.length < at + 16) return hex(row);
    own++;
    if (version === 6) {
      const text = hex(row);
      packets += BigInt(`0x${COUNTED.packets.exec(text)?.[2] ?? '0'}`);
      bytes += BigInt(`0x${COUNTED.bytes.exec(text)?.[2] ?? '0'}`);
      return Object.values(COUNTED).reduce((rest, pattern) => rest.replace(pattern, '$1-'), text);
    }
    const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
    packets += view.getBigUint64(at);
    bytes += view.getBigUint64(at + 8);
    const blank = row.slice().fill(0, at, at + 16);
    // Nicira's form tells when the last packet came.
    if (isVendor) blank.fill(0, 20, 24);
    return hex(blank);
  });
  return own === OWN_FLOWS ? [...texts, `missed: ${packets} packets, ${bytes} bytes`] : texts;
}

interface Said {
  /** Head and rows as hexadecimal. */
  text: string;
  bytes: Uint8Array;
}

const NX_VENDOR = 0x2320;
const ONF_VENDOR = 0x4f4e4600;
/** Vendor statistics by what they are in later versions. */
const VENDOR_TYPES: Readonly<Record<number, number>> = { 0: FLOW, 2: MONITOR, 7: GROUP, 8: GROUP_DESC, 1870: MONITOR };

/**
 * The messages of one step in comparable form. Asynchronous ones in a row are sorted: their order is nobody's promise. One is known to differ: of
 * `ct(table=1),controller` the reference's user space tells what table 1 sends before what the list sends, for each frame. So does ours from the
 * second frame on; the first has no flow behind the recirculation yet, which the control plane makes while the frame path goes on without it, as
 * a kernel does.
 */
export function comparable(heard: Heard): { lines: string[]; prints: string[] } {
  const said: Said[] = [];
  const multipart = new Map<string, { head: string; parts: Uint8Array[]; version: number; type: number; more: boolean; at: number }>();
  for (const bytes of heard.messages) {
    const version = bytes[0] ?? 0;
    if (bytes[1] === FEATURES_REPLY && version < 4) {
      // Its ports are in no order.
      const ports = Array.from({ length: Math.floor((bytes.length - 32) / (version === 1 ? 48 : 64)) }, (_, i) =>
        hex(bytes.subarray(32 + i * (version === 1 ? 48 : 64), 32 + (i + 1) * (version === 1 ? 48 : 64))),
      );
      said.push({ text: `${hex(bytes.subarray(0, 32))}\n${ports.sort().join('\n')}`, bytes });
      continue;
    }
    if (bytes[1] === QUEUE_CONFIG_REPLY && (version === 3 || version === 4)) {
      const queues = rows(version, QUEUE_DESC, bytes.subarray(16)) ?? [];
      said.push({ text: `${hex(bytes.subarray(0, 16))}\n${queues.map(hex).sort().join('\n')}`, bytes });
      continue;
    }
    const isMultipart = bytes[1] === (version === 1 ? 17 : 19);
    if (!isMultipart || bytes.length < 12) {
      said.push({ text: hex(bytes), bytes });
      continue;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let type = view.getUint16(8);
    let start = version === 1 ? 12 : 16;
    let label = `${type}`;
    if (type === 0xffff && bytes.length >= start + 8) {
      const vendor = view.getUint32(start);
      const subtype = view.getUint32(start + 4);
      label = `${vendor.toString(16)}/${subtype}`;
      if (vendor === NX_VENDOR || vendor === ONF_VENDOR) type = VENDOR_TYPES[subtype] ?? -1;
      start += vendor === NX_VENDOR && version === 1 ? 12 : 8;
    }
    const key = `${view.getUint32(4)}/${label}`;
    const known = multipart.get(key);
    const more = (view.getUint16(10) & 1) !== 0;
    // What monitors tell by themselves comes in one message or several.
    if (known?.more || (known !== undefined && type === MONITOR && view.getUint32(4) === 0)) {
      known.parts.push(bytes.subarray(start));
      known.more = more;
    } else {
      multipart.set(key, {
        head: `${version}/${bytes[1]}/xid=${view.getUint32(4).toString(16)}/${label}/flags=${view.getUint16(10) & ~1}`,
        parts: [bytes.subarray(start)],
        version,
        type,
        more,
        at: said.push({ text: '', bytes }) - 1,
      });
    }
  }
  for (const { head, parts, version, type, more, at } of multipart.values()) {
    const body = Buffer.concat(parts);
    const split = rows(version, type, body);
    const last = said[at];
    if (last === undefined) continue;
    const texts = split === undefined ? [hex(body)] : type === FLOW ? flowRows(version, head.includes('/2320/'), split) : split.map(hex);
    last.text = `${head}${more ? '/unfinished' : ''}\n${texts.sort().join('\n')}`;
  }
  // Asynchronous messages (flow removed, packet-in, port status) have xid 0.
  const isAsync = ({ bytes }: Said): boolean => bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] === 0;
  const sorted = [...said.filter((one) => !isAsync(one)), ...said.filter(isAsync).sort((a, b) => (a.text < b.text ? -1 : 1))];
  return {
    lines: [...sorted.map(({ text }) => text), ...(heard.isClosed ? ['closed'] : [])],
    prints: sorted.map(({ bytes }) => printBytes(bytes, { verbosity: 1 })),
  };
}
