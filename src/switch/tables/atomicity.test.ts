import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PeerError } from '../../base/errors.ts';
import { matchAll, W } from '../../flow/key.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import type { FlowMod } from '../../openflow/message.ts';
import type { Bridge } from '../bridge.ts';
import { ethernet, flowMod, Simulation } from '../simulation-fixture.ts';
import { NO_FLAGS } from './rule.ts';

const ALL_FLOWS = { match: matchAll(), table: 255, outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n };
const out = (port: number): Action[] => [{ kind: 'output', port, maxLen: 0 }];

const inPort = (port: number | undefined): FlowMod['match'] => {
  const match = matchAll();
  if (port === undefined) return match;
  match.key[W.IN_PORT] = port;
  match.mask[W.IN_PORT] = 0xffff;
  return match;
};

const state = (bridge: Bridge): string[] =>
  [...bridge.core.flows(ALL_FLOWS)]
    .map((f) => `${f.table} ${f.priority} ${f.match.key[W.IN_PORT]}/${f.match.mask[W.IN_PORT]} ${f.cookie} ${JSON.stringify(f.actions)}`)
    .sort();

const anyMod: fc.Arbitrary<FlowMod> = fc
  .record({
    command: fc.constantFrom('add', 'add', 'modify', 'modify_strict', 'delete', 'delete_strict') as fc.Arbitrary<FlowMod['command']>,
    port: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    priority: fc.integer({ min: 1, max: 2 }),
    // Table 254 and output to "none" are refused: some bundles must fail half way.
    table: fc.constantFrom(0, 0, 0, 1, 1, 1, 254),
    output: fc.constantFrom(1, 2, 3, 1, 2, 3, OFPP.NONE),
    cookie: fc.bigInt({ min: 0n, max: 3n }),
    checkOverlap: fc.boolean(),
  })
  .map(({ command, port, priority, table, output, cookie, checkOverlap }) =>
    flowMod({
      command,
      match: inPort(port),
      priority,
      table,
      actions: out(output),
      newCookie: command === 'add' ? cookie : undefined,
      flags: { ...NO_FLAGS, checkOverlap },
    }),
  );

test('a bundle does what its steps would do one by one, or nothing', async () => {
  let refused = 0;
  let applied = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyMod, { maxLength: 6 }), fc.array(anyMod, { maxLength: 6 }), async (before, steps) => {
      const [singly, bundled] = await Promise.all([new Simulation().bridge('br0'), new Simulation().bridge('br0')]);
      for (const mod of before) {
        for (const bridge of [singly, bundled]) {
          try {
            bridge.core.flowMod(mod);
          } catch (error) {
            assert.ok(error instanceof PeerError);
          }
        }
      }
      const start = state(bundled);
      assert.deepEqual(start, state(singly));
      let culprit: number | undefined;
      for (const [i, step] of steps.entries()) {
        try {
          singly.core.flowMod(step);
        } catch (error) {
          assert.ok(error instanceof PeerError);
          culprit = i;
          break;
        }
      }
      try {
        bundled.core.apply(steps);
        assert.equal(culprit, undefined, 'the bundle was applied though a step of it is refused');
        assert.deepEqual(state(bundled), state(singly));
        applied++;
      } catch (error) {
        assert.ok(error instanceof PeerError);
        assert.equal((error as { step?: number }).step, culprit);
        assert.deepEqual(state(bundled), start);
        refused++;
      }
      // Nothing of either is left in the tables beside what is shown.
      const own = new Simulation();
      const empty = (await own.bridge('br0')).core.tables.ruleCount - 1;
      assert.equal(bundled.core.tables.ruleCount, state(bundled).length + empty);
      bundled.core.flowMod(flowMod({ command: 'delete', table: 255 }));
      assert.equal(bundled.core.tables.ruleCount, empty);
    }),
    { numRuns: 400 },
  );
  assert.ok(refused > 20 && applied > 20, `${refused} refused, ${applied} applied`);
});

test('no frame sees half a bundle, not even one that comes while the bundle is being told of', async () => {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  for (const name of ['p1', 'p2', 'p3']) await s.port(bridge, name);
  const [a, b] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'];
  // A frame goes through ten tables; each must say the same. Register 0 gathers a bit a table.
  const TABLES = 10;
  const chain = (port: number): FlowMod[] =>
    Array.from({ length: TABLES }, (_, table) =>
      flowMod({
        table,
        actions:
          table === TABLES - 1 ? out(port) : [...out(port), { kind: 'resubmit', port: OFPP.IN_PORT, table: table + 1, withCtTuple: false }],
      }),
    );
  bridge.core.apply(chain(2));
  const seen: string[][] = [];
  let told = 0;
  bridge.core.subscribe({
    onFlowChange: () => {
      told++;
      bridge.core.megaflows.changed();
      s.receive('p1', ethernet(b, a));
      seen.push(s.ports());
    },
  });
  for (let round = 0; round < 20; round++) {
    const port = round % 2 === 0 ? 3 : 2;
    seen.length = 0;
    bridge.core.apply(round % 3 === 2 ? chain(port).reverse() : chain(port));
    s.clock.advance(10);
    s.receive('p1', ethernet(b, a));
    seen.push(s.ports());
    for (const ports of seen) assert.equal(new Set(ports).size, 1, `half a bundle: ${ports.join()}`);
    assert.deepEqual(seen.at(-1), new Array(TABLES).fill(`p${port}`));
  }
  assert.equal(told, 20 * TABLES);
  // A bundle that fails at its end leaves everything as it was.
  assert.throws(() => bridge.core.apply([...chain(3), flowMod({ table: 254 })]), PeerError);
  s.clock.advance(10);
  s.receive('p1', ethernet(b, a));
  assert.deepEqual([...new Set(s.ports())], ['p2']);
});

test('a packet-out in a bundle meets the flows before it and not those after it', async () => {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  for (const name of ['p1', 'p2', 'p3']) await s.port(bridge, name);
  bridge.core.flowMod(flowMod({ command: 'delete', table: 255 }));
  const table: Action[] = [{ kind: 'output', port: OFPP.TABLE, maxLen: 0 }];
  const frame = ethernet('02:00:00:00:00:0b', '02:00:00:00:00:0a');
  const packetOut = { kind: 'packetOut' as const, frame, match: inPort(1), actions: table };
  bridge.core.apply([flowMod({ actions: out(2) }), packetOut, flowMod({ actions: out(3) }), packetOut]);
  assert.deepEqual(s.ports(), ['p2', 'p3']);
  // One that is refused takes the flows with it.
  assert.throws(() => bridge.core.apply([flowMod({ actions: out(2) }), packetOut, flowMod({ table: 254 })]), PeerError);
  assert.deepEqual(s.ports(), []);
  bridge.core.packetOut({ frame, match: inPort(1), actions: table });
  assert.deepEqual(s.ports(), ['p3']);
});
