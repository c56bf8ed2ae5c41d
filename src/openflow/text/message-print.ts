// Messages as `ovs-ofctl ofp-print` and the tools built on it show them: name, version and transaction id, then the body.
//
// Bodies come from the tables of printers that the `print-*.ts` files hold; a message without one has none. What cannot be decoded is
// shown as the fault's name and the bytes.
import { PeerError } from '../../base/errors.ts';
import { hexDump } from '../../base/hex-dump.ts';
import { PartialMessage } from '../codec/actions/partial.ts';
import { decodeMessage } from '../codec/codec.ts';
import type { Framed, Message, OfVersion } from '../message.ts';
import { identifyMessage, messageForm, versionTag } from '../message-table.ts';
import { BASIC_BODIES } from './print-basic.ts';
import { BUNDLE_BODIES } from './print-bundles.ts';
import { type BodyPrinters, LOG_VERBOSITY, type PrintContext, type PrintOptions } from './print-context.ts';
import { CONTROL_BODIES } from './print-control.ts';
import { GROUP_BODIES } from './print-groups.ts';
import { MONITOR_BODIES } from './print-monitors.ts';
import { PORT_BODIES } from './print-ports.ts';
import { REQUEST_BODIES } from './print-requests.ts';
import { SESSION_BODIES } from './print-session.ts';
import { TABLE_BODIES } from './print-tables.ts';

const BODIES: BodyPrinters = {
  ...REQUEST_BODIES,
  ...BASIC_BODIES,
  ...PORT_BODIES,
  ...TABLE_BODIES,
  ...BUNDLE_BODIES,
  ...GROUP_BODIES,
  ...CONTROL_BODIES,
  ...MONITOR_BODIES,
  ...SESSION_BODIES,
};

const NO_BYTES = new Uint8Array(0);
/** Messages of which the least that is shown is how many entries they have. */
const COUNTED: ReadonlySet<Message['kind']> = new Set(['portStatsReply', 'queueStatsReply']);

/** Requests in several parts came with OpenFlow 1.3. */
const flagsText = (flags: number, hasMore: boolean): string => {
  const unknown = flags & ~(hasMore ? 1 : 0);
  const known = hasMore && (flags & 1) !== 0 ? '[more]' : '';
  if (unknown === 0) return flags === 0 ? '' : ` flags=${known}`;
  return ` flags=${known}[***unknown flags 0x${unknown.toString(16).padStart(4, '0')}***]`;
};

const head = (name: string, version: number, xid: number, flags = 0): string =>
  `${name}${versionTag(version)} (xid=0x${xid.toString(16)}):${flagsText(flags, version >= 4 || name.endsWith('reply'))}`;

/** Prints a decoded message. */
export const printMessage = (framed: Framed, options: PrintOptions = {}): string =>
  head(framed.name ?? framed.message.kind, framed.version, framed.xid, framed.multipartFlags) + bodyText(framed, options);

/** What stands behind a message's head, a newline at its end included. */
function bodyText(framed: Framed, options: PrintOptions): string {
  const { message, version } = framed;
  const context: PrintContext = {
    version,
    verbosity: options.verbosity ?? LOG_VERBOSITY,
    names: options.names,
    framed,
    bytes: options.bytes ?? NO_BYTES,
    body: (bytes) => bodyText(decodeMessage(bytes), options),
    inner: (bytes, verbosity) => printBytes(bytes, verbosity === undefined ? options : { ...options, verbosity }),
  };
  const body = BODIES[message.kind] as ((message: Message, context: PrintContext) => string) | undefined;
  return body === undefined ? '\n' : body(message, context);
}

/** Has what is wrong with a message logged once more. */
function logAgain(bytes: Uint8Array, options: PrintOptions): void {
  try {
    decodeMessage(bytes, options.codec);
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
  }
}

/** Prints bytes that should be one whole message, whatever they are. */
export function printBytes(bytes: Uint8Array, options: PrintOptions = {}): string {
  const size = bytes.length;
  if (size === 0) return 'OpenFlow message is empty\n';
  if (size < 8) return `OpenFlow packet too short (only ${size} bytes):\n${hexDump(bytes)}`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  const said = view.getUint16(2);
  const xid = view.getUint32(4);
  if (said < size) return `(***only uses ${said} bytes out of ${size}***)\n${hexDump(bytes)}`;
  const version = bytes[0] ?? 0;
  if (said > size) {
    let title = '';
    try {
      title = `${head(identifyMessage(bytes).name, version, xid)}\n`;
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
    }
    return `${title}(***truncated to ${size} bytes from ${said}***)\n${hexDump(bytes)}`;
  }
  let title = '';
  let flags = 0;
  try {
    const form = messageForm(bytes);
    if (form.isMultipart) flags = view.getUint16(10);
    title = head(form.name, version, xid, flags);
    const framed = decodeMessage(bytes, { flowModTableId: true, ...options.codec });
    const text = printMessage({ ...framed, name: form.name }, { ...options, bytes });
    return version >= 1 && version <= 6 ? text : title + text.slice(text.indexOf(':') + 1);
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    let begin = title;
    if (error instanceof PartialMessage) {
      begin = printMessage(
        {
          version: version as OfVersion,
          xid,
          message: error.partial,
          name: messageForm(bytes).name,
          multipartFlags: flags,
          fault: error.code,
        },
        options,
      );
    }
    if (error instanceof PartialMessage && COUNTED.has(error.partial.kind)) {
      // What is only counted is not looked at for faults; what is printed is counted before, so that its fault is logged twice.
      if (options.verbosity === 0) return begin;
      logAgain(bytes, options);
    }
    const between = begin.endsWith('\n') || begin === '' ? '' : begin.endsWith(':') ? ' ' : '\n';
    return `${begin}${between}***decode error: ${error.code}***\n${hexDump(bytes)}`;
  }
}
