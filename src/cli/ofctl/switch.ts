// The commands of ovs-ofctl about a switch and its ports: show, dump-ports, dump-desc, get-frags, mod-port, probe, monitor, ...
import { ConfigError } from '../../base/errors.ts';
import { parsePort } from '../../flow/field-text.ts';
import type { Message } from '../../openflow/message.ts';
import { atoi } from '../../openflow/text/number-text.ts';
import { FRAG_MODES } from '../../openflow/text/print-basic.ts';
import { fetchPorts, namesOf } from './names.ts';
import type { SessionSettings } from './session.ts';
import { printAnswer, Session, showsNames, withSession } from './session.ts';

/** A request whose answer is printed as it comes. */
export const dump = (bridge: string, settings: SessionSettings, message: Message, firstXid = 1): Promise<number> =>
  withSession(bridge, settings, (session) => printAnswer(session, message, showsNames(settings)), firstXid);

/** show */
export const show = (bridge: string, settings: SessionSettings): Promise<number> =>
  withSession(bridge, settings, async (session) => {
    await printAnswer(session, { kind: 'featuresRequest' });
    if (session.version >= 4) await printAnswer(session, { kind: 'portDescRequest', port: 0xffff });
    // With names the reference looks up those of ports and tables, each over a connection of its own.
    if (session.version >= 4 && showsNames(settings)) for (let i = 0; i < 2 * LOOK_UP_XIDS; i++) session.connection.xid();
    session.connection.xid();
    await printAnswer(session, { kind: 'getConfigRequest' });
  });

/** A connection that looks a name up takes two transaction ids: its hello and its request. */
export const LOOK_UP_XIDS = 2;

/**
 * The number of a port given by number, reserved name or name, and whether the switch was looked at for it: over a connection of its own, whose
 * hello has `firstXid`. Without names no name is known. Throws ConfigError.
 */
export async function portNumber(
  bridge: string,
  text: string,
  settings: SessionSettings,
  firstXid: number,
): Promise<{ port: number; isLooked: boolean }> {
  const direct = parsePort(text);
  if (direct !== undefined) return { port: direct, isLooked: false };
  const unknown = (): never => {
    throw new ConfigError(`${bridge}: unknown port \`${text}'`);
  };
  // What is no number is looked at once more, and said to be wrong once more.
  if (settings.names === false) return { port: parsePort(text) ?? unknown(), isLooked: false };
  const session = await Session.open(bridge, settings, firstXid);
  try {
    return { port: parsePort(text, namesOf(await fetchPorts(session))) ?? unknown(), isLooked: true };
  } finally {
    session.close();
  }
}

/** Asks about a port; undefined for all. It is found when the connection is there that asks. */
const dumpOfPort = (
  bridge: string,
  text: string | undefined,
  all: number,
  settings: SessionSettings,
  request: (port: number) => Message,
): Promise<number> =>
  withSession(bridge, settings, async (session) => {
    let number = all;
    if (text !== undefined) {
      const { port, isLooked } = await portNumber(bridge, text, settings, LOOK_UP_XIDS);
      if (isLooked) for (let i = 0; i < LOOK_UP_XIDS; i++) session.connection.xid();
      number = port;
    }
    await printAnswer(session, request(number), showsNames(settings));
  });

/** dump-ports [PORT] */
export const dumpPorts = (bridge: string, text: string | undefined, settings: SessionSettings): Promise<number> =>
  dumpOfPort(bridge, text, 0xffff, settings, (port) => ({ kind: 'portStatsRequest', port }));

/** dump-ports-desc [PORT]: the port is looked up, but before OpenFlow 1.5 all are shown. */
export const dumpPortsDesc = (bridge: string, text: string | undefined, settings: SessionSettings): Promise<number> =>
  dumpOfPort(bridge, text, 0xffff, settings, (port) => ({ kind: 'portDescRequest', port }));

/** queue-stats [PORT [QUEUE]] */
export function queueStats(
  bridge: string,
  text: string | undefined,
  queueText: string | undefined,
  settings: SessionSettings,
): Promise<number> {
  const isAll = (word: string | undefined): boolean => word === undefined || /^(all|any)?$/i.test(word);
  const queue = isAll(queueText) && !/^any$/i.test(queueText ?? '') ? 0xffffffff : atoi(queueText ?? '') >>> 0;
  return dumpOfPort(bridge, isAll(text) ? undefined : text, 0xfffc, settings, (number) => {
    const port = number === 0xfffc && settings.versions > 3 ? 0xffff : number;
    return { kind: 'queueStatsRequest', port, queue };
  });
}

async function config(session: Session): Promise<{ flags: number; missSendLength: number }> {
  const [reply] = await session.ask({ kind: 'getConfigRequest' });
  if (reply?.message.kind !== 'getConfigReply') throw new ConfigError(`${session.connection.stream.name}: bad reply to config request`);
  return reply.message;
}

/** get-frags */
export const getFrags = (bridge: string, settings: SessionSettings): Promise<number> =>
  withSession(bridge, settings, async (session) => {
    process.stdout.write(`${FRAG_MODES[(await config(session)).flags & 3] ?? ''}\n`);
  });

