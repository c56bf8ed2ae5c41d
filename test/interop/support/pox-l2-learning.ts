// The bytes that POX's l2_learning exchanges with a switch over OpenFlow 1.0, for POX itself is in no registry: hello without elements,
// features, set_config with miss_send_len 128, clearing all flows, barrier; then for each packet-in a flood, or an exact-match flow with
// idle timeout 10 and hard timeout 30 that carries the buffer, if there is one. Prints what it hears. Argument: the port to listen on.
import { createServer } from 'node:net';

const say = (...words: unknown[]): void => void process.stdout.write(`heard ${words.join(' ')}\n`);
const NO_BUFFER = 0xffffffff;
const FLOOD = 0xfffb;
let xid = 0;

function message(type: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.from([1, type, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(8 + body.length, 2);
  head.writeUInt32BE(++xid, 4);
  return Buffer.concat([head, body]);
}

const output = (port: number): Buffer => {
  const action = Buffer.alloc(8);
  action.writeUInt16BE(8, 2);
  action.writeUInt16BE(port, 4);
  return action;
};

function packetOut(buffer: number, inPort: number, port: number, data: Buffer): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32BE(buffer, 0);
  body.writeUInt16BE(inPort, 4);
  body.writeUInt16BE(8, 6);
  return message(13, Buffer.concat([body, output(port), buffer === NO_BUFFER ? data : Buffer.alloc(0)]));
}

/** A flow-mod: command, match, priority 0x8000. */
function flowMod(command: number, match: Buffer, idle: number, hard: number, buffer: number, actions: Buffer): Buffer {
  const rest = Buffer.alloc(32);
  rest.writeUInt16BE(command, 8);
  rest.writeUInt16BE(idle, 10);
  rest.writeUInt16BE(hard, 12);
  rest.writeUInt16BE(0x8000, 14);
  rest.writeUInt32BE(buffer, 16);
  rest.writeUInt16BE(0xffff, 20);
  return message(14, Buffer.concat([match, rest.subarray(0, 24), actions]));
}

const everything = (): Buffer => {
  const match = Buffer.alloc(40);
  match.writeUInt32BE(0x3fffff, 0);
  return match;
};

/** POX's match of all that a frame has. */
function exact(frame: Buffer, inPort: number): Buffer {
  const match = Buffer.alloc(40);
  match.writeUInt16BE(inPort, 4);
  frame.copy(match, 6, 6, 12);
  frame.copy(match, 12, 0, 6);
  match.writeUInt16BE(0xffff, 18);
  const type = frame.readUInt16BE(12);
  match.writeUInt16BE(type, 22);
  if (type === 0x0800) {
    match[24] = (frame[15] as number) & 0xfc;
    match[25] = frame[23] as number;
    frame.copy(match, 28, 26, 34);
    if (frame[23] === 1) {
      match.writeUInt16BE(frame[34] as number, 36);
      match.writeUInt16BE(frame[35] as number, 38);
    } else frame.copy(match, 36, 34, 38);
  } else if (type === 0x0806) {
    match[25] = frame[21] as number;
    frame.copy(match, 28, 28, 32);
    frame.copy(match, 32, 38, 42);
  } else {
    match.writeUInt32BE(0x3fffff & ~0xf, 0);
  }
  return match;
}

const server = createServer((socket) => {
  const places = new Map<string, number>();
  let bytes: Buffer = Buffer.alloc(0);
  const hear = (type: number, body: Buffer): void => {
    switch (type) {
      case 0:
        return void socket.write(message(5));
      case 1:
        say('error', body.readUInt16BE(0), body.readUInt16BE(2));
        return;
      case 2:
        return void socket.write(message(3, body));
      case 6: {
        const ports: string[] = [];
        for (let at = 24; at < body.length; at += 48) {
          ports.push(`${body.readUInt16BE(at)}=${body.toString('latin1', at + 8, at + 24).replace(/\0.*/, '')}`);
        }
        say('features', body.toString('hex', 0, 24), ports.sort().join(','));
        const config = Buffer.from([0, 0, 0, 128]);
        socket.write(message(9, config));
        socket.write(flowMod(3, everything(), 0, 0, NO_BUFFER, Buffer.alloc(0)));
        socket.write(message(18));
        return;
      }
      case 10: {
        const [buffer, length, inPort, reason] = [body.readUInt32BE(0), body.readUInt16BE(4), body.readUInt16BE(6), body[8]];
        const frame = body.subarray(10);
        const [to, from] = [frame.toString('hex', 0, 6), frame.toString('hex', 6, 12)];
        say('packet-in', buffer === NO_BUFFER ? 'whole' : 'buffered', length, frame.length, inPort, reason, from, to);
        places.set(from, inPort);
        const known = ((frame[0] as number) & 1) === 0 ? places.get(to) : undefined;
        if (known === undefined) return void socket.write(packetOut(buffer, inPort, FLOOD, frame));
        socket.write(flowMod(0, exact(frame, inPort), 10, 30, buffer, output(known)));
        // POX sends a frame that came whole back through the table.
        if (buffer === NO_BUFFER) socket.write(packetOut(buffer, inPort, 0xfff9, frame));
        return;
      }
      case 11:
        say('flow-removed');
        return;
      case 12:
        say('port-status', body[0], body.readUInt16BE(8));
        return;
      case 19:
        say('barrier');
        return;
    }
  };
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 8 && bytes.length >= bytes.readUInt16BE(2)) {
      const length = bytes.readUInt16BE(2);
      if (bytes[0] !== 1 && bytes[1] !== 0) say('version', bytes[0]);
      hear(bytes[1] as number, bytes.subarray(8, length));
      bytes = bytes.subarray(length);
    }
  });
  socket.on('error', () => {});
  socket.write(message(0));
});
server.listen(Number(process.argv[2] ?? 6633), '127.0.0.1');
