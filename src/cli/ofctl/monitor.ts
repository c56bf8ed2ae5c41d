// ovs-ofctl monitor and snoop: prints what comes over a connection until it is ended, and takes commands over a control socket
// (ovs-ofctl(8), "Runtime Management Commands").
import { openSync, writeSync } from 'node:fs';
import { encodeText } from '../../base/byte-text.ts';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError } from '../../base/errors.ts';
import { controlError, UnixctlServer } from '../../daemon/plumbing/unixctl.ts';
import { runDir } from '../../host/directories.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import type { FlowMonitorRequest } from '../../openflow/flow-monitor.ts';
import { OFPG } from '../../openflow/group.ts';
import type { Framed, Message } from '../../openflow/message.ts';
import { normalizeMatch } from '../../openflow/normalize.ts';
import { printBytes, printMessage } from '../../openflow/text/message-print.ts';
import { atoi16 } from '../../openflow/text/number-text.ts';
import { parsePacketOut } from '../../openflow/text/packet-out-text.ts';
import { allowedOf, formatOf, formatsFor, normalized } from './flow-send.ts';
import type { FlowOptions } from './flows.ts';
import { lookupNames } from './flows.ts';
import { print } from './output.ts';
import { PACKET_IN_FORMATS } from './packet-in-format.ts';
import { Session, SwitchRefusal } from './session.ts';
import { parseWatch } from './watch-text.ts';

const INVALID_TTL_TO_CONTROLLER = 4;
/** OpenFlow 1.0 to 1.2, as bits: later versions have no such flag. */
const INVALID_TTL_VERSIONS = 0b1110;
const NAME_LOOKUP_XIDS = 4;

let nextMonitor = 0;

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

function timestamp(): string {
  const now = new Date();
  const day = `${now.getFullYear()}-${pad(now.getMonth() + 1)}-${pad(now.getDate())}`;
  return `${day} ${pad(now.getHours())}:${pad(now.getMinutes())}:${pad(now.getSeconds())}.${pad(now.getMilliseconds(), 3)}: `;
}

/** One listening connection with its control socket. */
class Watcher {
  readonly #session: Session;
  readonly #options: FlowOptions;
  readonly #unixctl = new UnixctlServer('ovs-ofctl');
  #output = 2;
  #isBlocked = false;
  #held: (() => void)[] = [];
  #barriers = new Map<number, () => void>();
  #end: (code: number) => void = () => {};

  constructor(session: Session, options: FlowOptions) {
    this.#session = session;
    this.#options = options;
  }

