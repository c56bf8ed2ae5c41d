// The datapath alone between two devices, with a flow for each direction: what the switch above it can at best reach.
import type { DpPort } from '../src/datapath/datapath.ts';
import { openNetdevDatapath } from '../src/datapath/userspace/netdev.ts';
import { newKey, W } from '../src/flow/key.ts';

const [left = '', right = ''] = process.argv.slice(2);
const datapath = openNetdevDatapath();
const a = await datapath.portAdd({ kind: 'system', device: left });
const b = await datapath.portAdd({ kind: 'system', device: right });
function join(from: DpPort, to: DpPort): void {
  const key = newKey();
  const mask = newKey();
  key[W.IN_PORT] = from;
  mask[W.IN_PORT] = 0xffffffff;
  mask[W.RECIRC_ID] = 0xffffffff;
  datapath.flowPut(key, mask, [{ kind: 'output', port: to }]);
}
join(a, b);
join(b, a);
process.on('SIGTERM', () => void datapath.close().then(() => process.exit(0)));
process.stdout.write('ready\n');
