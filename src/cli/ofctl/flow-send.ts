// How ovs-ofctl sends flow mods: the format that can say them, one by one with a barrier after each, or together as a bundle.
import { ConfigError } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import type { Prereq } from '../../flow/fields.ts';
import { type Match, W } from '../../flow/key.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import type { GroupMod } from '../../openflow/group.ts';
import { BUNDLE, type FlowMod, type Framed, type Message, type OfVersion } from '../../openflow/message.ts';
import { allowedProtocols, protocolNames, usableProtocols } from '../../openflow/protocols.ts';
import { printBytes } from '../../openflow/text/message-print.ts';
import type { FlowOptions } from './flows.ts';
import { Session, SwitchRefusal, XID_AFTER_NAMES } from './session.ts';

const OPENFLOW_13_UP = 0x70;
const OPENFLOW_14 = 0x20;

/** Prerequisites that ask for nothing of the frame itself, or whose fields are sent whatever else is matched. */
const FREE: ReadonlySet<Prereq> = new Set<Prereq>(['none', 'ct', 'nsh']);

const CT_ADDRESSES = [W.CT_NW_SRC, W.CT_NW_DST, ...Array.from({ length: 8 }, (_, i) => W.CT_IPV6_SRC + i)];

/** Words of a network service header. */
const NSH_WORDS = 6;
/** A tag's presence and id: a priority alone cannot be said in every format. */
const VLAN_TAG = 0x1fff;

/** Whether a field is named that has no place in the bytes for want of its prerequisites, while nothing says what frame it is. */
function namesOnlyFrame({ match, named = [] }: FlowMod): boolean {
  const { mask } = match;
  const isSaid = mask[W.PACKET_TYPE] !== 0 || (mask[W.TYPE] ?? 0) >>> 16 !== 0 || ((mask[W.VLAN0] ?? 0) & VLAN_TAG) !== 0;
  // What is matched of a service header is sent whatever the packet is.
  const hasService = mask.subarray(W.NSH, W.NSH + NSH_WORDS).some((bits) => bits !== 0);
  if (isSaid || hasService || mask.subarray(W.ETH, W.ETH + 3).some((bits) => bits !== 0)) return false;
  // A connection's original tuple says enough.
  const hasTuple = ((match.key[W.CT_ZONE] ?? 0) & (mask[W.CT_ZONE] ?? 0) & 0xff00) !== 0 || CT_ADDRESSES.some((word) => mask[word] !== 0);
  if (hasTuple) return false;
  return named.some(
    ({ field: { name, prereq }, mask }) =>
      !FREE.has(prereq) ||
      (prereq !== 'none' && (mask ?? 0n) === 0n) ||
      (name === 'packet_type' && mask !== undefined) ||
      name.startsWith('ct_tp_') ||
      name === 'ct_nw_proto',
  );
}

/** A flow mod as it is sent: what is left of fields that lack prerequisites is that it is an Ethernet frame. */
export function normalized(mod: FlowMod): FlowMod {
  if (!namesOnlyFrame(mod)) return mod;
  const match: Match = { ...mod.match, mask: mod.match.mask.slice() };
  match.mask[W.PACKET_TYPE] = 0xffffffff;
  return { ...mod, match };
}

/** Versions for a bundle: the user's, unless none of them has bundles. */
export const bundleVersions = (versions: number): number => ((versions & OPENFLOW_13_UP) === 0 ? OPENFLOW_14 : versions);

/** Whether a format can be part of a bundle. */
const isBundled = (name: string): boolean => /1[345]$/.test(name);
/** Those of `formats` that can be part of a bundle, if there is to be one. */
export const bundledFormats = (formats: readonly string[], isBundle = true): string[] =>
  formats.filter((name) => !isBundle || isBundled(name));

/** The formats that can say all of `mods`. */
export function formatsFor(mods: readonly FlowMod[], isBundle = false): string[] {
  return bundledFormats(usableProtocols(mods), isBundle);
}

