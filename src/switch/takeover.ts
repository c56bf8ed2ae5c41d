// Flows that a former process left in the datapath, and that go on forwarding while this one starts, made this one's own.
//
// 1. What they taught is learned: the stations behind their ports, so that what was forwarded to one port is not flooded now.
// 2. Each is translated by the tables of today and put anew, under whatever mask and actions that gives; one that was idle is left out.
// 3. Then the datapath exchanges the former flows for these in one step. No frame meets a flow that has not been translated by us, nor none
//    where there was one.
//
// In slices, so that the main thread is never held long; frames that miss meanwhile are translated as always.
import { logger } from '../base/log.ts';
import type { Datapath, DpFlowStats, DpInheritedFlow, FlowId } from '../datapath/datapath.ts';
import type { Key } from '../flow/key.ts';
import { applyEffects } from './translate/effects.ts';
import type { Translation } from './translate/translation.ts';

const log = logger('ofproto_dpif');
const SLICE_MS = 4;
const SLICE_FLOWS = 64;

/** What taking over needs of the megaflows. */
export interface TakeoverSite {
  now(): number;
  isClosed(): boolean;
  maxIdleMs: number;
  translate(key: Key): Translation | undefined;
  /** Something was learned. */
  changed(): void;
  /** Puts a flow; undefined when it is there already, or there is no room. */
  install(key: Key, translation: Translation, stats: DpFlowStats): FlowId | undefined;
}

/** Takes over; resolves when the datapath has none but our flows. */
export async function inheritFlows(datapath: Datapath, site: TakeoverSite): Promise<void> {
  if (datapath.takeOver === undefined) return;
  const flows: DpInheritedFlow[] = [];
  const now = site.now();
  for (const flow of datapath.inheritedFlows?.() ?? []) if (now - flow.stats.usedMs <= site.maxIdleMs) flows.push(flow);
  // 1.
  await inSlices(flows, site, (flow) => {
    const learned = site.translate(flow.key)?.effects.filter((effect) => effect.kind === 'learn') ?? [];
    if (applyEffects(learned, 1, 0, flow.stats.usedMs)) site.changed();
  });
  // 2.
  let kept = 0;
  await inSlices(flows, site, (flow) => {
    const translation = site.translate(flow.key);
    const id = translation === undefined ? undefined : site.install(flow.key, translation, flow.stats);
    if (id === undefined) return;
    datapath.flowInherit?.(id, flow);
    kept++;
  });
  // 3.
  if (site.isClosed()) return;
  datapath.takeOver();
  if (flows.length > 0) log.info(`${datapath.type}@${datapath.name}: took ${kept} of ${flows.length} flows over from the former process`);
}

async function inSlices<T>(all: readonly T[], site: TakeoverSite, each: (one: T) => void): Promise<void> {
  let start = performance.now();
  for (let i = 0; i < all.length && !site.isClosed(); i++) {
    each(all[i]!);
    if (i % SLICE_FLOWS !== SLICE_FLOWS - 1 || performance.now() - start < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    start = performance.now();
  }
}
