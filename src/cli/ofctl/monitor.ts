// ovs-ofctl monitor and snoop: prints what comes over a connection until it is ended, and takes commands over a control socket
// (ovs-ofctl(8), "Runtime Management Commands").
import { openSync, writeSync } from 'node:fs';
import { encodeText } from '../../base/byte-text.ts';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError, KernelError, PeerError } from '../../base/errors.ts';
import { controlError, UnixctlServer } from '../../daemon/plumbing/unixctl.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { runDir } from '../../host/directories.ts';
import { echoReplyTo } from '../../openflow/channel/echo.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import type { FlowMonitorRequest } from '../../openflow/flow-monitor.ts';
import { OFPG } from '../../openflow/group.ts';
import type { Framed, Message, PacketOut } from '../../openflow/message.ts';
import { messageForm } from '../../openflow/message-table.ts';
import { normalizeMatch } from '../../openflow/normalize.ts';
import { printBytes, printMessage } from '../../openflow/text/message-print.ts';
import { atoi16 } from '../../openflow/text/number-text.ts';
import { parsePacketOut } from '../../openflow/text/packet-out-text.ts';
import { allowedOf, formatsFor, normalized } from './flow-send.ts';
import type { FlowOptions } from './flows.ts';
import { lookupNames } from './flows.ts';
import { namesToShow } from './names.ts';
import { print } from './output.ts';
import { PACKET_IN_FORMATS } from './packet-in-format.ts';
import { Session, SwitchRefusal, showsNames } from './session.ts';
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

/** What a message is, by its header; undefined of one that nobody knows. */
function nameOf(bytes: Uint8Array): string | undefined {
  try {
    return messageForm(bytes).name;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return undefined;
  }
}

/** The names of a switch's ports and tables: they are looked up once, over connections of their own. */
class SwitchNames {
  readonly #session: Session;
  readonly #bridge: string;
  readonly #options: FlowOptions;
  #shown: Promise<PortNames> | undefined;
  readonly #numbered = new Set<string>();

  constructor(session: Session, bridge: string, options: FlowOptions) {
    this.#session = session;
    this.#bridge = bridge;
    this.#options = options;
  }

  /** What to print for ports and tables; undefined where that is their numbers. */
  async toShow(): Promise<PortNames | undefined> {
    if (!showsNames(this.#options)) return undefined;
    this.#number(this.#session.target);
    this.#shown ??= this.#fetch();
    return this.#shown;
  }

  /** Reads a text in which names may stand. `switchName` is what the switch is called where that is done. */
  async accept<T>(parse: (names: PortNames) => T, switchName = this.#session.target): Promise<T> {
    const value = await lookupNames(this.#bridge, this.#options, parse);
    if (this.#options.names !== false) this.#number(switchName);
    return value;
  }

  async #fetch(): Promise<PortNames> {
    const session = await Session.open(this.#bridge, this.#options);
    try {
      return await namesToShow(session);
    } finally {
      session.close();
    }
  }

  /** The reference's connections that look names up take transaction ids of the same row, once for each name of a switch. */
  #number(switchName: string): void {
    if (this.#numbered.has(switchName)) return;
    this.#numbered.add(switchName);
    for (let i = 0; i < NAME_LOOKUP_XIDS; i++) this.#session.connection.xid();
  }
}

/** One listening connection with its control socket. */
class Watcher {
  readonly #session: Session;
  /** None of a connection that is only snooped on. */
  readonly #switchNames: SwitchNames | undefined;
  readonly #options: FlowOptions;
  readonly #unixctl = new UnixctlServer('ovs-ofctl');
  #output = 2;
  #isBlocked = false;
  #isLooking = false;
  #names: PortNames | undefined;
  #barriers = new Map<number, () => void>();
  #end: (code: number) => void = () => {};
  #fail: (error: unknown) => void = () => {};

  constructor(session: Session, switchNames: SwitchNames | undefined, options: FlowOptions) {
    this.#session = session;
    this.#switchNames = switchNames;
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
      this.#fail = (error) => {
        if (isOver) return;
        isOver = true;
        background?.end();
        this.#unixctl.close();
        reject(error as Error);
      };
      this.#session.onClosed((reason) => this.#fail(new ConfigError(`vconn_recv (${reason === '' ? 'End of file' : reason})`)));
      this.#session.connection.watch((bytes) => this.#hear(bytes), this.#switchNames === undefined);
      this.#session.connection.release();
      process.once('SIGTERM', () => this.#end(0));
    });
  }

  /** Shows a message; names, if there are to be any, are looked up when the first comes, and what comes meanwhile waits. */
  #hear(bytes: Uint8Array): void {
    if (this.#names !== undefined || this.#switchNames === undefined || !showsNames(this.#options)) {
      this.#show(bytes);
      return;
    }
    this.#session.connection.hold();
    this.#isLooking = true;
    this.#switchNames.toShow().then((names) => {
      this.#names = names;
      this.#isLooking = false;
      this.#show(bytes);
      this.#goOn();
    }, this.#fail);
  }

