// Replays what translation says traffic of a megaflow does besides being forwarded.
import type { Effect } from './translation.ts';

const FIN_OR_RST = 5;

/** Counts `packets` and `bytes` that were last seen at `usedMs`, and refreshes what they taught; true when that was new. */
export function applyEffects(effects: readonly Effect[], packets: number, bytes: number, usedMs: number, tcpFlags = 0): boolean {
  let isNew = false;
  if (packets === 0) return isNew;
  for (const effect of effects) {
    switch (effect.kind) {
      case 'lookup': {
        effect.table.lookups += packets;
        let { rule } = effect;
        if (rule === undefined) break;
        effect.table.matches += packets;
        while (rule.isGone && rule.heir !== undefined) rule = rule.heir;
        const { stats } = rule;
        // Flows that need not count do so too, as in the reference.
        stats.packets += packets;
        stats.bytes += bytes;
        if (usedMs > stats.usedMs) stats.usedMs = usedMs;
        break;
      }
      case 'miss': {
        const { stats } = effect.rule;
        stats.packets += packets;
        stats.bytes += bytes;
        if (usedMs > stats.usedMs) stats.usedMs = usedMs;
        break;
      }
      case 'learn':
        // A port that has gone since teaches nothing.
        if (effect.bridge.bundles.get(effect.bundle.name) === effect.bundle) {
          const { bridge, vlan, high, low, bundle, announcement } = effect;
          if (bridge.macs.learn(vlan, high, low, bundle, usedMs, announcement)) isNew = true;
        }
        break;
      case 'learnFlow':
        effect.bridge.learnFlow(effect.mod, effect.limit, usedMs);
        break;
      case 'finTimeout':
        if ((tcpFlags & FIN_OR_RST) !== 0) {
          effect.bridge.tables.reduceTimeouts(effect.rule, effect.idleTimeoutSec, effect.hardTimeoutSec);
        }
        break;
      case 'mirror':
        effect.mirror.packets += packets;
        effect.mirror.bytes += bytes;
        break;
      case 'call':
        effect.fn();
        break;
      case 'recirc':
        break;
      case 'group':
        effect.group.count(effect.bucket, packets, bytes);
        break;
      case 'port': {
        const { virtual } = effect.port;
        if (effect.direction === 'rx') {
          virtual.rxPackets += packets;
          virtual.rxBytes += bytes;
        } else {
          virtual.txPackets += packets;
          virtual.txBytes += bytes;
        }
        break;
      }
    }
  }
  return isNew;
}
