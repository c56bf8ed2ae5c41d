// Hostile input for all decoders, parsers and peers but OpenFlow's, in one process: main.ts [TARGET...] [runs=N] [seed=N].
import { FILE_TARGETS } from './files.ts';
import { FRAME_TARGETS } from './frames.ts';
import { OVSDB_TARGETS } from './ovsdb.ts';
import { PEER_TARGETS } from './peers.ts';
import { fuzzCommand, type Target } from './runner.ts';
import { TEXT_TARGETS } from './texts.ts';

export const TARGETS: Readonly<Record<string, Target>> = {
  ...FRAME_TARGETS,
  ...OVSDB_TARGETS,
  ...TEXT_TARGETS,
  ...FILE_TARGETS,
  ...PEER_TARGETS,
};

if (import.meta.main) await fuzzCommand(TARGETS);
