// ovs-ofctl's text against Debian's: the same flows through both programs' parse-flows must give the same bytes on stdout.
// RUNS=n in the environment scales the number of generated flows.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';

const REFERENCE = '/usr/bin/ovs-ofctl';
const OURS = join(import.meta.dirname, '../../bin/ovs-ofctl');
const skip = !existsSync(REFERENCE) && 'no reference ovs-ofctl';
const runs = Number(process.env['RUNS'] ?? 400);

const ip4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((p) => p.join('.'));
const mac = fc.array(fc.nat(255), { minLength: 6, maxLength: 6 }).map((b) => b.map((x) => x.toString(16).padStart(2, '0')).join(':'));
const u16 = fc.nat(0xffff);
const ofPort = fc.integer({ min: 1, max: 0xfeff });

const link = fc.oneof(
  ofPort.map((p) => `in_port=${p}`),
  mac.map((m) => `dl_src=${m}`),
  mac.map((m) => `dl_dst=${m}`),
  fc.nat(4095).map((v) => `dl_vlan=${v === 4095 ? 1 : v}`),
  fc.nat(7).map((p) => `dl_vlan_pcp=${p}`),
  fc.tuple(fc.nat(15), fc.nat()).map(([r, v]) => `reg${r}=${v}`),
  fc.nat().map((v) => `metadata=${v}`),
  fc.nat().map((v) => `tun_id=${v}`),
  fc.nat(0xffff).map((v) => `ct_zone=${v}`),
  fc.nat().map((v) => `pkt_mark=${v}`),
);
const address = fc.oneof(
  fc.tuple(ip4, fc.integer({ min: 1, max: 32 })).map(([a, l]) => `nw_src=${a}/${l}`),
  ip4.map((a) => `nw_dst=${a}`),
  fc.nat(63).map((t) => `nw_tos=${t * 4}`),
  fc.nat(255).map((t) => `nw_ttl=${t}`),
  fc.constantFrom('nw_frag=no', 'nw_frag=yes', 'nw_frag=not_later'),
);
const network = fc.oneof(
  fc.array(address, { maxLength: 3 }).map((list) => ['ip', ...list]),
  fc
    .tuple(
      fc.constantFrom('tcp', 'udp', 'sctp'),
      fc.array(
        fc.oneof(
          address,
          u16.map((p) => `tp_src=${p}`),
          u16.map((p) => `tp_dst=${p}`),
        ),
        { maxLength: 4 },
      ),
    )
    .map(([k, list]) => [k, ...list]),
  fc.tuple(fc.nat(255), fc.nat(255)).map(([t, c]) => ['icmp', `icmp_type=${t}`, `icmp_code=${c}`]),
  fc.tuple(ip4, fc.integer({ min: 1, max: 255 })).map(([a, op]) => ['arp', `arp_spa=${a}`, `arp_op=${op}`]),
  fc.constant<string[]>([]),
);
const action = fc.oneof(
  ofPort.map((p) => `output:${p}`),
  fc.constantFrom('NORMAL', 'flood', 'ALL', 'local', 'in_port', 'controller', 'controller:128', 'exit', 'ct_clear', 'pop_queue'),
  fc.nat(4094).map((v) => `mod_vlan_vid:${v}`),
  mac.map((m) => `mod_dl_dst:${m}`),
  fc.tuple(fc.nat(15), fc.nat()).map(([r, v]) => `load:${v}->NXM_NX_REG${r}[]`),
  fc.tuple(fc.nat(15), fc.nat(15)).map(([a, b]) => `move:NXM_NX_REG${a}[0..7]->NXM_NX_REG${b}[8..15]`),
  fc.tuple(fc.nat(15), fc.nat()).map(([r, v]) => `set_field:${v}->reg${r}`),
  fc.nat(254).map((t) => `resubmit(,${t})`),
  fc.nat(0xffff).map((q) => `set_queue:${q}`),
  fc
    .nat(0xffff)
    .map((n) => `learn(table=1,priority=${n},NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])`),
);
const flow = fc
  .record({
    head: fc.array(
      fc.oneof(
        u16.map((p) => `priority=${p}`),
        fc.nat().map((c) => `cookie=${c}`),
        u16.map((t) => `idle_timeout=${t}`),
      ),
      { maxLength: 3 },
    ),
    links: fc.uniqueArray(link, { maxLength: 4, selector: (text) => text.split('=')[0] }),
    net: network,
    actions: fc.array(action, { minLength: 1, maxLength: 4 }),
  })
  .map(({ head, links, net, actions }) => `${[...head, ...net, ...links].join(',')} actions=${actions.join(',')}`);

test('generated flows: parse-flows prints the same', { skip }, () => {
  const flows = fc.sample(flow, runs).map((text) => text.trim());
  const input = `${flows.join('\n')}\n`;
  const [reference = [], ours = []] = [REFERENCE, OURS].map((program) => {
    const result = spawnSync(program, ['parse-flows', '-'], { input, encoding: 'utf8', maxBuffer: 1 << 26 });
    const line = Number(/:(\d+):/.exec(result.stderr)?.[1] ?? 1);
    assert.equal(result.status, 0, `${program}: ${result.stderr.slice(-500)} ${flows[line - 1]}`);
    return result.stdout.split('\n');
  });
  // Two lines of formats come first.
  for (const [i, text] of flows.entries()) assert.equal(ours[i + 2], reference[i + 2], text);
  assert.deepEqual(ours.slice(0, 2), reference.slice(0, 2));
});

test('faults: same words and exit code', { skip, timeout: 60_000 }, () => {
  const texts = [
    'foo',
    'tcp',
    'tcp,tp_src=99999,actions=drop',
    'actions=foo',
    'actions=output:1,drop',
    'actions=goto_table:1,output:2',
    'nw_src=x,ip,actions=drop',
    'actions=learn(foo=1)',
    // Differed once.
    'tcp,tp_src=0/0xffc0,actions=2',
    'udp,tp_dst=0/0xfffe,actions=drop',
    'ip,nw_ttl=1/3,actions=2',
    'arp,arp_op=1/3,actions=2',
    'ip,nw_proto=6/7,actions=2',
  ];
  for (const input of texts) {
    const [reference, ours] = [REFERENCE, OURS].map((program) => spawnSync(program, ['parse-flows', '-'], { input, encoding: 'utf8' }));
    assert.deepEqual([ours?.status, ours?.stdout, ours?.stderr], [reference?.status, reference?.stdout, reference?.stderr], input);
  }
});
