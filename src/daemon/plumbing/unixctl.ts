// The control socket of a daemon: JSON-RPC 1.0 requests whose method is a command and whose parameters are its words (ovs-appctl(8)).
import { errorText, PeerError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import { versionText } from '../../base/version.ts';
import { listenStream } from '../../host/sockets/socket.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import { RpcSession } from '../../ovsdb/json/jsonrpc.ts';

const log = logger('unixctl');

/** Gives the answer's text; a thrown PeerError or ConfigError becomes the error reply. */
export type ControlHandler = (args: string[]) => string | Promise<string>;

interface Command {
  /** Undefined: the command is not listed. */
  usage: string | undefined;
  minArgs: number;
  maxArgs: number;
  handler: ControlHandler;
}

/** A command could not be done; the message is what ovs-appctl shows. */
export function controlError(message: string): PeerError {
  return new PeerError('unixctl', message);
}

export class UnixctlServer {
  readonly #program: string;
  readonly #commands = new Map<string, Command>();
  readonly #sessions = new Set<RpcSession>();
  #listener: Listener | undefined;

  constructor(program: string) {
    this.#program = program;
    this.register('list-commands', '', 0, 0, () => this.#list());
    this.register('version', '', 0, 0, () => versionText(program));
  }

  /** Adds a command, or replaces one. Without a usage it is not listed: other names of a command, and what only tests need. */
  register(name: string, usage: string | undefined, minArgs: number, maxArgs: number, handler: ControlHandler): void {
    this.#commands.set(name, { usage, minArgs, maxArgs, handler });
  }

  /** Listens on a Unix socket. Rejects with a KernelError. */
  async listen(path: string): Promise<void> {
    this.#listener = await listenStream(`punix:${path}`, (stream) => this.accept(stream));
  }

  /** Serves one connection. */
  accept(stream: Stream): void {
    const session = new RpcSession(
      stream,
      {
        onRequest: (method, params, id) => void this.#serve(session, method, params, id),
        onNotify: () => session.close(),
        onClose: () => void this.#sessions.delete(session),
      },
      { queueLimit: 256 * 1024 * 1024, answersEcho: false },
    );
    this.#sessions.add(session);
  }

  /** Does a command as if it had come over the socket. */
  async run(method: string, args: readonly Json[]): Promise<string> {
    const command = this.#commands.get(method);
    if (command === undefined)
      throw controlError(`"${method}" is not a valid command (use "list-commands" to see a list of valid commands)`);
    if (args.length < command.minArgs) throw controlError(`"${method}" command requires at least ${command.minArgs} arguments`);
    if (args.length > command.maxArgs) throw controlError(`"${method}" command takes at most ${command.maxArgs} arguments`);
    return await command.handler(
      args.map((arg) => {
        if (typeof arg !== 'string') throw controlError(`"${method}" command has non-string argument`);
        return arg;
      }),
    );
  }

  async #serve(session: RpcSession, method: string, params: Json[], id: Json): Promise<void> {
    log.dbg(() => `received request ${method}${formatJson(params)}, id=${formatJson(id)}`);
    const line = (text: string) => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
    try {
      const result = await this.run(method, params);
      log.dbg(() => `replying with success, id=${formatJson(id)}: "${result}"`);
      session.reply(id, line(result));
    } catch (error) {
      log.dbg(() => `replying with error, id=${formatJson(id)}: "${errorText(error)}"`);
      session.replyError(id, line(errorText(error)));
    }
  }

  #list(): string {
    const listed = [...this.#commands].filter(([, { usage }]) => usage !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
    return `The available commands are:\n${listed.map(([name, { usage }]) => `  ${name.padEnd(23)} ${usage}\n`).join('')}`;
  }

  /** Stops listening and lets go of connections after their replies. */
  close(): void {
    this.#listener?.close();
    this.#listener = undefined;
    for (const session of this.#sessions) session.close();
  }

  get program(): string {
    return this.#program;
  }
}
