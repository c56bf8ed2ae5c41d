// The colours of actions: ovs-ofctl(8), --color, and what Open vSwitch prints. Lists inside an action come coloured
// already, and so do ct and nat.
import { type Color, paint } from '../../flow/text-colors.ts';
import type { Action, ActionKind } from '../action.ts';

/** The colour of an action's first word, with the colon or bracket behind it, where its form does not tell. */
const HEADS: Partial<Record<ActionKind, Color>> = {
  outputReg: 'sp',
  group: 'sp',
  exit: 'sp',
  decNshTtl: 'sp',
  learn: 'le',
  stripVlan: 'vl',
  popQueue: 'vl',
  decMplsTtl: 'vl',
  ctClear: 'vl',
  clearActions: 'vl',
};

/** How the text in an action's bracket is coloured. */
const BODIES: Partial<Record<ActionKind, (body: string) => string>> = {
  sample: paintNames,
  finTimeout: paintNames,
  controller: paintNames,
  bundle: (body) => body.replace('members:', (word) => paint('pm', word)),
  encap: (body) => body.replace(/^(\w+)\((.*)\)$/, (_, name: string, props: string) => name + bracket('pr', '(', props)),
  learn: colorLearn,
};

const bracket = (color: Color, head: string, body: string): string => paint(color, head) + body + paint(color, ')');

/** Names with a value, and words that stand for themselves. */
function paintNames(body: string): string {
  const part = (text: string): string => {
    if (text === 'pause') return paint('vl', text);
    return text.replace(/^(\w+=|egress$|ingress$)/, (name) => paint('pm', name));
  };
  return body.split(',').map(part).join(',');
}

/** Special words and the arrows behind them. */
const paintArrows = (text: string): string => text.replace(/(?<=^|,)(?:load|set_field|move|output):|->/g, (word) => paint('sp', word));

/** Parts of learn: of two the comma before them has their colour, as in the reference. */
function colorLearn(body: string): string {
  let text = '';
  for (const [index, part] of body.split(',').entries()) {
    const [name = '', value] = part.split(/=(.*)/s);
    const isSpecial = name === 'priority' || name === 'table';
    if (name === 'priority' || name === 'fin_hard_timeout') text += paint(isSpecial ? 'sp' : 'pm', `,${name}=`) + value;
    else text += (index === 0 ? '' : ',') + (isSpecial ? paint('sp', `${name}=`) + value : learnSpec(part, name, value));
  }
  return text;
}

function learnSpec(part: string, name: string, value: string | undefined): string {
  if (/^(load|output):/.test(part)) return paintArrows(part);
  if (part === 'send_flow_rem' || part === 'delete_learned') return paint('vl', part);
  if (value === undefined) return paint('pm', name);
  // A field that another's value is for has its sign apart.
  return /^[A-Z]/.test(value) && name !== 'result_dst' ? paint('pm', name) + paint('pm', '=') + value : paint('pm', `${name}=`) + value;
}

/** Colours the text of an action. */
export function colorAction(action: Action, text: string): string {
  const { kind } = action;
  const [head] = /^[a-z_0-9]+[(:]?/.exec(text) ?? [''];
  // As an action of its own the controller has a colour, as a port of the switch's own it has none.
  if (kind === 'controller' && head === '') return text.replace(/^\w+:/, (word) => paint('sp', word));
  if (head === '' || kind === 'ct' || kind === 'nat') return text;
  if (kind === 'setField' || kind === 'regLoad' || kind === 'regMove') return paintArrows(text);
  if (kind === 'outputTrunc') return paint('sp', 'output') + text.slice('output'.length);
  if (kind === 'checkPktLarger') return paint('pm', head) + text.slice(head.length);
  if (kind === 'decTtl')
    return paint('pr', 'dec_ttl') + (action.listed === true ? bracket('pr', '(', text.slice('dec_ttl('.length, -1)) : '');
  if (!head.endsWith('(')) {
    const color = HEADS[kind] ?? (head === 'output:' || head === 'resubmit:' ? 'sp' : head.endsWith(':') ? 'pm' : 'pr');
    return paint(color, head) + text.slice(head.length);
  }
  const body = text.slice(head.length, -1);
  return bracket(HEADS[kind] ?? 'pr', head, BODIES[kind]?.(body) ?? body);
}
