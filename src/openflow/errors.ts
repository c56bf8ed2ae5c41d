// OpenFlow errors by the reference's names. A row is a name and, by wire version, its number: `type.code`, or an experimenter's:
// `n1.256` is Nicira's error of OpenFlow 1.0 and 1.1 (type and code inside), `n2` Nicira's of 1.2 and later (type only), `o` ONF's.
// Facts: OpenFlow 1.0 to 1.5 specifications, section on errors; numbers of extensions as the reference prints them.

import { NX_VENDOR, ONF_VENDOR } from './codec/actions/action-constants.ts';
import type { ByteReader, ByteWriter } from './codec/bytes.ts';
import type { Message, OfVersion } from './message.ts';
import { errorsLog as log } from './peer-logs.ts';

const ROWS = `
OFPHFC_INCOMPATIBLE 1-6:0.0
OFPHFC_EPERM 1-6:0.1
OFPBRC_BAD_VERSION 1-6:1.0
OFPBRC_BAD_TYPE 1-6:1.1
OFPBRC_BAD_STAT 1-6:1.2
OFPBRC_BAD_VENDOR 1-6:1.3
OFPBRC_BAD_SUBTYPE 1-6:1.4
OFPBRC_EPERM 1-6:1.5
OFPBRC_BAD_LEN 1-6:1.6
OFPBRC_BUFFER_EMPTY 1-6:1.7
OFPBRC_BUFFER_UNKNOWN 1-6:1.8
OFPBAC_BAD_TYPE 1-6:2.0
OFPBAC_BAD_LEN 1-6:2.1
OFPBAC_BAD_VENDOR 1-6:2.2
OFPBAC_BAD_VENDOR_TYPE 1-6:2.3
OFPBAC_BAD_OUT_PORT 1-6:2.4
OFPBAC_BAD_ARGUMENT 1-6:2.5
OFPBAC_EPERM 1-6:2.6
OFPBAC_TOO_MANY 1-6:2.7
OFPBAC_BAD_QUEUE 1-6:2.8
OFPFMFC_TABLE_FULL 1:3.0 2-6:5.1
OFPFMFC_OVERLAP 1:3.1 2-6:5.3
OFPFMFC_EPERM 1:3.2 2-6:5.4
OFPFMFC_BAD_EMERG_TIMEOUT 1:3.3
OFPFMFC_BAD_COMMAND 1:3.4 2-6:5.6
OFPFMFC_UNSUPPORTED 1:3.5
OFPPMFC_BAD_PORT 1:4.0 2-6:7.0
OFPPMFC_BAD_HW_ADDR 1:4.1 2-6:7.1
OFPQOFC_BAD_PORT 1:5.0 2-6:9.0
OFPQOFC_BAD_QUEUE 1:5.1 2-6:9.1
OFPQOFC_EPERM 1:5.2 2-6:9.2
OFPBMC_BAD_FIELD 1:n0.263 2-6:4.6
NXBRC_NXM_INVALID 1-2:n1.256 3-6:n2
NXBRC_NXM_BAD_TYPE 1-2:n1.257 3-6:n3
OFPBMC_BAD_VALUE 1:n1.258 2-6:4.7
OFPBMC_BAD_MASK 1-2:n1.259 3-6:4.8
OFPBMC_BAD_PREREQ 1-2:n1.260 3-6:4.9
OFPBMC_DUP_FIELD 1-2:n1.261 3-6:4.10
OFPBMC_BAD_WILDCARDS 1:n1.262 2-6:4.5
NXBMC_CT_DATAPATH_SUPPORT 1-2:n1.264 3-6:n43
NXBAC_CT_DATAPATH_SUPPORT 1-2:n1.265 3-6:n42
OFPBRC_BAD_TABLE_ID 1:n1.512 2-6:1.9
OFPRRFC_BAD_ROLE 1-2:n1.513 3-6:11.2
OFPBRC_BAD_PORT 1-2:n1.514 3-6:1.11
NXBRC_MUST_BE_ZERO 1-2:n1.515 3-6:n4
NXBRC_BAD_REASON 1-2:n1.516 3-6:n5
OFPMOFC_MONITOR_EXISTS 1-2:n1.517 3-4:n6 5-6:16.1
OFPMOFC_BAD_FLAGS 1-2:n1.518 3-4:n7 5-6:16.5
OFPMOFC_UNKNOWN_MONITOR 1-2:n1.519 3-4:n8 5-6:16.3
NXBRC_FM_BAD_EVENT 1-2:n1.520 3-6:n9
NXBRC_UNENCODABLE_ERROR 1-2:n1.521 3-6:n10
OFPBAC_MATCH_INCONSISTENT 1:n1.522 2-6:2.10
OFPBAC_BAD_SET_TYPE 1-2:n1.523 3-6:2.13
OFPBAC_BAD_SET_LEN 1-2:n1.524 3-6:2.14
OFPBAC_BAD_SET_ARGUMENT 1-2:n1.525 3-6:2.15
NXTTMFC_BAD_COMMAND 1-2:n1.527 3-6:n16
NXTTMFC_BAD_OPT_LEN 1-2:n1.528 3-6:n17
NXTTMFC_BAD_FIELD_IDX 1-2:n1.529 3-6:n18
NXTTMFC_TABLE_FULL 1-2:n1.530 3-6:n19
NXTTMFC_ALREADY_MAPPED 1-2:n1.531 3-6:n20
NXTTMFC_DUP_ENTRY 1-2:n1.532 3-6:n21
NXR_NOT_SUPPORTED 1-2:n1.533 3-6:n34
NXR_STALE 1-2:n1.534 3-6:n35
NXST_NOT_CONFIGURED 1-2:n1.535 3-6:n36
NXFMFC_INVALID_TLV_FIELD 1-2:n1.536 3-6:n37
NXTTMFC_INVALID_TLV_DEL 1-2:n1.537 3-6:n38
OFPBAC_BAD_OUT_GROUP 1:n2.9 2-6:2.9
NXBAC_MUST_BE_ZERO 1-2:n2.256 3-6:n11
OFPBIC_UNSUP_INST 1:n2.257 2-6:3.1
NXBAC_BAD_CONJUNCTION 1-2:n2.526 3-6:n15
OFPFMFC_BAD_FLAGS 1:n3.258 2:n5.258 3-6:5.7
NXFMFC_HARDWARE 1-2:n5.256 3-6:n12
NXFMFC_BAD_TABLE_ID 1-2:n5.257 3-6:n13
OFPGMFC_GROUP_EXISTS 1:n6.0 2-6:6.0
OFPGMFC_INVALID_GROUP 1:n6.1 2-6:6.1
OFPGMFC_WEIGHT_UNSUPPORTED 1:n6.2 2-6:6.2
OFPGMFC_OUT_OF_GROUPS 1:n6.3 2-6:6.3
OFPGMFC_OUT_OF_BUCKETS 1:n6.4 2-6:6.4
OFPGMFC_CHAINING_UNSUPPORTED 1:n6.5 2-6:6.5
OFPGMFC_WATCH_UNSUPPORTED 1:n6.6 2-6:6.6
OFPGMFC_LOOP 1:n6.7 2-6:6.7
OFPGMFC_UNKNOWN_GROUP 1:n6.8 2-6:6.8
OFPGMFC_CHAINED_GROUP 1:n6.9 3-6:6.9
OFPGMFC_BAD_TYPE 1:n6.10 3-6:6.10
OFPGMFC_BAD_COMMAND 1:n6.11 3-6:6.11
OFPGMFC_BAD_BUCKET 1:n6.12 3-6:6.12
OFPGMFC_BAD_WATCH 1:n6.13 3-6:6.13
OFPGMFC_EPERM 1:n6.14 3-6:6.14
OFPGMFC_UNKNOWN_BUCKET 1:n6.15 6:6.15
OFPGMFC_BUCKET_EXISTS 1:n6.16 6:6.16
OFPBPC_BAD_TYPE 1-2:n13.2 3:n25 4:13.2 5-6:14.0
OFPBPC_BAD_LEN 1-2:n13.3 3:n26 4:13.3 5-6:14.1
OFPBPC_BAD_VALUE 1-2:n13.4 3:n27 4:13.4 5-6:14.2
OFPBPC_TOO_MANY 1-2:n14.3 3:n28 4:o4443 5-6:14.3
OFPBPC_DUP_TYPE 1-2:n14.4 3:n29 4:o4444 5-6:14.4
OFPBPC_BAD_EXPERIMENTER 1-2:n14.5 3:n30 4:o4445 5-6:14.5
OFPBPC_BAD_EXP_TYPE 1-2:n14.6 3:n31 4:o4446 5-6:14.6
OFPBPC_BAD_EXP_VALUE 1-2:n14.7 3:n32 4:o4447 5-6:14.7
OFPBPC_EPERM 1-2:n14.8 3:n33 4:o4448 5-6:14.8
OFPBAC_UNSUPPORTED_ORDER 2-6:2.11
OFPBAC_BAD_TAG 2-6:2.12
OFPBIC_UNKNOWN_INST 2-6:3.0
OFPBIC_BAD_TABLE_ID 2-6:3.2
OFPBIC_UNSUP_METADATA 2-6:3.3
OFPBIC_UNSUP_METADATA_MASK 2-6:3.4
OFPBIC_BAD_EXPERIMENTER 2-6:3.5
OFPBMC_BAD_TYPE 2-6:4.0
OFPBMC_BAD_LEN 2-6:4.1
OFPBMC_BAD_TAG 2-6:4.2
OFPBMC_BAD_DL_ADDR_MASK 2-6:4.3
OFPBMC_BAD_NW_ADDR_MASK 2-6:4.4
OFPFMFC_UNKNOWN 2-6:5.0
OFPFMFC_BAD_TABLE_ID 2-6:5.2
OFPFMFC_BAD_TIMEOUT 2-6:5.5
OFPPMFC_BAD_CONFIG 2-6:7.2
OFPPMFC_BAD_ADVERTISE 2-6:7.3
OFPTMFC_BAD_TABLE 2-6:8.0
OFPTMFC_BAD_CONFIG 2-6:8.1
OFPSCFC_BAD_FLAGS 2-6:10.0
OFPSCFC_BAD_LEN 2-6:10.1
OFPBIC_DUP_INST 2:n3.256 3-4:o2600 5-6:3.9
OFPBRC_IS_SECONDARY 1-2:1.5 3-6:1.10
OFPBRC_BAD_PACKET 3-6:1.12
OFPBIC_BAD_EXP_TYPE 2:3.5 3-6:3.6
OFPBIC_BAD_LEN 3-6:3.7
OFPBIC_EPERM 3-6:3.8
OFPBMC_EPERM 3-6:4.11
OFPPMFC_EPERM 3-6:7.4
OFPTMFC_EPERM 3-6:8.2
OFPSCFC_EPERM 3-6:10.2
OFPRRFC_STALE 3-6:11.0
OFPRRFC_UNSUP 3-6:11.1
OFPBRC_MULTIPART_BUFFER_OVERFLOW 4-6:1.13
OFPMMFC_UNKNOWN 4-6:12.0
OFPMMFC_METER_EXISTS 4-6:12.1
OFPMMFC_INVALID_METER 4-6:12.2
OFPMMFC_UNKNOWN_METER 4-6:12.3
OFPMMFC_BAD_COMMAND 4-6:12.4
OFPMMFC_BAD_FLAGS 4-6:12.5
OFPMMFC_BAD_RATE 4-6:12.6
OFPMMFC_BAD_BURST 4-6:12.7
OFPMMFC_BAD_BAND 4-6:12.8
OFPMMFC_BAD_BAND_VALUE 4-6:12.9
OFPMMFC_OUT_OF_METERS 4-6:12.10
OFPMMFC_OUT_OF_BANDS 4-6:12.11
OFPTFFC_BAD_TABLE 4-6:13.0
OFPTFFC_BAD_METADATA 4-6:13.1
OFPTFFC_EPERM 4-6:13.5
NXBAC_BAD_HEADER_TYPE 4-6:n39
NXBAC_UNKNOWN_ED_PROP 4-6:n40
NXBAC_BAD_ED_PROP 4-6:n41
NXTFFC_DUP_TABLE 4-6:n44
OFPBFC_UNKNOWN 4:o2300 5-6:17.0
OFPBFC_EPERM 4:o2301 5-6:17.1
OFPBFC_BAD_ID 4:o2302 5-6:17.2
OFPBFC_BUNDLE_EXIST 4:o2303 5-6:17.3
OFPBFC_BUNDLE_CLOSED 4:o2304 5-6:17.4
OFPBFC_OUT_OF_BUNDLES 4:o2305 5-6:17.5
OFPBFC_BAD_TYPE 4:o2306 5-6:17.6
OFPBFC_BAD_FLAGS 4:o2307 5-6:17.7
OFPBFC_MSG_BAD_LEN 4:o2308 5-6:17.8
OFPBFC_MSG_BAD_XID 4:o2309 5-6:17.9
OFPBFC_MSG_UNSUP 4:o2310 5-6:17.10
OFPBFC_MSG_CONFLICT 4:o2311 5-6:17.11
OFPBFC_MSG_TOO_MANY 4:o2312 5-6:17.12
OFPBFC_MSG_FAILED 4:o2313 5-6:17.13
OFPBFC_TIMEOUT 4:o2314 5-6:17.14
OFPBFC_BUNDLE_IN_PROGRESS 4:o2315 5-6:17.15
OFPFMFC_BAD_PRIORITY 4:o2360 5-6:5.9
OFPACFC_INVALID 4:o2370 5-6:15.0
OFPACFC_UNSUPPORTED 4:o2371 5-6:15.1
OFPACFC_EPERM 4:o2372 5-6:15.2
OFPBRC_MULTIPART_REQUEST_TIMEOUT 4:o2640 5-6:1.14
OFPBRC_MULTIPART_REPLY_TIMEOUT 4:o2641 5-6:1.15
OFPBAC_BAD_SET_MASK 4-5:o4250 6:2.16
OFPFMFC_CANT_SYNC 5-6:5.8
OFPFMFC_IS_SYNC 5-6:5.10
OFPMOFC_UNKNOWN 5-6:16.0
OFPMOFC_INVALID_MONITOR 5-6:16.2
OFPMOFC_BAD_COMMAND 5-6:16.4
OFPMOFC_BAD_TABLE_ID 5-6:16.6
OFPMOFC_BAD_OUT 5-6:16.7
OFPBFC_BAD_VERSION 5-6:n22
NXQOFC_QUEUE_ERROR 5-6:n23
OFPBRC_MULTIPART_BAD_SCHED 6:1.16
OFPBRC_PIPELINE_FIELDS_ONLY 6:1.17
OFPBRC_UNKNOWN 6:1.18
OFPBAC_BAD_METER 6:2.17
OFPRRFC_ID_UNSUP 6:11.3
OFPRRFC_ID_IN_USE 6:11.4
OFPTFFC_BAD_CAPA 6:13.6
OFPTFFC_BAD_MAX_ENT 6:13.7
OFPTFFC_BAD_FEATURES 6:13.8
OFPTFFC_BAD_COMMAND 6:13.9
OFPTFFC_TOO_MANY 6:13.10
OFPBFC_SCHED_NOT_SUPPORTED 6:17.16
OFPBFC_SCHED_FUTURE 6:17.17
OFPBFC_SCHED_PAST 6:17.18
`;