/** Those of `usable` that the user allows; ConfigError when there is none. */
export function allowedOf(usable: readonly string[], options: FlowOptions): string[] {
  const allowed = allowedProtocols(options.versions, options.protocols);
  const shared = usable.filter((name) => allowed.includes(name));
  if (shared.length > 0) return shared;
  throw new ConfigError(
    `none of the usable flow formats (${protocolNames(usable)}) is among the allowed flow formats (${protocolNames(allowed)})`,
  );
}

/** The first of `protocols` that the agreed version has. ConfigError when it has none, which names what could have been had. */
export function formatOf({ version }: Session, protocols: readonly string[], usable = protocols): string {
  const own = version === 1 ? /^(OpenFlow10|NXM)/ : version === 2 ? /^OpenFlow11/ : new RegExp(`^OXM-OpenFlow1${version - 1}$`);
  const chosen = protocols.find((name) => own.test(name));
  if (chosen !== undefined) return chosen;
  throw new ConfigError(`switch does not support any of the usable flow formats (${protocolNames(usable)})`);
}

/** Opens a switch for what only `usable` formats can say. */
export async function openWithFormat(bridge: string, usable: readonly string[], options: FlowOptions, firstXid = 1): Promise<Session> {
  allowedOf(usable, options);
  const session = await Session.open(bridge, options, firstXid);
  try {
    formatOf(session, usable);
    return session;
  } catch (error) {
    session.close();
    throw error;
  }
}

/**
 * Opens a switch and has a text read that only `usableOf` its value can say. A switch that is not there is found before faults in the text
 * are, unless the user wants no names looked up in it.
 */
export async function openAndRead<T>(
  bridge: string,
  options: FlowOptions,
  read: () => Promise<T>,
  usableOf: (value: T) => string[],
): Promise<{ session: Session; value: T; usable: string[] }> {
  const checked = async (): Promise<{ value: T; usable: string[] }> => {
    const value = await read();
    const usable = usableOf(value);
    allowedOf(usable, options);
    return { value, usable };
  };
  if (options.names === false) {
    const { value, usable } = await checked();
    return { session: await Session.open(bridge, options), value, usable };
  }
  const session = await Session.open(bridge, options, XID_AFTER_NAMES);
  try {
    return { session, ...(await checked()) };
  } catch (error) {
    session.close();
    throw error;
  }
}

/** Makes the switch take one of the `usable` formats, which are in the order of PROTOCOLS, that the user allows. */
export async function agreeOnFormat(session: Session, usable: readonly string[], options: FlowOptions): Promise<void> {
  await settleFormat(session, allowedOf(usable, options), usable);
}

async function settleFormat(session: Session, protocols: readonly string[], usable: readonly string[]): Promise<void> {
  const { connection, version } = session;
  const chosen = formatOf(session, protocols, usable);
  if (version !== 1) return;
  connection.codec.nxFlows = chosen.startsWith('NXM');
  if (chosen.startsWith('NXM')) {
    connection.send({ kind: 'setFlowFormat', format: 2 });
    await session.barrier();
  }
  if (chosen.endsWith('+table_id')) {
    connection.send({ kind: 'flowModTableId', enabled: true });
    await session.barrier();
    connection.codec.flowModTableId = true;
  }
}

/** Makes the switch take a format in which flows can also be read: in OpenFlow 1.0 those that name no tables. */
export async function agreeOnDumpFormat(session: Session, usable: readonly string[], options: FlowOptions): Promise<void> {
  const protocols = allowedOf(usable, options);
  const names = session.version === 1 ? ['NXM-table_id', 'OpenFlow10-table_id'].filter((name) => protocols.includes(name)) : protocols;
  await settleFormat(session, names, usable);
}

/** A flow mod as it goes out: OpenFlow 1.0 and 1.1 have a place for every field, so there nothing is left out. */
export function outgoing(mod: FlowMod, session: Session): FlowMod {
  const clean = normalized(mod);
  const isPlain = session.version === 2 || (session.version === 1 && session.connection.codec.nxFlows !== true);
  const said = isPlain ? mod : clean;
  // Without the extension for it, OpenFlow 1.0 has no place for a table: the first is meant.
  return session.version === 1 && session.connection.codec.flowModTableId !== true ? { ...said, table: 255 } : said;
}