  async run(): Promise<number> {
    const background = this.#options.background;
    background?.begin();
    await this.#listen();
    background?.ready();
    return new Promise((resolve, reject) => {
      let isOver = false;
      this.#end = (code) => {
        isOver = true;
        background?.end();
        this.#unixctl.close();
        this.#session.close();
        resolve(code);
      };
      this.#session.onClosed((reason) => {
        if (isOver) return;
        background?.end();
        this.#unixctl.close();
        reject(new ConfigError(`vconn_recv (${reason === '' ? 'End of file' : reason})`));
      });
      this.#session.listen((framed) => this.#show(framed));
      process.once('SIGTERM', () => this.#end(0));
    });
  }

  #show(framed: Framed): void {
    const show = (): void => {
      if (this.#options.timestamp === true) this.#print(timestamp());
      this.#print(printMessage(framed, { verbosity: this.#options.verbosity + 2 }));
      const { message, xid } = framed;
      if (message.kind === 'barrierReply') {
        this.#barriers.get(xid)?.();
        this.#barriers.delete(xid);
      }
    };
    if (this.#isBlocked) this.#held.push(show);
    else show();
  }

  #print(text: string): void {
    writeSync(this.#output, encodeText(text));
  }

  async #listen(): Promise<void> {
    const { unixctl } = this.#options;
    if (unixctl === 'none') return;
    const path =
      unixctl === undefined ? `${runDir()}/ovs-ofctl.${process.pid}.ctl` : unixctl.startsWith('/') ? unixctl : `${runDir()}/${unixctl}`;
    const control = this.#unixctl;
    control.register('exit', '', 0, 0, () => {
      setImmediate(() => this.#end(0));
      return '';
    });
    control.register('ofctl/send', 'OFMSG...', 1, Number.POSITIVE_INFINITY, (args) => this.#sendAll(args));
    control.register('ofctl/packet-out', '"in_port=<port> packet=<hex data> actions=..."', 1, 1, (args) => this.#packetOut(args[0] ?? ''));
    control.register('ofctl/barrier', '', 0, 0, () => this.#barrier());
    control.register('ofctl/set-output-file', 'FILE', 1, 1, (args) => this.#setOutput(args[0] ?? ''));
    control.register('ofctl/block', '', 0, 0, () => {
      if (this.#isBlocked) return 'already blocking';
      this.#isBlocked = true;
      return '';
    });
    control.register('ofctl/unblock', '', 0, 0, () => {
      if (!this.#isBlocked) return 'already unblocked';
      this.#isBlocked = false;
      for (const show of this.#held.splice(0)) show();
      return '';
    });
    this.#options.background?.registerCommands(control);
    await control.listen(path);
  }

  #sendAll(messages: readonly string[]): string {
    let replies = '';
    for (const text of messages) {
      const hex = text.replace(/\s/g, '');
      if (!/^([0-9a-f]{2})*$/i.test(hex)) throw controlError(`${replies}Trailing garbage in hex data`);
      const bytes = Buffer.from(hex, 'hex');
      if (bytes.length < 8) throw controlError(`${replies}Message too short for OpenFlow`);
      const whole = Uint8Array.from(bytes);
      if (bytes.readUInt16BE(2) !== bytes.length) throw controlError(`${replies}Message size does not match length in OpenFlow header`);
      this.#print('send: ');
      this.#print(printBytes(whole, { verbosity: this.#options.verbosity + 2 }));
      this.#session.connection.sendBytes(whole);
      replies += `${replies === '' ? '' : '\n'}sent`;
    }
    return replies;
  }

  #packetOut(text: string): string {
    try {
      const message = parsePacketOut(text, {});
      this.#session.connection.send(message);
      return '';
    } catch (error) {
      if (error instanceof ConfigError) throw controlError(error.message);
      throw error;
    }
  }

  #barrier(): Promise<string> {
    const xid = this.#session.connection.send({ kind: 'barrierRequest' });
    return new Promise((resolve) => this.#barriers.set(xid, () => resolve('')));
  }

  #setOutput(path: string): string {
    try {
      this.#output = openSync(path, 'a', 0o666);
      return '';
    } catch (error) {
      throw controlError(strerror(systemErrno(error)));
    }
  }
}

/** Asks for a packet-in format; without a wish, for the richest that the switch has. */
async function setPacketInFormat(session: Session, wanted: number | undefined): Promise<void> {
  const tries = wanted === undefined ? [2, 1] : [wanted];
  for (const format of tries) {
    session.connection.send({ kind: 'setPacketInFormat', format });
    await session.ask({ kind: 'barrierRequest' });
    const refused = session.takeErrors();
    if (refused.length === 0) return;
    if (wanted !== undefined)
      throw new ConfigError(`${session.target}: switch does not support packet-in format ${PACKET_IN_FORMATS[wanted]}`);
  }
}

async function watch(session: Session, bridge: string, spec: string, options: FlowOptions): Promise<void> {
  const { mod, flags } = await lookupNames(bridge, options, (names) => parseWatch(spec, names));
  formatOf(session, allowedOf(formatsFor([{ ...mod, outGroup: OFPG.ANY, table: 255 }]), options));
  const { match } = normalized({ ...mod, match: normalizeMatch(mod.match) });
  const request: FlowMonitorRequest = {
    id: nextMonitor++,
    flags,
    outPort: mod.outPort,
    outGroup: mod.outGroup,
    table: mod.table,
    command: 'add',
    match,
  };
  // The reference looks names up over connections that take transaction ids too.
  if (options.names !== false) for (let i = 0; i < NAME_LOOKUP_XIDS; i++) session.connection.xid();
  const message = { kind: 'flowMonitorRequest', requests: [request] } as const satisfies Message;
  const xid = session.connection.xid();
  if (options.verbosity > 0) print(printBytes(encodeMessage(session.version, xid, message)));
  const show = (part: Framed): void => print(printMessage(part, { verbosity: options.verbosity + 1 }));
  try {
    for (const part of await session.ask(message, undefined, xid)) show(part);
  } catch (error) {
    // A refusal is an answer like another.
    if (!(error instanceof SwitchRefusal) || error.framed === undefined) throw error;
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
    } else if (arg.startsWith('watch:')) await watch(session, bridge, arg.slice('watch:'.length), options);
    else if (arg !== 'resume') throw new ConfigError(`${arg}: unsupported "monitor" argument`);
  }
  await setPacketInFormat(session, options.packetInFormat);
  return new Watcher(session, options).run();
}

/** snoop SWITCH */
export async function snoop(bridge: string, options: FlowOptions): Promise<number> {
  const session = await Session.open(bridge, options, 1, 'snoop');
  return new Watcher(session, options).run();
}
