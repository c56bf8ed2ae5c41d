// A frame comes into a bridge: mirrors first, then table 0.
import { W } from '../../flow/key.ts';
import { OFPP } from '../../openflow/action.ts';
import type { SwitchPort } from '../ports.ts';
import { mirrorInput } from './mirror.ts';
import type { Walk } from './translate.ts';

/** UDP ports of what a DHCP server answers. */
const DHCP_REPLY = (67 << 16) | 68;

/** A frame comes into the bridge by a port. */
export function enter(walk: Walk, port: SwitchPort | undefined): void {
  const bundle = port?.bundle;
  const { mirrors } = walk.bridge;
  const inPort = walk.key[W.IN_PORT]!;
  if (bundle !== undefined && mirrors.isOutput(bundle)) {
    const drop = (): void =>
      walk.report('error', `dropping packet received on port ${port!.name}, which is reserved exclusively for mirroring`);
    walk.lookup(0, inPort, false, false, undefined, drop);
    return;
  }
  if (bundle === undefined || mirrors.isEmpty) {
    walk.lookup(0, inPort, true, false, () => walk.finish());
    return;
  }
  let hasMirrored = false;
  const mirrorOnce = (): void => {
    if (!hasMirrored) mirrorInput(walk, bundle);
    hasMirrored = true;
  };
  walk.lookup(
    0,
    inPort,
    true,
    false,
    () => {
      mirrorOnce();
      walk.finish();
    },
    (inner, actions, isLast) => {
      mirrorOnce();
      inner.run(actions, isLast);
    },
  );
}

/** A bridge that is controlled through its own ports gets its address through them: replies are sent to the local port besides. */
export function dhcpToLocal(walk: Walk): void {
  const { key, bridge } = walk;
  if (walk.isFreezing || key[W.TYPE]! >>> 16 !== 0x0800 || (key[W.TYPE]! & 0xff) !== 17 || key[W.TP] !== DHCP_REPLY) return;
  const local = bridge.ports.get(OFPP.LOCAL);
  if (local?.dpPort === undefined || walk.out.some((one) => one.kind === 'output' && one.port === local.dpPort)) return;
  walk.mark(W.TYPE, 0xffff00ff);
  walk.mark(W.TP, 0xffffffff);
  walk.send(OFPP.LOCAL, undefined);
}