interface Code {
  vendor: number;
  type: number;
  code: number;
}

interface Tables {
  byName: Map<string, (Code | undefined)[]>;
  byCode: Map<string, string>;
}

let tables: Tables | undefined;

const key = (version: number, { vendor, type, code }: Code): string => `${version}/${vendor}/${type}/${code}`;

function load(): Tables {
  const byName: Tables['byName'] = new Map();
  const byCode: Tables['byCode'] = new Map();
  for (const row of ROWS.trim().split('\n')) {
    const [name = '', ...forms] = row.split(' ');
    const codes: (Code | undefined)[] = [];
    for (const form of forms) {
      const [, first = '', last = first, vendorMark = '', type = '', code = '0'] =
        /^(\d)(?:-(\d))?:([no]?)(\d+)(?:\.(\d+))?$/.exec(form) ?? [];
      const vendor = vendorMark === 'n' ? NX_VENDOR : vendorMark === 'o' ? ONF_VENDOR : 0;
      const value: Code = { vendor, type: Number(type), code: Number(code) };
      for (let version = Number(first); version <= Number(last); version++) {
        codes[version] ??= value;
        if (!byCode.has(key(version, value))) byCode.set(key(version, value), name);
      }
    }
    byName.set(name, codes);
  }
  tables = { byName, byCode };
  return tables;
}

