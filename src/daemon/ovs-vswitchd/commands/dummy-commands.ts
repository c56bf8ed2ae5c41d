// Control commands of a daemon with --enable-dummy: frames into dummy ports, their state, and the clock.
import { ConfigError } from '../../../base/errors.ts';
import { hashOrder } from '../../../base/hash-order.ts';
import { parseAttributes } from '../../../datapath/attribute-parse.ts';
import { frameKeyOf } from '../../../datapath/key-frame.ts';
import type { DummyDatapath } from '../../../datapath/userspace/dummy.ts';
import { MAX_PORTS } from '../../../datapath/userspace/shared-state.ts';
import { composeFrame } from '../../../flow/compose.ts';
import { W } from '../../../flow/key.ts';
import { isIpv4, parseAddress, parsePrefix } from '../../../switch/underlay/address.ts';
import type { DeviceAddress } from '../../../switch/underlay/routes.ts';
import type { WarpClock } from '../clock.ts';
import type { DummyWires } from '../dummy-wires.ts';
import type { CommandParts } from './parts.ts';

export interface DummyParts extends CommandParts {
  clock: WarpClock;
  dummies: ReadonlySet<DummyDatapath>;
  wires: DummyWires;
}

/** A frame given as hex digits, which may stand in groups; undefined when the text is no frame. */
function hexFrame(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '');
  return /^([0-9a-f]{2}){14,}$/i.test(digits) ? Uint8Array.from(Buffer.from(digits, 'hex')) : undefined;
}

/** The frame that a datapath flow's text describes. `length` is undefined where none is asked for. */
function flowFrame(text: string, length: number | undefined, vlanLimit: number): Uint8Array {
  const attributes = parseAttributes(text, { masked: false });
  if (typeof attributes === 'string') throw new ConfigError(attributes);
  const described = frameKeyOf(attributes, vlanLimit);
  if (typeof described === 'string') throw new ConfigError(described);
  // A device carries Ethernet frames, whatever the text calls them.
  described.key[W.PACKET_TYPE] = 0;
  const frame = length === 0 ? undefined : composeFrame(described.key, length ?? 0);
  if (frame === undefined) throw new ConfigError('too small packet len');
  return frame;
}

/** The frames of `netdev-dummy/receive`: each is given to `take` before the next is read. */
function readFrames(words: readonly string[], vlanLimit: number, take: (frame: Uint8Array) => void): void {
  let at = 0;
  if (words[0] === '--qid' && words.length > 2) {
    const queue = Number.parseInt(words[1]!, 10);
    if (queue > 0) throw new ConfigError('bad rx queue id.');
    at = 2;
  }
  while (at < words.length) {
    const text = words[at++]!;
    const frame = hexFrame(text);
    if (frame !== undefined) {
      take(frame);
      continue;
    }
    let length: number | undefined;
    if (words[at] === '--len' && at + 1 < words.length) {
      length = /^\s*\+?\d/.test(words[at + 1]!) ? Number.parseInt(words[at + 1]!, 10) : 0;
      at += 2;
    }
    take(flowFrame(text, length, vlanLimit));
  }
}

/** `ADDRESS[/LENGTH]` of a family; the reference's words where it is none. */
function addressOf(text: string, bits: 32 | 128, family: 'IP' | 'IPv6'): DeviceAddress {
  const [address = '', rest] = text.split('/');
  const parsed = parseAddress(address);
  if (parsed === undefined || isIpv4(parsed) !== (bits === 32)) throw new ConfigError(`${text}: invalid ${family} address`);
  if (rest !== undefined && /^\d+$/.test(rest) && Number(rest) > bits) {
    throw new ConfigError(`${text}: IPv${bits === 32 ? 4 : 6} network prefix bits not between 0 and ${bits}, inclusive`);
  }
  const prefix = parsePrefix(text);
  if (prefix === undefined && !/^[\d.]+$/.test(rest ?? '')) throw new ConfigError(`${text}: invalid ${family} address`);
  return prefix ?? { address: parsed, length: 128 };
}

