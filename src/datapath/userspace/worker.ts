// The frame path's thread. It blocks in epoll_wait, never in its own event loop: commands are fetched from the message port when the
// eventfd says that there are some.
//
//   1. Each device that is ready hands in a burst; then everything queued is flushed, and the device's memory given back. A device whose
//      memory tells what is there is looked at without being asked for, as long as there are few.
//   2. While there is work, epoll is only asked now and then, for commands and for devices that must be read.
//   3. Without work, upcalls have been announced and the thread sleeps; while much comes, it rests a moment by the clock (`moderation.ts`).
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { closeFd, libc, mapMemory, rememberMappings } from '../../host/ffi.ts';
import type { Device } from '../../netdev/device.ts';
import { Emitter, type OpenedEmitter } from '../../netdev/emitter.ts';
import type { Packet } from '../../netdev/packet.ts';
import { mappedPacket, ReceivePool } from '../../netdev/receive-pool.ts';
import { setSourcePorts } from '../../netdev/source-port.ts';
import { attachDevice, type OpenedDevice } from './attach.ts';
import { applyCommand, type Command } from './command.ts';
import { answerRequest, type CtAnswer, type CtRequestMessage } from './conntrack/request.ts';
import { UserspaceCore } from './core.ts';
import { Moderation, REST_US } from './moderation.ts';
import { applyPacked, type PackedCommands } from './packed-commands.ts';
import { RING_PORT, sharedState } from './shared-state.ts';
import { UpcallQueue } from './upcall-queue.ts';

/** What the thread is started with. */
export interface WorkerStart {
  state: ArrayBufferLike;
  upcalls: ArrayBufferLike;
  upcallSize: number;
  wakeFd: number;
  emitter: OpenedEmitter | undefined;
  /** performance.timeOrigin of the control plane, whose clock the flows' times are in. */
  timeOrigin: number;
}

export type WorkerCommand =
  | Command
  | PackedCommands
  | { op: 'attach'; port: number; device: OpenedDevice }
  | { op: 'detach'; port: number }
  | { op: 'vlanLimit'; limit: number }
  | { op: 'sourcePorts'; low: number; high: number }
  /** Memory of meters that the kernel runs too. */
  | { op: 'shareMeters'; fd: number; size: number }
  /** The map of connections that the kernel carries too. */
  | { op: 'shareConnections'; fd: number }
  | { op: 'conntrack'; id: number; request: CtRequestMessage }
  | { op: 'barrier'; id: number }
  | { op: 'close' };

export type WorkerReport =
  | { kind: 'attached' | 'detached'; port: number }
  | { kind: 'attachFailed'; port: number; message: string }
  | { kind: 'conntrack'; id: number; answer: CtAnswer }
  | { kind: 'barrier'; id: number }
  | { kind: 'upcalls' }
  | { kind: 'closed' };

interface Attached {
  port: number;
  device: Device;
  /** Whether it is among `ready`. */
  isReady: boolean;
  isGone: boolean;
  /** Whether it is looked at in every round, however many there are. */
  isAlwaysReady: boolean;
  onPacket: (packet: Packet) => void;
}

const BURST = 32;
const EPOLL_IN = 1;
const EPOLL_ERROR = 8 | 16;
const EVENT_SIZE = process.arch === 'x64' ? 12 : 16;
const EVENT_DATA = EVENT_SIZE - 8;
const MOST_EVENTS = 64;
const BUSY_ROUNDS = 8;
/** So many devices are looked at in every round; of more, those that epoll names. */
const FEW = 32;
const IDLE_MS = 1000;
const OVERRUNS_MS = 1000;
const PR_SET_TIMERSLACK = 29;

const start = workerData as WorkerStart;
const giveMemoryBack = rememberMappings();
const control = parentPort as MessagePort;
const report = (message: WorkerReport): void => control.postMessage(message);
const state = sharedState(start.state);
const upcalls = new UpcallQueue(start.upcallSize, start.upcalls);
const core = new UserspaceCore(state, upcalls, mappedPacket, crypto.getRandomValues(new Int32Array(1))[0]!);
const clockOffset = performance.timeOrigin - start.timeOrigin;
const c = libc();
const epoll = c.epollCreate(0x80000);
const events = mapMemory(MOST_EVENTS * EVENT_SIZE);
const eventView = new DataView(events.bytes.buffer);
const pool = new ReceivePool();
const emitter = start.emitter === undefined ? undefined : new Emitter(start.emitter);
const wakeBuffer = new Uint8Array(8);
const attached = new Map<number, Attached>();
/** Devices to be looked at in the next round. */
let ready: Attached[] = [];
const moderation = new Moderation();
/** Bytes of the frames that this round has taken. */
let taken = 0;
const WAKE = 0xffffffff;
let isClosing = false;
let nextOverrunsMs = 0;

function watch(fd: number, data: number): void {
  const event = new Uint8Array(EVENT_SIZE);
  const view = new DataView(event.buffer);
  view.setUint32(0, EPOLL_IN, true);
  view.setUint32(EVENT_DATA, data, true);
  c.epollCtl(epoll, 1, fd, event);
}

const unwatch = (fd: number): void => void c.epollCtl(epoll, 2, fd, new Uint8Array(EVENT_SIZE));

