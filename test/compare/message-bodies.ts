// Bodies of messages as OpenFlow lays them out, a maker a message: lists with all their kinds of entries, properties known and unknown, now
// and then a wrong length. What the table of messages has and this does not gets words without a meaning.
import { ByteWriter } from '../../src/openflow/codec/bytes.ts';
import {
  flowMod,
  flowRemovedBody,
  flowRequest,
  flowStats,
  monitorRequests,
  monitorUpdates,
  nxFlowRequest,
  oxs,
  packetIn,
  packetOut,
  packetProperties,
} from './body-flows.ts';
import { buckets, groupMod, groupProperties, meterConfig, meterMod, meterNumber } from './body-groups.ts';
import {
  actions,
  type Body,
  type Draft,
  flagBits,
  frame,
  nxm,
  port,
  properties,
  property,
  small,
  times,
  u64,
  unknownProperty,
} from './body-pieces.ts';
import {
  asyncMasks,
  ctTuple,
  errorBody,
  portDesc,
  portMod,
  queueConfigs,
  roleStatus,
  tableDesc,
  tableFeatures,
  tableProperties,
  tlvMaps,
} from './body-switch.ts';

/** What stands for a message in another: one of those given by their type. */
function inner(draft: Draft, make: (draft: Draft) => void, type: number): void {
  const { d, version, out } = draft;
  const start = out.size;
  out
    .u8(d.chance(1, 30) ? d.below(7) : version)
    .u8(type)
    .u16(0)
    .u32(d.chance(1, 30) ? 2 : 1);
  make(draft);
  out.patch16(start + 2, d.chance(1, 30) ? d.below(80) : out.size - start);
}

const BUNDLED: readonly (readonly [number, Body])[] = [
  [14, flowMod],
  [15, groupMod],
  [16, portMod],
  [13, packetOut],
  [29, meterMod],
  [20, () => {}],
];

function bundleProperties(draft: Draft): void {
  if (draft.d.chance(1, 4))
    properties(draft, 1, [() => property(draft, 0xffff, () => void draft.out.u32(0x2320).u32(1).put(draft.d.bytes(8)))]);
}

