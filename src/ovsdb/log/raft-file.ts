// The records of a clustered database's file (ovsdb(5), Clustered Format): what the first one says of the server and its snapshot, and what each
// later one adds. Pure: values in, typed values or the error in the reference's words out. No cluster is run here.

import { ConfigError } from '../../base/errors.ts';
import { isUuid, ZERO_UUID } from '../engine/atom.ts';
import { syntaxError } from '../engine/error.ts';
import { ObjectParser } from '../engine/object-parser.ts';
import { exactInteger, type Json, type JsonObject, jsonObject } from '../json/json.ts';

/** A schema or null, and a transaction record or null. */
export type ClusterTransaction = Json;
/** Addresses by server ID. */
export type Servers = ReadonlyMap<string, string>;

interface RaftHeaderCommon {
  name: string;
  localAddress: string;
  serverId: string;
  /** Not known to a server that has not joined and was not told. */
  clusterId: string | undefined;
}

/** A server that has yet to join its cluster. */
export interface RaftJoining extends RaftHeaderCommon {
  kind: 'joining';
  remoteAddresses: readonly string[];
}

/** A member of a cluster; the log begins behind a snapshot. */
export interface RaftMember extends RaftHeaderCommon {
  kind: 'member';
  prevServers: Servers;
  prevTerm: bigint;
  /** 0 when there is no snapshot. */
  prevIndex: bigint;
  prevEid: string | undefined;
  prevData: ClusterTransaction | undefined;
}

export type RaftHeader = RaftJoining | RaftMember;

export interface RaftEntry {
  term: bigint;
  index: bigint;
  servers: Servers | undefined;
  electionTimer: bigint;
  data: ClusterTransaction | undefined;
  eid: string | undefined;
}

export type RaftRecord = { comment: string | undefined } & (
  | { kind: 'note'; note: string }
  | { kind: 'commit'; commitIndex: bigint }
  | { kind: 'leader'; term: bigint; leader: string }
  | { kind: 'vote'; term: bigint; vote: string }
  | { kind: 'term'; term: bigint }
  | ({ kind: 'entry' } & RaftEntry)
);

/** A server's UUID as people are shown it. */
export const shortId = (uuid: string): string => uuid.slice(0, 4);

/** Whether a server may be reached at an address; throws what is wrong with it. `say` is told of a port that makes no sense. */
export type AddressCheck = (address: string) => void;

const unsigned = (value: Json): bigint => BigInt.asUintN(64, BigInt(value as number | bigint));

function requiredUnsigned(parser: ObjectParser, name: string): bigint {
  return unsigned(parser.required(name, 'integer'));
}

function optionalUnsigned(parser: ObjectParser, name: string): bigint {
  const value = parser.optional(name, 'integer');
  return value === undefined ? 0n : unsigned(value);
}

function checkUuid(parser: ObjectParser, name: string, value: Json): string {
  if (!isUuid(value as string)) parser.fail(`${name} is not a valid UUID`);
  return (value as string).toLowerCase();
}

function requiredUuid(parser: ObjectParser, name: string): string {
  return checkUuid(parser, name, parser.required(name, 'string'));
}

function optionalUuid(parser: ObjectParser, name: string): string | undefined {
  const value = parser.optional(name, 'string');
  return value === undefined ? undefined : checkUuid(parser, name, value);
}

function parseServers(json: JsonObject, checkAddress: AddressCheck): Servers {
  if (json.size === 0) throw syntaxError(json, 'must have at least one server');
  const servers = new Map<string, string>();
  for (const [id, address] of json) {
    if (!isUuid(id)) throw syntaxError(json, `${id} is not a UUID`);
    if (typeof address !== 'string') throw syntaxError(address, 'server address is not string');
    checkAddress(address);
    servers.set(id, address);
  }
  return servers;
}

function parseAddresses(json: readonly Json[], checkAddress: AddressCheck): string[] {
  if (json.length === 0) throw syntaxError(json as Json[], 'at least one remote address is required');
  for (const address of json) {
    if (typeof address !== 'string') throw syntaxError(address, 'server address is not string');
    checkAddress(address);
  }
  return [...new Set(json as string[])];
}

