// What a printer of one message's body is given, and the shape of the tables of such printers.
import type { PortNames } from '../../flow/field-text.ts';
import type { CodecOptions } from '../codec/codec-options.ts';
import type { Framed, Message, MessageKind } from '../message.ts';

/** As much as the log shows; programs show one step more. */
export const LOG_VERBOSITY = 1;

/** How to print. */
export interface PrintOptions {
  names?: PortNames | undefined;
  /** 0 the least; 1 as the log has it; 2 as ofp-print does by itself. */
  verbosity?: number;
  /** The message as it came. */
  bytes?: Uint8Array;
  /** What decoding has to know. */
  codec?: CodecOptions;
}

export interface PrintContext {
  version: Framed['version'];
  verbosity: number;
  names: PortNames | undefined;
  framed: Framed;
  /** The message as it came, empty when it did not come as bytes. */
  bytes: Uint8Array;
  /** What stands behind the head of a message inside this one, given as bytes. Throws PeerError. */
  body(bytes: Uint8Array): string;
  /** Prints a message inside this one, given as bytes, as verbosely as this one unless told otherwise. */
  inner(bytes: Uint8Array, verbosity?: number): string;
}

/** For a kind of message, what stands behind `NAME (xid=0x1):` in its text, a newline at the end included. Kinds without one have no body. */
export type BodyPrinters = { [K in MessageKind]?: (message: Extract<Message, { kind: K }>, context: PrintContext) => string };
