// ovs-ofctl monitor and snoop: what is asked of the switch before it is listened to.

import { ConfigError } from '../../base/errors.ts';
import { OpenFlowError } from '../../openflow/channel/connection.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import type { FlowMonitorRequest } from '../../openflow/flow-monitor.ts';
import { OFPG } from '../../openflow/group.ts';
import type { Framed, Message } from '../../openflow/message.ts';
import { normalizeMatch } from '../../openflow/normalize.ts';
import { printBytes, printMessage } from '../../openflow/text/message-print.ts';
import { atoi16 } from '../../openflow/text/number-text.ts';
import { allowedOf, formatsFor, normalized } from './flow-send.ts';
import type { FlowOptions } from './flows.ts';
import { print } from './output.ts';
import { PACKET_IN_FORMATS } from './packet-in-format.ts';
import { Session } from './session.ts';
import { SwitchNames } from './switch-names.ts';
import { parseWatch } from './watch-text.ts';
import { Watcher } from './watcher.ts';

const INVALID_TTL_TO_CONTROLLER = 4;
/** OpenFlow 1.0 to 1.2, as bits: later versions have no such flag. */
const INVALID_TTL_VERSIONS = 0b1110;

/** Asks for a packet-in format; without a wish, for the richest that the switch has. */
async function setPacketInFormat(session: Session, wanted: number | undefined): Promise<void> {
  const tries = wanted === undefined ? [2, 1] : [wanted];
  for (const format of tries) {
    session.connection.send({ kind: 'setPacketInFormat', format });
    await session.ask({ kind: 'barrierRequest' }, undefined, true);
    const refused = session.takeErrors();
    if (refused.length === 0) return;
    session.connection.release();
    if (wanted !== undefined)
      throw new ConfigError(`${session.target}: switch does not support packet-in format ${PACKET_IN_FORMATS[wanted]}`);
  }
}

/** Asks for what a `watch:` says, under the number `id`, and shows what comes back. */
async function watch(
  session: Session,
  bridge: string,
  switchNames: SwitchNames,
  id: number,
  spec: string,
  options: FlowOptions,
): Promise<void> {
  const { mod, flags } = await switchNames.accept((names) => parseWatch(spec, names), bridge);
  allowedOf(formatsFor([{ ...mod, outGroup: OFPG.ANY, table: 255 }]), options);
  const { match } = normalized({ ...mod, match: normalizeMatch(mod.match) });
  const request: FlowMonitorRequest = {
    id,
    flags,
    outPort: mod.outPort,
    outGroup: mod.outGroup,
    table: mod.table,
    command: 'add',
    match,
  };
  const message = { kind: 'flowMonitorRequest', requests: [request] } as const satisfies Message;
  const xid = session.connection.xid();
  const names = await switchNames.toShow();
  if (options.verbosity > 0) print(printBytes(encodeMessage(session.version, xid, message), { names }));
  const show = (part: Framed): void => print(printMessage(part, { verbosity: options.verbosity + 1, names }));
  try {
    for (const part of await session.askPlainly(message, xid)) show(part);
  } catch (error) {
    // A refusal is an answer like another.
    if (!(error instanceof OpenFlowError)) throw error;
    show(error.framed);
  }
}

/** monitor SWITCH [MISS_LEN] [invalid_ttl] [watch:[SPEC...]] */
export async function monitor(bridge: string, args: readonly string[], options: FlowOptions): Promise<number> {
  const versions = args.includes('invalid_ttl') ? options.versions & INVALID_TTL_VERSIONS : options.versions;
  if (versions === 0) {
    throw new ConfigError(
      'invalid_ttl requires one of the OpenFlow versions OpenFlow10, OpenFlow11, OpenFlow12 but none is enabled (use -O)',
    );
  }
  const session = await Session.open(bridge, { ...options, versions });
  const names = new SwitchNames(session, bridge, options);
  let monitors = 0;
  for (const arg of args) {
    if (/^\d/.test(arg) || arg === 'invalid_ttl') {
      const [reply] = await session.ask({ kind: 'getConfigRequest' });
      if (reply?.message.kind !== 'getConfigReply') throw new ConfigError(`${bridge}: bad reply to config request`);
      const { flags, missSendLength } = reply.message;
      const isLength = arg !== 'invalid_ttl';
      session.connection.send({
        kind: 'setConfig',
        flags: isLength ? flags : flags | INVALID_TTL_TO_CONTROLLER,
        missSendLength: isLength ? atoi16(arg) : missSendLength,
      });
      await session.barrier();
      if (isLength || (flags & INVALID_TTL_TO_CONTROLLER) !== 0) continue;
      const [after] = await session.ask({ kind: 'getConfigRequest' });
      if (after?.message.kind !== 'getConfigReply' || (after.message.flags & INVALID_TTL_TO_CONTROLLER) === 0) {
        throw new ConfigError("setting invalid_ttl_to_controller failed (this switch probably doesn't support this flag)");
      }
    } else if (arg.startsWith('watch:')) await watch(session, bridge, names, monitors++, arg.slice('watch:'.length), options);
    else if (arg !== 'resume') throw new ConfigError(`${arg}: unsupported "monitor" argument`);
  }
  await setPacketInFormat(session, options.packetInFormat);
  return new Watcher(session, names, options).run();
}

/** snoop SWITCH */
export async function snoop(bridge: string, options: FlowOptions): Promise<number> {
  const session = await Session.open(bridge, options, 1, 'snoop');
  return new Watcher(session, undefined, options).run();
}
