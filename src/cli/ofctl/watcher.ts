// A connection that is listened to until it is ended, and the control socket through which others have a say in it (ovs-ofctl(8),
// "Runtime Management Commands").
import { openSync, writeSync } from 'node:fs';
import { encodeText } from '../../base/byte-text.ts';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError, KernelError, PeerError } from '../../base/errors.ts';
import { controlError, UnixctlServer } from '../../daemon/plumbing/unixctl.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { runDir } from '../../host/directories.ts';
import { echoReplyTo } from '../../openflow/channel/echo.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import type { PacketOut } from '../../openflow/message.ts';
import { messageForm } from '../../openflow/message-table.ts';
import { printBytes } from '../../openflow/text/message-print.ts';
import { parsePacketOut } from '../../openflow/text/packet-out-text.ts';
import type { FlowOptions } from './flows.ts';
import { type Session, showsNames } from './session.ts';
import type { SwitchNames } from './switch-names.ts';

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

/** One listening connection with its control socket. */
export class Watcher {
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
