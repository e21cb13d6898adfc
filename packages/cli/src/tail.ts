/** `holdfast tail`: prints what a topic gets, from any place in its log, through drops and server restarts. */

import type { ItemsOptions, Topic } from '@holdfast/client';
import { isTopicName } from '@holdfast/wire';
import { defineCommand, type Command } from './command.ts';
import { connect, CONNECTION_OPTIONS, timeoutOf, watchConnection } from './connection.ts';
import { CommandFailure, EXIT_CODES, UsageError } from './failure.ts';
import { itemJson, itemText } from './item-text.ts';
import { countOption, flag, textOption, type OptionValues } from './option.ts';
import { Output } from './output.ts';
import { PositionFile } from './position-file.ts';
import { stopSignal } from './stop-signal.ts';

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  last: countOption('N', 'begin with the newest N entries', 0),
  from: countOption('OFFSET', 'begin at this offset', 1),
  position: textOption(
    'FILE',
    'go on after the position in FILE and keep it there;\nwhere there is no such file yet, --last or --from say where to begin',
  ),
  count: countOption('N', 'end after N entries', 1),
  json: flag('one JSON object per line: entries, gaps and registers'),
};

type Values = OptionValues<typeof OPTIONS>;

export const tail: Command = defineCommand({
  name: 'tail',
  summary: 'prints the entries of a topic as they come.',
  operands: 'TOPIC',
  operandsMin: 1,
  operandsMax: 1,
  options: OPTIONS,
  details: [
    'Begins with what comes next, unless an option says otherwise. When the connection or the server is lost, it comes',
    'back by itself and goes on after the last entry; history that is really gone is shown as a gap.',
    'The position in FILE follows what was printed: an ordinary end leaves exactly that, a killed process may print its',
    'last lines again, none is ever left out. Ctrl-C ends it with exit code 0.',
  ].join('\n'),
  examples: [
    ['holdfast tail chat/42', 'from now on'],
    ['holdfast tail chat/42 --last 10', 'the newest ten first'],
    ['holdfast tail chat/42 --from 1 --json | jq .data', 'everything, as JSON'],
    ['holdfast tail orders --position orders.at', 'goes on where it ended last time'],
  ],
  run: async ({ values, operands }) => {
    const [name] = operands as readonly [string];
    if (!isTopicName(name))
      throw new UsageError(`"${name}" is not a topic name; it has letters, digits and _ . : @ ~ + = , - between single slashes`);
    if (values.last !== undefined && values.from !== undefined) throw new UsageError('--last and --from exclude each other');
    const file = values.position === undefined ? undefined : new PositionFile(values.position, name);
    const stored = await file?.load();
    const client = await connect(values);
    const output = new Output();
    try {
      const topic = client.topic(name);
      const start = stored === undefined ? await startOf(topic, values) : { position: stored };
      const printed = print(topic, start, { output, file, values });
      await Promise.race([printed, watchConnection(client)]);
    } finally {
      await client.close();
    }
    return EXIT_CODES.ok;
  },
});

/** Where to begin, by the options alone. */
async function startOf(topic: Topic, values: Values): Promise<ItemsOptions> {
  const { last, from, position } = values;
  if (last !== undefined && last > 0) return { last };
  if (from === undefined && position === undefined) return {};
  // A place that is kept in a file must be known before the first entry comes: what came in between would be lost.
  const head = await topic.read({ after: (from ?? 1) - 1, limit: 1, deadlineMs: timeoutOf(values) });
  if (from !== undefined && from > head.last + 1) {
    throw new CommandFailure(
      `${topic.name} ends with offset ${head.last}, so nothing can begin at ${from}`,
      'Leave --from out to begin with what comes next.',
    );
  }
  return { position: { epoch: head.epoch, offset: from === undefined ? head.last : from - 1, revision: 0 } };
}

interface Printing {
  readonly output: Output;
  readonly file: PositionFile | undefined;
  readonly values: Values;
}

async function print(topic: Topic, start: ItemsOptions, { output, file, values }: Printing): Promise<void> {
  const reader = topic.items(start);
  file?.store(start.position);
  void Promise.race([stopSignal(), output.gone]).then(() => reader.close());
  const text = values.json === true ? itemJson : itemText;
  let remaining = values.count ?? Number.POSITIVE_INFINITY;
  while (file?.hasFailed !== true) {
    // Asking for the next item says that the one before is processed.
    const next = reader.next();
    file?.store(reader.position);
    if (remaining === 0) reader.close();
    const { done, value: item } = await next;
    if (done === true || remaining === 0) break;
    if (!(await output.line(text(item)))) break;
    if (item.type === 'entry') remaining -= 1;
  }
  await file?.flush();
}
