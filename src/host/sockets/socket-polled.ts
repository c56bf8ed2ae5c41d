// Listeners over `socketPoll`: Unix sockets and TCP. TLS stays with socket.ts.
import { chmodSync } from 'node:fs';
import { strerror } from '../../base/errno.ts';
import { KernelError } from '../../base/errors.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import { closeFd, E, lastError, libc, setSocketInt } from '../ffi.ts';
import { fileName } from '../file-name.ts';
import { replayHooks } from '../replay/replay-hooks.ts';
import { PolledStream } from './polled-stream.ts';
import { DEFAULT_DSCP, type ListenSettings, listenStream, nextUnixPeer } from './socket.ts';
import { AF_INET6, internetAddress, peerName, SOCK_STREAM_NONBLOCK, unixAddress } from './socket-address.ts';
import { setSocketDscp } from './socket-dscp.ts';
import { clearPlace, removeSocketFile, SOCKET_MODE, sayUnboundAddress, shortPath, unboundPlace } from './socket-place.ts';
import { socketPoll, wouldBlock } from './socket-poll.ts';
import { parseSocketTarget } from './socket-target.ts';

const ACCEPT_FLAGS = 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const BACKLOG = 511;

function unixPlace(target: string, path: string): { address: Uint8Array | undefined; release: () => void } {
  try {
    const short = shortPath(path);
    return { address: unixAddress(short.path), release: short.release };
  } catch (error) {
    throw unboundPlace(target, path, error);
  }
}

/** Like `listenStream`, for a server with many peers. */
export async function listenPolled(target: string, onStream: (stream: Stream) => void, settings: ListenSettings = {}): Promise<Listener> {
  if (replayHooks() !== undefined) return listenStream(target, onStream, settings);
  const { defaultPort = 0, dscp = DEFAULT_DSCP } = settings;
  const parsed = parseSocketTarget(target, defaultPort);
  if (!parsed.passive || parsed.kind === 'ssl') return listenStream(target, onStream, settings);
  const isUnix = parsed.kind === 'unix';
  const host = parsed.kind === 'tcp' && parsed.host !== '' ? parsed.host : '0.0.0.0';
  const place = parsed.kind === 'unix' ? unixPlace(target, parsed.path) : undefined;
  const address = parsed.kind === 'unix' ? place?.address : internetAddress(host, parsed.port);
  // An address with a zone or some such is left to the runtime.
  if (address === undefined) return listenStream(target, onStream, settings);
  const c = libc();
  const family = address[0] as number;
  let fd = -1;
  let boundPort = 0;
  try {
    fd = c.socket(family, SOCK_STREAM_NONBLOCK, 0);
    if (fd < 0) throw lastError(target);
    if (isUnix) clearPlace(parsed.path);
    else setSocketInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // Connections that come inherit it.
    if (!isUnix) setSocketDscp(fd, family === AF_INET6, dscp);
    if (family === AF_INET6) setSocketInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (c.bind(fd, address, address.length) < 0) throw lastError(target);
    if (c.listen(fd, BACKLOG) < 0) throw lastError(target);
    if (isUnix) chmodSync(fileName(parsed.path), SOCKET_MODE);
    else {
      const name = new Uint8Array(28);
      c.getsockname(fd, name, new Uint8Array([28, 0, 0, 0]));
      boundPort = new DataView(name.buffer).getUint16(2);
    }
  } catch (error) {
    closeFd(fd);
    place?.release();
    if (isUnix) throw unboundPlace(target, parsed.path, error);
    sayUnboundAddress(target, error);
    if (error instanceof KernelError) throw new KernelError(target, error.errno, strerror(error.errno));
    throw error;
  }
  const peer = new Uint8Array(112);
  const accept = (): void => {
    socketPoll().runPromises();
    for (;;) {
      const accepted = c.accept4(fd, peer, new Uint8Array([112, 0, 0, 0]), ACCEPT_FLAGS);
      if (accepted < 0) {
        // Out of descriptors: the peer waits in the queue; the listener must not spin on it.
        if (!wouldBlock() && c.errno() !== E.CONNABORTED) rest();
        return;
      }
      if (!isUnix) setSocketInt(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
      onStream(new PolledStream(isUnix ? nextUnixPeer() : peerName(peer), accepted, !isUnix));
    }
  };
  let isOpen = true;
  const rest = (): void => {
    socketPoll().want(fd, false, false);
    setTimeout(() => isOpen && socketPoll().want(fd, true, false), 100).unref();
  };
  socketPoll().add(fd, { onReadable: accept, onWritable: () => {} });
  return {
    name: target,
    boundPort,
    setDscp: (dscp) => {
      if (!isUnix && isOpen) setSocketDscp(fd, family === AF_INET6, dscp);
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      socketPoll().release(fd);
      place?.release();
      if (isUnix) removeSocketFile(parsed.path);
    },
  };
}
