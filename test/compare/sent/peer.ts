// A small OpenFlow switch that does nothing but listen: it answers what ovs-ofctl waits for, and keeps every byte that it was told. It has
// ports and tables with names, the flows that it was given, and refuses the messages that it is told to.
import { createServer, type Server, type Socket } from 'node:net';
import { Framing } from '../../../src/openflow/channel/framing.ts';
import { decodeMessage, encodeMessage } from '../../../src/openflow/codec/codec.ts';
import type { FlowStats, Message, OfVersion, PortDesc } from '../../../src/openflow/message.ts';
import type { TableInstructions } from '../../../src/openflow/table-features.ts';

/** What a switch is like in one case. */
export interface PeerSettings {
  /** Versions that it speaks, as bits; all of them when it is not said. */
  versions?: number;
  /** Flows that it says it has. */
  flows?: readonly FlowStats[];
  /** The number of messages, among those that change anything, that are done; the next is refused. */
  refuseAfter?: number;
  /** Messages, in hexadecimal, that it says to who watches, or asks for nothing if it is snooped on; then it ends the connection. */
  says?: readonly string[];
  isSnooped?: boolean;
}

const port = (number: number, name: string): PortDesc => ({
  port: number,
  mac: [0xaa55, 0xaa550000 + number],
  name,
  config: 0,
  state: 0,
  current: 0,
  advertised: 0,
  supported: 0,
  peer: 0,
  currentSpeedKbps: 0,
  maxSpeedKbps: 0,
});

/** Names that need quotes, look like others, or stand for two ports. */
export const PORTS: readonly PortDesc[] = [
  port(0xfffe, 'br0'),
  port(1, 'p1'),
  port(2, 'eth0'),
  port(3, 'a-b'),
  port(4, 'LOCAL'),
  port(5, '5'),
  port(6, 'twice'),
  port(7, 'twice'),
];

/** Tables with names; the others have none. */
export const TABLES: readonly { table: number; name: string }[] = [
  { table: 0, name: 'classifier' },
  { table: 1, name: 'one' },
  { table: 2, name: 'two words' },
  { table: 3, name: 'same' },
  { table: 4, name: 'same' },
];

const INSTRUCTIONS: TableInstructions = {
  next: [],
  instructions: [],
  write: { actions: 0, setFields: [] },
  apply: { actions: 0, setFields: [] },
};

const OFPT = { HELLO: 0, ERROR: 1, ECHO_REQUEST: 2 } as const;
const IDLE_MS = 4000;
/** Who has asked for nothing for so long listens. */
const QUIET_MS = 80;

/** Messages that change something, after which a barrier is all the answer that there is. */
const isChange = ({ kind }: Message): boolean =>
  ['flowMod', 'groupMod', 'meterMod', 'portMod', 'tableMod', 'packetOut', 'tlvTableMod', 'ctFlush', 'ctFlushZone', 'bundleAdd'].includes(
    kind,
  );

/** Requests about names of ports and tables. */
const LOOK_UPS: ReadonlySet<string> = new Set(['featuresRequest', 'portDescRequest', 'tableStatsRequest', 'tableFeaturesRequest']);

/** Whether a flow can be told in a version: what becomes of replies that cannot be read is compared with other messages. */
function isSound(flow: FlowStats, version: OfVersion, isNicira: boolean): boolean {
  try {
    decodeMessage(encodeMessage(version, 1, { kind: 'flowStatsReply', flows: [flow], more: false }, { nxFlows: isNicira }));
    return true;
  } catch {
    return false;
  }
}

/** What is said to a message; undefined for nothing. */
function answer(message: Message, version: OfVersion, settings: PeerSettings, isNicira: boolean): Message | undefined {
  switch (message.kind) {
    case 'echoRequest':
      return { kind: 'echoReply', data: message.data };
    case 'barrierRequest':
      return { kind: 'barrierReply' };
    case 'featuresRequest':
      return {
        kind: 'featuresReply',
        datapathId: 0xfeedn,
        buffers: 0,
        tables: 254,
        auxiliaryId: 0,
        capabilities: 0x4f,
        actions: 0xfff,
        ...(version < 4 ? { ports: [...PORTS] } : {}),
      };
    case 'portDescRequest':
      return { kind: 'portDescReply', ports: [...PORTS], more: false };
    case 'tableStatsRequest':
      return {
        kind: 'tableStatsReply',
        tables: TABLES.map((row) => ({ ...row, maxEntries: 100, activeCount: 0, lookupCount: 0n, matchedCount: 0n })),
        more: false,
      };
    case 'tableFeaturesRequest':
      return {
        kind: 'tableFeaturesReply',
        tables: TABLES.map((row) => ({
          ...row,
          command: 'replace',
          metadataMatch: 0n,
          metadataWrite: 0n,
          maxEntries: 100,
          ...(version < 5 ? {} : { canEvict: false, canTellVacancy: false }),
          hasProperties: true,
          onMatch: INSTRUCTIONS,
          onMiss: INSTRUCTIONS,
          match: [],
          masked: [],
          wildcarded: [],
        })),
        more: false,
      };
    case 'tableDescRequest':
      return {
        kind: 'tableDescReply',
        tables: Array.from({ length: 254 }, (_, table) => ({
          table,
          evicts: table % 2 === 1,
          evictionFlags: table % 4,
          tellsVacancy: table % 3 === 1,
          ...(table % 3 === 1 ? { vacancy: { down: 10, up: 20, now: 15 } } : {}),
        })),
        more: false,
      };
    case 'flowStatsRequest':
      return { kind: 'flowStatsReply', flows: (settings.flows ?? []).filter((flow) => isSound(flow, version, isNicira)), more: false };
    case 'aggregateRequest':
      return { kind: 'aggregateReply', packetCount: 1n, byteCount: 2n, flowCount: 3 };
    case 'groupStatsRequest':
      return { kind: 'groupStatsReply', groups: [], more: false };
    case 'groupDescRequest':
      return { kind: 'groupDescReply', groups: [], more: false };
    case 'meterStatsRequest':
      return { kind: 'meterStatsReply', meters: [], more: false };
    case 'meterConfigRequest':
      return { kind: 'meterConfigReply', meters: [], more: false };
    case 'portStatsRequest':
      return { kind: 'portStatsReply', ports: [], more: false };
    case 'queueStatsRequest':
      return { kind: 'queueStatsReply', queues: [], more: false };
    case 'queueConfigRequest':
      return { kind: 'queueConfigReply', port: message.port, queues: [{ port: message.port & 7, queue: 1, minRate: 5 }], more: false };
    case 'tlvTableRequest':
      return { kind: 'tlvTableReply', maxSpace: 256, maxFields: 64, maps: [{ optionClass: 0xffff, optionType: 1, size: 4, field: 0 }] };
    case 'roleRequest':
      return { kind: 'roleReply', role: message.role, generationId: message.generationId };
    case 'flowMonitorRequest':
      return { kind: 'flowMonitorReply', updates: [], more: false };
    case 'bundleControl':
      return { kind: 'bundleControl', bundleId: message.bundleId, type: (message.type | 1) as never, flags: message.flags };
    default:
      return undefined;
  }
}

