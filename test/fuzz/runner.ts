// Runs targets: functions that make an input from a seed and give it to a decoder, a parser or a whole peer. A target fails when it throws anything
// but the errors by which its subject refuses, or takes longer over one input than it may.
import { ConfigError, KernelError, PeerError } from '../../src/base/errors.ts';
import { setLogSink } from '../../src/base/log.ts';
import { OvsdbError } from '../../src/ovsdb/engine/error.ts';
import { ValueError } from '../../src/ovsdb/engine/value-text.ts';
import { JsonError } from '../../src/ovsdb/json/json.ts';
import { Dice } from '../compare/random.ts';

/** One try; what comes of a promise counts too. */
export type Target = (d: Dice) => unknown;

/** No input may take more of the processor. */
const SLOW_MS = 2000;

const REFUSALS = [PeerError, ConfigError, KernelError, JsonError, OvsdbError, ValueError];

/** What is thrown out of a callback, where no target can catch it. */
let stray: unknown;
const noteStray = (error: unknown): void => {
  stray ??= error;
};

/** Runs a target; throws what it should not have thrown, with the seed that leads there. */
export async function fuzz(name: string, run: Target, runs: number, seed: number): Promise<{ refused: number }> {
  let refused = 0;
  // One in four has to say all that it would say at the level of debugging.
  let isLoud = false;
  const before = setLogSink({ shows: () => isLoud, write: () => undefined });
  process.on('uncaughtException', noteStray);
  try {
    for (let i = 0; i < runs; i++) {
      // What weak references lead to stays until the event loop has had a turn.
      if (i % 1000 === 999) await new Promise(setImmediate);
      isLoud = (seed + i) % 4 === 0;
      const begin = process.cpuUsage();
      try {
        const result = run(new Dice(seed + i));
        if (result instanceof Promise) await result;
      } catch (error) {
        if (!REFUSALS.some((kind) => error instanceof kind)) throw new Error(`${name}, seed ${seed + i}`, { cause: error });
        refused++;
      }
      if (stray !== undefined) throw new Error(`${name}, seed ${seed + i}`, { cause: stray });
      const { user, system } = process.cpuUsage(begin);
      if (user + system > SLOW_MS * 1000) throw new Error(`${name}, seed ${seed + i}: ${(user + system) / 1000} ms`);
    }
  } finally {
    stray = undefined;
    process.off('uncaughtException', noteStray);
    setLogSink(before);
  }
  return { refused };
}

/** The command line: [TARGET...] [runs=N] [seed=N]. */
export async function fuzzCommand(targets: Readonly<Record<string, Target>>): Promise<void> {
  const words = process.argv.slice(2);
  const value = (name: string, otherwise: number): number =>
    Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? otherwise);
  const named = words.filter((word) => !word.includes('='));
  const runs = value('runs', 100_000);
  const seed = value('seed', 1);
  for (const name of named.length > 0 ? named : Object.keys(targets)) {
    const target = targets[name];
    if (target === undefined) throw new Error(`no target ${name}`);
    const begin = performance.now();
    const { refused } = await fuzz(name, target, runs, seed);
    console.log(`${name}: ${runs} runs from seed ${seed}, ${refused} refused (${((performance.now() - begin) / 1000).toFixed(1)} s)`);
  }
}
