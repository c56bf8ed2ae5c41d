import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromIpv4, isIpv4, prefixMask } from './address.ts';
import { ROUTE_KIND, type Route, RouteTable, sourceOf } from './routes.ts';

const priorityOf = ({ length, kind }: Route): number => length + 32 * kind;

/** Few addresses, so that routes meet: 10.0.0.x and fd00::x. */
const address = fc
  .tuple(fc.boolean(), fc.nat(15))
  .map(([isV4, last]) => (isV4 ? fromIpv4(0x0a000000 + last) : (0xfdn << 120n) + BigInt(last)));
const route: fc.Arbitrary<Route> = fc
  .record({
    kind: fc.constantFrom(...Object.values(ROUTE_KIND)),
    address,
    bits: fc.nat(32),
    mark: fc.nat(1),
    device: fc.constantFrom('a', 'b', 'c'),
    gateway: fc.constantFrom(0n, 7n),
    source: fc.constant(1n),
  })
  .map(({ bits, ...rest }) => {
    const length = isIpv4(rest.address) ? 96 + bits : bits * 4;
    return { ...rest, length, address: rest.address & prefixMask(length) };
  });

test('a lookup finds the route of the highest priority, as a search of all does', () => {
  fc.assert(
    fc.property(fc.array(route, { maxLength: 30 }), fc.array(fc.tuple(address, fc.nat(1))), (routes, wanted) => {
      const table = new RouteTable();
      const host = routes.filter(({ kind }) => kind !== ROUTE_KIND.user);
      const told: (Route[] | undefined)[] = [host];
      table.source = { changed: () => told.shift() };
      for (const one of routes) if (one.kind === ROUTE_KIND.user) table.add(one);
      for (const [to, mark] of wanted) {
        const fits = routes.filter((one) => one.mark === mark && ((one.address ^ to) & prefixMask(one.length)) === 0n);
        const found = table.lookup(to, mark);
        assert.equal(found && priorityOf(found), fits.length === 0 ? undefined : Math.max(...fits.map(priorityOf)));
        if (found !== undefined) assert.ok(fits.some((one) => one.device === found.device && one.gateway === found.gateway));
      }
      assert.deepEqual(new Set(table.devices()).isSubsetOf(new Set(routes.map(({ device }) => device))), true);
    }),
  );
});

test('when the host has other routes, a user’s stay', () => {
  const table = new RouteTable();
  const told: (Route[] | undefined)[] = [];
  table.source = { changed: () => told.shift() };
  const one = { address: fromIpv4(0x0a000000), length: 104, mark: 0, gateway: 0n, source: fromIpv4(0x0a000001) };
  told.push([{ ...one, kind: ROUTE_KIND.host, device: 'a' }]);
  table.add({ ...one, length: 112, device: 'b' });
  assert.deepEqual([...table.devices()], ['a', 'b']);
  told.push([]);
  assert.deepEqual([...table.devices()], ['b']);
  assert.equal(table.show(), 'Route Table:\nUser: 10.0.0.0/16 dev b SRC 10.0.0.1');
  assert.equal(table.delete(one.address, 112, 0), true);
  assert.equal(table.delete(one.address, 112, 0), false);
  assert.equal(table.show(), 'Route Table:');
});

test('a device sends from its address of the longest prefix, the first of several', () => {
  const at = (last: number, length: number): { address: bigint; length: number } => ({ address: fromIpv4(0x0a000000 + last), length });
  assert.equal(sourceOf([at(1, 112), at(2, 120), at(3, 120)], fromIpv4(0x0a000009)), at(2, 0).address);
  assert.equal(sourceOf([at(1, 120)], fromIpv4(0x0b000009)), undefined);
});
