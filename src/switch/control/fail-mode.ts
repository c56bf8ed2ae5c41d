// What a standalone bridge does when no primary controller can be reached: after three times the longest probe interval the bridge
// acts as an ordinary MAC-learning switch, through a flow that no controller sees. A controller takes the bridge back by the first
// request that shows it means to control it. Bridges in secure mode do nothing of this. Facts: ovs-vswitchd.conf.db(5) `fail_mode`.
//
//   1. Silence for three probe intervals: flows are flushed, the hidden NORMAL flow of priority 0xf0f0f0 is put in.
//   2. A controller that connects now is shown a made-up RARP frame every 2 s, so that one that only listens has something to answer.
//   3. It is admitted by a request other than the handshake's, or by 30 s of connection. Then the hidden flow goes; other flows stay.
import type { Clock } from '../../base/clock.ts';
import { logger } from '../../base/log.ts';
import { matchAll } from '../../flow/key.ts';
import { OFPP } from '../../openflow/action.ts';
import type { MessageKind } from '../../openflow/message.ts';
import type { BridgeCore } from '../core.ts';

const log = logger('fail_open');

export const FAIL_OPEN_PRIORITY = 0xf0f0f0;
/** A connection that lasts this long is admitted without a request. */
export const ADMISSION_MS = 30_000;
const BOGUS_PACKET_IN_MS = 2000;
const CHECK_MS = 500;

/** Whether a message shows that its sender means to control the switch, and is not only greeting. */
export function admits(kind: MessageKind): boolean {
  switch (kind) {
    case 'hello':
    case 'error':
    case 'echoRequest':
    case 'echoReply':
    case 'featuresRequest':
    case 'getConfigRequest':
    case 'getConfigReply':
    case 'setConfig':
      return false;
    default:
      return true;
  }
}

/** What fail-open has to know of the primary controllers. */
export interface FailModeView {
  /** Milliseconds since any primary controller was last known to control the bridge; 0 while one does, Infinity without controllers. */
  silenceMs(): number;
  /** The longest probe interval of a primary controller, 0 when none probes. */
  longestProbeMs(): number;
  /** Whether a controller is connected that has not been admitted. */
  hasUnadmitted(): boolean;
  /** Shows connected controllers a made-up frame. */
  bogusPacketIn(frame: Uint8Array): void;
}

export class FailMode {
  readonly #core: BridgeCore;
  readonly #view: FailModeView;
  readonly #clock: Clock;
  #isOpen = false;
  #nextBogus = 0;
  #cancel: (() => void) | undefined;
  #isWatching = false;

  constructor(core: BridgeCore, view: FailModeView) {
    this.#core = core;
    this.#view = view;
    this.#clock = core.clock;
  }

  /** Whether the bridge is on its own now. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Starts or ends watching: only a standalone bridge with primary controllers is watched. */
  watch(wanted: boolean): void {
    if (wanted === this.#isWatching) return;
    this.#isWatching = wanted;
    if (wanted) {
      this.#tick();
    } else {
      this.#cancel?.();
      this.#cancel = undefined;
      this.recover();
    }
  }

  /** A controller took over, or there is none any more. */
  recover(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    log.warn('No longer in fail-open mode');
    this.#core.hiddenFlow(FAIL_OPEN_PRIORITY, matchAll(), undefined);
  }

  #tick(): void {
    this.#check();
    this.#cancel = this.#clock.after(CHECK_MS, () => this.#tick());
  }

  #check(): void {
    const silenceMs = this.#view.silenceMs();
    const probeMs = this.#view.longestProbeMs();
    const now = this.#clock.now();
    if (!this.#isOpen) {
      if (probeMs <= 0 || silenceMs < 3 * probeMs) return;
      log.warn(
        "Could not connect to controller (or switch failed controller's post-connection admission control policy) " +
          `for ${Math.floor(silenceMs / 1000)} seconds, failing open`,
      );
      this.#isOpen = true;
      this.#core.flushFlows();
      this.#core.hiddenFlow(FAIL_OPEN_PRIORITY, matchAll(), [{ kind: 'output', port: OFPP.NORMAL, maxLen: 0 }]);
      this.#nextBogus = now + BOGUS_PACKET_IN_MS;
    } else if (silenceMs < 3 * Math.max(1, probeMs) && silenceMs === 0) {
      this.recover();
    } else if (now >= this.#nextBogus) {
      this.#nextBogus = now + BOGUS_PACKET_IN_MS;
      if (this.#view.hasUnadmitted()) this.#view.bogusPacketIn(bogusFrame(now));
    }
  }
}

/** A RARP request from a made-up address of Nicira's range, 00:23:20, as the reference sends. */
function bogusFrame(seed: number): Uint8Array {
  const frame = new Uint8Array(42);
  const mac = [0x00, 0x23, 0x20, 0xf8, (seed >> 8) & 0xff, seed & 0xff];
  frame.fill(0xff, 0, 6);
  frame.set(mac, 6);
  // RARP, Ethernet and IPv4, opcode 3: "request reverse" (RFC 903).
  frame.set([0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3], 12);
  frame.set(mac, 22);
  frame.set(mac, 32);
  return frame;
}
