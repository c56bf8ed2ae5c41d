// A controller in twenty lines: a learning switch that also says who talks to whom. Run it with the package's Node.js, then
//   ovs-vsctl set-controller br0 tcp:127.0.0.1:6653
import { type App, createController, learning, W } from 'openweft/controller';

const watcher: App = {
  name: 'watcher',
  onConnect: (sw) => console.log(`switch ${sw.datapathId.toString(16)} has ${sw.ports.size} ports`),
  onDisconnect: (sw) => console.log(`switch ${sw.datapathId.toString(16)} is gone`),
  onPacketIn(_sw, { key, inPort, frame }) {
    const type = (key[W.TYPE]! >>> 16).toString(16).padStart(4, '0');
    console.log(`port ${inPort}: ${frame.length} bytes of type 0x${type}`);
  },
};

const controller = await createController({ listen: 'ptcp:6653', versions: [1, 4] }, learning(), watcher);
console.log('listening on', controller.listening);
