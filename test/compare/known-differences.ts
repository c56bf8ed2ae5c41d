// Differences with the reference that stay, by name. Each has a rule that knows its own and nothing else: a difference that no rule knows is a
// fault of ours.
import { fieldByCode } from '../../src/openflow/codec/fields/oxm-table.ts';
import type { Difference, Result } from './programs.ts';

const EXPERIMENTER_CLASS = 0xffff;

interface Known {
  readonly name: string;
  /** Why it is left. */
  readonly because: string;
  readonly is: (difference: Difference) => boolean;
}

/** Error codes that the two say differently, where that is all. */
function codes({ reference, ours }: Difference): readonly [string, string] | undefined {
  const plain = ({ stdout, stderr }: Result): string => stdout + stderr.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z\|\d+\|/gm, '');
  const found = (text: string): readonly string[] => text.match(/\bOFPBAC_\w+|\bOFPBMC_\w+|\bNXB\w+/g) ?? [];
  const [theirs, mine] = [plain(reference), plain(ours)];
  const [a = '', b = ''] = [found(theirs).at(-1), found(mine).at(-1)];
  return a !== b && theirs.replaceAll(a, b) === mine ? [a, b] : undefined;
}

/** Whether bytes hold a set_field, or Nicira's load of an entry, of a field that there is none of or that has another size. */
export function namesUnknownField(bytes: Buffer): boolean {
  for (let at = 0; at + 8 <= bytes.length; at += 4) {
    const isSetField = bytes.readUInt16BE(at) === 25;
    const isLoad = bytes.readUInt16BE(at) === EXPERIMENTER_CLASS && at + 14 <= bytes.length && bytes.readUInt16BE(at + 8) === 33;
    const entry = isSetField ? at + 4 : isLoad ? at + 10 : undefined;
    if (entry === undefined || entry + 4 > bytes.length) continue;
    const cls = bytes.readUInt16BE(entry);
    const experimenter = cls === EXPERIMENTER_CLASS && entry + 8 <= bytes.length ? bytes.readUInt32BE(entry + 4) : 0;
    const second = bytes[entry + 2] ?? 0;
    const field = fieldByCode(cls, experimenter, second >> 1)?.field;
    const size = (bytes[entry + 3] ?? 0) - (cls === EXPERIMENTER_CLASS ? 4 : 0);
    if (field === undefined || size !== field.wireBytes * ((second & 1) + 1)) return true;
  }
  return false;
}

const bytesOf = ({ case: { args, stdin } }: Difference): Buffer => Buffer.from((stdin ?? args[1] ?? '').trim(), 'hex');

export const KNOWN: readonly Known[] = [
  {
    name: 'the reference crashes',
    because: 'the process ends by a signal of its own fault (SIGABRT, SIGBUS, SIGFPE, SIGSEGV), and ours answers',
    is: ({ reference, ours }) => [134, 135, 136, 139].includes(reference.status) && (ours.status === 0 || ours.status === 1),
  },
  {
    name: 'set_field of an unknown field or size',
    because: 'whether the reference says BAD_SET_TYPE or BAD_SET_LEN depends on what else is in the bucket of its hash table',
    is: (difference) => {
      const [theirs, mine] = codes(difference) ?? ['', ''];
      const pair = [theirs, mine].sort().join();
      return pair === 'OFPBAC_BAD_SET_LEN,OFPBAC_BAD_SET_TYPE' && namesUnknownField(bytesOf(difference));
    },
  },
  {
    name: 'vacancy of all tables',
    because:
      'mod-table all with vacancy or novacancy: the reference takes what it did to one table for what was asked of the next, so that each ' +
      'keeps its own vacancy and has the eviction of the first: its manual has the setting for all tables, and ours does to each what was asked',
    is: ({ case: { args }, reference, ours }) => {
      const at = args.indexOf('mod-table');
      const isOfAll = at >= 0 && /^(all|[ +]*0*255)$/i.test(args[at + 2] ?? '');
      const isOfVacancy = /^(novacancy$|v[acny]*:)/.test(args[at + 3] ?? '');
      return isOfAll && isOfVacancy && reference.status === ours.status;
    },
  },
];

/** The name of a difference that stays; undefined when it is none of those. */
export const knownDifference = (difference: Difference): string | undefined => KNOWN.find(({ is }) => is(difference))?.name;
