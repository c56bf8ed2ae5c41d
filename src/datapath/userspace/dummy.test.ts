import { VirtualClock } from '../../base/clock.ts';
import { datapathContract } from '../contract-suite.ts';
import { openDummyDatapath } from './dummy.ts';

datapathContract('dummy', async () => {
  const datapath = openDummyDatapath(new VirtualClock());
  const port = (device: string) => datapath.portAdd({ kind: 'dummy', device });
  const sent: { port: number; frame: Uint8Array }[] = [];
  datapath.setSentSink(({ port, frame }) => void sent.push({ port, frame }));
  return {
    datapath,
    ports: [await port('p1'), await port('p2'), await port('p3')],
    inject: (at, frame) => datapath.receive(at, frame),
    settle: async () => sent.splice(0),
    close: () => datapath.close(),
  };
});
