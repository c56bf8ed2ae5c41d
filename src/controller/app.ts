// What an app may listen to. Every handler is optional; one that throws or rejects is logged and does no harm to the others.
import type { Key } from '../flow/key.ts';
import type { FlowRemoved, Framed, PacketIn, PortDesc } from '../openflow/message.ts';
import type { SwitchHandle } from './switch-handle.ts';

/** A frame from a switch, with its fields read. */
export interface PacketInEvent {
  message: PacketIn;
  /** OpenFlow port where the frame came in. */
  inPort: number;
  frame: Uint8Array;
  /** The fields of the frame (`flow/key.ts`), with in_port. Belongs to the event. */
  key: Key;
}

export interface App {
  readonly name: string;
  /** A switch is connected and its features and ports are known. */
  onConnect?(sw: SwitchHandle): void | Promise<void>;
  /** It has gone; `reason` is '' when it closed in order. */
  onDisconnect?(sw: SwitchHandle, reason: string): void;
  onPacketIn?(sw: SwitchHandle, event: PacketInEvent): void | Promise<void>;
  onFlowRemoved?(sw: SwitchHandle, removed: FlowRemoved): void | Promise<void>;
  onPortStatus?(sw: SwitchHandle, reason: 'add' | 'delete' | 'modify', desc: PortDesc): void | Promise<void>;
  /** Any other message that answers no request, errors among them. */
  onMessage?(sw: SwitchHandle, framed: Framed): void | Promise<void>;
}
