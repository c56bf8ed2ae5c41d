// `ovsdb-tool check-cluster`: whether the files of a cluster's servers fit together, as Raft promises.
//
// 1. Each file for itself: entries follow one another, terms never fall, one vote and one leader a term, nothing that was committed is cut off.
// 2. All together: one cluster, one name, every server once, each of them in its own list of servers.
// 3. A leader has all that was committed in earlier terms; entries of the same index and term are the same, but for their election timers.
import { statSync } from 'node:fs';
import { readClusterRecords } from '../../daemon/ovsdb-server/file-records.ts';
import { fileName } from '../../host/file-name.ts';
import { ZERO_UUID } from '../../ovsdb/engine/atom.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import { entryToJson, parseRaftRecord, type RaftEntry, type RaftMember, type Servers, shortId } from '../../ovsdb/log/raft-file.ts';
import { checkAddress, readClusterHeader } from './cluster.ts';

type Print = (line: string) => void;
const numberOf = (index: bigint): number => Number(index);

interface Server {
  readonly path: string;
  readonly header: RaftMember;
  readonly entries: RaftEntry[];
  /** Those that were cut off too. */
  readonly all: RaftEntry[];
}

interface Leader {
  server: string;
  /** The file that said so first. */
  reporter: Server;
  /** Where the leader's own log ended when it became one; not known when only others tell. */
  end: bigint | undefined;
}

interface Committed {
  term: bigint;
  index: bigint;
  server: Server;
}

/** Checks; prints what is worth telling, throws what is wrong. */
export function checkCluster(paths: readonly string[], print: Print): void {
  new Check(print).run(paths);
}

class Check {
  readonly #servers: Server[] = [];
  readonly #print: Print;
  readonly #leaders = new Map<bigint, Leader>();
  readonly #committed: Committed[] = [];
  #hasTerm = false;

  constructor(print: Print) {
    this.#print = print;
  }

  run(paths: readonly string[]): void {
    for (const path of paths) this.#identify(path);
    for (const server of this.#servers) this.#log(server);
    if (!this.#hasTerm) throw new Error('all logs are empty');
    this.#leadersHaveAll();
    this.#entriesAgree();
    for (const server of this.#servers) this.#membership(server);
  }

  /** A server by its file, when that is among those checked. */
  #name(id: string): string {
    return this.#servers.find(({ header }) => header.serverId === id)?.path ?? shortId(id);
  }

  #identify(path: string): void {
    // A file that never had a header: one without a first record.
    if (statSync(fileName(path), { throwIfNoEntry: false })?.size === 0)
      throw new Error('syntax error: Parsing raft header failed: Object expected.');
    const header = readClusterHeader(path);
    if (header.kind === 'joining') {
      this.#print(`${path} has not joined the cluster, omitting`);
      return;
    }
    const [first] = this.#servers;
    if (first !== undefined) {
      const [one, other] = [first.header.clusterId ?? ZERO_UUID, header.clusterId ?? ZERO_UUID];
      if (one !== other) throw new Error(`${first.path} has cluster ID ${shortId(one)} but ${path} has cluster ID ${shortId(other)}`);
      if (header.name !== first.header.name)
        throw new Error(`${first.path} is named "${first.header.name}" but ${path} is named "${header.name}"`);
    }
    const same = this.#servers.find((server) => server.header.serverId === header.serverId);
    if (same !== undefined) throw new Error(`Duplicate server ID ${shortId(header.serverId)} in ${path} and ${same.path}.`);
    this.#servers.push({ path, header, entries: [], all: [] });
  }

  #log(server: Server): void {
    const { path, header } = server;
    const { entries } = server;
    const leaders = new Map<bigint, { leader: string; number: number }>();
    const start = header.prevIndex + 1n;
    let [term, commitIndex, vote, isLeader] = [0n, header.prevIndex, '', false];
    const end = (): bigint => start + BigInt(entries.length);
    const enter = (next: bigint): void => {
      if (next !== 0n) this.#hasTerm = true;
      if (next <= term) return;
      term = next;
      vote = '';
      isLeader = false;
    };
    readClusterRecords(path, (json, number) => {
      if (number === 0) return;
      const record = parseRaftRecord(json, checkAddress);
      const at = `${path}: record ${number}`;
      if (record.kind === 'note') {
        if (record.note === 'left') this.#print(`${at} shows that the server left the cluster`);
      } else if (record.kind === 'commit') {
        if (record.commitIndex < commitIndex) throw new Error(`${at} regresses commit index from ${commitIndex} to ${record.commitIndex}`);
        if (record.commitIndex >= end())
          throw new Error(`${at} advances commit index to ${record.commitIndex} but last log index is ${end() - 1n}`);
        commitIndex = record.commitIndex;
        this.#committed.push({ term, index: commitIndex, server });
      } else if (record.kind === 'leader') {
        enter(record.term);
        isLeader = record.leader === header.serverId;
        const known = leaders.get(term);
        if (known !== undefined && known.leader !== record.leader)
          throw new Error(
            `${at} reports leader ${this.#name(record.leader)} for term ${term} but record ${known.number} previously reported the leader as ${this.#name(known.leader)} in that term`,
          );
        leaders.set(term, { leader: record.leader, number });
        this.#reportLeader(server, term, record.leader, end());
      } else if (record.kind === 'vote') {
        if (record.term < term) throw new Error(`${at} votes for term ${record.term} but current term is ${term}`);
        enter(record.term);
        if (vote !== '' && vote !== record.vote)
          throw new Error(
            `${at} votes for ${this.#name(vote)} in term ${term} but a previous record for the same term voted for ${this.#name(record.vote)}`,
          );
        vote = record.vote;
      } else if (record.kind === 'term') {
        enter(record.term);
      } else {
        enter(record.term);
        if (record.index < end()) {
          const lengths = `log from ${end()} to ${record.index} entries`;
          if (commitIndex > record.index)
            throw new Error(`${at} attempts to truncate ${lengths}, but commit index is already ${commitIndex}`);
          if (isLeader) throw new Error(`${at} truncates ${lengths} while server is leader`);
          this.#print(`${at} truncates ${lengths}`);
          entries.length = record.index < start ? 0 : numberOf(record.index - start);
        } else if (record.index > end()) {
          throw new Error(`${at} with index ${record.index} skips past expected index ${end()}`);
        }
        const before = entries.at(-1)?.term ?? header.prevTerm;
        if (record.term < before)
          throw new Error(`${at} with index ${record.index} term ${record.term} precedes previous entry's term ${before}`);
        entries.push(record);
        server.all.push(record);
      }
    });
  }

