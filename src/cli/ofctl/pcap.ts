// pcap files (classic format, Ethernet or Linux cooked) and what ovs-ofctl makes of them: parse-pcap, and ofp-parse-pcap, which puts the
// TCP streams in them together and prints the OpenFlow messages that they hold.
import { closeSync, openSync, readFileSync } from 'node:fs';
import { strerror, systemErrno } from '../../base/errno.ts';
import { logger } from '../../base/log.ts';
import { extractKey, layoutL3, layoutL4 } from '../../flow/extract.ts';
import { type Key, newKey, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { printBytes } from '../../openflow/text/message-print.ts';
import { keyMatch } from '../../openflow/text/packet-text.ts';
import { print } from './output.ts';

const log = logger('pcap');

const MAGIC = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const HEADER_SIZE = 24;
const RECORD_SIZE = 16;
const ETHERNET = 1;
const LINUX_COOKED = 113;
const MAX_FRAME = 65535;
const SNAP_LENGTH = 1518;
const EPROTO = 71;
/** What the reference ends with where a file is too short to be one. */
const END_OF_FILE = 255;
const NO_PORT = 0xffff;
const OPENFLOW_PORTS = [6653, 6633];

/** A file that cannot be read: said already, the exit code remains. */
class PcapFault extends Error {
  readonly code: number;
  constructor(code: number) {
    super('pcap');
    this.code = code;
  }
}

interface PcapFrame {
  frame: Uint8Array;
  timeMs: number;
}

function openFault(path: string, code: number, text: string): never {
  process.stderr.write(`ovs-ofctl: ${path}: open failed (${text})\n`);
  throw new PcapFault(code);
}

/** What `run` gives; where the system refuses it, `text` is logged with the system's words for its `%`. Throws PcapFault. */
function attempt<T>(path: string, text: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const errno = systemErrno(error);
    log.warn(text.replace('%', strerror(errno)));
    return openFault(path, errno, strerror(errno));
  }
}

/** Cooked frames as if they were Ethernet's: without a destination. */
function uncooked(bytes: Buffer): Uint8Array {
  if (bytes.length < 16) return bytes;
  const frame = new Uint8Array(bytes.length - 2);
  frame.set(bytes.subarray(6, 12), 6);
  frame.set(bytes.subarray(14), 12);
  return frame;
}

