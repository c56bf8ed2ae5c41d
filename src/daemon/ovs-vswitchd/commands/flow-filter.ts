// `dpctl/dump-flows filter=FLOW`: flows that frames of such a kind may meet. Every field of the filter is exact; a datapath flow passes when
// it agrees in all bits that both name. Facts: the running reference.
import { ConfigError, errorText } from '../../../base/errors.ts';
import type { DpFlow } from '../../../datapath/datapath.ts';
import type { PortNames } from '../../../flow/field-text.ts';
import { fieldNamed } from '../../../flow/fields.ts';
import { matchAll, newKey, VLAN_CFI, W } from '../../../flow/key.ts';
import { addFieldText } from '../../../flow/match-text.ts';
import { hasPrereq } from '../../../switch/translate/subfield.ts';

/** Whether flows pass a filter. Throws ConfigError in the reference's words. */
export function flowFilter(text: string, ports: PortNames): (flow: DpFlow) => boolean {
  const wanted = matchAll();
  const scratch = newKey();
  try {
    for (const word of text.split(/[,\s]+/)) {
      if (word === '') continue;
      const cut = word.indexOf('=');
      const name = cut < 0 ? word : word.slice(0, cut);
      const value = cut < 0 ? undefined : word.slice(cut + 1);
      const field = fieldNamed(name);
      if (field !== undefined && value !== undefined) {
        if (!hasPrereq(wanted.key, scratch, field.prereq)) throw new ConfigError(`prerequisites not met for setting ${name}`);
        if (value.includes('/') || /^[+-]\D/.test(value)) {
          throw new ConfigError(`bad value for ${name} (${value}: wildcards not allowed here)`);
        }
      }
      if (!addFieldText(wanted, name, value, ports)) throw new ConfigError(`unknown field ${name}`);
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`ovs-vswitchd: Failed to parse filter (${text}: ${errorText(error)})`);
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
