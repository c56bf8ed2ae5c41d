// The user-space datapath over real devices: opened here, moved by `worker.ts` in a thread of its own.
import { Worker } from 'node:worker_threads';
import { ConfigError, errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Attachment } from '../../bpf/attachment.ts';
import { shieldHost } from '../../bpf/host-shield.ts';
import { allClosedAside, closeAside } from '../../host/close-aside.ts';
import { check, closeFd, E, libc } from '../../host/ffi.ts';
import { interfaceHardware } from '../../host/interface-request.ts';
import type { OpenedEmitter } from '../../netdev/emitter.ts';
import { closePacketQueue, openPacketQueue, type PacketQueue } from '../../netdev/packet-queue.ts';
import { closePacketSocket, openPacketSocket, type PacketSocket, ringBlocks } from '../../netdev/packet-socket.ts';
import { openTap, setTapPersistent, type Tap } from '../../netdev/tap.ts';
import { openTunnel } from '../../netdev/tunnel.ts';
import type { DpPort, DpPortSpec } from '../datapath.ts';
import type { OpenedDevice } from './attach.ts';
import type { Command } from './command.ts';
import type { CtAnswer, CtRequestMessage } from './conntrack/request.ts';
import { UserspaceControl } from './control.ts';
import { closeEmitter, openEmitter } from './emit-program.ts';
import { CommandPacker } from './packed-commands.ts';
import { sharedState } from './shared-state.ts';
import { UpcallQueue } from './upcall-queue.ts';
import type { WorkerCommand, WorkerReport, WorkerStart } from './worker.ts';

const log = logger('dpif_netdev');
const dpifLog = logger('dpif');
const ARPHRD_LOOPBACK = 772;
const UPCALL_BYTES = 32 << 20;

