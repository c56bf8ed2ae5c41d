// Properties of OpenFlow 1.4 and of Nicira's messages: type, length, body, filled up to eight bytes. Type 0xffff is an
// experimenter's, with its number and the property's before the body.
import { PeerError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { ByteReader } from './bytes.ts';

export interface Property {
  type: number;
  /** The type, or for an experimenter's a number outside 16 bits that no table has. */
  number: number;
  /** What follows type and length, without the fill. */
  body: ByteReader;
  /** Who defines it; 0 is OpenFlow. */
  experimenter: number;
  /** Its number with that experimenter. */
  experimenterType: number;
}

const EXPERIMENTER = 0xffff;
/** The number of every experimenter's property. */
const OUTSIDE = 0x10000;
/** Asynchronous configurations have another such type. */
export const TWO_EXPERIMENTERS = 0xfffe;

/** Who defines an experimenter's property, and which of theirs it is. */
export function decodeExperimenter(body: ByteReader): { experimenter: number; experimenterType: number } {
  const [experimenter, experimenterType] = [body.u32(), body.u32()];
  if (experimenter === 0) throw new PeerError('OFPBPC_BAD_EXPERIMENTER', 'a property of experimenter 0');
  return { experimenter, experimenterType };
}

/** Walks over the properties that fill the rest of `from`. */
export function* eachProperty(from: ByteReader, firstExperimenter = EXPERIMENTER): Generator<Property> {
  while (from.left > 0) {
    if (from.left < 4) throw new PeerError('OFPBPC_BAD_LEN', 'property header cut off');
    const type = from.u16();
    const length = from.u16();
    const padded = Math.ceil(length / 8) * 8;
    if (length < 4 || padded - 4 > from.left) throw new PeerError('OFPBPC_BAD_LEN', `property of ${length} bytes`);
    const whole = from.sub(padded - 4, 'OFPBPC_BAD_LEN');
    const body = whole.within(whole.bytes.subarray(0, length - 4));
    if (type < firstExperimenter) {
      yield { type, number: type, body, experimenter: 0, experimenterType: 0 };
      continue;
    }
    if (body.left < 8) throw new PeerError('OFPBPC_BAD_LEN', `experimenter property of ${length} bytes`);
    yield { type, number: OUTSIDE, body, ...decodeExperimenter(body) };
  }
}

/** What to do with a property that is not known: pass over it, or refuse it by the codes of the specification. */
export function refuseProperty(
  log: Logger,
  isLoose: boolean,
  what: string,
  { type, number, experimenter, experimenterType }: Property,
  code = 'OFPBPC_BAD_TYPE',
): void {
  const isExperimenter = number === OUTSIDE;
  const text = isExperimenter
    ? `unknown ${what} property type for exp_id 0x${experimenter.toString(16)}, exp_type ${experimenterType | 0}`
    : `unknown ${what} property type ${type}`;
  log[isLoose ? 'dbg' : 'warn'](text);
  if (!isLoose) throw new PeerError(isExperimenter ? 'OFPBPC_BAD_EXP_TYPE' : code, text);
}
