import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ColumnValue } from '../../ovsdb/client/idl.ts';
import { chooseBridgeMac, macToDatapathId, randomMac } from './address.ts';
import { FixtureDatabase } from './fixture.ts';
import { type ActualBridge, planBundles, planPorts, type Step } from './plan.ts';
import { checkPatch, checkTunnel } from './tunnel.ts';
import { parseDatapathId, readWanted, type Wanted, type WantedOptions } from './wanted.ts';

const options: WantedOptions = { dummy: true, dummyOverride: false, dummySystem: false, runDirectory: '/run/ovs' };
const map = (record: Record<string, string>): ReadonlyMap<string, string> => new Map(Object.entries(record));

/** Applies a plan as the executor does, with ports that take the number asked for or the next one. */
function apply(steps: readonly Step[], actual: Map<string, ActualBridge>): void {
  for (const step of steps) {
    const bridge = actual.get(step.bridge);
    switch (step.kind) {
      case 'bridgeDelete':
        actual.delete(step.bridge);
        break;
      case 'bridgeAdd':
        actual.set(step.bridge, { name: step.bridge, datapathType: step.datapathType, ports: new Map(), bundles: new Map() });
        break;
      case 'bundleDelete':
        bridge?.bundles.delete(step.bundle);
        break;
      case 'portDelete':
        bridge?.ports.delete(step.port);
        break;
      case 'portChange': {
        const port = bridge?.ports.get(step.port);
        if (port !== undefined) port.kind = step.portKind;
        break;
      }
      case 'portAdd': {
        assert.ok(bridge !== undefined && step.wanted.kind !== undefined);
        const used = new Set([...bridge.ports.values()].map((port) => port.ofport));
        let ofport = step.ofportRequest ?? 1;
        while (used.has(ofport)) ofport++;
        bridge.ports.set(step.wanted.name, { name: step.wanted.name, ofport, type: step.wanted.type, kind: step.wanted.kind });
      }
    }
  }
}

function settle(wanted: Wanted, actual = new Map<string, ActualBridge>()): Map<string, ActualBridge> {
  apply(planPorts(wanted, actual), actual);
  for (const bridge of actual.values()) {
    const target = wanted.bridges.get(bridge.name);
    if (target === undefined) continue;
    for (const step of planBundles(target, bridge)) {
      if (step.kind === 'bundleSet') bridge.bundles.set(step.request.name, step.request);
      else bridge.bundles.delete(step.bundle);
    }
  }
  return actual;
}

const short = (steps: readonly Step[]): string[] =>
  steps.map((step) =>
    step.kind === 'portAdd'
      ? `portAdd ${step.wanted.name} ${step.ofportRequest ?? '-'}`
      : `${step.kind} ${'port' in step ? step.port : 'bundle' in step ? step.bundle : step.bridge}`,
  );

test('a new bridge: ports that ask for a number, those that had one, then the others with the local port by the hash of the name', () => {
  const db = new FixtureDatabase();
  db.bridge('br0', { z: { ofport_request: 7 }, b: {}, a: {}, c: { ofport: 9 } });
  const wanted = readWanted(db, options);
  assert.deepEqual(short(planPorts(wanted, new Map())), [
    'bridgeAdd br0',
    'portAdd z 7',
    'portAdd c 9',
    'portAdd br0 65534',
    'portAdd a -',
    'portAdd b -',
  ]);
});

test('a plan that was carried out leaves nothing to do', () => {
  const db = new FixtureDatabase();
  db.bridge('br0', {
    v0: { tag: 5 },
    g0: { type: 'gre', options: map({ remote_ip: '1.2.3.4' }) },
    p0: { type: 'patch', options: map({ peer: 'p1' }) },
  });
  db.bridge('br1', { p1: { type: 'patch', options: map({ peer: 'p0' }) } }, { datapath_type: 'netdev' });
  const wanted = readWanted(db, options);
  const actual = settle(wanted);
  assert.deepEqual(planPorts(wanted, actual), []);
  for (const bridge of wanted.bridges.values()) assert.deepEqual(planBundles(bridge, actual.get(bridge.name)!), []);
});