/** Undefined where the kernel does not allow it: frames go through sockets then. Of `system` it has been said what the kernel refuses. */
function tryEmitter(type: string): OpenedEmitter | undefined {
  try {
    return openEmitter();
  } catch (error) {
    const text = (): string => `small frames leave one by one, because no program can send them: ${errorText(error).split('\n')[0]}`;
    if (type === 'system') log.dbg(text);
    else log.info(text());
    return undefined;
  }
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

export class NetdevDatapath extends UserspaceControl {
  readonly #wakeFd: number;
  readonly #emitter: OpenedEmitter | undefined;
  readonly #worker: Worker;
  readonly #questions = new Map<number, (answer: CtAnswer) => void>();
  readonly #barriers = new Map<number, () => void>();
  #nextQuestion = 1;
  readonly #waiting = new Map<string, Waiting>();
  readonly #shields = new Map<DpPort, Attachment>();
  readonly #sockets = new Map<DpPort, PacketQueue | PacketSocket>();
  readonly #taps = new Map<DpPort, Tap>();
  readonly #keepDevices: boolean;
  readonly #closed: Promise<void>;
  #pending: WorkerCommand[] = [];
  readonly #packer = new CommandPacker();
  #isDelivering = false;
  #hasWarned = false;
  #isClosing = false;
  #hasEnded = false;

  constructor(type: string, name: string, keepDevices = false) {
    const state = sharedState();
    const upcalls = new UpcallQueue(UPCALL_BYTES);
    super(type, name, state, upcalls);
    this.#keepDevices = keepDevices;
    this.#emitter = tryEmitter(type);
    this.#wakeFd = check('eventfd', libc().eventfd(0, 0x80800));
    const start: WorkerStart = {
      state: state.buffer,
      upcalls: upcalls.buffer,
      upcallSize: UPCALL_BYTES,
      wakeFd: this.#wakeFd,
      emitter: this.#emitter,
      timeOrigin: performance.timeOrigin,
    };
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: start });
    this.#worker.on('message', (message: WorkerReport) => this.#heard(message));
    this.#worker.on('error', (error) => log.emer(`the frame path has failed: ${errorText(error)}`));
    this.#closed = new Promise((resolve) => void this.#worker.once('exit', () => resolve()));
    void this.#closed.then(() => {
      this.#hasEnded = true;
      for (const met of this.#barriers.values()) met();
      this.#barriers.clear();
      for (const { reject } of this.#waiting.values()) reject(new Error('the frame path has ended'));
      this.#waiting.clear();
    });
    // A thread that sleeps in epoll_wait cannot be ended from outside before it wakes.
    process.on('exit', this.#onExit);
  }

  readonly #onExit = (): void => {
    this.#post({ op: 'close' });
    this.#flush();
  };

  override conntrack(request: CtRequestMessage): Promise<CtAnswer> {
    const id = this.#nextQuestion++;
    return new Promise((resolve, reject) => {
      if (this.#isClosing) reject(new Error('the datapath is closing'));
      this.#questions.set(id, resolve);
      this.#post({ op: 'conntrack', id, request });
    });
  }

  /** At the latest it resolves when the frame path has ended: nobody waits for one that has failed. */
  flowBarrier(): Promise<void> {
    if (this.#hasEnded) return this.#closed;
    const id = this.#nextQuestion++;
    return new Promise((resolve) => {
      this.#barriers.set(id, resolve);
      this.#post({ op: 'barrier', id });
    });
  }

  protected override command(command: Command): void {
    const isFirst = this.#pending.length === 0 && this.#packer.isEmpty;
    if (!this.#packer.add(command)) this.#post(command);
    else if (isFirst) queueMicrotask(() => this.#flush());
  }

  /** Sends a command at once: the kernel may act upon it before this turn of the event loop is over. */
  protected commandNow(command: Command): void {
    this.command(command);
    this.#flush();
  }

  /** Commands of one turn of the event loop go over together, in their order. */
  #post(command: WorkerCommand): void {
    if (this.#pending.length === 0 && this.#packer.isEmpty) queueMicrotask(() => this.#flush());
    this.#pack();
    this.#pending.push(command);
  }

  #pack(): void {
    if (!this.#packer.isEmpty) this.#pending.push(this.#packer.take());
  }

  #flush(): void {
    this.#pack();
    if (this.#pending.length === 0) return;
    this.#worker.postMessage(this.#pending);
    this.#pending = [];
    libc().write(this.#wakeFd, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 8);
  }

  #answer(kind: 'attached' | 'detached', port: DpPort): Promise<void> {
    if (this.#hasEnded) return Promise.reject(new Error('the frame path has ended'));
    return new Promise((resolve, reject) => this.#waiting.set(`${kind} ${port}`, { resolve, reject }));
  }

  #heard(message: WorkerReport): void {
    switch (message.kind) {
      case 'upcalls':
        this.#deliver();
        break;
      case 'barrier':
        this.#barriers.get(message.id)?.();
        this.#barriers.delete(message.id);
        break;
      case 'conntrack':
        this.#questions.get(message.id)?.(message.answer);
        this.#questions.delete(message.id);
        break;
      case 'attached':
      case 'detached': {
        const name = `${message.kind} ${message.port}`;
        this.#waiting.get(name)?.resolve();
        this.#waiting.delete(name);
        break;
      }
      case 'attachFailed': {
        const name = `attached ${message.port}`;
        this.#waiting.get(name)?.reject(new Error(message.message));
        this.#waiting.delete(name);
        break;
      }
      case 'closed':
        break;
    }
  }

  /** A batch a turn, so that a flood of misses does not keep the control plane from its other work. */
  #deliver(): void {
    if (this.#isDelivering || this.#isClosing) return;
    this.#isDelivering = true;
    let hasMore = false;
    try {
      hasMore = this.deliverUpcalls();
    } finally {
      this.#isDelivering = false;
      this.#flush();
      if (hasMore) setImmediate(() => this.#deliver());
    }
  }

  /** Lets meters be run by the kernel too: `fd` is a map that can be mapped. */
  protected shareMeters(fd: number, size: number): void {
    this.#post({ op: 'shareMeters', fd, size });
  }

  /** Lets the kernel carry established connections: `fd` is their map, the frame path's from now on. */
  protected shareConnections(fd: number): void {
    this.#post({ op: 'shareConnections', fd });
  }

  protected override async openPort(port: DpPort, spec: DpPortSpec): Promise<void> {
    try {
      await this.attach(port, await this.#open(port, spec));
    } catch (error) {
      this.#endShield(port);
      this.#closeSocket(port);
      throw error;
    }
  }

  async #open(port: DpPort, spec: DpPortSpec): Promise<OpenedDevice> {
    try {
      return this.openDevice(port, spec);
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== E.MFILE) throw error;
      // Those of ports that went may be on their way out.
      await allClosedAside();
      return this.openDevice(port, spec);
    }
  }

  /** Gives an opened device to the frame path. */
  protected async attach(port: DpPort, device: OpenedDevice): Promise<void> {
    const answer = this.#answer('attached', port);
    this.#post({ op: 'attach', port, device });
    await answer;
  }

  protected openDevice(port: DpPort, spec: DpPortSpec): OpenedDevice {
    switch (spec.kind) {
      case 'system': {
        this.refuseDevice(spec.device);
        const blocks = ringBlocks(this.portCount() - 1);
        const socket = blocks === undefined ? openPacketQueue(spec.device) : openPacketSocket(spec.device, blocks);
        this.#sockets.set(port, socket);
        this.#shield(port, spec.device, socket.ifindex);
        return socket;
      }
      case 'internal': {
        const tap = openTap(spec.device, spec.mac, spec.mtu);
        if (this.#keepDevices) {
          setTapPersistent(tap, true);
          this.#taps.set(port, tap);
        }
        return tap;
      }
      case 'tunnel':
        return openTunnel(spec.device, spec.protocol, spec.dstPort);
      case 'dummy':
        throw new ConfigError(`${spec.device}: dummy ports exist in the dummy datapath only`);
    }
  }

  /** Throws where the device can be no port. */
  protected refuseDevice(device: string): void {
    if (interfaceHardware(device) !== ARPHRD_LOOPBACK) return;
    log.err(`${device}: cannot add a loopback device`);
    this.refused(device);
  }

  protected refused(device: string): never {
    dpifLog.warn(`${this.type}@${this.name}: failed to add ${device} as port: Invalid argument`);
    throw new ConfigError(`could not add network device ${device} to ofproto (Invalid argument)`);
  }

  #shield(port: DpPort, device: string, ifindex: number): void {
    try {
      this.#shields.set(port, shieldHost(ifindex));
    } catch (error) {
      if (!this.#hasWarned)
        log.warn(`${device}: the host sees this port's frames too, for want of a place for a program: ${errorText(error)}`);
      this.#hasWarned = true;
    }
  }

  protected override async closePort(port: DpPort): Promise<void> {
    this.#endShield(port);
    const tap = this.#taps.get(port);
    this.#taps.delete(port);
    if (tap !== undefined) this.#release(tap);
    const answer = this.#answer('detached', port);
    this.#post({ op: 'detach', port });
    await answer;
    this.#closeSocket(port);
  }

  #endShield(port: DpPort): void {
    this.#shields.get(port)?.detach();
    this.#shields.delete(port);
  }

  /** Of a port that the frame path does not have, or no more. */
  #closeSocket(port: DpPort): void {
    const socket = this.#sockets.get(port);
    this.#sockets.delete(port);
    if (socket?.kind === 'queue') closePacketQueue(socket, closeAside);
    else if (socket !== undefined) closePacketSocket(socket, closeAside);
  }

  #release(tap: Tap): void {
    try {
      setTapPersistent(tap, false);
    } catch (error) {
      // Somebody has deleted it.
      log.dbg(() => `device ${tap.ifindex}: ${errorText(error)}`);
    }
  }

  setSourcePorts(low: number, high: number): void {
    this.#post({ op: 'sourcePorts', low, high });
  }

  setVlanLimit(limit: number): void {
    this.#post({ op: 'vlanLimit', limit });
  }

  override async close(): Promise<void> {
    if (this.#isClosing) return this.#closed;
    this.#isClosing = true;
    process.off('exit', this.#onExit);
    this.#post({ op: 'close' });
    await this.#closed;
    for (const port of [...this.#sockets.keys()]) {
      this.#endShield(port);
      this.#closeSocket(port);
    }
    await allClosedAside();
    closeFd(this.#wakeFd);
    if (this.#emitter !== undefined) closeEmitter(this.#emitter);
  }
}

/**
 * Opens the user-space datapath: `netdev`, or `system` where the kernel allows no program. With `keepDevices`, internal devices
 * and what the host has configured on them outlive the process; they go when their port is deleted.
 */
export function openNetdevDatapath(type: 'netdev' | 'system' = 'netdev', keepDevices = false): NetdevDatapath {
  return new NetdevDatapath(type, type === 'system' ? 'ovs-system' : 'ovs-netdev', keepDevices);
}
