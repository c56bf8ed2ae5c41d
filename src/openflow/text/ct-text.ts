// The ct action.
import { parseInteger } from '../../flow/field-text.ts';
import type { Action } from '../action.ts';
import { CT_ALG } from '../codec/actions/action-constants.ts';
import { splitKeyValues } from './key-value-text.ts';
import { parseNat } from './nat-text.ts';
import type { ActionTextContext } from './number-text.ts';
import { fault, tableOf } from './number-text.ts';
import { parseSubfield } from './subfield-text.ts';

/** ct; `nested` reads the actions inside it. */
export function parseCt(
  arg: string,
  context: ActionTextContext,
  nested: (text: string, context: ActionTextContext, outer: 'ct') => Action[],
): Action {
  const ct: Extract<Action, { kind: 'ct' }> = { kind: 'ct', commit: false, force: false, recircTable: 255, zone: 0, alg: 0, exec: [] };
  for (const { key, value } of splitKeyValues(arg)) {
    if (key === 'commit') ct.commit = true;
    else if (key === 'force') ct.force = true;
    else if (key === 'table') {
      ct.recircTable = tableOf(value ?? '', context.names, `unknown table ${value ?? ''}`);
      if (ct.recircTable === 255) fault('invalid table 0xff');
    } else if (key === 'zone') {
      const number = parseInteger(value ?? '');
      const isNumber = number !== undefined && number <= 0xffffn && (number === 0n || !(value ?? '').includes('-'));
      ct.zone = isNumber ? Number(number) : parseSubfield(value ?? '');
    } else if (key === 'alg') {
      ct.alg = [...CT_ALG].find(([, name]) => name === value)?.[0] ?? fault(`invalid conntrack helper "${value ?? ''}"`);
    } else if (key === 'nat') ct.exec.push(parseNat(value ?? ''));
    else if (key === 'exec') ct.exec.push(...nested(value ?? '', context, 'ct'));
    else fault(`invalid argument to "ct" action: \`${key}'`);
  }
  if (ct.force && !ct.commit) fault('"force" flag requires "commit" flag.');
  return ct;
}