/** One side of a case: everything that came over one socket, message by message, connections apart. */
export class RecordingPeer {
  readonly #server: Server;
  readonly #settings: PeerSettings;
  readonly #sockets = new Set<Socket>();
  readonly #connections: { hex: string; isLookUp: boolean }[][] = [];

  constructor(path: string, settings: PeerSettings) {
    this.#settings = settings;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.on('error', () => {});
    this.#server.listen(path);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const connection: { hex: string; isLookUp: boolean }[] = [];
    this.#connections.push(connection);
    const framing = new Framing();
    let changes = 0;
    let hasTableIds = false;
    let isWatched = false;
    let config = { flags: 0, missSendLength: 0 };
    const { versions = 0x7e } = this.#settings;
    const hello = encodeMessage((31 - Math.clz32(versions)) as OfVersion, 1, { kind: 'hello', versions });
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.write(hello);
    const say = (): void => {
      for (const hex of this.#settings.says ?? []) socket.write(Buffer.from(hex, 'hex'));
      // What is answered is still heard.
      setTimeout(() => socket.end(), this.#settings.says === undefined ? 0 : QUIET_MS);
    };
    const quiet = this.#settings.isSnooped !== true ? undefined : setTimeout(say, QUIET_MS);
    socket.on('close', () => clearTimeout(quiet));
    socket.on('data', (bytes) =>
      framing.push(bytes as Uint8Array, (message) => {
        const entry = { hex: Buffer.from(message).toString('hex'), isLookUp: false };
        connection.push(entry);
        if (message[1] === OFPT.HELLO || message[1] === OFPT.ERROR) return;
        clearTimeout(quiet);
        const version = message[0] as OfVersion;
        const xid = new DataView(message.buffer, message.byteOffset).getUint32(4);
        const refuse = (type: number, code: number): void =>
          void socket.write(encodeMessage(version, xid, { kind: 'error', type, code, experimenter: 0, data: message.slice(0, 64) }));
        let decoded: Message;
        try {
          decoded = decodeMessage(message, { flowModTableId: hasTableIds }).message;
        } catch {
          refuse(1, 1);
          return;
        }
        if (decoded.kind === 'flowModTableId') hasTableIds = decoded.enabled;
        entry.isLookUp = LOOK_UPS.has(decoded.kind);
        if (isChange(decoded) && changes++ === this.#settings.refuseAfter) {
          refuse(1, 5);
          return;
        }
        // Asked in Nicira's form, it answers in that.
        const isNicira = version === 1 && message[1] === 16 && message[8] === 0xff;
        if (decoded.kind === 'setConfig') config = decoded;
        const reply =
          decoded.kind === 'getConfigRequest'
            ? ({ ...config, kind: 'getConfigReply' } as const)
            : answer(decoded, version, this.#settings, isNicira);
        if (reply === undefined) {
          // Who asks must not wait.
          if (decoded.kind.endsWith('Request')) refuse(1, 2);
          return;
        }
        try {
          socket.write(encodeMessage(version, xid, reply, { nxFlows: isNicira }));
        } catch {
          refuse(1, 1);
        }
        // Nothing happens in such a switch: whoever watches it has seen all.
        if (decoded.kind === 'flowMonitorRequest') isWatched = true;
        else if (isWatched && decoded.kind === 'barrierRequest') say();
      }),
    );
  }

  /** All of what was heard, message by message in hexadecimal; `+` where a connection began. */
  get everything(): string[] {
    return this.#connections.flatMap((messages) => ['+', ...messages.map(({ hex }) => hex)]);
  }

  /**
   * As `everything`, without what only looks names up: the reference asks for names whether or not a text holds one, ours when it does, and
   * over connections of other numbers. The transaction id of a hello tells how many connections there were before.
   */
  get heard(): string[] {
    return this.#connections
      .map((messages) => messages.filter(({ isLookUp }) => !isLookUp))
      .filter((messages) => messages.length > 1)
      .flatMap(([hello, ...messages]) => ['+', (hello?.hex ?? '').replace(/^(.{8}).{8}/, '$100000000'), ...messages.map(({ hex }) => hex)]);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
