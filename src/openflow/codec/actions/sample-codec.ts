// The sample action in its three forms, each of which has what the one before it has and more. Facts: ovs-actions(7).

import { PeerError } from '../../../base/errors.ts';
import type { Action } from '../../action.ts';
import { OFPP } from '../../action.ts';
import { actionsLog as log } from '../../peer-logs.ts';
import type { ByteReader, ByteWriter } from '../bytes.ts';
import { NXAST, SAMPLE_DIRECTIONS } from './action-constants.ts';
import { niciraAction } from './nicira-envelope.ts';

type Sample = Extract<Action, { kind: 'sample' }>;

/** The first form that can say it all. */
const generationOf = ({ direction, samplingPort }: Sample): 1 | 2 | 3 => (direction !== '' ? 3 : samplingPort !== OFPP.NONE ? 2 : 1);

/** Reads what follows the subtype. */
export function decodeSample(from: ByteReader, generation: 1 | 2 | 3): Sample {
  const probability = from.u16();
  const sample: Sample = {
    kind: 'sample',
    probability,
    collectorSetId: from.u32(),
    obsDomainId: from.u32(),
    obsPointId: from.u32(),
    samplingPort: OFPP.NONE,
    direction: '',
  };
  if (generation >= 2) sample.samplingPort = from.u16();
  const direction = generation === 3 ? from.u8() : 0;
  if (generation === 3) from.zeros(from.left);
  if (probability === 0) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'sample probability 0');
  const name = SAMPLE_DIRECTIONS[direction];
  if (name === undefined) {
    log.warn(`invalid sample direction ${direction}`);
    throw new PeerError('OFPBAC_BAD_ARGUMENT', 'sample direction');
  }
  sample.direction = name;
  if (generation > generationOf(sample)) sample.generation = generation;
  return sample;
}

const SAMPLE_FORMS = [NXAST.SAMPLE, NXAST.SAMPLE2, NXAST.SAMPLE3] as const;

/** Writes an action in the form that it came in, or the first that can say it. */
export function encodeSample(out: ByteWriter, action: Sample): void {
  const direction = SAMPLE_DIRECTIONS.indexOf(action.direction);
  const subtype = SAMPLE_FORMS[Math.max(generationOf(action), action.generation ?? 1) - 1] ?? NXAST.SAMPLE3;
  niciraAction(out, subtype, (o) => {
    o.u16(action.probability).u32(action.collectorSetId).u32(action.obsDomainId).u32(action.obsPointId);
    if (subtype !== NXAST.SAMPLE) o.u16(action.samplingPort);
    if (subtype === NXAST.SAMPLE3) o.u8(direction);
  });
}
