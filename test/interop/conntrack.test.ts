// Connection tracking against Debian's ovs-vswitchd: the same generated packets through the same flows on both sides. What each state's
// flow counted, what left the ports byte for byte, and the connections that are there afterwards must be equal.
// WEFT_CONNTRACK_RUNS makes it longer.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatConntrack } from '../../src/datapath/userspace/conntrack/dump-text.ts';
import { matchAll } from '../../src/flow/key.ts';
import { formatMatch } from '../../src/flow/match-text.ts';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import { Simulation } from '../../src/switch/simulation-fixture.ts';
import { cannotRunReference } from './support/dummy-daemons.ts';
import { Reference } from './support/reference-dummy.ts';
import { generator, type Pick, Traffic } from './support/tracked-traffic.ts';

const RUNS = Number(process.env['WEFT_CONNTRACK_RUNS'] ?? 6);
const PACKETS = 60;
const STATES = [
  '+new-est-rel-rpl-inv+trk',
  '+new-est+rel-rpl-inv+trk',
  '-new+est-rel-rpl-inv+trk',
  '-new+est-rel+rpl-inv+trk',
  '-new+est+rel-rpl-inv+trk',
  '-new+est+rel+rpl-inv+trk',
  '-new-est+rel-rpl-inv+trk',
  '-new-est+rel+rpl-inv+trk',
  '-new-est-rel-rpl+inv+trk',
];
const NATS = ['', '-snat-dnat', '+snat-dnat', '-snat+dnat', '+snat+dnat'];

const PROGRAMS = ['plain', 'snat', 'dnat', 'force'] as const;

/** Flows of one program: everything goes through ct, each state has its own flow, and new connections from port 1 are committed. */
function flowsOf(program: (typeof PROGRAMS)[number]): string[] {
  const nat = program === 'snat' || program === 'dnat';
  const first = nat ? 'ct(zone=5,nat,table=1)' : 'ct(zone=5,table=1)';
  const commit = {
    plain: 'ct(commit,zone=5,exec(set_field:0x7->ct_mark,set_field:0x1234/0xffff->ct_label))',
    force: 'ct(commit,force,zone=5)',
    snat: 'ct(commit,zone=5,nat(src=10.9.9.9))',
    dnat: 'ct(commit,zone=5,nat(dst=10.0.0.2:8080))',
  }[program];
  const flows = [`table=0,ip,actions=${first}`, `table=0,ipv6,actions=${first}`];
  for (const state of STATES) {
    for (const which of nat ? NATS.slice(1) : ['']) {
      for (const port of [1, 2]) {
        const isNew = state.startsWith('+new');
        const action = isNew && port === 1 ? commit : '';
        for (const family of ['ip', 'ipv6']) {
          if (family === 'ipv6' && nat && action !== '') continue;
          flows.push(
            `table=1,in_port=${port},${family},ct_state=${state}${which},actions=${action === '' ? '' : `${action},`}output:${3 - port}`,
          );
        }
      }
    }
  }
  return flows;
}

/** Frames of a pcap file. */
function framesOf(path: string): string[] {
  const bytes = readFileSync(path);
  const out: string[] = [];
  for (let at = 24; at + 16 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 8);
    out.push(bytes.subarray(at + 16, at + 16 + size).toString('hex'));
    at += 16 + size;
  }
  return out;
}

const hexOf = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');

test('generated packets are tracked alike', { skip: cannotRunReference, timeout: 600_000 }, async (t) => {
  let reference = startReference();
  t.after(() => reference.stop());
  const seen = { 1: 0, 2: 0 };
  let again = 0;
  let crashes = 0;
  for (let run = 0; run < RUNS; run++) {
    for (const step of [PACKETS, 1]) {
      try {
        await compareRun(reference, run, step, seen);
        break;
      } catch (error) {
        if (!reference.isAlive()) {
          // Open vSwitch 3.1 ends by itself on some of these packets.
          crashes++;
          reference.stop();
          reference = startReference();
          seen[1] = 0;
          seen[2] = 0;
          break;
        }
        if (!(error instanceof assert.AssertionError) || step === 1) throw error;
        // The reference reads its ports in turns: on a busy machine two packets at different ports may change places. Compared after each
        // packet they cannot.
        again++;
        for (const port of [1, 2] as const) seen[port] = framesOf(join(reference.dir, `p${port}.pcap`)).length;
      }
    }
  }
  t.diagnostic(`${RUNS * PACKETS} packets in ${RUNS} runs, ${again} of them packet by packet; the reference crashed in ${crashes}`);
  assert.ok(crashes * 4 <= RUNS, `the reference crashed in ${crashes} of ${RUNS} runs`);
});