/** Frames of a file; what is cut off at its end is told in the log. Throws PcapFault. */
function* readPcap(path: string): Generator<PcapFrame> {
  const fd = attempt(path, `${path}: failed to open pcap file for reading (%)`, () => openSync(path, 'r'));
  let bytes: Buffer;
  try {
    bytes = attempt(path, 'failed to read pcap header: %', () => readFileSync(fd));
  } finally {
    closeSync(fd);
  }
  if (bytes.length < HEADER_SIZE) {
    log.warn('failed to read pcap header: End of file');
    return openFault(path, END_OF_FILE, 'End of file');
  }
  const magic = bytes.readUInt32LE(0);
  const isBig = [MAGIC, MAGIC_NANOSECONDS].includes(bytes.readUInt32BE(0));
  if (!isBig && magic !== MAGIC && magic !== MAGIC_NANOSECONDS) {
    log.warn(
      `bad magic 0x${magic.toString(16).padStart(8, '0')} reading pcap file (expected 0xa1b2c3d4, 0xa1b23c4d, 0xd4c3b2a1, or 0x4d3cb2a1)`,
    );
    return openFault(path, EPROTO, strerror(EPROTO));
  }
  const u32 = (at: number): number => (isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
  const link = u32(20);
  if (link !== ETHERNET && link !== LINUX_COOKED) {
    log.warn(`unknown network type ${link} reading pcap file`);
    return openFault(path, EPROTO, strerror(EPROTO));
  }
  const perMs = u32(0) === MAGIC_NANOSECONDS ? 1_000_000 : 1000;
  for (let at = HEADER_SIZE; bytes.length - at >= RECORD_SIZE; ) {
    const timeMs = u32(at) * 1000 + Math.floor(u32(at + 4) / perMs);
    const size = u32(at + 8);
    if (size > MAX_FRAME) {
      const swapped = isBig ? bytes.readUInt32LE(at + 8) : bytes.readUInt32BE(at + 8);
      log.warn(`bad packet length ${swapped} or ${size} reading pcap file`);
      process.stderr.write(`ovs-ofctl: ${path}: read failed (${strerror(EPROTO)})\n`);
      throw new PcapFault(EPROTO);
    }
    at += RECORD_SIZE;
    if (bytes.length - at < size) {
      log.warn('failed to read pcap packet: End of file');
      return;
    }
    const body = bytes.subarray(at, at + size);
    yield { frame: link === LINUX_COOKED ? uncooked(body) : body, timeMs };
    at += size;
  }
}

/** A file of frames, as of now. */
export function writePcap(frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(HEADER_SIZE);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(SNAP_LENGTH, 16);
  head.writeUInt32LE(ETHERNET, 20);
  const parts = [head];
  for (const frame of frames) {
    const record = Buffer.alloc(RECORD_SIZE);
    const now = Date.now();
    record.writeUInt32LE(Math.floor(now / 1000), 0);
    record.writeUInt32LE((now % 1000) * 1000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    parts.push(record, Buffer.from(frame));
  }
  return Buffer.concat(parts);
}

function withFiles(run: () => void): number {
  try {
    run();
    return 0;
  } catch (error) {
    if (!(error instanceof PcapFault)) throw error;
    return error.code;
  }
}

function printFlows(path: string): void {
  const key = newKey();
  for (const { frame } of readPcap(path)) {
    key.fill(0);
    key[W.IN_PORT] = NO_PORT;
    extractKey(frame, 0, frame.length, key);
    const match = keyMatch(key);
    match.mask[W.IN_PORT] = NO_PORT;
    process.stdout.write(`${formatMatch(match)}\n`);
  }
}

/** parse-pcap FILE...: the flow of each frame. A file that cannot be read keeps no other from it; the code is of the last such. */
export const parsePcapCommand = (paths: readonly string[]): number =>
  paths.map((path) => withFiles(() => printFlows(path))).findLast((code) => code !== 0) ?? 0;

/** One direction of a connection: the bytes that wait for the rest of their message, and the number of the next. */
interface Stream {
  next: number;
  waiting: Uint8Array;
}

const TCP = 6;
const FLAG = { FIN: 1, SYN: 2, RST: 4 } as const;

/** Where the frame's TCP data stands, and its header's numbers; undefined for other frames. */
function segmentOf(
  frame: Uint8Array,
  key: Key,
): { name: string; ports: [number, number]; sequence: number; flags: number; data: Uint8Array } | undefined {
  key.fill(0);
  const layout = extractKey(frame, 0, frame.length, key);
  const type = (key[W.TYPE] ?? 0) >>> 16;
  const at = layoutL4(layout);
  if (type !== 0x800 || ((key[W.TYPE] ?? 0) & 0xff) !== TCP || at === 0) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const size = (view.getUint8(at + 12) >> 4) * 4;
  // What is behind the packet's own length is the link's padding.
  const ipAt = layoutL3(layout);
  const end = Math.min(frame.length, ipAt + view.getUint16(ipAt + 2));
  const address = (word: number): string => [24, 16, 8, 0].map((shift) => ((key[word] ?? 0) >>> shift) & 255).join('.');
  const ports: [number, number] = [view.getUint16(at), view.getUint16(at + 2)];
  return {
    name: `${address(W.NW_SRC)}.${ports[0]} > ${address(W.NW_DST)}.${ports[1]}`,
    ports,
    sequence: view.getUint32(at + 4),
    flags: view.getUint8(at + 13),
    data: frame.subarray(Math.min(at + size, end), end),
  };
}

const two = (value: number, width = 2): string => String(value).padStart(width, '0');
function clock(timeMs: number): string {
  const time = new Date(timeMs);
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${two(time.getMilliseconds(), 3)} `;
}

/** ofp-parse-pcap FILE [PORT...]: the messages on these ports, OpenFlow's where none is given. */
export function ofpParsePcapCommand(
  path: string,
  portTexts: readonly string[],
  options: { verbosity: number; timestamp: boolean },
): number {
  // Unlike parse-pcap it ends with 1 whatever the fault.
  const ports = portTexts.length === 0 ? OPENFLOW_PORTS : portTexts.map((text) => Number.parseInt(text, 10) & 0xffff);
  const code = withFiles(() => {
    const streams = new Map<string, Stream>();
    const key = newKey();
    let isFirst = true;
    for (const { frame, timeMs } of readPcap(path)) {
      const segment = segmentOf(frame, key);
      if (segment === undefined || !segment.ports.some((port) => ports.includes(port))) continue;
      const { name, sequence, flags, data } = segment;
      let stream = streams.get(name);
      if (stream === undefined) {
        if ((flags & FLAG.SYN) === 0 && data.length === 0) continue;
        stream = { next: sequence, waiting: new Uint8Array(0) };
        streams.set(name, stream);
      }
      // As the reference has it, number 0 begins anew, and what ends a stream carries nothing.
      if ((flags & FLAG.SYN) !== 0 || stream.next === 0) {
        stream.next = (sequence + 1) >>> 0;
        stream.waiting = new Uint8Array(0);
        continue;
      }
      if ((flags & (FLAG.FIN | FLAG.RST)) !== 0) {
        streams.delete(name);
        continue;
      }
      if (sequence === stream.next && data.length > 0) {
        stream.next = (sequence + data.length) >>> 0;
        stream.waiting = Buffer.concat([stream.waiting, data]);
        for (;;) {
          const { waiting } = stream;
          const size = waiting.length < 8 ? 0 : ((waiting[2] ?? 0) << 8) | (waiting[3] ?? 0);
          if (size < 8 || waiting.length < size) break;
          process.stdout.write(`${isFirst ? '' : '\n'}${options.timestamp ? clock(timeMs) : ''}${name}:\n`);
          print(printBytes(waiting.subarray(0, size), { verbosity: options.verbosity + 1 }));
          isFirst = false;
          stream.waiting = waiting.subarray(size);
        }
      }
    }
  });
  return code === 0 ? 0 : 1;
}