/** What the reference says in place of a name where the protocol has none. */
export const NO_CODE = '<invalid>';

/** All error names, in the table's order. */
export const errorNames = (): string[] => [...(tables ?? load()).byName.keys()];

/** The numbers of an error in a version; undefined when the version has none, 'unknown' when there is no such error. */
export function errorCode(version: OfVersion, name: string): Code | undefined | 'unknown' {
  const row = (tables ?? load()).byName.get(name);
  return row === undefined ? 'unknown' : row[version];
}

/** The name of an error as it came in; undefined when it is not known. */
export function errorName(version: OfVersion, vendor: number, type: number, code: number): string | undefined {
  return (tables ?? load()).byCode.get(key(version, { vendor, type, code }));
}

/** An error message for a name, to answer the request whose bytes are given (all of them are sent back, as the reference does). */
export function errorMessage(version: OfVersion, name: string, request: Uint8Array): Extract<Message, { kind: 'error' }> {
  const byName = (tables ?? load()).byName;
  const found = byName.get(name)?.[version] ?? byName.get('NXBRC_UNENCODABLE_ERROR')?.[version];
  if (byName.get(name)?.[version] === undefined) log.err(() => `cannot encode ${name} for OpenFlow 1.${version - 1}`);
  const { vendor, type, code } = found ?? { vendor: 0, type: 1, code: 1 };
  return {
    kind: 'error',
    type,
    code,
    experimenter: vendor,
    data: request.slice(0, 0xffff - 12),
    name: found === undefined ? 'OFPBRC_BAD_TYPE' : name,
  };
}