function startReference(): Reference {
  const reference = new Reference();
  reference.start({ tag: false, options: [`options:tx_pcap=${reference.dir}/p%.pcap`] });
  return reference;
}

/** Counters of the flows that counted something, one a line. */
function theirCounts(reference: Reference): string {
  reference.appctl('revalidator/purge');
  return reference
    .run('/usr/bin/ovs-ofctl', ['-OOpenFlow14', '--no-names', 'dump-flows', 'br0'])
    .split('\n')
    .map((line) => /table=(\d+), n_packets=(\d+),.*?(?:priority=\d+,)?(\S+) actions/.exec(line.replace('reset_counts ', '')))
    .filter((m) => m !== null && m[2] !== '0')
    .map((m) => `${m![1]} ${m![3]} ${m![2]}`)
    .sort()
    .join('\n');
}

/** One run from its seed; counters are compared after every `step` packets. */
async function compareRun(reference: Reference, run: number, step: number, seen: { 1: number; 2: number }): Promise<void> {
  const program = PROGRAMS[run % PROGRAMS.length]!;
  const pick: Pick = generator(run * 7919 + 17);
  const flows = flowsOf(program);
  const s = new Simulation();
  s.clock.advance(1000);
  const bridge = s.host.bridgeAdd('br0', 'dummy');
  bridge.configure({ ...bridge.core.settings, failMode: 'secure' });
  await s.port(bridge, 'br0', { kind: 'internal', mac: undefined, mtu: undefined }, {}, 65534);
  for (const name of ['p1', 'p2', 'p3']) await s.port(bridge, name);
  reference.run('/usr/bin/ovs-ofctl', ['del-flows', 'br0']);
  reference.appctl('dpctl/flush-conntrack');
  reference.run('/usr/bin/ovs-ofctl', ['-OOpenFlow14', '--no-names', 'add-flows', 'br0', '-'], flows.join('\n'));
  for (const flow of flows) bridge.core.flowMod(parseFlow(flow, 'add'));
  const traffic = new Traffic(pick, program === 'snat' ? '10.9.9.9' : '10.0.0.1', program === 'dnat' ? '10.0.0.100' : '10.0.0.2');
  const sent: string[] = [];
  const ourCounts = (): string => {
    bridge.core.megaflows.settleAll();
    return [...bridge.core.flows({ table: 255, match: matchAll(), cookie: 0n, cookieMask: 0n, outPort: 0xffff, outGroup: 0xffffffff })]
      .filter((flow) => flow.packetCount > 0n)
      .map((flow) => `${flow.table} ${formatMatch(flow.match)} ${flow.packetCount}`)
      .sort()
      .join('\n');
  };
  for (let i = 0; i < PACKETS; i++) {
    const { port, frame, text } = traffic.next();
    sent.push(`p${port} ${text}`);
    s.receive(`p${port}`, frame);
    reference.appctl('netdev-dummy/receive', `p${port}`, hexOf(frame));
    if ((i + 1) % step === 0) assert.equal(ourCounts(), theirCounts(reference), `run ${run} ${program}:\n${sent.join('\n')}`);
  }
  const ours = s.frames();
  for (const port of [1, 2] as const) {
    const theirs = framesOf(join(reference.dir, `p${port}.pcap`)).slice(seen[port]);
    seen[port] += theirs.length;
    const mine = ours.filter((one) => one.port === `p${port}`).map((one) => hexOf(one.frame));
    assert.deepEqual(mine, theirs, `frames at p${port}, run ${run} ${program}:\n${sent.join('\n')}`);
  }
  const theirs = reference.appctl('dpctl/dump-conntrack').trimEnd().split('\n').sort();
  const answer = await s.datapath.conntrack({ kind: 'dump', zone: undefined, most: 1000 });
  const mine = answer.entries.map((entry) => formatConntrack(entry, {})).sort();
  assert.deepEqual(
    mine,
    theirs.filter((line) => line !== ''),
    `connections, run ${run} ${program}:\n${sent.join('\n')}`,
  );
  await s.host.close();
}
