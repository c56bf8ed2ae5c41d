// Which asynchronous messages a connection wants, by its role: OpenFlow 1.3.5 section 6.1.1, with Open vSwitch's defaults.
// A mask has a bit per reason; every kind of message has one mask for primary and equal, one for secondary.
import { PeerError } from '../../base/errors.ts';
import type { PacketInReason } from '../../openflow/action.ts';
import type { FlowRemovedReason, OfVersion, Role } from '../../openflow/message.ts';

export type AsyncKind = 'packetIn' | 'portStatus' | 'flowRemoved' | 'roleStatus' | 'tableStatus' | 'requestForward';

/** Bits of OFPT_PACKET_IN reasons that peers can name. */
export const PACKET_IN_BIT = { no_match: 0, action: 1, invalid_ttl: 2, action_set: 3, group: 4, packet_out: 5 } as const;

const FLOW_REMOVED_BIT: Record<FlowRemovedReason, number> = { idle: 0, hard: 1, delete: 2, group_delete: 3, meter_delete: 4, eviction: 5 };
const PORT_STATUS_BIT = { add: 0, delete: 1, modify: 2 } as const;

/** A reason as a peer of that version knows it. */
export function reasonFor(version: OfVersion, reason: PacketInReason | number): keyof typeof PACKET_IN_BIT | number {
  switch (reason) {
    case 'implicit_miss':
      return 'no_match';
    case 'explicit_miss':
      return version >= 4 ? 'no_match' : 'action';
    case 'action_set':
    case 'group':
    case 'packet_out':
      return version >= 5 ? reason : 'action';
    default:
      return reason;
  }
}

/** Two masks: for primary and equal, and for secondary. */
export interface AsyncMasks {
  primary: number;
  secondary: number;
}

export class AsyncConfig {
  readonly #masks = new Map<AsyncKind, AsyncMasks>();

  /** Open vSwitch's defaults; `enabled` false silences all (Controller:enable_async_messages). */
  constructor(version: OfVersion, enabled: boolean) {
    if (!enabled) return;
    this.#masks.set('packetIn', { primary: version >= 5 ? 0x3b : 0x03, secondary: 0 });
    this.#masks.set('portStatus', { primary: 7, secondary: 7 });
    this.#masks.set('flowRemoved', { primary: version >= 5 ? 0x3f : 0x0f, secondary: 0 });
    this.#masks.set('requestForward', { primary: 0, secondary: 0 });
  }

  masks(kind: AsyncKind): AsyncMasks {
    let masks = this.#masks.get(kind);
    if (masks === undefined) {
      masks = { primary: 0, secondary: 0 };
      this.#masks.set(kind, masks);
    }
    return masks;
  }

  /** OFPC_INVALID_TTL_TO_CONTROLLER of OpenFlow 1.1 and 1.2, also an extension of 1.0. */
  setInvalidTtl(wanted: boolean): void {
    const masks = this.masks('packetIn');
    const bit = 1 << PACKET_IN_BIT.invalid_ttl;
    masks.primary = wanted ? masks.primary | bit : masks.primary & ~bit;
  }

  get hasInvalidTtl(): boolean {
    return (this.masks('packetIn').primary & (1 << PACKET_IN_BIT.invalid_ttl)) !== 0;
  }

  wantsPacketIn(role: Role, version: OfVersion, reason: PacketInReason | number): boolean {
    const known = reasonFor(version, reason);
    // What has no name no mask can ask for.
    return typeof known !== 'number' && this.#wants('packetIn', role, PACKET_IN_BIT[known]);
  }

  wantsFlowRemoved(role: Role, reason: FlowRemovedReason): boolean {
    return this.#wants('flowRemoved', role, FLOW_REMOVED_BIT[reason]);
  }

  wantsPortStatus(role: Role, reason: 'add' | 'delete' | 'modify'): boolean {
    return this.#wants('portStatus', role, PORT_STATUS_BIT[reason]);
  }

  wantsTableStatus(role: Role, reason: 'vacancy_down' | 'vacancy_up'): boolean {
    return this.#wants('tableStatus', role, reason === 'vacancy_down' ? 3 : 4);
  }

  wantsRequestForward(role: Role, what: 'group' | 'meter'): boolean {
    return this.#wants('requestForward', role, what === 'group' ? 0 : 1);
  }

  #wants(kind: AsyncKind, role: Role, bit: number): boolean {
    const masks = this.#masks.get(kind);
    if (masks === undefined) return false;
    return (((role === 'secondary' ? masks.secondary : masks.primary) >> bit) & 1) === 1;
  }
}

// Names of the masks in OFPT_SET_ASYNC and OFPT_GET_ASYNC_REPLY are the codec's: `packetIn.primary` and so on.

/** Takes over the masks that a request names; reasons that do not exist are dropped, as the reference does, and refused from OpenFlow 1.4 on. */
export function setAsync(config: AsyncConfig, version: OfVersion, masks: ReadonlyMap<string, number>, isStrict = version >= 5): void {
  if (isStrict) {
    for (const kind of ASYNC_KINDS) {
      for (const role of ['primary', 'secondary']) {
        const mask = masks.get(`${kind}.${role}`) ?? 0;
        if ((mask & ~KNOWN_REASONS[kind]) !== 0) throw new PeerError('OFPACFC_INVALID', `${kind} reasons 0x${mask.toString(16)}`);
      }
    }
  }
  for (const kind of ASYNC_KINDS) {
    const primary = masks.get(`${kind}.primary`);
    const secondary = masks.get(`${kind}.secondary`);
    const own = config.masks(kind);
    const known = kind === 'packetIn' && version < 5 ? 0x07 : KNOWN_REASONS[kind];
    if (primary !== undefined) own.primary = primary & known;
    if (secondary !== undefined) own.secondary = secondary & known;
  }
}

/** The masks in force. */
export function getAsyncReply(config: AsyncConfig): Map<string, number> {
  const masks = new Map<string, number>();
  for (const kind of ASYNC_KINDS) {
    masks.set(`${kind}.primary`, config.masks(kind).primary);
    masks.set(`${kind}.secondary`, config.masks(kind).secondary);
  }
  return masks;
}

const KNOWN_REASONS: Record<AsyncKind, number> = {
  packetIn: 0x3f,
  portStatus: 0x07,
  flowRemoved: 0x3f,
  roleStatus: 0x07,
  tableStatus: 0x18,
  requestForward: 0x03,
};
const ASYNC_KINDS = Object.keys(KNOWN_REASONS) as AsyncKind[];
