// Debian's ovs-vswitchd over its dummy datapath, with its own folder: a bridge br0 with the ports p1, p2 and p3.
import { DummyDaemons, dummyPorts } from './dummy-daemons.ts';

/** The reference. `stop` it at the end. */
export class Reference extends DummyDaemons {
  /** `tag`: p3 is an access port of VLAN 10. `options` are more columns of each interface. */
  start({ tag = true, options = [] as string[] } = {}): void {
    this.startDaemons();
    const bridge = ['datapath_type=dummy', 'fail_mode=secure', 'protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15'];
    this.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', ...bridge, ...dummyPorts([1, 2, 3], options));
    if (tag) this.vsctl('set', 'port', 'p3', 'tag=10');
  }
}