/** A maker of the body of each message; those without one have none or few bytes of no kind. */
export const BODIES: Readonly<Record<string, Body>> = {
  OFPT_HELLO: (draft) => {
    const { d, out } = draft;
    times(d, 2, () => property(draft, d.chance(1, 4) ? d.below(4) : 1, () => times(d, 2, () => void out.u32(flagBits(d, 0x7e, 32)))));
  },
  OFPT_ERROR: errorBody,
  OFPT_ECHO_REQUEST: ({ d, out }) => void out.put(d.bytes(d.below(40))),
  OFPT_ECHO_REPLY: ({ d, out }) => void out.put(d.bytes(d.below(40))),
  OFPT_FEATURES_REPLY: (draft) => {
    const { d, version, out } = draft;
    out
      .u64(d.bits(64))
      .u32(small(d, 32))
      .u8(d.number(8))
      .u8(version >= 4 ? small(d, 8) : 0)
      .u16(0);
    out.u32(flagBits(d, 0x1ff, 32)).u32(version === 1 ? flagBits(d, 0xfff, 32) : 0);
    if (version <= 3) times(d, 3, () => portDesc(draft));
  },
  OFPT_GET_CONFIG_REPLY: ({ d, out }) => void out.u16(flagBits(d, 7, 16)).u16(d.number(16)),
  OFPT_SET_CONFIG: ({ d, out }) => void out.u16(flagBits(d, 7, 16)).u16(d.number(16)),
  OFPT_PACKET_IN: packetIn,
  OFPT_FLOW_REMOVED: flowRemovedBody,
  OFPT_PORT_STATUS: (draft) => {
    draft.out.u8(draft.d.below(4)).zeros(7);
    portDesc(draft);
  },
  OFPT_PACKET_OUT: packetOut,
  OFPT_FLOW_MOD: flowMod,
  OFPT_PORT_MOD: portMod,
  OFPT_QUEUE_GET_CONFIG_REQUEST: (draft) => {
    port(draft);
    draft.out.zeros(draft.version === 1 ? 2 : 4);
  },
  OFPT_QUEUE_GET_CONFIG_REPLY: (draft) => {
    port(draft);
    draft.out.zeros(draft.version === 1 ? 6 : 4);
    queueConfigs(draft);
  },
  NXT_ROLE_REQUEST: ({ d, out }) => void out.u32(d.chance(1, 10) ? d.number(32) : d.below(4)),
  NXT_ROLE_REPLY: ({ d, out }) => void out.u32(d.chance(1, 10) ? d.number(32) : d.below(4)),
  NXT_SET_FLOW_FORMAT: ({ d, out }) => void out.u32(d.chance(1, 10) ? d.number(32) : d.below(4)),
  NXT_FLOW_MOD: (draft) => {
    const { d, out } = draft;
    out
      .u64(u64(d))
      .u16((d.chance(1, 2) ? 0 : d.below(255) << 8) | d.below(6))
      .u16(small(d, 16))
      .u16(small(d, 16))
      .u16(d.number(16));
    out
      .u32(d.chance(3, 4) ? 0xffffffff : d.number(32))
      .u16(d.chance(1, 2) ? 0xffff : small(d, 16))
      .u16(flagBits(d, 3, 16));
    const at = out.size;
    out.u16(0).zeros(6);
    nxm(draft, at);
    actions(draft);
  },
  NXT_FLOW_REMOVED: (draft) => {
    const { d, out } = draft;
    out.u64(u64(d)).u16(d.number(16)).u8(d.below(7)).u8(small(d, 8)).u32(small(d, 32)).u32(d.below(1e9)).u16(small(d, 16));
    const at = out.size;
    out.u16(0).u64(u64(d)).u64(u64(d));
    nxm(draft, at);
  },
  NXT_FLOW_MOD_TABLE_ID: ({ d, out }) => void out.u8(d.below(3)).zeros(7),
  NXT_SET_PACKET_IN_FORMAT: ({ d, out }) => void out.u32(d.chance(1, 10) ? d.number(32) : d.below(4)),
  NXT_PACKET_IN: (draft) => {
    const { d, out } = draft;
    const data = frame(d);
    out
      .u32(d.chance(2, 3) ? 0xffffffff : d.number(32))
      .u16(d.chance(2, 3) ? data.length : d.number(16))
      .u8(d.below(9))
      .u8(small(d, 8))
      .u64(u64(d));
    const at = out.size;
    out.u16(0).zeros(6);
    nxm(draft, at);
    out.u16(0).put(data);
  },
  NXT_SET_ASYNC_CONFIG: ({ d, out }) => {
    for (let i = 0; i < 6; i++) out.u32(flagBits(d, 0x1f, 32));
  },
  NXT_SET_CONTROLLER_ID: ({ d, out }) => void out.zeros(6).u16(d.number(16)),
  NXT_FLOW_MONITOR_CANCEL: ({ d, out }) => void out.u32(d.number(32)),
  ONFT_FLOW_MONITOR_CANCEL: ({ d, out }) => void out.u32(d.number(32)),
  NXT_TLV_TABLE_MOD: (draft) => {
    draft.out.u16(draft.d.below(4)).zeros(6);
    tlvMaps(draft);
  },
  NXT_TLV_TABLE_REPLY: (draft) => {
    draft.out.u32(draft.d.number(32)).u16(draft.d.number(16)).zeros(10);
    tlvMaps(draft);
  },
  NXT_SET_ASYNC_CONFIG2: asyncMasks,
  NXT_RESUME: (draft) => packetProperties(draft, true),
  NXT_PACKET_IN2: (draft) => packetProperties(draft, false),
  NXT_CT_FLUSH_ZONE: ({ d, out }) => void (d.chance(1, 9) ? out.put(d.bytes(6)) : out.zeros(6)).u16(d.number(16)),
  NXT_GROUP_MOD: groupMod,
  NXT_CT_FLUSH: (draft) => {
    const { d, out } = draft;
    out.u8(d.pick([0, 1, 6, 17, 58, 132, 47])).zeros(7);
    properties(draft, 3, [
      () => property(draft, 0, () => ctTuple(draft)),
      () => property(draft, 1, () => ctTuple(draft)),
      () => property(draft, 2, () => void out.u16(d.number(16))),
    ]);
  },
  'OFPST_FLOW request': flowRequest,
  'OFPST_AGGREGATE request': flowRequest,
  'OFPST_PORT request': (draft) => {
    port(draft);
    draft.out.zeros(draft.version === 1 ? 6 : 4);
  },
  'OFPST_QUEUE request': (draft) => {
    port(draft);
    if (draft.version === 1) draft.out.u16(0);
    draft.out.u32(draft.d.chance(1, 2) ? 0xffffffff : small(draft.d, 32));
  },
  'OFPST_PORT_DESC request': (draft) => {
    if (draft.version < 6) return;
    port(draft);
    draft.out.u32(0);
  },
  'NXST_FLOW request': nxFlowRequest,
  'NXST_AGGREGATE request': nxFlowRequest,
  'NXST_FLOW_MONITOR request': monitorRequests,
  'ONFST_FLOW_MONITOR request': monitorRequests,
  'OFPST_FLOW_MONITOR request': monitorRequests,
  'NXST_GROUP request': ({ d, out }) => void out.u32(d.pick([0xfffffffc, 0xffffffff, d.below(99), d.u32()])).u32(0),
  'NXST_GROUP_DESC request': ({ d, out }) => void out.u32(d.pick([0xfffffffc, 0xffffffff, d.below(99), d.u32()])).u32(0),
  'OFPST_GROUP request': ({ d, out }) => void out.u32(d.pick([0xfffffffc, 0xffffffff, d.below(99), d.u32()])).u32(0),
  'OFPST_GROUP_DESC request': ({ d, version, out }) =>
    void (version === 6 && out.u32(d.pick([0xfffffffc, 0xffffffff, d.below(99), d.u32()])).u32(0)),
  'OFPST_DESC reply': ({ d, out }) => {
    for (const size of [256, 256, 256, 32, 256]) {
      if (d.chance(1, 20)) out.put(new Uint8Array(size).fill(0x61));
      else out.text(d.pick(['Nicira, Inc.', '', 'a"b', '\u00e4', 'x'.repeat(31)]), size);
    }
  },
  'OFPST_FLOW reply': (draft) => flowStats(draft, false),
  'NXST_FLOW reply': (draft) => flowStats(draft, true),
  'OFPST_AGGREGATE reply': (draft) => {
    const { d, out } = draft;
    if (draft.version === 6) {
      oxs(draft);
      return;
    }
    out.u64(u64(d)).u64(u64(d)).u32(d.number(32)).u32(0);
  },
  'NXST_AGGREGATE reply': ({ d, out }) => void out.u64(u64(d)).u64(u64(d)).u32(d.number(32)).u32(0),
  'OFPST_TABLE reply': ({ d, version, out }) => {
    const count = d.chance(1, 4) ? d.below(7) : d.below(4);
    const counts = (): [number, bigint, bigint] => (d.chance(2, 3) ? [1, 2n, 3n] : [d.number(32), u64(d), u64(d)]);
    const wildcards = d.chance(1, 2) ? 0x3fffff : d.u32();
    for (let i = 0; i < count; i++) {
      const [active, lookup, matched] = counts();
      if (version >= 4) out.u8(i).zeros(3);
      else if (version === 1)
        out
          .u8(i)
          .zeros(3)
          .text(d.pick(['', `table${i}`, 'classifier']), 32)
          .u32(d.chance(1, 9) ? d.u32() : wildcards)
          .u32(d.chance(1, 9) ? 5 : 1000000);
      else {
        out
          .u8(i)
          .zeros(7)
          .text(d.pick(['', `table${i}`, 'classifier']), 32);
        const rest = version === 2 ? 24 : 64;
        out.put(d.chance(2, 3) ? new Uint8Array(rest).fill(d.below(2) * 255) : d.bytes(rest));
        if (version === 3) out.u32(d.chance(1, 3) ? d.u32() : 7);
        if (version === 3) out.u32(d.number(32));
        out.u32(1000000);
      }
      out.u32(active);
      out.u64(lookup).u64(matched);
    }
  },
  'OFPST_PORT reply': (draft) => {
    const { d, version, out } = draft;
    times(d, 3, () => {
      const start = out.size;
      if (version >= 5) out.u16(0).u16(0);
      port(draft);
      if (version === 1) out.zeros(6);
      else if (version < 5) out.u32(0);
      const counters = (count: number): void => {
        for (let i = 0; i < count; i++) out.u64(u64(d));
      };
      if (version >= 5) {
        out.u32(d.chance(1, 4) ? 0xffffffff : small(d, 32)).u32(d.below(1e9));
        counters(8);
        properties(draft, 3, [
          () =>
            property(draft, 0, () => {
              out.u32(0);
              counters(4);
            }),
          () => property(draft, 1, () => void out.put(d.bytes(40))),
          () =>
            property(draft, 0xffff, () => {
              out.u32(0xaa01).u32(1).u32(0);
              counters(21);
            }),
          () =>
            property(draft, 0xffff, () => {
              const count = d.below(8);
              out
                .u32(0xaa01)
                .u32(2)
                .u16(0)
                .u16(d.chance(1, 20) ? 9 : count);
              for (let i = 0; i < count; i++) {
                const text = d.pick(['rx_a', 'b', 'tx_packets_of_kind_3', '']);
                out.u8(text.length).put(Buffer.from(text)).u64(u64(d));
              }
            }),
          () =>
            property(draft, 0xffff, () => {
              out.u32(0x2320).u32(1).u32(0);
              counters(16);
            }),
        ]);
        out.patch16(start, d.chance(1, 40) ? d.below(200) : out.size - start);
      } else {
        counters(12);
        if (version === 4) out.u32(d.chance(1, 4) ? 0xffffffff : small(d, 32)).u32(d.below(1e9));
      }
    });
  },
  'OFPST_QUEUE reply': (draft) => {
    const { d, version, out } = draft;
    times(d, 3, () => {
      const start = out.size;
      if (version >= 5) out.u16(0).zeros(6);
      port(draft);
      if (version === 1) out.u16(0);
      out.u32(small(d, 32)).u64(u64(d)).u64(u64(d)).u64(u64(d));
      if (version >= 4) out.u32(d.chance(1, 4) ? 0xffffffff : small(d, 32)).u32(d.below(1e9));
      if (version >= 5) {
        if (d.chance(1, 5)) unknownProperty(draft);
        out.patch16(start, d.chance(1, 40) ? d.below(60) : out.size - start);
      }
    });
  },
  'OFPST_PORT_DESC reply': (draft) => times(draft.d, 3, () => portDesc(draft)),
  'NXST_FLOW_MONITOR reply': monitorUpdates,
  'ONFST_FLOW_MONITOR reply': monitorUpdates,
  'OFPST_FLOW_MONITOR reply': monitorUpdates,
  'NXST_IPFIX_BRIDGE reply': ({ d, out }) => {
    for (let i = 0; i < 10; i++) out.u64(u64(d));
    out.u32(d.number(32)).u32(0);
  },
  'NXST_IPFIX_FLOW reply': ({ d, out }) =>
    times(d, 3, () => {
      for (let i = 0; i < 10; i++) out.u64(u64(d));
      out.u32(d.number(32)).u32(0);
    }),
  ...Object.fromEntries(
    ['NXST_GROUP reply', 'OFPST_GROUP reply'].map((label): [string, Body] => [
      label,
      ({ d, version, out }) =>
        times(d, 3, () => {
          const start = out.size;
          out.u16(0).u16(0).u32(small(d, 32)).u32(small(d, 32)).u32(0).u64(u64(d)).u64(u64(d));
          if (version === 1 || version >= 4) out.u32(d.chance(1, 4) ? 0xffffffff : small(d, 32)).u32(d.below(1e9));
          times(d, 3, () => void out.u64(u64(d)).u64(u64(d)));
          out.patch16(start, d.chance(1, 40) ? d.below(90) : out.size - start);
        }),
    ]),
  ),
  ...Object.fromEntries(
    ['NXST_GROUP_DESC reply', 'OFPST_GROUP_DESC reply'].map((label): [string, Body] => [
      label,
      (draft) => {
        const { d, version, out } = draft;
        times(d, 3, () => {
          const start = out.size;
          out
            .u16(0)
            .u8(d.chance(1, 30) ? 7 : d.below(4))
            .u8(0)
            .u32(small(d, 32));
          if (version !== 1 && version !== 6) buckets(draft);
          else {
            out.u16(0).zeros(6);
            const at = out.size;
            buckets(draft);
            out.patch16(start + 8, out.size - at);
            groupProperties(draft);
          }
          out.patch16(start, d.chance(1, 40) ? d.below(90) : out.size - start);
        });
      },
    ]),
  ),
  ...Object.fromEntries(
    ['NXST_GROUP_FEATURES reply', 'OFPST_GROUP_FEATURES reply'].map((label): [string, Body] => [
      label,
      ({ d, out }) => {
        out.u32(flagBits(d, 15, 32)).u32(flagBits(d, 15, 32));
        for (let i = 0; i < 8; i++) out.u32(flagBits(d, 0x7ffffff, 32));
      },
    ]),
  ),
  OFPT_GROUP_MOD: groupMod,
  OFPT_TABLE_MOD: (draft) => {
    const { d, version, out } = draft;
    out
      .u8(d.chance(1, 3) ? 255 : small(d, 8))
      .zeros(3)
      .u32(version < 5 ? d.below(5) : flagBits(d, 0xc, 32));
    if (version >= 5) tableProperties(draft);
  },
  OFPT_ROLE_REQUEST: ({ d, out }) =>
    void out
      .u32(d.chance(1, 10) ? d.number(32) : d.below(4))
      .u32(0)
      .u64(u64(d)),
  OFPT_ROLE_REPLY: ({ d, out }) =>
    void out
      .u32(d.chance(1, 10) ? d.number(32) : d.below(4))
      .u32(0)
      .u64(u64(d)),
  OFPT_GET_ASYNC_REPLY: (draft) => {
    if (draft.version >= 5) {
      asyncMasks(draft);
      return;
    }
    for (let i = 0; i < 6; i++) draft.out.u32(flagBits(draft.d, 0x1f, 32));
  },
  OFPT_SET_ASYNC: (draft) => {
    if (draft.version >= 5) {
      asyncMasks(draft);
      return;
    }
    for (let i = 0; i < 6; i++) draft.out.u32(flagBits(draft.d, 0x1f, 32));
  },
  OFPT_METER_MOD: meterMod,
  ONFT_ROLE_STATUS: roleStatus,
  OFPT_ROLE_STATUS: roleStatus,
  ...Object.fromEntries(
    ['OFPT_BUNDLE_CONTROL', 'ONFT_BUNDLE_CONTROL'].map((label): [string, Body] => [
      label,
      (draft) => {
        draft.out
          .u32(draft.d.number(32))
          .u16(draft.d.below(10))
          .u16(flagBits(draft.d, 3, 16));
        bundleProperties(draft);
      },
    ]),
  ),
  ...Object.fromEntries(
    ['OFPT_BUNDLE_ADD_MESSAGE', 'ONFT_BUNDLE_ADD_MESSAGE'].map((label): [string, Body] => [
      label,
      (draft) => {
        draft.out
          .u32(draft.d.number(32))
          .u16(0)
          .u16(flagBits(draft.d, 3, 16));
        const [type, make] = draft.d.pick(BUNDLED);
        inner(draft, make, type);
        bundleProperties(draft);
      },
    ]),
  ),
  'OFPST_METER request': ({ d, out }) => void out.u32(meterNumber(d)).u32(0),
  'OFPST_METER_CONFIG request': ({ d, out }) => void out.u32(meterNumber(d)).u32(0),
  'OFPST_TABLE_FEATURES request': (draft) => times(draft.d, 1, () => tableFeatures(draft)),
  'OFPST_TABLE_FEATURES reply': (draft) => {
    const first = new ByteWriter();
    tableFeatures({ ...draft, out: first });
    draft.out.put(first.result());
    // Tables after the first are printed by what they have otherwise.
    times(draft.d, 2, () => {
      if (draft.d.chance(1, 2)) {
        tableFeatures(draft);
        return;
      }
      const again = first.result();
      again[2] = (again[2] ?? 0) + 1;
      draft.out.put(again);
    });
  },
  'OFPST_METER reply': ({ d, out }) =>
    times(d, 3, () => {
      const start = out.size;
      out.u32(meterNumber(d)).u16(0).zeros(6).u32(d.number(32)).u64(u64(d)).u64(u64(d)).u32(small(d, 32)).u32(d.below(1e9));
      times(d, 3, () => void out.u64(u64(d)).u64(u64(d)));
      out.patch16(start + 4, d.chance(1, 40) ? d.below(90) : out.size - start);
    }),
  'OFPST_METER_CONFIG reply': (draft) => times(draft.d, 3, () => meterConfig(draft)),
  'OFPST_METER_FEATURES reply': ({ d, out }) =>
    void out
      .u32(d.number(32))
      .u32(flagBits(d, 6, 32))
      .u32(flagBits(d, 15, 32))
      .u8(d.number(8))
      .u8(d.number(8))
      .u16(0),
  OFPT_TABLE_STATUS: (draft) => {
    draft.out.u8(draft.d.chance(1, 9) ? draft.d.below(8) : 3 + draft.d.below(2)).zeros(7);
    tableDesc(draft);
  },
  ...Object.fromEntries(
    ['NXT_REQUESTFORWARD', 'ONFT_REQUESTFORWARD', 'OFPT_REQUESTFORWARD'].map((label): [string, Body] => [
      label,
      (draft) => {
        const [type, make] = draft.d.pick([
          [15, groupMod],
          [29, meterMod],
          [14, flowMod],
        ] as const);
        inner(draft, make, type);
      },
    ]),
  ),
  'OFPST_QUEUE_DESC request': (draft) => {
    port(draft);
    draft.out.u32(draft.d.chance(1, 2) ? 0xffffffff : small(draft.d, 32));
  },
  'OFPST_TABLE_DESC reply': (draft) => times(draft.d, 3, () => tableDesc(draft)),
  'OFPST_QUEUE_DESC reply': queueConfigs,
};
