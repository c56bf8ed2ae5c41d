// A learning switch, as ovs-testcontroller and POX's l2_learning are.
//
//   1. A switch that connects sends whole frames; from OpenFlow 1.3 on a table-miss flow sends them up.
//   2. A frame's source is at the port where it came in.
//   3. Link-local frames (01:80:c2:00:00:0x: LLDP, STP, pause) stay where they came in: a flow drops them.
//   4. A frame to a known place gets a flow for exactly its like, and is sent there; to the port where it came in, the flow drops.
//   5. Anything else is flooded, without a flow.
import { matchAll, W } from '../flow/key.ts';
import { type Action, OFPP } from '../openflow/action.ts';
import type { App, PacketInEvent } from './app.ts';
import { exactMatch } from './exact-match.ts';
import type { SwitchHandle } from './switch-handle.ts';

export interface LearningOptions {
  /** Seconds without a frame until a flow goes; 0 = never. */
  idleTimeoutSec?: number;
  /** Set no flows: every frame passes through the controller. */
  noFlows?: boolean;
}

const WHOLE_FRAME = 0xffff;
const MAX_MACS = 16_384;
const NO_BUFFER = 0xffffffff;

const output = (port: number): Action => ({ kind: 'output', port, maxLen: 0 });

/** Sends all that no flow matches to the controller, whole. */
export function sendMisses(sw: SwitchHandle): void {
  sw.send({ kind: 'setConfig', flags: 0, missSendLength: WHOLE_FRAME });
  if (sw.version >= 4) {
    sw.flowMod({ match: matchAll(), priority: 0, actions: [{ kind: 'output', port: OFPP.CONTROLLER, maxLen: WHOLE_FRAME }] });
  }
}

/** Runs switches as learning switches. */
export function learning(options: LearningOptions = {}): App {
  const idleTimeoutSec = options.idleTimeoutSec ?? 60;
  const places = new WeakMap<SwitchHandle, Map<number, number>>();

  const setFlow = (sw: SwitchHandle, event: PacketInEvent, actions: Action[], priority: number): void => {
    if (options.noFlows !== true) sw.flowMod({ match: exactMatch(event.key, sw.version), priority, idleTimeoutSec, actions });
  };

  return {
    name: 'learning',
    onConnect(sw) {
      places.set(sw, new Map());
      sendMisses(sw);
    },
    onPacketIn(sw, event) {
      const { key, inPort, frame, message } = event;
      const macs = places.get(sw);
      if (macs === undefined || frame.length < 14) return;
      const word = (i: number): number => key[W.ETH + i] ?? 0;
      const dst = word(0) * 65536 + (word(1) >>> 16);
      const src = (word(1) & 0xffff) * 4294967296 + word(2);
      const isGroup = (src / 2 ** 40) & 1;
      if (isGroup === 0 && (macs.size < MAX_MACS || macs.has(src))) macs.set(src, inPort);

      if (word(0) === 0x0180c200 && word(1) >>> 20 === 0) {
        setFlow(sw, event, [], 1);
        return;
      }
      const place = macs.get(dst);
      if (place === undefined) {
        sw.packetOut(inPort, [output(OFPP.FLOOD)], frame, message.bufferId);
      } else if (place === inPort) {
        setFlow(sw, event, [], 1);
      } else {
        setFlow(sw, event, [output(place)], 1);
        sw.packetOut(inPort, [output(place)], frame, message.bufferId);
      }
    },
    onPortStatus(sw, reason, desc) {
      if (reason === 'modify' && (desc.state & 1) === 0) return;
      const macs = places.get(sw);
      for (const [mac, port] of macs ?? []) if (port === desc.port) macs?.delete(mac);
    },
  };
}

/** Runs switches as hubs: one flow floods everything, or each frame is flooded by the controller. */
export function hub(options: { noFlows?: boolean } = {}): App {
  return {
    name: 'hub',
    onConnect(sw) {
      if (options.noFlows === true) sendMisses(sw);
      else sw.flowMod({ match: matchAll(), priority: 1, actions: [output(OFPP.FLOOD)] });
    },
    onPacketIn(sw, { inPort, frame, message }) {
      sw.packetOut(inPort, [output(OFPP.FLOOD)], frame, message.bufferId === NO_BUFFER ? NO_BUFFER : message.bufferId);
    },
  };
}
