// Takes OpenFlow switches in, or seeks them, and hands what they say to apps.
import { errorText } from '../base/errors.ts';
import { logger } from '../base/log.ts';
import { Reconnect } from '../base/reconnect.ts';
import type { Listener, Stream } from '../base/stream.ts';
import { extractKey } from '../flow/extract.ts';
import { newKey, W } from '../flow/key.ts';
import { OpenFlowConnection, versionBits } from '../openflow/channel/connection.ts';
import { inPortOf } from '../openflow/codec/packet-codec.ts';
import type { Framed, OfVersion } from '../openflow/message.ts';
import type { App } from './app.ts';
import { type ControllerEnvironment, systemEnvironment } from './environment.ts';
import { SwitchHandle } from './switch-handle.ts';

const log = logger('controller');

const PROBE_INTERVAL_MS = 5000;
const HELLO_TIMEOUT_MS = 5000;
const MAX_BACKOFF_MS = 8000;
/** A switch for which more than this waits is not reading, and is dropped. */
const MAX_QUEUED_BYTES = 16 * 1024 * 1024;

export interface ControllerOptions {
  /** Where switches connect to: `ptcp:[PORT][:IP]`, `punix:PATH`. */
  listen?: string | readonly string[];
  /** Switches to connect to: `tcp:IP[:PORT]`, `unix:PATH`. */
  connect?: string | readonly string[];
  /** Wire versions to speak; OpenFlow 1.0 and 1.3 by default. */
  versions?: readonly OfVersion[];
  environment?: ControllerEnvironment;
}

export interface Controller {
  /** Names listened on, with the port bound. */
  readonly listening: readonly { name: string; port: number }[];
  switches(): Iterable<SwitchHandle>;
  close(): void;
}

/** Starts a controller with its apps; rejects when it cannot listen. */
export async function createController(options: ControllerOptions, ...apps: readonly App[]): Promise<Controller> {
  const running = new Running(options, apps);
  await running.start();
  return running;
}

const list = (names: string | readonly string[] | undefined): readonly string[] =>
  names === undefined ? [] : typeof names === 'string' ? [names] : names;

class Running implements Controller {
  readonly #options: ControllerOptions;
  readonly #apps: readonly App[];
  readonly #environment: ControllerEnvironment;
  readonly #versions: number;
  readonly #listeners: Listener[] = [];
  readonly #seekers: Reconnect[] = [];
  readonly #switches = new Map<SwitchHandle, OpenFlowConnection>();
  readonly #connections = new Set<OpenFlowConnection>();

  constructor(options: ControllerOptions, apps: readonly App[]) {
    this.#options = options;
    this.#apps = apps;
    this.#environment = options.environment ?? systemEnvironment;
    this.#versions = versionBits(options.versions ?? [1, 4]);
  }

  get listening(): readonly { name: string; port: number }[] {
    return this.#listeners.map(({ name, boundPort }) => ({ name, port: boundPort }));
  }

  switches(): Iterable<SwitchHandle> {
    return this.#switches.keys();
  }

  async start(): Promise<void> {
    try {
      for (const target of list(this.#options.listen)) {
        this.#listeners.push(await this.#environment.listen(target, (stream) => this.#take(stream)));
      }
    } catch (error) {
      this.close();
      throw error;
    }
    for (const target of list(this.#options.connect)) this.#seek(target);
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
    for (const seeker of this.#seekers) seeker.disable();
    for (const connection of this.#connections) connection.close();
  }

  #seek(target: string): void {
    let connection: OpenFlowConnection | undefined;
    const reconnect = new Reconnect(
      target,
      this.#environment.clock,
      {
        connect: () => {
          this.#environment.connect(target).then(
            (stream) => {
              connection = this.#take(stream, reconnect);
            },
            (error: unknown) => reconnect.ended(errorText(error)),
          );
        },
        probe: () => {},
        drop: () => connection?.close(),
      },
      // The connection probes by itself.
      { maxBackoffMs: MAX_BACKOFF_MS, probeIntervalMs: 0, voice: 'rconn' },
    );
    this.#seekers.push(reconnect);
    reconnect.enable();
  }

  #take(stream: Stream, reconnect?: Reconnect): OpenFlowConnection {
    let handle: SwitchHandle | undefined;
    let isGreeted = false;
    const connection: OpenFlowConnection = new OpenFlowConnection(
      stream,
      {
        clock: this.#environment.clock,
        versions: this.#versions,
        probeIntervalMs: PROBE_INTERVAL_MS,
        helloTimeoutMs: HELLO_TIMEOUT_MS,
      },
      {
        onOpen: () => {
          const sw = new SwitchHandle(stream.name, connection);
          handle = sw;
          reconnect?.connected();
          sw.greet().then(
            () => {
              isGreeted = true;
              this.#switches.set(sw, connection);
              log.info(`${sw.name}: switch ${sw.datapathId.toString(16).padStart(16, '0')} connected, ${sw.ports.size} ports`);
              this.#tell(sw, (app) => app.onConnect?.(sw));
            },
            (error: unknown) => {
              log.warn(`${sw.name}: ${errorText(error)}`);
              connection.close(errorText(error));
            },
          );
        },
        onMessage: (framed) => {
          if (handle !== undefined && isGreeted) this.#heard(handle, connection, framed);
        },
        onBadMessage: (error) => log.warn(`${stream.name}: ${error.message}`),
        onClose: (reason) => {
          this.#connections.delete(connection);
          reconnect?.ended(reason);
          if (handle === undefined || !this.#switches.delete(handle)) return;
          const gone = handle;
          log.info(`${gone.name}: switch ${gone.datapathId.toString(16).padStart(16, '0')} gone${reason === '' ? '' : ` (${reason})`}`);
          this.#tell(gone, (app) => app.onDisconnect?.(gone, reason));
        },
      },
    );
    this.#connections.add(connection);
    return connection;
  }

  #heard(sw: SwitchHandle, connection: OpenFlowConnection, framed: Framed): void {
    if (connection.stream.queuedBytes > MAX_QUEUED_BYTES) {
      connection.stream.destroy();
      connection.close('switch does not read');
      return;
    }
    const { message } = framed;
    switch (message.kind) {
      case 'packetIn': {
        const key = newKey();
        const inPort = inPortOf(message.match);
        key[W.IN_PORT] = inPort;
        extractKey(message.data, 0, message.data.length, key);
        const event = { message, inPort, frame: message.data, key };
        this.#tell(sw, (app) => app.onPacketIn?.(sw, event));
        return;
      }
      case 'flowRemoved':
        this.#tell(sw, (app) => app.onFlowRemoved?.(sw, message));
        return;
      case 'portStatus':
        sw.portChanged(message.reason, message.desc);
        this.#tell(sw, (app) => app.onPortStatus?.(sw, message.reason, message.desc));
        return;
      default:
        if (message.kind === 'error')
          log.warn(`${sw.name}: switch refused: ${message.name ?? `type ${message.type}, code ${message.code}`}`);
        this.#tell(sw, (app) => app.onMessage?.(sw, framed));
    }
  }

  #tell(sw: SwitchHandle, call: (app: App) => void | Promise<void> | undefined): void {
    for (const app of this.#apps) {
      const failed = (error: unknown): void => log.err(`${sw.name}: app ${app.name} failed: ${errorText(error)}`);
      try {
        const result = call(app);
        if (result instanceof Promise) result.catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  }
}
