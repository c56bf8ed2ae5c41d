// The same command lines four ways: Debian's tool and ours, each on Debian's ovs-vswitchd and on ours, over dummy ports. Each line must
// give the same stdout, stderr and exit code. What differs from run to run (transaction ids, durations, addresses) is masked.
// DIFFS=1 in the environment lists all that differs instead of stopping at the first; ONLY=regexp chooses sections.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { dummyPorts } from './dummy-daemons.ts';
import { cannot, type Host, type Tools, world } from './world.ts';

/** Why these tests cannot run here, or false. */
export const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd', 'ovs-ofctl') || false;

/** Ports of br0. */
const PORTS = [1, 2, 3, 11];
const PORT_STATISTICS = /(?:^ {2}port .*\n(?: {11}.*\n)+)+/gm;

/** Masks what no two runs have in common. */
function masked(text: string): string {
  return (
    text
      .replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, (mac) => (mac.startsWith('50:54') ? mac : 'MAC'))
      .replace(/dpid:[0-9a-f]{16}/g, 'dpid:ID')
      .replace(/xid=(0x[0-9a-f]+|[0-9a-f]{8})/g, 'xid=X')
      .replace(/duration([=:])[0-9.]+s/g, 'duration$1T')
      .replace(/idle_age=\d+, /g, '')
      .replace(/hard_age=\d+/g, 'hard_age=T')
      .replace(/rule_cookie=/g, 'cookie=')
      .replace(/recirc_id=\d+,cookie/g, 'recirc_id=R,cookie')
      .replace(/recirc\(0x[0-9a-f]+\)/g, 'recirc(R)')
      .replace(/time=[0-9.]+ ms/g, 'time=T ms')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\|\d+\|/g, 'TIME|')
      // The reference lists statistics of ports in the order of a hash table.
      .replace(PORT_STATISTICS, (all) =>
        all
          .split(/^(?= {2}port )/m)
          .sort()
          .join(''),
      )
      .replace(/^[A-Z][a-z]{2} \d+ [0-9:]+\|\d+\|/gm, 'TIME|')
  );
}

async function daemon(host: Host, tools: Tools): Promise<void> {
  await host.startOvsdb(tools);
  await host.startVswitchd(tools, ['--enable-dummy']);
  const versions = 'protocols=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15';
  const bridge = `add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure ${versions}`;
  host.ok(`ovs-vsctl --timeout=10 ${bridge} ${dummyPorts(PORTS).join(' ')}`, { tools: 'debian' });
}

/** Runs the sections, each from the state that `reset` makes. */
export async function fourWays(
  t: TestContext,
  sections: readonly (readonly [string, readonly string[]])[],
  reset: readonly string[] = ['ovs-ofctl del-flows br0', 'ovs-ofctl set-frags br0 normal'],
): Promise<void> {
  const w = world(t);
  const hosts = { debian: w.host('debian'), weft: w.host('weft') };
  await daemon(hosts.debian, 'debian');
  await daemon(hosts.weft, 'weft');
  const ways = (['debian', 'weft'] as const).flatMap((server) => (['debian', 'weft'] as const).map((client) => ({ server, client })));
  let compared = 0;
  const differing: string[] = [];
  for (const [name, lines] of sections) {
    if (!new RegExp(process.env['ONLY'] ?? '').test(name)) continue;
    const results = ways.map(({ server, client }) => {
      const host = hosts[server];
      for (const line of reset) host.run(line, { tools: 'debian' });
      return lines.map((line) => {
        const { code, stdout, stderr } = host.run(line, { tools: client });
        const text = (part: string): string => masked(part.replaceAll(host.dir, 'DIR'));
        return { code, stdout: text(stdout), stderr: text(stderr) };
      });
    });
    const reference = results[0] ?? [];
    for (const [i, { server, client }] of ways.entries()) {
      if (i === 0) continue;
      for (const [j, line] of lines.entries()) {
        compared++;
        const title = `${name}: ${line} (${client}'s tools, ${server}'s switch)`;
        if (process.env['DIFFS'] === undefined) assert.deepEqual(results[i]?.[j], reference[j], title);
        else if (JSON.stringify(results[i]?.[j]) !== JSON.stringify(reference[j])) {
          const show = (r: (typeof reference)[number] | undefined): string => `[${r?.code}]\n${r?.stdout}--\n${r?.stderr}`;
          differing.push(`#### ${title}\nreference ${show(reference[j])}\nhere ${show(results[i]?.[j])}`);
        }
      }
    }
  }
  t.diagnostic(`${compared} comparisons`);
  if (differing.length > 0) assert.fail(`${differing.length} of ${compared} differ\n${differing.join('\n')}`);
}
