// Wanted against actual, as a list of steps. Pure: nothing here opens, closes or asks anything.
//
// 1. What has to go goes first, over all bridges, so that a port may move from one bridge to another and a number be taken over.
// 2. New bridges, then their ports: ports that ask for a number, ports that had one before, the rest with
//    the local port; among equals in
//    the order of `hash-order.ts`.
// 3. Ports whose options changed are changed where they stand. Nothing else is touched: a change of one interface leaves the others alone.
// 4. Bundles come last, by `planBundles`, because they name ports by the numbers that the switch gave out.
import type { OfPort } from '../../openflow/action.ts';
import type { BundleRequest, PortKind } from '../../switch/contract.ts';
import type { Wanted, WantedBridge, WantedInterface } from './wanted.ts';

/** A port that the switch has. */
export interface ActualPort {
  name: string;
  ofport: OfPort;
  /** Interface:type when it was added. */
  type: string;
  kind: PortKind;
}

/** A bridge that the switch has. */
export interface ActualBridge {
  name: string;
  datapathType: string;
  ports: Map<string, ActualPort>;
  bundles: Map<string, BundleRequest>;
}

export type Step =
  | { kind: 'bridgeDelete'; bridge: string }
  | { kind: 'bundleDelete'; bridge: string; bundle: string }
  | { kind: 'portDelete'; bridge: string; port: string }
  | { kind: 'bridgeAdd'; bridge: string; datapathType: string }
  | { kind: 'portAdd'; bridge: string; wanted: WantedInterface; ofportRequest: OfPort | undefined }
  | { kind: 'portChange'; bridge: string; port: string; portKind: PortKind };

export type BundleStep = { kind: 'bundleDelete'; bundle: string } | { kind: 'bundleSet'; request: BundleRequest };

const NO_OPTIONS: ReadonlyMap<string, string> = new Map();

function sameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

/** Whether a port of kind `a` needs nothing done to be of kind `b`. Addresses and MTU of internal devices are the link's matter. */
export function sameKind(a: PortKind, b: PortKind): boolean {
  if (a.kind === 'patch' && b.kind === 'patch') return a.peer === b.peer;
  if (a.kind === 'tunnel' && b.kind === 'tunnel') return a.protocol === b.protocol && sameMap(a.options, b.options);
  if (a.kind === 'dummy' && b.kind === 'dummy') return sameMap(a.options ?? NO_OPTIONS, b.options ?? NO_OPTIONS);
  return a.kind === b.kind;
}

/** Whether a port of kind `a` can become `b` where it stands. */
function canChange(a: PortKind, b: PortKind): boolean {
  return a.kind === b.kind && (a.kind !== 'tunnel' || b.kind !== 'tunnel' || a.protocol === b.protocol);
}

function interfacesOf(bridge: WantedBridge): Map<string, WantedInterface> {
  const found = new Map<string, WantedInterface>();
  const ports = new Map(bridge.ports.map((port) => [port.name, port]));
  for (const name of bridge.order) for (const wanted of ports.get(name)?.interfaces ?? []) found.set(wanted.name, wanted);
  return found;
}

/** Names of the present ports that have to be deleted, whether for good or to be added again. */
function doomedPorts(wanted: WantedBridge, actual: ActualBridge): Set<string> {
  const interfaces = interfacesOf(wanted);
  const doomed = new Set<string>();
  const claimed = new Map<OfPort, string>();
  for (const { name, kind, ofportRequest } of interfaces.values()) {
    if (kind !== undefined && ofportRequest !== undefined && !claimed.has(ofportRequest)) claimed.set(ofportRequest, name);
  }
  for (const port of actual.ports.values()) {
    const target = interfaces.get(port.name);
    if (target?.kind === undefined || target.type !== port.type || !canChange(port.kind, target.kind)) doomed.add(port.name);
    // A number asked for is given up by whoever has it, and the port that asked moves to it.
    const claimant = claimed.get(port.ofport);
    if (claimant !== undefined && claimant !== port.name) doomed.add(port.name);
    const request = target?.ofportRequest;
    if (request !== undefined && request !== port.ofport && claimed.get(request) === port.name) doomed.add(port.name);
  }
  return doomed;
}

