// `dpctl/dump-flows filter=FLOW`: flows that frames of such a kind may meet. Every field of the filter is exact; a datapath flow passes when
// it agrees in all bits that both name. Facts: the running reference.
import { ConfigError, errorText } from '../../../base/errors.ts';
import type { DpFlow } from '../../../datapath/datapath.ts';
import type { PortNames } from '../../../flow/field-text.ts';
import { fieldNamed } from '../../../flow/fields.ts';
import { keyBits, type Match, matchAll, newKey, VLAN_CFI, W } from '../../../flow/key.ts';
import { addFieldText, protocolNamed } from '../../../flow/match-text.ts';
import { hasPrereq } from '../../../switch/translate/subfield.ts';
import { DpctlError } from './dpctl-fault.ts';
import { keyValues } from './key-values.ts';

/** Adds a field or a protocol. Throws ConfigError. */
function addOne(wanted: Match, name: string, value: string | undefined, ports: PortNames): void {
  try {
    addFieldText(wanted, name, value, ports);
  } catch (error) {
    const fault = errorText(error);
    if (!fault.endsWith(`invalid or unknown port for ${name}`)) throw error;
    throw new ConfigError(`bad value for ${name} (${value}: invalid or unknown port for ${name})`);
  }
}

/** Whether flows pass a filter. Throws ConfigError in the reference's words. */
export function flowFilter(text: string, ports: PortNames): (flow: DpFlow) => boolean {
  const wanted = matchAll();
  const scratch = newKey();
  try {
    for (const [name, value] of keyValues(text)) {
      const field = fieldNamed(name);
      const protocol = name === 'eth' ? undefined : protocolNamed(name);
      if (protocol !== undefined) {
        if (wanted.mask[W.TYPE]! >>> 16 !== 0) throw new ConfigError('Ethernet type set multiple times');
      } else if (field !== undefined) {
        if (!hasPrereq(wanted.key, scratch, field.prereq)) throw new ConfigError(`prerequisites not met for setting ${name}`);
        if (keyBits(wanted.mask, field.at, field.bits) !== 0n) throw new ConfigError(`field ${name} set multiple times`);
        if (value.includes('/') || /^[+-]\D/.test(value)) {
          throw new ConfigError(`bad value for ${name} (${value}: wildcards not allowed here)`);
        }
      }
      if (field === undefined && protocol === undefined) throw new ConfigError(`unknown field ${name}`);
      addOne(wanted, name, protocol === undefined ? value : undefined, ports);
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new DpctlError('Failed to parse filter', `${text}: ${errorText(error)}`);
  }
  return ({ key, mask, sample }) => {
    const values = sample ?? key;
    for (let word = 0; word < W.DP_END; word++) {
      // Whether there is a tag always matters.
      const own = word === W.VLAN0 ? mask[word]! | VLAN_CFI : mask[word]!;
      const both = own & wanted.mask[word]!;
      // A filter knows ports as OpenFlow does, in 16 bits.
      if (both !== 0 && ((values[word]! ^ wanted.key[word]!) & both & (word === W.IN_PORT ? 0xffff : -1)) !== 0) return false;
    }
    return true;
  };
}
