// The Mirror rows of a bridge as the switch should have them. Pure. Facts: ovs-vswitchd.conf.db(5), table Mirror.
import type { IdlRow } from '../../ovsdb/client/idl.ts';
import type { MirrorRequest } from '../../switch/contract.ts';
import type { RowSource } from './wanted.ts';

export interface WantedMirror {
  row: IdlRow;
  request: MirrorRequest;
}

/** The mirrors of a bridge, in the order of their names; `portNames` are its ports. */
export function wantedMirrors(source: RowSource, bridge: IdlRow, portNames: readonly string[], faults: string[]): WantedMirror[] {
  const found: WantedMirror[] = [];
  const bridgeName = String(bridge.scalar('name'));
  const known = new Set(portNames);
  for (const uuid of bridge.set('mirrors')) {
    const row = source.row('Mirror', String(uuid));
    if (row === undefined) continue;
    const name = String(row.scalar('name'));
    const portsOf = (column: string): string[] =>
      row.set(column).flatMap((port) => {
        const portName = String(source.row('Port', String(port))?.scalar('name') ?? '');
        return known.has(portName) ? [portName] : [];
      });
    const [outputBundle] = portsOf('output_port');
    const outputVlan = row.optional('output_vlan');
    if (row.set('output_port').length > 0 && outputBundle === undefined) {
      faults.push(`bridge ${bridgeName}: mirror ${name} outputs to port not on bridge`);
      continue;
    }
    if (outputBundle !== undefined && outputVlan !== undefined) {
      faults.push(`bridge ${bridgeName}: mirror ${name} specifies both output port and output vlan; ignoring output vlan`);
    } else if (outputBundle === undefined && outputVlan === undefined) {
      faults.push(`bridge ${bridgeName}: mirror ${name} does not specify output; ignoring`);
      continue;
    }
    const isAll = row.scalar('select_all') === true;
    found.push({
      row,
      request: {
        name,
        sources: isAll ? portNames : portsOf('select_src_port'),
        destinations: isAll ? portNames : portsOf('select_dst_port'),
        vlans: row.set('select_vlan').map(Number),
        outputBundle,
        outputVlan: outputBundle === undefined ? Number(outputVlan) : -1,
        snaplen: Number(row.optional('snaplen') ?? 0),
      },
    });
  }
  return found.sort((a, b) => (a.request.name < b.request.name ? -1 : 1));
}