/** The first record. Throws OvsdbError. */
export function parseRaftHeader(json: Json, checkAddress: AddressCheck): RaftHeader {
  const parser = new ObjectParser(json, 'raft header');
  const serverId = requiredUuid(parser, 'server_id');
  const name = parser.required('name', 'string') as string;
  // The reference takes it as it is: it is judged when the server is to listen there.
  const localAddress = parser.required('local_address', 'string') as string;
  const common = { name, localAddress, serverId };
  const remotes = parser.optional('remote_addresses', 'array');
  if (remotes !== undefined) {
    const remoteAddresses = parseAddresses(remotes as Json[], checkAddress).filter((address) => address !== localAddress);
    if (remoteAddresses.length === 0) parser.fail('at least one remote address (other than the local address) is required');
    const clusterId = known(optionalUuid(parser, 'cluster_id'));
    parser.finish();
    return { kind: 'joining', ...common, clusterId, remoteAddresses };
  }
  const prevServers = parseServers(parser.required('prev_servers', 'object') as JsonObject, checkAddress);
  const prevIndex = optionalUnsigned(parser, 'prev_index');
  let [prevEid, prevTerm, prevData]: [string | undefined, bigint, Json | undefined] = [undefined, 0n, undefined];
  if (prevIndex !== 0n) {
    prevEid = requiredUuid(parser, 'prev_eid');
    prevTerm = requiredUnsigned(parser, 'prev_term');
    optionalUnsigned(parser, 'prev_election_timer');
    prevData = parser.required('prev_data', 'any');
  }
  const clusterId = known(requiredUuid(parser, 'cluster_id'));
  parser.finish();
  return { kind: 'member', ...common, clusterId, prevServers, prevTerm, prevIndex, prevEid, prevData };
}

const known = (clusterId: string | undefined): string | undefined => (clusterId === ZERO_UUID ? undefined : clusterId);

/** A later record. Throws OvsdbError. */
export function parseRaftRecord(json: Json, checkAddress: AddressCheck): RaftRecord {
  const parser = new ObjectParser(json, 'raft log record');
  const record = parseBody(parser, parser.optional('comment', 'string') as string | undefined, checkAddress);
  parser.finish();
  return record;
}

function parseBody(parser: ObjectParser, comment: string | undefined, checkAddress: AddressCheck): RaftRecord {
  const note = parser.optional('note', 'string');
  if (note !== undefined) return { kind: 'note', comment, note: note as string };
  const commitIndex = optionalUnsigned(parser, 'commit_index');
  if (commitIndex !== 0n) return { kind: 'commit', comment, commitIndex };
  const term = requiredUnsigned(parser, 'term');
  const leader = optionalUuid(parser, 'leader');
  if (leader === ZERO_UUID) parser.fail('record says leader is all-zeros SID');
  if (leader !== undefined) return { kind: 'leader', comment, term, leader };
  const vote = optionalUuid(parser, 'vote');
  if (vote === ZERO_UUID) parser.fail('record votes for all-zeros SID');
  if (vote !== undefined) return { kind: 'vote', comment, term, vote };
  const index = optionalUnsigned(parser, 'index');
  if (index === 0n) return { kind: 'term', comment, term };
  const members = parser.optional('servers', 'object');
  const servers = members === undefined ? undefined : parseServers(members as JsonObject, checkAddress);
  const electionTimer = optionalUnsigned(parser, 'election_timer');
  const data = parser.optional('data', 'object', 'array');
  const eid = data === undefined ? undefined : requiredUuid(parser, 'eid');
  return { kind: 'entry', comment, term, index, servers, electionTimer, data, eid };
}

/** What a server of a new cluster writes first. */
export function memberToJson(
  common: { name: string; localAddress: string; serverId: string; clusterId: string },
  eid: string,
  snapshot: Json,
): JsonObject {
  return jsonObject({
    server_id: common.serverId,
    name: common.name,
    local_address: common.localAddress,
    prev_servers: jsonObject({ [common.serverId]: common.localAddress }),
    prev_index: 1,
    prev_eid: eid,
    prev_term: 1,
    prev_data: snapshot,
    cluster_id: common.clusterId,
  });
}

/** What a server that shall join a cluster writes. */
export function joiningToJson(common: RaftHeaderCommon, remoteAddresses: readonly string[]): JsonObject {
  return jsonObject({
    server_id: common.serverId,
    name: common.name,
    local_address: common.localAddress,
    remote_addresses: [...remoteAddresses],
    cluster_id: common.clusterId,
  });
}

/** An entry without its index and its election timer, as check-cluster shows it. */
export function entryToJson(entry: RaftEntry): JsonObject {
  return jsonObject({
    term: exact(entry.term),
    servers: entry.servers === undefined ? undefined : new Map(entry.servers),
    data: entry.data,
    eid: entry.eid,
  });
}

const exact = (value: bigint): number | bigint => exactInteger(BigInt.asIntN(64, value));

/** The two parts of a snapshot's or an entry's data. */
export function splitData(data: ClusterTransaction, what: string): { schema: Json; transaction: Json } {
  if (!Array.isArray(data) || data.length !== 2) throw new ConfigError(`Incorrect ${what} array length`);
  return { schema: data[0] as Json, transaction: data[1] as Json };
}
