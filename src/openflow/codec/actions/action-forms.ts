// Where every action stands on the wire, in which versions, under which name, and how long it may be: the first thing that is asked of an
// action's bytes. A row is a place (`t` a type, `n` and `o` a subtype of Nicira's and of the ONF's experimenter action), wire versions,
// the name and the size, `+` for a least one. Facts: the OpenFlow specifications, ovs-actions(7), and what the reference says of wrong sizes.

import { PeerError } from '../../../base/errors.ts';
import type { OfVersion } from '../../message.ts';
import { actionsLog as log } from '../../peer-logs.ts';
import { NX_VENDOR, ONF_VENDOR } from './action-constants.ts';

const ROWS = `
t0 1 OFPAT_OUTPUT 8
t0 2-6 OFPAT_OUTPUT 16
t1 1-6 OFPAT_SET_VLAN_VID 8
t2 1-6 OFPAT_SET_VLAN_PCP 8
t3 1 OFPAT_STRIP_VLAN 8
t3 2-6 OFPAT_SET_DL_SRC 16
t4 1 OFPAT_SET_DL_SRC 16
t4 2-6 OFPAT_SET_DL_DST 16
t5 1 OFPAT_SET_DL_DST 16
t5 2-6 OFPAT_SET_NW_SRC 8
t6 1 OFPAT_SET_NW_SRC 8
t6 2-6 OFPAT_SET_NW_DST 8
t7 1 OFPAT_SET_NW_DST 8
t7 2-6 OFPAT_SET_NW_TOS 8
t8 1 OFPAT_SET_NW_TOS 8
t8 2-6 OFPAT_SET_NW_ECN 8
t9 1-6 OFPAT_SET_TP_SRC 8
t10 1-6 OFPAT_SET_TP_DST 8
t11 1 OFPAT_ENQUEUE 16
t13 2-6 OFPAT_SET_MPLS_LABEL 8
t14 2-6 OFPAT_SET_MPLS_TC 8
t15 2-6 OFPAT_SET_MPLS_TTL 8
t16 2-6 OFPAT_DEC_MPLS_TTL 8
t17 2-6 OFPAT_PUSH_VLAN 8
t18 2-6 OFPAT_POP_VLAN 8
t19 2-6 OFPAT_PUSH_MPLS 8
t20 2-6 OFPAT_POP_MPLS 8
t21 2-6 OFPAT_SET_QUEUE 8
t22 2-6 OFPAT_GROUP 8
t23 2-6 OFPAT_SET_NW_TTL 8
t24 2-6 OFPAT_DEC_NW_TTL 8
t25 3-6 OFPAT_SET_FIELD 8+
t28 6 OFPAT_COPY_FIELD 16+
t29 6 OFPAT_METER 8
n1 1-6 NXAST_RESUBMIT 16
n2 1-6 NXAST_SET_TUNNEL 16
n4 1 OFPAT_SET_QUEUE 16
n5 1-6 NXAST_POP_QUEUE 16
n6 1-5 NXAST_REG_MOVE 16+
n7 1-5 NXAST_REG_LOAD 24
n8 1-6 NXAST_NOTE 16+
n9 1-6 NXAST_SET_TUNNEL64 24
n10 1-6 NXAST_MULTIPATH 32
n12 1-6 NXAST_BUNDLE 32+
n13 1-6 NXAST_BUNDLE_LOAD 32+
n14 1-6 NXAST_RESUBMIT_TABLE 16
n15 1-6 NXAST_OUTPUT_REG 24
n16 1-6 NXAST_LEARN 32+
n17 1-6 NXAST_EXIT 16
n18 1 OFPAT_DEC_NW_TTL 16
n19 1-6 NXAST_FIN_TIMEOUT 16
n20 1-6 NXAST_CONTROLLER 16
n21 1-6 NXAST_DEC_TTL_CNT_IDS 16+
n22 1-6 NXAST_WRITE_METADATA 32
n23 1 OFPAT_PUSH_MPLS 16
n24 1 OFPAT_POP_MPLS 16
n25 1 OFPAT_SET_MPLS_TTL 16
n26 1 OFPAT_DEC_MPLS_TTL 16
n27 1-6 NXAST_STACK_PUSH 24
n28 1-6 NXAST_STACK_POP 24
n29 1-6 NXAST_SAMPLE 24
n30 1 OFPAT_SET_MPLS_LABEL 16
n31 1 OFPAT_SET_MPLS_TC 16
n32 1-6 NXAST_OUTPUT_REG2 24
n33 1-5 NXAST_REG_LOAD2 16+
n34 1-6 NXAST_CONJUNCTION 16
n35 1-6 NXAST_CT 24+
n36 1-6 NXAST_NAT 16+
n37 1-6 NXAST_CONTROLLER2 16+
n38 1-6 NXAST_SAMPLE2 32
n39 1-6 NXAST_OUTPUT_TRUNC 16
n40 1 OFPAT_GROUP 16
n41 1-6 NXAST_SAMPLE3 32
n42 1-6 NXAST_CLONE 16+
n43 1-6 NXAST_CT_CLEAR 16
n44 1-6 NXAST_RESUBMIT_TABLE_CT 16
n45 1-6 NXAST_LEARN2 40+
n46 4-6 NXAST_ENCAP 16+
n47 4-6 NXAST_DECAP 16+
n48 4-6 NXAST_DEC_NSH_TTL 16
n49 1-6 NXAST_CHECK_PKT_LARGER 24+
n50 1-6 NXAST_DELETE_FIELD 24
n254 1-6 NXAST_DEBUG_SLOW 16
n255 1-6 NXAST_DEBUG_RECIRC 16
o3200 4-5 ONFACT_COPY_FIELD 24+
`;