/** Type of OpenFlow 1.0 and 1.1's vendor errors. */
const NXET_VENDOR = 0xb0c2;

/** Reads an error's body. */
export function decodeError(from: ByteReader, version: OfVersion): Extract<Message, { kind: 'error' }> {
  let type = from.u16();
  let code = from.u16();
  let experimenter = 0;
  if (version <= 2 && type === NXET_VENDOR && code === 0 && from.left >= 8) {
    experimenter = from.u32();
    type = from.u16();
    code = from.u16();
  } else if (type === 0xffff && (version >= 3 || from.left >= 4)) {
    type = code;
    code = 0;
    experimenter = from.u32();
  }
  const message: Extract<Message, { kind: 'error' }> = { kind: 'error', type, code, experimenter, data: from.rest().slice() };
  const name = errorName(version, experimenter, type, code);
  if (name !== undefined) message.name = name;
  return message;
}

/** Writes an error's body. */
export function encodeError(out: ByteWriter, version: OfVersion, error: Extract<Message, { kind: 'error' }>): void {
  if (error.experimenter === 0) out.u16(error.type).u16(error.code);
  else if (version <= 2) out.u16(NXET_VENDOR).u16(0).u32(error.experimenter).u16(error.type).u16(error.code);
  else out.u16(0xffff).u16(error.type).u32(error.experimenter);
  out.put(error.data);
}
