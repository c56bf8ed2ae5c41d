// A connection of ovs-ofctl to a switch: by bridge name, socket path or connection name, with the versions the user allows.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { ConfigError, errorText, KernelError } from '../../base/errors.ts';
import type { Stream } from '../../base/stream.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { runDir } from '../../host/directories.ts';
import { realClock } from '../../host/real-clock.ts';
import { connectStream } from '../../host/sockets/socket.ts';
import { OpenFlowConnection, OpenFlowError } from '../../openflow/channel/connection.ts';
import type { Framed, Message, OfVersion } from '../../openflow/message.ts';
import { printMessage } from '../../openflow/text/message-print.ts';
import { sayFatalSignals } from '../options.ts';
import { print } from './output.ts';

/** OpenFlow's port. */
const OFP_PORT = 6653;

/** Connections made to look names up take transaction ids: the reference's command connection starts behind them. */
export const XID_AFTER_NAMES = 5;

/** What the command line says that sessions need. */
export interface SessionSettings {
  /** Allowed versions, as bits. */
  versions: number;
  /** Whether OpenFlow 1.0 flows are spoken of in Nicira's form. */
  useNicira: boolean;
  /** Whether names of ports and tables are shown; undefined: only to a person at a terminal. */
  names?: boolean | undefined;
}

/** Why a connection could not be made, without the name of the call that failed. */
const reasonOf = (error: unknown): string =>
  error instanceof KernelError ? error.message.slice(error.message.lastIndexOf(': ') + 2) : errorText(error);

/** Connects to what a user's word stands for: a connection's name, the path of a socket, or the name of a bridge. Rejects with ConfigError. */
async function connectTo(name: string, socket: 'mgmt' | 'snoop'): Promise<{ target: string; stream: Stream }> {
  if (name.includes(':')) {
    try {
      return { target: name, stream: await connectStream(name, OFP_PORT) };
    } catch (error) {
      throw new ConfigError(`connecting to ${name} (${reasonOf(error)})`);
    }
  }
  const bridge = `${runDir()}/${name}.${socket}`;
  for (const path of [name, bridge]) {
    // What is wrong with the name of a bridge's socket that is not there is of no interest.
    if (path === bridge && !existsSync(bridge)) continue;
    const target = `unix:${path}`;
    try {
      return { target, stream: await connectStream(target, OFP_PORT) };
    } catch (error) {
      if (!(error instanceof KernelError && error.errno === constants.errno.ENOENT))
        throw new ConfigError(`${path}: failed to open socket (${reasonOf(error)})`);
    }
  }
  throw new ConfigError(`${name} is not a bridge or a socket`);
}

/** The switch said no: what it said, to print on stderr. */
export class SwitchRefusal extends Error {
  /** The error message itself. */
  readonly framed: Framed | undefined;
  constructor(text: string, framed?: Framed) {
    super(text);
    this.framed = framed;
  }
}

/** Connections that nobody has closed. */
const open = new Set<Session>();

/** Closes what is left of a command that failed: a connection keeps the process. */
export function closeSessions(): void {
  for (const session of open) session.close();
}

export class Session {
  readonly version: OfVersion;
  /** The connection's name, as messages about it say it. */
  readonly target: string;
  readonly connection: OpenFlowConnection;
  readonly #settings: SessionSettings;
  readonly #errors: Framed[];
  #isLookingUp = false;
  readonly #closers: ((reason: string) => void)[];

  private constructor(
    target: string,
    connection: OpenFlowConnection,
    version: OfVersion,
    settings: SessionSettings,
    errors: Framed[],
    closers: ((reason: string) => void)[],
  ) {
    this.target = target;
    this.connection = connection;
    this.version = version;
    this.#settings = settings;
    this.#errors = errors;
    this.#closers = closers;
    open.add(this);
  }

