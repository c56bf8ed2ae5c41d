// Control commands of a daemon with --enable-dummy: frames into dummy ports, their state, and the clock.
import { ConfigError } from '../../base/errors.ts';
import type { DummyDatapath } from '../../datapath/userspace/dummy.ts';
import type { WarpClock } from './clock.ts';
import { frameOfFlow } from './flow-frame.ts';
import type { CommandParts } from './parts.ts';

export interface DummyParts extends CommandParts {
  clock: WarpClock;
  dummies: ReadonlySet<DummyDatapath>;
}

/** A frame given as hex digits or as a datapath flow's text. */
function frameOf(text: string, length: number): Uint8Array {
  const frame = /^([0-9a-f]{2})+$/i.test(text) && text.length >= 28 ? Uint8Array.from(Buffer.from(text, 'hex')) : frameOfFlow(text, length);
  if (frame === undefined) throw new ConfigError(`syntax error at ${text}`);
  return frame;
}

/** Registers them. */
export function registerDummyCommands(parts: DummyParts): void {
  const { unixctl, reconciler, devices, clock, dummies } = parts;
  unixctl.register('netdev-dummy/receive', 'name [--qid queue_id] packet|flow [--len packet_len]', 2, Number.POSITIVE_INFINITY, (args) => {
    const [name = '', ...rest] = args;
    const port = reconciler.find(name);
    if (port?.kind.kind !== 'dummy') throw new ConfigError('no such dummy netdev');
    const frames: Uint8Array[] = [];
    for (let i = 0; i < rest.length; i++) {
      if (rest[i] === '--qid') i++;
      else if (rest[i] !== '--len') {
        frames.push(frameOf(rest[i] ?? '', rest[i + 1] === '--len' ? Number(rest[i + 2]) : 0));
        if (rest[i + 1] === '--len') i += 2;
      }
    }
    for (const datapath of dummies) {
      for (const info of datapath.ports()) {
        if (info.name === name) for (const frame of frames) datapath.receive(info.port, frame);
      }
    }
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
  unixctl.register('netdev-dummy/conn-state', '[netdev]', 0, 1, () => '');
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
