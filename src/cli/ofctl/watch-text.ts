// What stands behind `watch:` in ovs-ofctl monitor: which changes of which flows. Facts: ovs-ofctl(8) and the reference's messages.
import { ConfigError } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import type { Field } from '../../flow/fields.ts';
import { addFieldText } from '../../flow/match-text.ts';
import { MONITOR } from '../../openflow/flow-monitor.ts';
import type { FlowMod } from '../../openflow/message.ts';
import { emptyFlowMod } from '../../openflow/text/flow-text.ts';
import { splitKeyValues } from '../../openflow/text/key-value-text.ts';
import { atoi, atoi16, tableOf } from '../../openflow/text/number-text.ts';

/** Words of `watch:` that take something away. */
const WATCH_FLAGS: ReadonlyMap<string, number> = new Map([
  ['!initial', MONITOR.INITIAL],
  ['!add', MONITOR.ADD],
  ['!delete', MONITOR.DELETE],
  ['!modify', MONITOR.MODIFY],
  ['!actions', MONITOR.ACTIONS],
  ['!own', MONITOR.OWN],
  // Abbreviations stay: the reference has one bit for both.
  ['!abbrev', 0],
]);

/** Reads what stands behind `watch:`, as a flow that selects and the flags. Throws ConfigError. */
export function parseWatch(text: string, names: PortNames): { mod: FlowMod; flags: number } {
  const mod = emptyFlowMod('delete');
  let flags = MONITOR.INITIAL | MONITOR.ADD | MONITOR.DELETE | MONITOR.MODIFY | MONITOR.ACTIONS | MONITOR.OWN;
  const told = (field: Field, mask: bigint | undefined): void => {
    mod.named = [...(mod.named ?? []), { field, mask }];
  };
  for (const { key, value = '' } of splitKeyValues(text)) {
    const flag = WATCH_FLAGS.get(key);
    if (value === '') {
      if (flag !== undefined) flags &= ~flag;
      else if (!addFieldText(mod.match, key, undefined, names, told)) throw new ConfigError(`${text}: field ${key} missing value`);
    } else if (key === 'table') mod.table = tableOf(value, names);
    // Both by number alone.
    else if (key === 'out_port') mod.outPort = atoi16(value);
    else if (key === 'out_group') mod.outGroup = atoi(value) >>> 0;
    else if (!addFieldText(mod.match, key, value, names, told)) throw new ConfigError(`${text}: unknown keyword ${key}`);
    else if (key === 'skb_priority') throw new ConfigError(`${key}: match field is not supported for flow monitor`);
  }
  return { mod, flags };
}