  #reportLeader(server: Server, term: bigint, leader: string, end: bigint): void {
    const known = this.#leaders.get(term);
    if (known !== undefined && known.server !== leader)
      throw new Error(
        `term ${term} has two different leaders: ${known.reporter.path} says that the leader is ${this.#name(known.server)} and ${server.path} says that the leader is ${this.#name(leader)}`,
      );
    const own = leader === server.header.serverId ? end : undefined;
    if (known === undefined) this.#leaders.set(term, { server: leader, reporter: server, end: own });
    else if (own !== undefined && known.end === undefined) known.end = own;
  }

  /** A server is in one of the lists that its file has. */
  #membership(server: Server): void {
    const { header } = server;
    const lists: Servers[] = [header.prevServers];
    for (const { servers } of server.all) if (servers !== undefined) lists.push(servers);
    if (!lists.some((list) => list.has(header.serverId)))
      throw new Error(`${server.path}: server ${shortId(header.serverId)} not found in server list`);
  }

  #leadersHaveAll(): void {
    const terms = [...this.#leaders].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [term, { end, reporter }] of terms) {
      if (end === undefined) continue;
      let most: Committed | undefined;
      for (const one of this.#committed) if (one.term < term && (most === undefined || one.index > most.index)) most = one;
      if (most !== undefined && most.index >= end)
        throw new Error(
          `leader ${reporter.path} for term ${term} has log entries only up to index ${end - 1n}, but index ${most.index} was committed in a previous term (e.g. by ${most.server.path})`,
        );
    }
  }

  #entriesAgree(): void {
    const seen = new Map<string, { text: string; server: Server; entry: RaftEntry }>();
    const differing: { index: bigint; lines: string }[] = [];
    for (const server of this.#servers) {
      for (const entry of server.entries) {
        const key = `${entry.index} ${entry.term}`;
        const text = formatJson(entryToJson(entry), { sort: true });
        const known = seen.get(key);
        if (known === undefined) seen.set(key, { text, server, entry });
        else if (known.text !== text)
          differing.push({ index: entry.index, lines: `${known.server.path} has ${known.text}\n${server.path} has ${text}` });
      }
    }
    differing.sort((a, b) => (a.index < b.index ? -1 : a.index > b.index ? 1 : 0));
    const [first] = differing;
    if (first !== undefined) throw new Error(`log entries with index ${first.index} differ:\n${first.lines}`);
  }
}