/** Sends flow mods one by one; the first that is refused ends it. */
export async function sendSingly(session: Session, mods: readonly FlowMod[]): Promise<void> {
  for (const mod of mods) {
    session.connection.send(outgoing(mod, session));
    await session.barrier();
  }
}

/** The same, with transaction ids that were given out before the first was sent. */
export async function sendNumbered(session: Session, mods: readonly FlowMod[]): Promise<void> {
  const numbered = mods.map((mod) => ({ mod, xid: session.connection.xid() }));
  for (const { mod, xid } of numbered) {
    session.connection.send(outgoing(mod, session), xid);
    await session.barrier();
  }
}

/**
 * Prints what a switch refused of a bundle: the whole message as it was sent, `sent` by transaction id, not the part of it that came back. What
 * is logged of it stands within the line.
 */
function printRefusal(error: Framed, sent: ReadonlyMap<number, Uint8Array>, names: PortNames | undefined): void {
  const { message } = error;
  if (message.kind !== 'error') return;
  process.stderr.write(`Error ${message.name ?? `type ${message.type}, code ${message.code}`} for: `);
  process.stderr.write(printBytes(sent.get(error.xid) ?? innerOf(message.data), { names }));
}

/** The message inside the bytes of OFPT_BUNDLE_ADD_MESSAGE; other messages as they are. */
function innerOf(bytes: Uint8Array): Uint8Array {
  const isOwn = bytes[1] === 34;
  const isOnf = bytes[1] === 4 && bytes[14] === 0x08 && bytes[15] === 0xfd;
  return isOwn || isOnf ? bytes.subarray(isOwn ? 16 : 24) : bytes;
}

/** Refuses what a version has no form for. */
export function checkGroupVersion({ command }: GroupMod, version: OfVersion): void {
  if (version === 1 || version === 6) return;
  if (command !== 'insert_bucket' && command !== 'remove_bucket') return;
  const word = command === 'insert_bucket' ? 'insert-bucket' : 'remove-bucket';
  throw new ConfigError(`${word} needs OpenFlow 1.5 or later ('-O OpenFlow15')`);
}

/** Sends messages as one bundle, ordered and atomic. What the switch refuses is printed on stderr, and ConfigError is thrown. */
export async function sendBundle(session: Session, messages: readonly Message[]): Promise<void> {
  const { connection, version } = session;
  const flags = BUNDLE.ATOMIC | BUNDLE.ORDERED;
  const bundleId = 0;
  const inners = messages.map((message) => {
    const xid = connection.xid();
    if (message.kind === 'groupMod') checkGroupVersion(message, version);
    const sent = message.kind === 'flowMod' ? outgoing(message, session) : message;
    return { xid, inner: encodeMessage(version, xid, sent, connection.codec) };
  });
  const errors: Framed[] = [];
  const control = async (type: number): Promise<boolean> => {
    try {
      await session.ask({ kind: 'bundleControl', bundleId, type: type as 0, flags });
      return true;
    } catch (error) {
      if (!(error instanceof SwitchRefusal) || error.framed === undefined) throw error;
      errors.push(error.framed);
      return false;
    }
  };
  if (await control(BUNDLE.OPEN)) {
    for (const { xid, inner } of inners) connection.send({ kind: 'bundleAdd', bundleId, flags, inner }, xid);
    await session.ask({ kind: 'barrierRequest' });
    const refused = session.takeErrors();
    await control(refused.length > 0 ? BUNDLE.DISCARD : BUNDLE.COMMIT);
    errors.unshift(...refused, ...session.takeErrors());
  }
  if (errors.length === 0) return;
  const sent = new Map(inners.map(({ xid, inner }) => [xid, inner]));
  const names = await session.names();
  for (const error of errors) printRefusal(error, sent, names);
  throw new ConfigError(`talking to ${session.target} (Protocol error)`);
}