test('a change of one interface touches no other', () => {
  const before = new FixtureDatabase();
  before.bridge('br0', { v0: {}, g0: { type: 'gre', options: map({ remote_ip: '1.2.3.4' }) }, v1: {} });
  const actual = settle(readWanted(before, options));
  const after = new FixtureDatabase();
  after.bridge('br0', { v0: {}, g0: { type: 'gre', options: map({ remote_ip: '1.2.3.5' }) }, v1: {} });
  assert.deepEqual(short(planPorts(readWanted(after, options), actual)), ['portChange g0']);
});

test('another type is another device, with the number it had', () => {
  const before = new FixtureDatabase();
  before.bridge('br0', { g0: { type: 'gre', options: map({ remote_ip: '1.2.3.4' }) } });
  const actual = settle(readWanted(before, options));
  const after = new FixtureDatabase();
  after.bridge('br0', { g0: { type: 'vxlan', ofport: 1, options: map({ remote_ip: '1.2.3.4' }) } });
  assert.deepEqual(short(planPorts(readWanted(after, options), actual)), ['portDelete g0', 'portAdd g0 1']);
});

test('a number asked for is taken from the port that has it', () => {
  const before = new FixtureDatabase();
  before.bridge('br0', { a: { ofport: 1 }, b: { ofport: 2 } });
  const actual = settle(readWanted(before, options));
  const after = new FixtureDatabase();
  after.bridge('br0', { a: { ofport: 1 }, b: { ofport: 2, ofport_request: 1 } });
  const wanted = readWanted(after, options);
  assert.deepEqual(short(planPorts(wanted, actual)), ['portDelete a', 'portDelete b', 'portAdd b 1', 'portAdd a -']);
  settle(wanted, actual);
  assert.deepEqual(planPorts(wanted, actual), []);
});

test('two ports that ask for one number: the first has it, and there is no fight', () => {
  const db = new FixtureDatabase();
  db.bridge('br0', { a: { ofport_request: 20 }, b: { ofport_request: 20 } });
  const wanted = readWanted(db, options);
  const actual = settle(wanted);
  assert.equal(actual.get('br0')?.ports.get('a')?.ofport, 20);
  assert.deepEqual(planPorts(wanted, actual), []);
});

test('a port moves to another bridge: gone there before it comes here', () => {
  const before = new FixtureDatabase();
  before.bridge('br0', { v0: {} });
  before.bridge('br1', {});
  const actual = settle(readWanted(before, options));
  const after = new FixtureDatabase();
  after.bridge('br0', {});
  after.bridge('br1', { v0: {} });
  assert.deepEqual(short(planPorts(readWanted(after, options), actual)), ['bundleDelete v0', 'portDelete v0', 'portAdd v0 -']);
});

test('another datapath type makes the bridge anew', () => {
  const before = new FixtureDatabase();
  before.bridge('br0', { v0: {} });
  const actual = settle(readWanted(before, options));
  const after = new FixtureDatabase();
  after.bridge('br0', { v0: {} }, { datapath_type: 'netdev' });
  assert.deepEqual(short(planPorts(readWanted(after, options), actual)), [
    'bridgeDelete br0',
    'bridgeAdd br0',
    'portAdd v0 -',
    'portAdd br0 65534',
  ]);
});

test('an interface with a fault keeps its error and is no step', () => {
  const db = new FixtureDatabase();
  db.bridge('br0', { g0: { type: 'gre' }, x: { type: 'bad' }, v0: {} });
  const wanted = readWanted(db, options);
  assert.deepEqual(short(planPorts(wanted, new Map())), ['bridgeAdd br0', 'portAdd v0 -', 'portAdd br0 65534']);
  const errors = wanted.bridges.get('br0')?.ports.flatMap((port) => port.interfaces.map((one) => one.error));
  assert.deepEqual(errors, [
    '',
    "g0: gre type requires valid 'remote_ip' argument",
    '',
    'could not open network device x (Address family not supported by protocol)',
  ]);
});

