// What simulated devices are joined to: capture files (`options:pcap`, `rxq_pcap`, `tx_pcap`) and streams that carry frames to other simulated
// devices (`options:stream`, `options:pstream`), each frame behind its length in two bytes.
import { closeSync, openSync, writeSync } from 'node:fs';
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Listener, Stream } from '../../base/stream.ts';

const log = logger('netdev_dummy');
const RETRY_MS = 1000;
const MAX_FRAME = 65535;
/** What a peer may leave unread before frames to it are dropped. */
const MOST_QUEUED = 1 << 20;
const SNAPLEN = 1518;

export interface WireSite {
  connect(target: string): Promise<Stream>;
  listen(target: string, onStream: (stream: Stream) => void): Promise<Listener>;
  after(ms: number, fn: () => void): () => void;
  /** A frame came in for a device. */
  receive(device: string, frame: Uint8Array): void;
}

/** A file of the libpcap format with microseconds, Ethernet. */
class Capture {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'w', 0o666);
    const head = new DataView(new ArrayBuffer(24));
    head.setUint32(0, 0xa1b2c3d4, true);
    head.setUint16(4, 2, true);
    head.setUint16(6, 4, true);
    head.setUint32(16, SNAPLEN, true);
    head.setUint32(20, 1, true);
    writeSync(this.#file, head);
  }

  write(frame: Uint8Array): void {
    const head = new DataView(new ArrayBuffer(16 + frame.length));
    const now = Date.now();
    head.setUint32(0, Math.floor(now / 1000), true);
    head.setUint32(4, (now % 1000) * 1000, true);
    head.setUint32(8, frame.length, true);
    head.setUint32(12, frame.length, true);
    new Uint8Array(head.buffer).set(frame, 16);
    writeSync(this.#file, head);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Cuts a byte stream into frames. */
class Reassembler {
  #bytes = new Uint8Array(0);

  take(data: Uint8Array, onFrame: (frame: Uint8Array) => void): void {
    const all = new Uint8Array(this.#bytes.length + data.length);
    all.set(this.#bytes);
    all.set(data, this.#bytes.length);
    let at = 0;
    while (all.length - at >= 2) {
      const size = (all[at]! << 8) | all[at + 1]!;
      if (all.length - at < 2 + size) break;
      // Shorter ones have no Ethernet header.
      if (size >= 14) onFrame(all.slice(at + 2, at + 2 + size));
      at += 2 + size;
    }
    this.#bytes = all.slice(at);
  }
}

class Wire {
  readonly #device: string;
  readonly #site: WireSite;
  readonly options: string;
  #received: Capture | undefined;
  #sent: Capture | undefined;
  readonly #peers = new Set<Stream>();
  #listener: Listener | undefined;
  #cancel: (() => void) | undefined;
  #isClosed = false;
  /** Whether it connects itself, and whether it has. */
  readonly target: string | undefined;
  isConnected = false;

  constructor(device: string, options: ReadonlyMap<string, string>, site: WireSite) {
    this.#device = device;
    this.#site = site;
    this.options = wireOptions(options);
    const both = options.get('pcap');
    if (both !== undefined) {
      this.#received = capture(both);
      this.#sent = this.#received;
    } else {
      const [received, sent] = [options.get('rxq_pcap'), options.get('tx_pcap')];
      if (received !== undefined) this.#received = capture(received);
      if (sent !== undefined) this.#sent = capture(sent);
    }
    const passive = options.get('pstream');
    this.target = passive === undefined ? options.get('stream') : undefined;
    if (passive !== undefined) void this.#listen(passive);
    else this.#connect();
  }

  async #listen(target: string): Promise<void> {
    try {
      const listener = await this.#site.listen(target, (stream) => this.#join(stream));
      if (this.#isClosed) listener.close();
      else this.#listener = listener;
    } catch (error) {
      log.warn(`${target}: could not open passive stream for dummy network device ${this.#device} (${errorText(error)})`);
    }
  }

  #connect(): void {
    const { target } = this;
    if (target === undefined || this.#isClosed) return;
    const again = (): void => {
      this.isConnected = false;
      if (!this.#isClosed) this.#cancel = this.#site.after(RETRY_MS, () => this.#connect());
    };
    this.#site.connect(target).then(
      (stream) => {
        if (this.#isClosed) return stream.destroy();
        this.isConnected = true;
        this.#join(stream, again);
      },
      () => again(),
    );
  }

  #join(stream: Stream, onClose?: () => void): void {
    const frames = new Reassembler();
    this.#peers.add(stream);
    stream.start({
      onData: (bytes) => frames.take(bytes, (frame) => this.#site.receive(this.#device, frame)),
      onClose: () => {
        this.#peers.delete(stream);
        onClose?.();
      },
    });
  }

  received(frame: Uint8Array): void {
    this.#received?.write(frame);
  }

  sent(frame: Uint8Array): void {
    this.#sent?.write(frame);
    if (frame.length > MAX_FRAME) return;
    for (const peer of this.#peers) {
      if (peer.queuedBytes > MOST_QUEUED) continue;
      const bytes = new Uint8Array(2 + frame.length);
      bytes[0] = frame.length >>> 8;
      bytes[1] = frame.length;
      bytes.set(frame, 2);
      peer.write(bytes);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#listener?.close();
    for (const peer of [...this.#peers]) peer.destroy();
    this.#received?.close();
    if (this.#sent !== this.#received) this.#sent?.close();
  }
}

function capture(path: string): Capture | undefined {
  try {
    return new Capture(path);
  } catch (error) {
    log.warn(`${path}: could not open pcap file: ${errorText(error)}`);
    return undefined;
  }
}

const NAMES = ['pcap', 'rxq_pcap', 'tx_pcap', 'pstream', 'stream'];
/** The options that matter here, as text to compare. */
const wireOptions = (options: ReadonlyMap<string, string>): string => JSON.stringify(NAMES.map((name) => options.get(name)));
const NONE = wireOptions(new Map());

export class DummyWires {
  readonly #site: WireSite;
  readonly #wires = new Map<string, Wire>();

  constructor(site: WireSite) {
    this.#site = site;
  }

  /** Joins the devices as their options say; those that are not named are cut off. */
  configure(devices: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    for (const [name, wire] of this.#wires) {
      const options = devices.get(name);
      if (options !== undefined && wireOptions(options) === wire.options) continue;
      wire.close();
      this.#wires.delete(name);
    }
    for (const [name, options] of devices) {
      if (!this.#wires.has(name) && wireOptions(options) !== NONE) this.#wires.set(name, new Wire(name, options, this.#site));
    }
  }

  /** A device got a frame, whoever gave it. */
  received(device: string, frame: Uint8Array): void {
    this.#wires.get(device)?.received(frame);
  }

  sent(device: string, frame: Uint8Array): void {
    this.#wires.get(device)?.sent(frame);
  }

  /** `connected`, `disconnected`, or undefined where a device connects to nothing. */
  state(device: string): string | undefined {
    const wire = this.#wires.get(device);
    if (wire?.target === undefined) return undefined;
    return wire.isConnected ? 'connected' : 'disconnected';
  }

  /** Names of the devices that connect to others. */
  connecting(): string[] {
    return [...this.#wires].filter(([, wire]) => wire.target !== undefined).map(([name]) => name);
  }

  close(): void {
    this.configure(new Map());
  }
}
