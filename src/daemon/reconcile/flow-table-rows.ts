// The Flow_Table rows of a bridge as the switch should have them, and the lines that the log gets of them. Pure.
// Facts: ovs-vswitchd.conf.db(5), table Flow_Table, and the running reference.
import { ConfigError } from '../../base/errors.ts';
import { PREFIX_FIELD_NAMES } from '../../flow/classifier-prefixes.ts';
import { fieldNamed } from '../../flow/fields.ts';
import type { Subfield } from '../../openflow/action.ts';
import { parseSubfield } from '../../openflow/text/subfield-text.ts';
import type { IdlRow } from '../../ovsdb/client/idl.ts';
import type { FlowTableRequest } from '../../switch/contract.ts';
import type { RowSource } from './wanted.ts';

/** What is longer is cut in what controllers are told. */
const MAX_NAME_LENGTH = 31;
export interface WantedFlowTable {
  request: FlowTableRequest;
  /** Told when the row changes. */
  warnings: readonly string[];
  notes: readonly string[];
}

/** By table number. */
export function wantedFlowTables(source: RowSource, bridge: IdlRow): Map<number, WantedFlowTable> {
  const found = new Map<number, WantedFlowTable>();
  const bridgeName = String(bridge.scalar('name'));
  for (const [id, uuid] of [...bridge.map('flow_tables')].sort(([a], [b]) => Number(a) - Number(b))) {
    const row = source.row('Flow_Table', String(uuid));
    if (row !== undefined) found.set(Number(id), wantedFlowTable(row, bridgeName, Number(id)));
  }
  return found;
}

function wantedFlowTable(row: IdlRow, bridge: string, id: number): WantedFlowTable {
  const warnings: string[] = [];
  const groups: Subfield[] = [];
  for (const text of row.set('groups')) {
    try {
      groups.push(parseSubfield(String(text)));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      warnings.push(`bridge ${bridge} table ${id}: error parsing 'groups' (${error.message})`);
    }
  }
  let prefixes: string[] | undefined;
  for (const text of row.set('prefixes').map(String)) {
    if (text === 'none') {
      prefixes = [];
      break;
    }
    const name = fieldNamed(text)?.name;
    if (name === undefined) warnings.push(`bridge ${bridge}: 'prefixes' with unknown field: ${text}`);
    else if (!PREFIX_FIELD_NAMES.has(name)) warnings.push(`bridge ${bridge}: 'prefixes' with incompatible field: ${text}`);
    else {
      prefixes ??= [];
      prefixes.push(name);
    }
  }
  const limit = row.optional('flow_limit');
  return {
    request: {
      name: String(row.optional('name') ?? '').slice(0, MAX_NAME_LENGTH),
      maxFlows: limit === undefined ? undefined : Number(limit),
      evicts: row.optional('overflow_policy') === 'evict',
      groups,
      prefixes,
    },
    warnings,
    notes:
      prefixes === undefined
        ? []
        : [`bridge ${bridge} table ${id}: Prefix lookup with: ${prefixes.length === 0 ? 'none' : prefixes.join(',')}.`],
  };
}