/** set-frags MODE */
export async function setFrags(bridge: string, mode: string, settings: SessionSettings): Promise<number> {
  const number = FRAG_MODES.indexOf(mode);
  if (number < 0) throw new ConfigError(`${mode}: unknown fragment handling mode`);
  return withSession(bridge, settings, async (session) => {
    const before = await config(session);
    if ((before.flags & 3) === number) return;
    session.connection.send({ kind: 'setConfig', flags: (before.flags & ~3) | number, missSendLength: before.missSendLength });
    await session.barrier();
    if (((await config(session)).flags & 3) !== number) {
      throw new ConfigError(`${bridge}: setting fragment handling mode failed (this switch probably doesn't support mode "${mode}")`);
    }
  });
}

/** probe */
export const probe = (bridge: string, settings: SessionSettings): Promise<number> =>
  withSession(bridge, settings, async (session) => {
    await session.ask({ kind: 'echoRequest', data: new Uint8Array(0) }, 0);
  });

/** What fits a message behind its header. */
const MAX_PAYLOAD = 65527;

/** ping [N] */
export async function ping(bridge: string, size: string | undefined, settings: SessionSettings): Promise<number> {
  const length = size === undefined ? 64 : Number.parseInt(size, 10) || 0;
  if (length < 0 || length > MAX_PAYLOAD) throw new ConfigError(`payload must be between 0 and ${MAX_PAYLOAD} bytes`);
  return withSession(bridge, settings, async (session) => {
    const payload = new Uint8Array(length).map((_, i) => i & 0xff);
    for (let i = 0; i < 10; i++) {
      const start = performance.now();
      const [reply] = await session.ask({ kind: 'echoRequest', data: payload });
      const ms = performance.now() - start;
      process.stdout.write(
        `${payload.length} bytes from ${bridge}: xid=${(reply?.xid ?? 0).toString(16).padStart(8, '0')} time=${ms.toFixed(1)} ms\n`,
      );
    }
  });
}

/** benchmark N COUNT: how many echoes of N bytes go by in a second. */
export async function benchmark(bridge: string, sizeText: string, countText: string, settings: SessionSettings): Promise<number> {
  const size = Number.parseInt(sizeText, 10) || 0;
  const count = Number.parseInt(countText, 10) || 0;
  if (size < 0 || size > MAX_PAYLOAD) throw new ConfigError(`payload must be between 0 and ${MAX_PAYLOAD} bytes`);
  const whole = size + 8;
  process.stdout.write(`Sending ${count} packets * ${whole} bytes (with header) = ${count * whole} bytes total\n`);
  return withSession(bridge, settings, async (session) => {
    const payload = new Uint8Array(size);
    const start = performance.now();
    for (let i = 0; i < count; i++) await session.ask({ kind: 'echoRequest', data: payload });
    const ms = count <= 0 ? 0 : performance.now() - start;
    const perSecond = (amount: number): string => (ms === 0 ? '-nan' : ((amount / ms) * 1000).toFixed(0));
    process.stdout.write(`Finished in ${ms.toFixed(1)} ms (${perSecond(count)} packets/s) (${perSecond(count * whole)} bytes/s)\n`);
  });
}

const PORT_ACTIONS: ReadonlyMap<string, { bit: number; on: boolean }> = new Map([
  ['up', { bit: 1, on: false }],
  ['down', { bit: 1, on: true }],
  ['stp', { bit: 2, on: false }],
  ['no-stp', { bit: 2, on: true }],
  ['receive', { bit: 4, on: false }],
  ['no-receive', { bit: 4, on: true }],
  ['receive-stp', { bit: 8, on: false }],
  ['no-receive-stp', { bit: 8, on: true }],
  ['flood', { bit: 16, on: false }],
  ['no-flood', { bit: 16, on: true }],
  ['forward', { bit: 32, on: false }],
  ['no-forward', { bit: 32, on: true }],
  ['packet-in', { bit: 64, on: false }],
  ['no-packet-in', { bit: 64, on: true }],
]);

/** mod-port PORT ACTION: the port by number or name alone, the first that has it; the words for special ports are none here. */
export async function modPort(bridge: string, port: string, action: string, settings: SessionSettings): Promise<number> {
  return withSession(bridge, settings, async (session) => {
    const value = /^[ \t\n\v\f\r]*\+?\d+$/.test(port) ? BigInt(port.replace('+', '')) : undefined;
    // Of a number of 32 bits those of a port's number count.
    const number = value === undefined || value > 0xffff_ffffn ? undefined : Number(value & 0xffffn);
    // The reference looks ports up over a connection of their own.
    session.connection.xid();
    const desc = (await fetchPorts(session)).find((candidate) => candidate.name === port || candidate.port === number);
    if (desc === undefined) throw new ConfigError(`${bridge}: couldn't find port \`${port}'`);
    const change = PORT_ACTIONS.get(action.toLowerCase());
    if (change === undefined) throw new ConfigError(`unknown mod-port command '${action}'`);
    session.connection.send({
      kind: 'portMod',
      port: desc.port,
      mac: desc.mac,
      config: change.on ? change.bit : 0,
      mask: change.bit,
      advertise: 0,
    });
    await session.barrier();
  });
}