test('names of datapaths are reserved, whatever the type', () => {
  const db = new FixtureDatabase();
  db.bridge('br0', { 'ovs-netdev': { type: 'gre' }, 'ovs-system': {}, 'ovs-dummy': { type: 'internal' } });
  const wanted = readWanted(db, options);
  const found =
    wanted.bridges
      .get('br0')
      ?.ports.flatMap((port) => port.interfaces)
      .filter(({ name }) => name !== 'br0') ?? [];
  assert.deepEqual(
    found.map(({ kind, warnings, error }) => [kind, ...warnings, error]),
    ['ovs-dummy', 'ovs-netdev', 'ovs-system'].map((name) => [undefined, `could not create interface ${name}, name is reserved`, '']),
  );
});

test('any configuration settles in one round, and from any other configuration', () => {
  const kinds: Record<string, ColumnValue>[] = [
    {},
    { type: 'internal' },
    { type: 'gre', options: map({ remote_ip: '1.2.3.4' }) },
    { type: 'gre', options: map({ remote_ip: '1.2.3.5', key: '3' }) },
    { type: 'patch', options: map({ peer: 'q' }) },
    { type: 'gre' },
    { tag: 3 },
    { ofport_request: 2 },
    { ofport_request: 3, type: 'vxlan', options: map({ remote_ip: '::1' }) },
  ];
  const ports = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom(...kinds));
  const network = fc.dictionary(fc.constantFrom('br0', 'br1', 'br2'), fc.record({ ports, type: fc.constantFrom('', 'netdev') }));
  const build = (shape: Record<string, { ports: Record<string, Record<string, ColumnValue>>; type: string }>): Wanted => {
    const db = new FixtureDatabase();
    const taken = new Set<string>();
    for (const [name, { ports: wantedPorts, type }] of Object.entries(shape)) {
      const own = Object.fromEntries(Object.entries(wantedPorts).filter(([port]) => !taken.has(port)));
      for (const port of Object.keys(own)) taken.add(port);
      db.bridge(name, own, { datapath_type: type });
    }
    return readWanted(db, options);
  };
  fc.assert(
    fc.property(network, network, (first, second) => {
      const actual = settle(build(first));
      const wanted = build(second);
      settle(wanted, actual);
      assert.deepEqual(short(planPorts(wanted, actual)), []);
      assert.deepEqual([...actual.keys()].sort(), [...wanted.bridges.keys()].sort());
      for (const bridge of wanted.bridges.values()) {
        const good = bridge.ports.flatMap((port) => port.interfaces.filter((one) => one.kind !== undefined).map((one) => one.name));
        assert.deepEqual([...(actual.get(bridge.name)?.ports.keys() ?? [])].sort(), good.sort());
        assert.deepEqual(planBundles(bridge, actual.get(bridge.name)!), []);
      }
    }),
  );
});

test('VLAN columns', () => {
  const db = new FixtureDatabase();
  db.bridge('br0', {
    a: { tag: 5, trunks: [1, 2] },
    b: { trunks: [9, 3] },
    c: { tag: 7, vlan_mode: 'native-untagged', trunks: [9, 3] },
    d: { vlan_mode: 'trunk', tag: 4 },
    e: {},
  });
  const bundles = readWanted(db, options)
    .bridges.get('br0')
    ?.ports.map(({ bundle }) => [bundle.name, bundle.vlanMode, bundle.vlan, bundle.trunks]);
  assert.deepEqual(bundles, [
    ['br0', 'trunk', -1, []],
    ['a', 'access', 5, []],
    ['b', 'trunk', -1, [3, 9]],
    ['c', 'native-untagged', 7, [3, 7, 9]],
    ['d', 'trunk', -1, []],
    ['e', 'trunk', -1, []],
  ]);
});

test("the bridge's address: hwaddr, else the lowest global address, else its own", () => {
  const db = new FixtureDatabase();
  db.bridge('br0', { v0: {}, v1: {}, v2: {} });
  const bridge = readWanted(db, options).bridges.get('br0')!;
  const macs = new Map<string, [number, number]>([
    ['v0', [0x50540000, 5]],
    ['v1', [0x50540000, 2]],
    ['v2', [0x02000000, 1]],
  ]);
  assert.deepEqual(
    chooseBridgeMac(bridge, (name) => macs.get(name), [0x4a000000, 1]),
    [0x50540000, 2],
  );
  assert.deepEqual(
    chooseBridgeMac(bridge, () => undefined, [0x4a000000, 1]),
    [0x4a000000, 1],
  );
  assert.deepEqual(
    chooseBridgeMac({ ...bridge, hwaddr: [0x02000000, 9] }, (name) => macs.get(name), [0, 1]),
    [0x02000000, 9],
  );
  assert.equal(macToDatapathId([0x50540000, 2]), 0x505400000002n);
  const mac = randomMac();
  assert.equal(mac[0] & 0x03000000, 0x02000000);
});