interface ActionForm {
  readonly name: string;
  readonly least: number;
  readonly most: number;
}

/** What OpenFlow 1.2 replaced by set_field. */
const DEPRECATED: ReadonlySet<string> = new Set(
  'VLAN_VID VLAN_PCP DL_SRC DL_DST NW_SRC NW_DST NW_TOS NW_ECN TP_SRC TP_DST MPLS_LABEL MPLS_TC MPLS_TTL'
    .split(' ')
    .map((name) => `OFPAT_SET_${name}`),
);
const MOST = 65528;
/** Subtypes and types stay below this. */
const SPAN = 65536;
const CLASS = { t: 0, n: 1, o: 2 } as const;
let forms: Map<number, ActionForm> | undefined;

let deprecated = 0;

/** How many actions have been read so far that the log is told of each time. */
export const deprecatedRead = (): number => deprecated;

const keyOf = (cls: number, version: number, number: number): number => (cls * SPAN + number) * 8 + version;

function load(): Map<number, ActionForm> {
  const map = new Map<number, ActionForm>();
  for (const row of ROWS.trim().split('\n')) {
    const [, cls = 't', number = '', first = '', last = first, name = '', size = '', plus = ''] =
      /^([tno])(\d+) (\d)(?:-(\d))? (\S+) (\d+)(\+?)$/.exec(row) ?? [];
    const form = { name, least: Number(size), most: plus === '' ? Number(size) : MOST };
    for (let version = Number(first); version <= Number(last); version++) {
      map.set(keyOf(CLASS[cls as keyof typeof CLASS], version, Number(number)), form);
    }
  }
  forms = map;
  return map;
}

/** An experimenter's action whose experimenter is nobody known: what else may be wrong with it is not asked. */
export function unknownVendor(vendor: number): never {
  log.warn(`OpenFlow action has unknown vendor ${vendor === 0 ? '0' : `0x${vendor.toString(16)}`}`);
  throw new PeerError('OFPBAC_BAD_VENDOR', `action of vendor 0x${vendor.toString(16)}`);
}

/** Checks that there is such an action, OpenFlow's own for vendor 0, and that it may be `length` bytes long, of which `left` are there. Throws PeerError. */
export function checkActionForm(version: OfVersion, vendor: number, number: number, length: number, left: number): void {
  const cls = vendor === 0 ? CLASS.t : vendor === NX_VENDOR ? CLASS.n : vendor === ONF_VENDOR ? CLASS.o : undefined;
  if (cls === undefined) unknownVendor(vendor);
  const form = (forms ?? load()).get(keyOf(cls, version, number));
  if (form === undefined) {
    const who = vendor === 0 ? '0' : `0x${vendor.toString(16)}`;
    log.warn(`unknown OpenFlow1${version - 1} action for vendor ${who} and type ${number}`);
    throw new PeerError(vendor === 0 ? 'OFPBAC_BAD_TYPE' : 'OFPBAC_BAD_VENDOR_TYPE', `action ${number}`);
  }
  if (cls === CLASS.t && version >= 3 && DEPRECATED.has(form.name)) {
    deprecated++;
    log.info(`${form.name} is deprecated in OpenFlow1${version - 1} (use Set-Field)`);
  }
  if (length > left) badLength(form.name, length, `exceeds action buffer length ${left}`);
  if (length < form.least || length > form.most) badLength(form.name, length, `not in valid range [${form.least},${form.most}]`);
  if (length % 8 !== 0) badLength(form.name, length, 'is not a multiple of 8');
}

function badLength(name: string, length: number, text: string): never {
  log.warn(`OpenFlow action ${name} length ${length} ${text}`);
  throw new PeerError('OFPBAC_BAD_LEN', `${name} of ${length} bytes`);
}
