/** `holdfast publish`: appends to a topic, each entry acknowledged; exits with 1 unless all of them were. */

import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Client, Published } from '@holdfast/client';
import { DEFAULT_LIMITS, HoldfastError, isTopicName, type Data, type Json } from '@holdfast/wire';
import { defineCommand, type Command } from './command.ts';
import { connect, CONNECTION_OPTIONS, timeoutOf, watchConnection } from './connection.ts';
import { CommandFailure, EXIT_CODES, explain, UsageError } from './failure.ts';
import { flag, textOption, type OptionValues } from './option.ts';
import { Output } from './output.ts';

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  json: flag('DATA and lines are JSON; refuse what is not'),
  text: flag('DATA and lines are text: each becomes a JSON string'),
  file: textOption('FILE', 'publish the bytes of FILE as one entry'),
  quiet: flag('do not print offsets', 'q'),
};

type Values = OptionValues<typeof OPTIONS>;

export const publish: Command = defineCommand({
  name: 'publish',
  summary: 'appends entries to a topic and waits until they are stored.',
  operands: 'TOPIC [DATA...]',
  operandsMin: 1,
  operandsMax: Number.POSITIVE_INFINITY,
  options: OPTIONS,
  details: [
    'Each DATA is one entry; without any, each line of standard input is one (empty lines are left out, except with --text).',
    'Without --json or --text what reads as JSON is JSON, and the rest is text. Prints the offset of each entry once it is',
    `stored, in order; ${DEFAULT_LIMITS.inFlightMax} at a time are under way. At the first refusal it takes no more, waits for those, and exits with 1.`,
  ].join('\n'),
  examples: [
    [`holdfast publish chat/42 '{"text":"hello"}'`, 'one entry'],
    ['holdfast publish chat/42 --text 42 true', 'two strings'],
    ['holdfast publish readings < readings.ndjson', 'one entry per line'],
    ['holdfast publish pictures --file cat.png', 'bytes'],
  ],
  run: async ({ values, operands }) => {
    const [topic, ...data] = operands as readonly [string, ...string[]];
    if (!isTopicName(topic))
      throw new UsageError(`"${topic}" is not a topic name; it has letters, digits and _ . : @ ~ + = , - between single slashes`);
    if (values.json === true && values.text === true) throw new UsageError('--json and --text exclude each other');
    if (values.file !== undefined && (data.length > 0 || values.json === true || values.text === true))
      throw new UsageError('--file goes with neither DATA, --json nor --text');
    // Before connecting: what cannot be read is no reason to disturb a server.
    const payloads = await payloadsOf(data, values);
    const client = await connect(values);
    try {
      const pipeline = new Pipeline(client, topic, values);
      return await Promise.race([pipeline.run(payloads), watchConnection(client)]);
    } finally {
      await client.close();
    }
  },
});

type Payloads = Iterable<Data> | AsyncIterable<Data>;

async function payloadsOf(data: readonly string[], values: Values): Promise<Payloads> {
  if (values.file !== undefined) return [new Uint8Array(await readFile(values.file))];
  if (data.length > 0) return data.map((text) => operandOf(text, values));
  return linesOfStdin(values);
}

async function* linesOfStdin(values: Values): AsyncIterable<Data> {
  if (process.stdin.isTTY) console.error('holdfast publish: each line is one entry; Ctrl-D ends');
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  try {
    for await (const line of lines) {
      number += 1;
      if (line !== '' || values.text === true) yield lineOf(line, number, values);
    }
  } finally {
    // Left early, it would keep the process until whoever writes to it ends.
    process.stdin.destroy();
  }
}

function lineOf(line: string, number: number, values: Values): Json {
  try {
    return payloadOf(line, values);
  } catch (error) {
    throw new CommandFailure(
      `line ${number} is not JSON`,
      'Nothing from it on was published; leave --json out to publish such lines as text.',
      { cause: error },
    );
  }
}

function operandOf(text: string, values: Values): Json {
  try {
    return payloadOf(text, values);
  } catch (error) {
    throw new UsageError(`"${text}" is not JSON`, { cause: error });
  }
}

/** Throws for what is not JSON, if it must be. */
function payloadOf(text: string, { json, text: isText }: Values): Json {
  if (isText === true) return text;
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (json === true) throw error;
    return text;
  }
}

/** At most W publishes unanswered; offsets are printed in the order of publishing. */
class Pipeline {
  readonly #client: Client;
  readonly #topic: string;
  readonly #values: Values;
  readonly #output = new Output();
  #exitCode: number = EXIT_CODES.ok;

  constructor(client: Client, topic: string, values: Values) {
    this.#client = client;
    this.#topic = topic;
    this.#values = values;
  }

  /** Resolves with the exit code when everything is answered. */
  async run(payloads: Payloads): Promise<number> {
    const unanswered: Promise<Published | undefined>[] = [];
    try {
      for await (const payload of payloads) {
        unanswered.push(this.#publish(payload));
        if (unanswered.length >= DEFAULT_LIMITS.inFlightMax) await this.#print(unanswered.shift()!);
        if (this.#exitCode !== EXIT_CODES.ok) break;
      }
    } finally {
      // What was sent before a line that cannot be read is told all the same.
      for (const published of unanswered) await this.#print(published);
    }
    return this.#exitCode;
  }

  async #publish(payload: Data): Promise<Published | undefined> {
    try {
      return await this.#client.topic(this.#topic).publish(payload, { deadlineMs: timeoutOf(this.#values) });
    } catch (error) {
      this.#refused(error);
      return undefined;
    }
  }

  #refused(error: unknown): void {
    const { text, exitCode } = explain(error instanceof HoldfastError && error.code === 'PENDING' ? unanswered(this.#values) : error);
    // What follows one that failed often fails in the same way.
    if (this.#exitCode === EXIT_CODES.ok) console.error(`holdfast publish: ${text}`);
    this.#exitCode = exitCode;
  }

  async #print(published: Promise<Published | undefined>): Promise<void> {
    const offset = (await published)?.offset;
    if (offset !== undefined && this.#values.quiet !== true) await this.#output.line(String(offset));
  }
}

function unanswered(values: Values): HoldfastError {
  return new HoldfastError('PENDING', `no answer within ${timeoutOf(values) / 1_000} s; it may be stored or not`, {
    hint: 'Look with "holdfast tail" before publishing it again.',
  });
}