test('datapath-id: 0x form or 16 digits, not zero', () => {
  assert.equal(parseDatapathId('77'), undefined);
  assert.equal(parseDatapathId('0x77'), 0x77n);
  assert.equal(parseDatapathId('0000000000000077'), 0x77n);
  assert.equal(parseDatapathId('0x0'), undefined);
  assert.equal(parseDatapathId('zz'), undefined);
});

test('what is configured and not built is told of', () => {
  const database = new FixtureDatabase();
  database.add('QoS', 'htb', { type: 'linux-htb' });
  database.add('QoS', 'noop', { type: 'linux-noop' });
  const port = (name: string, qos: string): string => {
    const uuid = database.add('Interface', name, {
      type: 'system',
      ingress_policing_rate: name === 'p3' ? 1000 : 0,
      ...(name === 'p2' ? { cfm_mpid: 1, bfd: map({ enable: 'true' }) } : {}),
    });
    return database.add('Port', name, { interfaces: [uuid], qos });
  };
  const ports = [port('p1', 'QoS:htb'), port('p2', 'QoS:noop'), port('p3', 'QoS:nosuch')];
  database.add('Open_vSwitch', '.', {
    bridges: [database.add('Bridge', 'br0', { ports, stp_enable: true, rstp_enable: false, sflow: 'sFlow:s' })],
    next_cfg: 1,
    cur_cfg: 0,
  });
  assert.deepEqual(readWanted(database, options).faults, [
    'ignoring STP of bridge br0, which is not built in this version',
    'ignoring sFlow of bridge br0, which is not built in this version',
    'ignoring QoS of port p1, which is not built in this version',
    'ignoring BFD of interface p2, which is not built in this version',
    'ignoring CFM of interface p2, which is not built in this version',
    'ignoring ingress policing of interface p3, which is not built in this version',
  ]);
});

test('faults of tunnels and patches in the words of the reference', () => {
  const tunnel = (record: Record<string, string>, type = 'gre') => checkTunnel('t', type, map(record)).error;
  assert.equal(tunnel({ remote_ip: '224.0.0.1' }), 't: multicast remote_ip=224.0.0.1 not allowed');
  assert.equal(tunnel({ remote_ip: 'x' }), "t: bad gre 'remote_ip'\nt: gre type requires valid 'remote_ip' argument");
  assert.equal(tunnel({ peer: 'x' }), "t: unknown gre argument 'peer'\nt: gre type requires valid 'remote_ip' argument");
  assert.equal(tunnel({ remote_ip: '1.2.3.4', local_ip: '::5' }), "t: 'remote_ip' and 'local_ip' has to be of the same address family");
  assert.equal(tunnel({ remote_ip: '1.2.3.4', local_ip: 'flow' }), "t: gre type requires 'remote_ip=flow' with 'local_ip=flow'");
  assert.equal(tunnel({ remote_ip: '1.2.3.4', packet_type: 'zz' }, 'geneve'), "t: unknown packet_type 'zz'");
  assert.equal(tunnel({ remote_ip: 'flow', local_ip: 'flow', key: 'flow' }), '');
  assert.deepEqual(checkTunnel('t', 'gre', map({ remote_ip: '1.2.3.4', dst_port: '9' })).warnings, ["t: unknown gre argument 'dst_port'"]);
  assert.equal(checkPatch('t', map({})).error, "t: patch type requires valid 'peer' argument");
  assert.equal(checkPatch('t', map({ peer: 't' })).error, 't: patch peer must not be self');
  assert.equal(checkPatch('t', map({ peer: 'z', foo: 'bar' })).error, "t: patch type takes only a 'peer' argument");
});

test('no options, however odd, make the checks throw', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), fc.constantFrom('gre', 'vxlan', 'geneve', 'ip6gre', 'zz'), (record, type) => {
      checkTunnel('t', type, map(record));
      checkPatch('t', map(record));
    }),
  );
});
