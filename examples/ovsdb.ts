// Adds a bridge to Open vSwitch's database, then says which bridges there are whenever that changes:
//   node examples/ovsdb.ts unix:/var/run/openvswitch/db.sock br0
import { type OpenVSwitch, openDatabase } from 'openweft/ovsdb';

const [remote = 'unix:db.sock', name = 'br0'] = process.argv.slice(2);
const db = await openDatabase<OpenVSwitch>({ remotes: [remote], database: 'Open_vSwitch' });
await db.transact((txn) => {
  if (txn.rows('Bridge').some((bridge) => bridge.get('name') === name)) return;
  const root = txn.rows('Open_vSwitch')[0]?.uuid ?? txn.insert('Open_vSwitch', {});
  const iface = txn.insert('Interface', { name, type: 'internal' });
  const port = txn.insert('Port', { name, interfaces: [iface] });
  const bridge = txn.insert('Bridge', { name, ports: [port], fail_mode: 'secure' });
  txn.verify('Open_vSwitch', root, 'bridges');
  txn.update('Open_vSwitch', root, { bridges: [...(txn.row('Open_vSwitch', root)?.get('bridges') ?? []), bridge] });
});
const show = (): void => console.log(db.rows('Bridge').map((bridge) => `${bridge.get('name')}: ${bridge.get('ports').length} ports`));
db.onChange(show);
show();