/** A frame arrives at a simulated device. */
export function receiveFrame({ dummies, wires }: Pick<DummyParts, 'dummies' | 'wires'>, name: string, frame: Uint8Array): void {
  wires.received(name, frame);
  for (const datapath of dummies) {
    for (const info of datapath.ports()) if (info.name === name) datapath.receive(info.port, frame);
  }
}

function connectionStates(wires: DummyWires, name: string | undefined): string {
  if (name !== undefined) return `${name}: ${wires.state(name) ?? 'unknown'}`;
  return hashOrder(wires.connecting())
    .map((one) => `${one}: ${wires.state(one)}`)
    .join('\n');
}

/** Registers them. */
export function registerDummyCommands(parts: DummyParts): void {
  const { unixctl, host, reconciler, devices, clock, dummies, wires } = parts;
  const needDummy = (name: string): void => {
    if (![...devices.dummies()].includes(name)) throw new ConfigError('Unknown Dummy Interface');
  };
  unixctl.register('netdev-dummy/receive', 'name [--qid queue_id] packet|flow [--len packet_len]', 2, Number.POSITIVE_INFINITY, (args) => {
    const [name = '', ...rest] = args;
    const port = reconciler.find(name);
    if (port?.kind.kind !== 'dummy') throw new ConfigError('no such dummy netdev');
    readFrames(rest, host.vlanLimit ?? 1, (frame) => {
      receiveFrame(parts, name, frame);
    });
    return '';
  });
  unixctl.register('netdev-dummy/set-admin-state', '[netdev] up|down', 1, 2, (args) => {
    const word = args[args.length - 1];
    if (word !== 'up' && word !== 'down') throw new ConfigError('Invalid Admin State');
    if (args.length > 1) {
      if (!devices.setDummyState(args[0] ?? '', word === 'up')) throw new ConfigError('Unknown Dummy Interface');
    } else {
      for (const name of [...devices.dummies()]) devices.setDummyState(name, word === 'up');
    }
    return 'OK';
  });
  unixctl.register('netdev-dummy/conn-state', '[netdev]', 0, 1, ([name]) => connectionStates(wires, name));
  unixctl.register('netdev-dummy/ip4addr', '[netdev] ipaddr/mask-prefix-len', 2, 2, ([name = '', text = '']) => {
    needDummy(name);
    devices.setDummyAddress(name, addressOf(text, 32, 'IP'));
    return 'OK';
  });
  unixctl.register('netdev-dummy/ip6addr', '[netdev] ip6addr', 2, 2, ([name = '', text = '']) => {
    needDummy(name);
    devices.setDummyAddress(name, addressOf(text, 128, 'IPv6'));
    return 'OK';
  });
  unixctl.register('dpif-dummy/change-port-number', 'dp port new-number', 3, 3, ([datapathName, port = '', text = '']) => {
    const datapath = [...dummies].find(({ name }) => name === datapathName);
    if (datapath === undefined) throw new ConfigError('unknown datapath or not a dummy');
    const info = [...datapath.ports()].find(({ name }) => name === port);
    if (info === undefined) throw new ConfigError('unknown port');
    const number = /^\s*[+-]?\d/.test(text) ? Number.parseInt(text, 10) : 0;
    if (number <= 0 || number >= MAX_PORTS) throw new ConfigError('bad port number');
    if ([...datapath.ports()].some((other) => other.port === number)) throw new ConfigError('port number already in use');
    datapath.renumber(info.port, number);
    host.portRenumbered?.(datapath, info.port, number);
    return '';
  });
  unixctl.register('time/stop', '', 0, 0, () => {
    clock.stop();
    return '';
  });
  unixctl.register('time/warp', '[large_msecs] msecs', 1, 2, async (args) => {
    const numbers = args.map((arg) => (/^\d+$/.test(arg) ? Number(arg) : 0));
    if (numbers.some((number) => number <= 0)) throw new ConfigError('invalid MSECS');
    const total = numbers[0] ?? 0;
    const step = numbers[1] ?? total;
    for (let done = 0; done < total; done += step) {
      clock.warp(Math.min(step, total - done));
      // What the timers set off gets its turn before time moves on.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return 'warped';
  });
}
