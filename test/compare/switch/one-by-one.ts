// Requests that were once answered otherwise than by the reference, written out: each case to both switches with a bridge made anew.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OfVersion } from '../../../src/openflow/message.ts';
import { comparable } from './heard.ts';
import { Peer, Side, type SideName } from './sides.ts';

/**
 * What is done in turn. `4> HEX HEX` sends messages on the connection of that name, whose first digit is its version; `4` alone opens it; other
 * lines are a control command (`appctl ...`), an `ovs-ofctl` or an `ovs-vsctl` command line (`ofctl ...`, `vsctl ...`), whose output counts too.
 */
export interface SwitchCase {
  name: string;
  steps: readonly string[];
  /** Lines that do not count, and why they cannot. */
  ignored?: { lines: RegExp; because: string };
}

async function oneSide(side: Side, { steps, ignored }: SwitchCase): Promise<string[]> {
  const peers = new Map<string, Peer>();
  const said: string[] = [];
  const opened = async (name: string): Promise<Peer> => {
    const known = peers.get(name);
    if (known !== undefined) return known;
    const peer = new Peer(join(side.dir, 'br0.mgmt'), Number(name[0]) as OfVersion);
    peers.set(name, peer);
    await peer.settle(2);
    return peer;
  };
  try {
    for (const step of steps) {
      said.push(`>>> ${step}`);
      const [first = '', ...words] = step.split(' ');
      if (first === 'appctl') said.push(side.appctl(...words));
      else if (first === 'ofctl') said.push(side.ofctl(...words));
      else if (first === 'vsctl') said.push(side.vsctl(...words));
      else {
        const peer = await opened(first.replace('>', ''));
        for (const word of words) {
          const bytes = Buffer.from(word, 'hex');
          if (bytes.readUInt16BE(2) !== bytes.length) throw new Error(`a message of ${bytes.length} bytes that says another size: ${word}`);
          peer.send(Uint8Array.from(bytes));
        }
      }
      // A frame that a switch has taken may come to its controllers after its next answers.
      if (peers.size > 0) await sleep(50);
      for (const [name, peer] of peers) said.push(...comparable(await peer.settle(3)).lines.map((line) => `${name}: ${line}`));
    }
  } finally {
    for (const peer of peers.values()) peer.close();
  }
  return said.filter((line) => ignored?.lines.test(line) !== true);
}

/** What each side said to each case. */
export async function compareCases(cases: readonly SwitchCase[]): Promise<{ name: string; said: Record<SideName, string[]> }[]> {
  const sides = { debian: new Side('debian'), weft: new Side('weft') };
  const results: { name: string; said: Record<SideName, string[]> }[] = [];
  try {
    for (const side of Object.values(sides)) side.start(3);
    for (const one of cases) {
      for (const side of Object.values(sides)) side.makeBridge(3);
      const [debian, weft] = await Promise.all([oneSide(sides.debian, one), oneSide(sides.weft, one)]);
      results.push({ name: one.name, said: { debian, weft } });
    }
  } finally {
    for (const side of Object.values(sides)) side.stop();
  }
  return results;
}
