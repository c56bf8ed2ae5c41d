// A controller that the bridge connects to, and connects to again.
import { errorText, KernelError } from '../../base/errors.ts';
import { Reconnect } from '../../base/reconnect.ts';
import type { Stream } from '../../base/stream.ts';
import type { ControllerRequest, ControllerStatus, SwitchEnvironment } from '../contract.ts';
import { ADMISSION_MS } from './fail-mode.ts';
import { OpenFlowSession, type SessionHub } from './openflow-session.ts';

/** Of a connection that has not been configured yet; a peer on this machine is not probed. */
const DEFAULT_MAX_BACKOFF_MS = 8000;
const DEFAULT_PROBE_MS = 5000;

export class ActiveConnection {
  readonly target: string;
  readonly name: string;
  request: ControllerRequest;
  session: OpenFlowSession | undefined;
  /** The peer has shown that it means to control the bridge. */
  isAdmitted = false;
  readonly #hub: SessionHub;
  readonly #environment: SwitchEnvironment;
  readonly #reconnect: Reconnect;
  #attempt = 0;
  #dscp: number;
  #lastAdmittedAt: number;

  constructor(request: ControllerRequest, hub: SessionHub, environment: SwitchEnvironment) {
    this.target = request.target;
    this.name = `${hub.core.name}<->${request.target}`;
    this.request = request;
    this.#dscp = request.dscp;
    this.#hub = hub;
    this.#environment = environment;
    this.#lastAdmittedAt = hub.core.clock.now();
    this.#reconnect = new Reconnect(
      this.name,
      hub.core.clock,
      {
        connect: () => this.#connect(),
        probe: () => this.session?.notify({ kind: 'echoRequest', data: new Uint8Array(0) }),
        drop: () => this.#drop(),
      },
      {
        maxBackoffMs: DEFAULT_MAX_BACKOFF_MS,
        probeIntervalMs: request.target.startsWith('unix:') ? 0 : DEFAULT_PROBE_MS,
        voice: 'rconn',
      },
    );
  }

  get isConnected(): boolean {
    return this.#reconnect.isConnected;
  }

  start(): void {
    this.#reconnect.enable();
  }

  /** Takes new limits and intervals. As in the reference, a peer that is being sought is sought as it began to be. */
  configure(request: ControllerRequest): void {
    this.request = request;
    this.session?.configure(request);
    if (!this.#reconnect.isConnected) return;
    this.#reconnect.configure(request);
    // Another mark needs another connection.
    if (request.dscp === this.#dscp) return;
    this.#dscp = request.dscp;
    this.#reconnect.reconnect();
  }

  /** Drops the connection and opens it again, as `ovs-appctl bridge/reconnect` asks. */
  reconnect(): void {
    if (this.#reconnect.isConnected) this.#reconnect.reconnect();
  }

  close(): void {
    this.#reconnect.disable();
    this.#drop();
  }

  /** Negotiation succeeded. */
  opened(): void {
    this.#reconnect.connected();
  }

  /** The peer sent something. */
  heard(admits: boolean): void {
    this.#reconnect.activity();
    if (admits) this.isAdmitted = true;
  }

  /** The session ended by itself. */
  ended(reason: string): void {
    this.#noteAdmission();
    this.session = undefined;
    this.isAdmitted = false;
    this.#reconnect.ended(reason);
  }

  /** Milliseconds since this controller was last known to control the bridge; 0 while it does. */
  silenceMs(): number {
    const now = this.#hub.core.clock.now();
    this.#noteAdmission();
    return now - this.#lastAdmittedAt;
  }

  status(): ControllerStatus {
    const now = this.#hub.core.clock.now();
    const status = new Map<string, string>();
    const r = this.#reconnect;
    if (r.lastError !== '') status.set('last_error', r.lastError);
    status.set('state', r.state);
    if (r.connectedAt !== undefined) status.set('sec_since_connect', String(Math.floor((now - r.connectedAt) / 1000)));
    if (r.disconnectedAt !== undefined) status.set('sec_since_disconnect', String(Math.floor((now - r.disconnectedAt) / 1000)));
    const limits = this.session?.limits;
    if (limits !== undefined) {
      for (const type of ['miss', 'action'] as const) {
        for (const [what, count] of Object.entries(limits[type])) status.set(`packet-in-${type}-${what}`, String(count));
      }
    }
    const isConnected = r.isConnected;
    return { target: this.target, isConnected, role: isConnected ? (this.session?.role ?? 'equal') : 'nochange', status };
  }

  #noteAdmission(): void {
    const r = this.#reconnect;
    const now = this.#hub.core.clock.now();
    if (!r.isConnected || r.connectedAt === undefined) return;
    if (now - r.connectedAt >= ADMISSION_MS) this.isAdmitted = true;
    // A peer that answers probes controls the bridge until it is found not to.
    if (this.isAdmitted) this.#lastAdmittedAt = r.state === 'IDLE' ? r.lastActivity : now;
  }

  #connect(): void {
    const attempt = ++this.#attempt;
    this.#environment.connect(this.target, this.#dscp).then(
      (stream) => {
        if (attempt === this.#attempt) this.#opened(stream);
        else stream.destroy();
      },
      (error: unknown) => {
        if (attempt === this.#attempt) this.#reconnect.ended(connectFault(error));
      },
    );
  }

  #opened(stream: Stream): void {
    this.session = new OpenFlowSession(this.name, stream, this.#hub, {
      kind: this.request.type,
      enableAsync: this.request.enableAsync,
      rateLimit: this.request.rateLimit,
      burstLimit: this.request.burstLimit,
      queueLength: this.request.queueLength,
    });
  }

  #drop(): void {
    this.#attempt++;
    this.#noteAdmission();
    this.session?.abandon();
    this.session = undefined;
    this.isAdmitted = false;
  }
}

/** The cause alone, as strerror has it. */
function connectFault(error: unknown): string {
  const text = errorText(error);
  return error instanceof KernelError && text.startsWith(`${error.call}: `) ? text.slice(error.call.length + 2) : text;
}
