// Field codes on the wire: 32-bit NXM and OXM headers, with a 32-bit experimenter behind class 0xffff. Derived from the field table.
import type { Field, FieldCode, OxmClass } from '../../../flow/fields.ts';
import { FIELDS } from '../../../flow/fields.ts';
import type { OfVersion } from '../../message.ts';

interface ClassNumber {
  cls: number;
  experimenter: number;
}

export const OXM_CLASSES: Readonly<Record<OxmClass, ClassNumber>> = {
  nxm0: { cls: 0x0000, experimenter: 0 },
  nxm1: { cls: 0x0001, experimenter: 0 },
  oxm: { cls: 0x8000, experimenter: 0 },
  pktReg: { cls: 0x8001, experimenter: 0 },
  nxoxm: { cls: 0xffff, experimenter: 0x00002320 },
  nsh: { cls: 0xffff, experimenter: 0x005ad650 },
  onf: { cls: 0xffff, experimenter: 0x4f4e4600 },
  eric: { cls: 0x1000, experimenter: 0 },
};

/** A field with one of its codes. */
export interface CodedField {
  field: Field;
  code: FieldCode;
}

/** Identity of a code: class, experimenter and number. */
export const codeKey = (cls: number, experimenter: number, num: number): string => `${cls}.${experimenter}.${num}`;

let byCode: Map<string, CodedField> | undefined;
let byLabel: Map<string, CodedField> | undefined;

function fill(): void {
  byCode = new Map();
  byLabel = new Map();
  for (const field of FIELDS) {
    for (const code of field.codes) {
      const number = OXM_CLASSES[code.cls];
      byCode.set(codeKey(number.cls, number.experimenter, code.num), { field, code });
      byLabel.set(code.label, { field, code });
    }
  }
}

/** The field of a class, experimenter and number; undefined when none is known. */
export function fieldByCode(cls: number, experimenter: number, num: number): CodedField | undefined {
  if (byCode === undefined) fill();
  return byCode?.get(codeKey(cls, experimenter, num));
}

/** The field of a label such as `NXM_OF_IN_PORT`; undefined when none is known. */
export function fieldByLabel(label: string): CodedField | undefined {
  if (byLabel === undefined) fill();
  return byLabel?.get(label);
}

/** Version of a row's `since`; codes without one are understood in all. */
const sinceVersion = (code: FieldCode): number => (code.since === undefined ? 1 : Number(code.since.slice(2)) + 1);

const isNxm = (code: FieldCode): boolean => code.cls === 'nxm0' || code.cls === 'nxm1';

/** The code for a field in a version; `nxm` asks for an NXM code where there is one (OpenFlow 1.0 and 1.1). */
export function codeFor(field: Field, version: OfVersion): FieldCode | undefined {
  const codes = field.codes;
  if (version < 3) return codes.find(isNxm) ?? codes[0];
  let best: FieldCode | undefined;
  for (const code of codes) {
    if (sinceVersion(code) > version) continue;
    // The specification's own class wins over the ONF's, that over NXM, and NXM over Nicira's experimenter class.
    if (best === undefined || rank(code) > rank(best)) best = code;
  }
  return best ?? codes[0];
}

function rank(code: FieldCode): number {
  if (code.cls === 'oxm' || code.cls === 'pktReg') return 3;
  if (code.cls === 'nxoxm') return 0;
  return isNxm(code) ? 1 : 2;
}