function obey(command: WorkerCommand): void {
  switch (command.op) {
    case 'attach': {
      const { port } = command;
      try {
        const device = attachDevice(command.device, port, core, pool, emitter);
        core.portAdd(port, device);
        const standsForMany = command.device.kind === 'ring';
        const onPacket = (packet: Packet): void => {
          taken += packet.length;
          core.receive(standsForMany ? packet.port : port, packet);
        };
        const one = { port, device, isReady: true, isGone: false, isAlwaysReady: standsForMany, onPacket };
        attached.set(port, one);
        ready.push(one);
        for (const fd of device.fds) watch(fd, port);
        report({ kind: 'attached', port });
      } catch (error) {
        report({ kind: 'attachFailed', port, message: error instanceof Error ? error.message : String(error) });
      }
      break;
    }
    case 'detach':
      detach(command.port);
      report({ kind: 'detached', port: command.port });
      break;
    case 'barrier':
      report({ kind: 'barrier', id: command.id });
      break;
    case 'conntrack':
      report({ kind: 'conntrack', id: command.id, answer: answerRequest(core.conntrack, command.request) });
      break;
    case 'packed':
      applyPacked(core, command, warn);
      break;
    case 'vlanLimit':
      core.setVlanLimit(command.limit);
      break;
    case 'sourcePorts':
      setSourcePorts(command.low, command.high);
      break;
    case 'shareMeters': {
      const { bytes } = mapMemory(command.size, command.fd, true, 0);
      core.meters.share(new BigUint64Array(bytes.buffer, bytes.byteOffset, command.size / 8));
      break;
    }
    case 'shareConnections':
      core.tick(performance.now() + clockOffset);
      core.conntrack.share(command.fd);
      break;
    case 'close':
      isClosing = true;
      break;
    case 'upcallsDone':
      applyCommand(core, command);
      attached.get(RING_PORT)?.device.settle?.();
      break;
    default:
      applyCommand(core, command);
  }
}

function detach(port: number): void {
  const one = attached.get(port);
  if (one === undefined) return;
  attached.delete(port);
  ready = ready.filter((other) => other !== one);
  core.flush();
  core.portDelete(port);
  for (const fd of one.device.fds) unwatch(fd);
  one.device.close();
}

/** One bad command must not end the frame path. */
const warn = (error: unknown): void => process.emitWarning(error instanceof Error ? error : String(error));

/** Commands that have been looked through for lists, and are still to be obeyed. */
let ahead: WorkerCommand[] = [];

const fetchCommands = (): WorkerCommand[] | undefined =>
  (receiveMessageOnPort(control) as { message: WorkerCommand[] } | undefined)?.message;

function obeyAll(): void {
  c.read(start.wakeFd, wakeBuffer, 8);
  for (let commands: WorkerCommand[] | undefined = ahead; commands !== undefined; commands = fetchCommands()) {
    ahead = [];
    for (const command of commands) {
      try {
        obey(command);
      } catch (error) {
        warn(error);
      }
    }
  }
}

/** A frame came with a list that has not been heard of: the kernel may know it before we do. */
function fetchLists(): void {
  for (let commands = fetchCommands(); commands !== undefined; commands = fetchCommands()) {
    for (const command of commands) {
      if (command.op === 'listPut') obey(command);
      else ahead.push(command);
    }
  }
}
core.onUnknownList = fetchLists;

function poll(timeoutMs: number): void {
  const count = c.epollWaitAt(epoll, events.address, MOST_EVENTS, timeoutMs);
  for (let i = 0; i < count; i++) {
    const flags = eventView.getUint32(i * EVENT_SIZE, true);
    const data = eventView.getUint32(i * EVENT_SIZE + EVENT_DATA, true);
    if (data === WAKE) {
      obeyAll();
      continue;
    }
    const one = attached.get(data);
    if (one === undefined || one.isGone) continue;
    if (!one.isReady) ready.push(one);
    one.isReady = true;
    if ((flags & EPOLL_ERROR) !== 0 && !one.device.stillExists()) {
      // Watched no longer, or it would wake us for ever; the port stays until the control plane removes it.
      for (const fd of one.device.fds) unwatch(fd);
      one.isReady = false;
      one.isGone = true;
    }
  }
}

function round(): number {
  let work = 0;
  taken = 0;
  core.tick(performance.now() + clockOffset);
  const isCrowded = attached.size > FEW;
  const current = ready;
  const size = current.length;
  let kept = 0;
  for (let i = 0; i < size; i++) {
    const one = current[i]!;
    if (!one.isReady) continue;
    const { device } = one;
    const count = device.receive(BURST, one.onPacket);
    if (count > 0) {
      core.flush();
      device.release();
      work += count;
    }
    if (count < BURST && !one.isAlwaysReady && (isCrowded || device.needsReadiness)) one.isReady = false;
    else current[kept++] = one;
  }
  if (kept < size) current.length = kept;
  if (taken > 0) moderation.took(taken, core.nowMs);
  if (!upcalls.isEmpty && upcalls.claimWake()) report({ kind: 'upcalls' });
  return work;
}

function countOverruns(): void {
  if (core.nowMs < nextOverrunsMs) return;
  nextOverrunsMs = core.nowMs + OVERRUNS_MS;
  for (const { device } of attached.values()) device.countOverruns?.();
}

// The kernel may let a thread sleep longer than it asked for, by its own count 50 us.
c.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
watch(start.wakeFd, WAKE);
for (let busy = 0; !isClosing; ) {
  if (round() === 0) {
    busy = 0;
    countOverruns();
    if (moderation.isToRest(core.nowMs)) {
      c.usleep(REST_US);
      poll(0);
    } else {
      poll(IDLE_MS);
    }
  } else if (++busy === BUSY_ROUNDS) {
    busy = 0;
    poll(0);
    countOverruns();
  }
}
for (const port of [...attached.keys()]) detach(port);
core.conntrack.close();
closeFd(epoll);
emitter?.close();
giveMemoryBack();
report({ kind: 'closed' });
