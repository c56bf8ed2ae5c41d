// Control commands of the datapath to both ovs-vswitchd, over simulated ports, with the clock stopped and the revalidators paused: what
// comes back has to be the same, call by call.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Control, wordsOf } from '../../interop/support/control.ts';
import { Dice } from '../random.ts';
import { Side, type SideName } from '../switch/sides.ts';
import { knownDifference } from './known-differences.ts';
import { type Call, SECTIONS, type Story } from './sections.ts';
import { GROUPS, PIPELINE } from './trace-lines.ts';

export interface Difference {
  section: string;
  /** The seed that makes this story. */
  seed: number;
  call: Call;
  wanted: string;
  got: string;
}

export interface Outcome {
  calls: number;
  differences: Difference[];
  /** Those that stay, by name. */
  known: Map<string, number>;
  /** How often the reference ended by a fault of its own. */
  deaths: number;
}

/** Answers whose lines stand in the order of a hash table. */
const UNORDERED = /^(dpctl|dpif)\/dump-flows$|^dpctl\/(dump-conntrack|dump-dps|show)$/;

function comparable(call: Call, text: string, dir: string): string {
  const plain = text
    .replaceAll(dir, 'DIR')
    // Names that nobody gave follow from a secret.
    .replaceAll(/ufid:(?!0{8}-)[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ufid:ANY');
  // How numbers are given out is nobody's business.
  if (call[0]?.startsWith('ofproto/trace')) return plain.replaceAll(/recirc(\(|_id=)(?!0\b)(?:0x)?[0-9a-f]+/g, 'recirc$1ID');
  return UNORDERED.test(call[0] ?? '') ? plain.split('\n').sort().join('\n') : plain;
}

/** A daemon and the connection to it, begun anew when it has died. */
export class Asked {
  readonly #name: SideName;
  #side: Side | undefined;
  #control: Control | undefined;

  constructor(name: SideName) {
    this.#name = name;
  }

  start(): void {
    this.stop();
    const side = new Side(this.#name);
    this.#side = side;
    side.start(3, [], ['--enable-dummy=override', '--disable-system', '--disable-system-route']);
    for (const line of GROUPS) side.ofctl('-OOpenFlow15', 'add-group', 'br0', line);
    side.ofctl('-OOpenFlow15', 'add-meter', 'br0', 'meter=1,kbps,band=type=drop,rate=1000');
    const pipeline = join(side.dir, 'pipeline');
    writeFileSync(pipeline, PIPELINE.join('\n'));
    side.ofctl('-OOpenFlow15', 'add-flows', 'br0', pipeline);
    side.appctl('vlog/set', 'dbg');
    // A pass would delete what nobody asked for.
    side.appctl('revalidator/pause');
    this.#control = new Control(side);
  }

  /** The answer; undefined when the daemon has died of the question. */
  async ask(call: Call): Promise<string | undefined> {
    const { dir } = this.#side!;
    const file = join(dir, 'flows');
    const words = call.map((word) => {
      if (!word.startsWith('FILE:')) return word;
      writeFileSync(file, word.slice('FILE:'.length));
      return file;
    });
    const answer = await this.#control!.ask(words);
    return answer === undefined ? undefined : comparable(call, answer, dir);
  }

  stop(): void {
    this.#control?.close();
    this.#side?.stop();
    this.#side = undefined;
  }
}

const KEPT = join(import.meta.dirname, 'kept.txt');

/** A line of the kept cases: actions, a key, a flow that is put into an empty datapath, or a control command. */
function keptStory(line: string): Story {
  const [, kind, text = ''] = /^(actions|key|flow) (.*)$/.exec(line) ?? [];
  if (kind === 'actions') return [['dpctl/parse-actions', text]];
  if (kind === 'key') return [['dpctl/normalize-actions', text, '1']];
  if (kind === 'flow') return [['dpctl/del-flows'], ['dpctl/add-flow', text, '1'], ['dpctl/dump-flows', '-m'], ['dpctl/dump-flows']];
  return [wordsOf(line)];
}

/** What was once answered otherwise than by the reference. */
export async function compareKept(): Promise<Outcome> {
  const lines = readFileSync(KEPT, 'utf8').trimEnd().split('\n');
  return compareStories(lines.map((line, i) => ({ section: 'kept', seed: i + 1, story: keptStory(line) })));
}

const CLEAN: Story = [['dpctl/del-flows', 'dummy@ovs-dummy'], ['dpctl/flush-conntrack']];

interface Told {
  section: string;
  seed: number;
  story: Story;
}

/** Stories of some sections, one after the other, until there are about so many calls. */
function* storiesOf(sections: readonly string[], seed: number, wanted: number): Generator<Told> {
  for (const section of sections) {
    const make = SECTIONS[section];
    if (make === undefined) throw new Error(`no section ${section}: ${Object.keys(SECTIONS).join(' ')}`);
    let calls = 0;
    for (let at = seed; calls < wanted / sections.length; at++) {
      const story = make(new Dice(Math.imul(at, 0x9e3779b1)));
      calls += story.length;
      yield { section, seed: at, story };
    }
  }
}

export const compareDpctl = (sections: readonly string[], seed: number, wanted: number): Promise<Outcome> =>
  compareStories(storiesOf(sections, seed, wanted));

async function compareStories(stories: Iterable<Told>): Promise<Outcome> {
  const reference = new Asked('debian');
  const ours = new Asked('weft');
  const outcome: Outcome = { calls: 0, differences: [], known: new Map(), deaths: 0 };
  try {
    reference.start();
    ours.start();
    for (const { section, seed, story } of stories) {
      for (const call of story.length > 1 ? CLEAN : []) await Promise.all([reference.ask(call), ours.ask(call)]);
      for (const call of story) {
        const [theirs, mine] = await Promise.all([reference.ask(call), ours.ask(call)]);
        outcome.calls++;
        if (theirs === undefined) {
          outcome.deaths++;
          reference.start();
          ours.start();
          break;
        }
        if (theirs === mine) continue;
        const known = knownDifference(call, theirs, mine ?? '');
        if (known === undefined) outcome.differences.push({ section, seed, call, wanted: theirs, got: mine ?? 'it has ended' });
        else outcome.known.set(known, (outcome.known.get(known) ?? 0) + 1);
      }
    }
  } finally {
    reference.stop();
    ours.stop();
  }
  return outcome;
}