  /** Connects and agrees on a version. `firstXid` is the hello's transaction id. Rejects with ConfigError. */
  static async open(name: string, settings: SessionSettings, firstXid = 1, socket: 'mgmt' | 'snoop' = 'mgmt'): Promise<Session> {
    sayFatalSignals();
    const { target, stream } = await connectTo(name, socket);
    return new Promise((resolve, reject) => {
      const errors: Framed[] = [];
      const closers: ((reason: string) => void)[] = [];
      let session: Session | undefined;
      const connection = new OpenFlowConnection(
        stream,
        { clock: realClock, versions: settings.versions, firstXid },
        {
          onOpen: (version) => {
            session = new Session(target, connection, version, settings, errors, closers);
            // Who only listens hears what comes with the hello, too.
            if (socket === 'snoop') connection.hold();
            resolve(session);
          },
          onMessage: (framed) => {
            if (framed.message.kind === 'error') errors.push(framed);
          },
          onClose: (reason) => {
            for (const listener of closers) listener(reason);
            if (session === undefined)
              reject(new ConfigError(`${name}: failed to connect to socket (${reason === '' ? 'Connection reset by peer' : reason})`));
          },
        },
      );
    });
  }

  /** Hears of the end when the other side makes it. */
  onClosed(listener: (reason: string) => void): void {
    this.#closers.push(listener);
  }

  /** Sends a request and gives its answer's parts, `holds` as for OpenFlowConnection.ask; an error from the switch is thrown as SwitchRefusal. */
  async ask(message: Message, xid = this.connection.xid(), holds = false): Promise<Framed[]> {
    try {
      return await this.askPlainly(message, xid, holds);
    } catch (error) {
      throw error instanceof OpenFlowError ? await this.#refusal(error.framed) : error;
    }
  }

  /** The same; an error from the switch is thrown as OpenFlowError, and no names are looked up to tell it by. */
  async askPlainly(message: Message, xid = this.connection.xid(), holds = false): Promise<Framed[]> {
    try {
      return await this.connection.ask(message, this.connection.codec, xid, holds);
    } catch (error) {
      if (error instanceof OpenFlowError) throw error;
      const what =
        message.kind === 'flowStatsRequest'
          ? 'dump flows'
          : message.kind === 'barrierRequest'
            ? `talking to ${this.target}`
            : 'OpenFlow packet receive failed';
      throw new ConfigError(`${what} (${errorText(error)})`);
    }
  }

  /** Errors that answered no request that waited, in order of arrival; they are the caller's now. */
  takeErrors(): Framed[] {
    return this.#errors.splice(0);
  }

  /** Waits until the switch has done everything sent before; throws what it refused. */
  async barrier(): Promise<void> {
    await this.ask({ kind: 'barrierRequest' });
    const [first] = this.#errors;
    if (first !== undefined) throw await this.#refusal(first);
  }

  /** The names of the switch's ports and tables, where they are to be shown. */
  async names(): Promise<PortNames | undefined> {
    // What is refused of that itself is told by numbers.
    if (!showsNames(this.#settings) || this.#isLookingUp) return undefined;
    this.#isLookingUp = true;
    try {
      return await (await import('./names.ts')).namesToShow(this);
    } finally {
      this.#isLookingUp = false;
    }
  }

  async #refusal(error: Framed): Promise<SwitchRefusal> {
    return new SwitchRefusal(printMessage(error, { names: await this.names() }), error);
  }

  close(): void {
    open.delete(this);
    this.connection.close();
  }
}

/** Runs `run` with a session that is closed behind it; 0, the exit code. */
export async function withSession(
  bridge: string,
  settings: SessionSettings,
  run: (session: Session) => Promise<void>,
  firstXid = 1,
): Promise<number> {
  const session = await Session.open(bridge, settings, firstXid);
  try {
    await run(session);
    return 0;
  } finally {
    session.close();
  }
}

/** Whether names of ports and tables are to be shown. */
export const showsNames = ({ names }: SessionSettings): boolean => names ?? process.stdout.isTTY === true;

/**
 * Asks and prints what comes back, a refusal too: to some commands that is an answer like another. Names are looked up when the answer
 * is there, those of `withNames` by who asks several times.
 */
export async function printAnswer(
  session: Session,
  message: Message,
  withNames: boolean | (() => Promise<PortNames | undefined>) = false,
): Promise<void> {
  try {
    const parts = await session.ask(message);
    const look = withNames === true ? () => session.names() : withNames;
    const names = look === false ? undefined : await look();
    for (const part of parts) print(printMessage(part, { names }));
  } catch (error) {
    if (!(error instanceof SwitchRefusal)) throw error;
    print(error.message);
  }
}