function additions(wanted: WantedBridge, present: ReadonlySet<string>, taken: ReadonlySet<OfPort>): Step[] {
  const missing = [...interfacesOf(wanted).values()].filter((one) => one.kind !== undefined && !present.has(one.name));
  const rank = (one: WantedInterface): number =>
    one.name === wanted.name ? 3 : one.ofportRequest !== undefined ? 1 : one.ofportBefore !== undefined ? 2 : 3;
  missing.sort((a, b) => rank(a) - rank(b));
  const used = new Set(taken);
  const certain: Step[] = [];
  const open: Step[] = [];
  for (const one of missing) {
    const ofportRequest = [one.ofportRequest, one.ofportBefore].find((number) => number !== undefined && !used.has(number));
    if (ofportRequest !== undefined) used.add(ofportRequest);
    // Whoever takes any number comes after all that take a certain one, or it might take just that.
    // The local port has its number for certain, but no place before those.
    (ofportRequest === undefined || one.name === wanted.name ? open : certain).push({
      kind: 'portAdd',
      bridge: wanted.name,
      wanted: one,
      ofportRequest,
    });
  }
  return [...certain, ...open];
}

/** Steps for bridges and ports. */
export function planPorts(wanted: Wanted, actual: ReadonlyMap<string, ActualBridge>): Step[] {
  const removals: Step[] = [];
  const growth: Step[] = [];
  for (const bridge of actual.values()) {
    const target = wanted.bridges.get(bridge.name);
    if (target === undefined || target.datapathType !== bridge.datapathType) {
      removals.push({ kind: 'bridgeDelete', bridge: bridge.name });
    }
  }
  for (const target of wanted.bridges.values()) {
    const present = actual.get(target.name);
    if (present === undefined || present.datapathType !== target.datapathType) {
      growth.push({ kind: 'bridgeAdd', bridge: target.name, datapathType: target.datapathType });
      growth.push(...additions(target, new Set(), new Set()));
      continue;
    }
    const doomed = doomedPorts(target, present);
    const wantedBundles = new Set(target.ports.map((port) => port.name));
    for (const name of present.bundles.keys()) {
      if (!wantedBundles.has(name)) removals.push({ kind: 'bundleDelete', bridge: target.name, bundle: name });
    }
    for (const name of doomed) removals.push({ kind: 'portDelete', bridge: target.name, port: name });
    const staying = [...present.ports.values()].filter((port) => !doomed.has(port.name));
    const interfaces = interfacesOf(target);
    for (const port of staying) {
      const kind = interfaces.get(port.name)?.kind;
      if (kind !== undefined && !sameKind(port.kind, kind)) {
        growth.push({ kind: 'portChange', bridge: target.name, port: port.name, portKind: kind });
      }
    }
    growth.push(...additions(target, new Set(staying.map((port) => port.name)), new Set(staying.map((port) => port.ofport))));
  }
  return [...removals, ...growth];
}

/** The new dummy devices in the order of their birth, which gives them their addresses. */
export const dummyBirths = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) => (step.kind === 'portAdd' && step.wanted.kind?.kind === 'dummy' ? [step.wanted.name] : []));

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function sameBundle(a: BundleRequest, b: BundleRequest): boolean {
  return (
    a.vlanMode === b.vlanMode &&
    a.vlan === b.vlan &&
    a.qinqEthertype === b.qinqEthertype &&
    a.priorityTags === b.priorityTags &&
    a.protectedPort === b.protectedPort &&
    JSON.stringify(a.bond) === JSON.stringify(b.bond) &&
    sameNumbers(a.members, b.members) &&
    sameNumbers(a.trunks, b.trunks) &&
    sameNumbers(a.cvlans, b.cvlans)
  );
}

/** Steps for the bundles of one bridge, once its ports stand. A bundle none of whose members could be opened does not exist. */
export function planBundles(wanted: WantedBridge, actual: ActualBridge): BundleStep[] {
  const steps: BundleStep[] = [];
  const stay = new Set<string>();
  for (const port of wanted.ports) {
    const members = port.interfaces.flatMap((one) => actual.ports.get(one.name)?.ofport ?? []);
    if (members.length === 0) continue;
    stay.add(port.name);
    const request: BundleRequest = { ...port.bundle, members };
    const present = actual.bundles.get(port.name);
    if (present === undefined || !sameBundle(present, request)) steps.push({ kind: 'bundleSet', request });
  }
  const gone: BundleStep[] = [];
  for (const name of actual.bundles.keys()) if (!stay.has(name)) gone.push({ kind: 'bundleDelete', bundle: name });
  return [...gone, ...steps];
}