  #goOn(): void {
    if (!this.#isBlocked && !this.#isLooking) this.#session.connection.release();
  }

  #show(bytes: Uint8Array): void {
    const name = nameOf(bytes);
    const xid = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
    if (this.#options.timestamp === true) this.#print(timestamp());
    this.#print(printBytes(bytes, { verbosity: this.#options.verbosity + 2, names: this.#names }));
    if (name === 'OFPT_BARRIER_REPLY') {
      this.#barriers.get(xid)?.();
      this.#barriers.delete(xid);
    } else if (name === 'OFPT_ECHO_REQUEST' && this.#switchNames !== undefined) this.#session.connection.sendBytes(echoReplyTo(bytes));
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
      this.#session.connection.hold();
      return '';
    });
    control.register('ofctl/unblock', '', 0, 0, () => {
      if (!this.#isBlocked) return 'already unblocked';
      this.#isBlocked = false;
      this.#goOn();
      return '';
    });
    this.#options.background?.registerCommands(control);
    try {
      await control.listen(path);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      const reason = strerror(error.errno);
      process.stderr.write(`ovs-ofctl: ${path}: could not initialize control socket (${reason})\n`);
      throw new ConfigError(`failed to create unixctl server (${reason})`);
    }
  }

  async #sendAll(messages: readonly string[]): Promise<string> {
    const names = await this.#switchNames?.toShow();
    let replies = '';
    for (const text of messages) {
      const hex = text.replace(/\s/g, '');
      if (!/^([0-9a-f]{2})*$/i.test(hex)) throw controlError(`${replies}Trailing garbage in hex data`);
      const bytes = Buffer.from(hex, 'hex');
      if (bytes.length < 8) throw controlError(`${replies}Message too short for OpenFlow`);
      const whole = Uint8Array.from(bytes);
      if (bytes.readUInt16BE(2) !== bytes.length) throw controlError(`${replies}Message size does not match length in OpenFlow header`);
      this.#print('send: ');
      this.#print(printBytes(whole, { verbosity: this.#options.verbosity, names }));
      this.#session.connection.sendBytes(whole);
      replies += `${replies === '' ? '' : '\n'}sent`;
    }
    return replies;
  }

  async #packetOut(text: string): Promise<string> {
    try {
      const parse = (names: PortNames): PacketOut => parsePacketOut(text, names);
      const message = this.#switchNames === undefined ? parse({}) : await this.#switchNames.accept(parse);
      const names = await this.#switchNames?.toShow();
      const { connection, version } = this.#session;
      const bytes = encodeMessage(version, connection.xid(), message);
      this.#print(printBytes(bytes, { verbosity: this.#options.verbosity, names }));
      connection.sendBytes(bytes);
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
    await session.ask({ kind: 'barrierRequest' }, undefined, true);
    const refused = session.takeErrors();
    if (refused.length === 0) return;
    session.connection.release();
    if (wanted !== undefined)
      throw new ConfigError(`${session.target}: switch does not support packet-in format ${PACKET_IN_FORMATS[wanted]}`);
  }
}

async function watch(session: Session, bridge: string, switchNames: SwitchNames, spec: string, options: FlowOptions): Promise<void> {
  const { mod, flags } = await switchNames.accept((names) => parseWatch(spec, names), bridge);
  allowedOf(formatsFor([{ ...mod, outGroup: OFPG.ANY, table: 255 }]), options);
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
  const message = { kind: 'flowMonitorRequest', requests: [request] } as const satisfies Message;
  const xid = session.connection.xid();
  const names = await switchNames.toShow();
  if (options.verbosity > 0) print(printBytes(encodeMessage(session.version, xid, message), { names }));
  const show = (part: Framed): void => print(printMessage(part, { verbosity: options.verbosity + 1, names }));
  try {
    for (const part of await session.ask(message, xid)) show(part);
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
  const names = new SwitchNames(session, bridge, options);
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
    } else if (arg.startsWith('watch:')) await watch(session, bridge, names, arg.slice('watch:'.length), options);
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
