/** One command: its operands, its options, its help, and what it does. `run.ts` chooses among them. */

import { describeOptions, flag, parseOptions, type OptionTable, type OptionValues } from './option.ts';
import { UsageError } from './failure.ts';

export interface Command {
  readonly name: string;
  /** A line for the list of commands. */
  readonly summary: string;
  readonly help: string;
  /** Resolves with the exit code; throws what `explain` understands. */
  run(args: readonly string[]): Promise<number>;
}

export interface CommandDescription<Table extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  /** As shown in the usage line, such as `TOPIC [DATA...]`. */
  readonly operands: string;
  readonly operandsMin: number;
  readonly operandsMax: number;
  readonly options: Table;
  /** Paragraphs between the usage and the options. */
  readonly details: string;
  /** Command line and what it is for. */
  readonly examples: readonly (readonly [string, string])[];
  readonly run: (given: { readonly values: OptionValues<Table>; readonly operands: readonly string[] }) => Promise<number>;
}

export function defineCommand<Table extends OptionTable>(description: CommandDescription<Table>): Command {
  const { name, summary, operands, operandsMin, operandsMax, run } = description;
  const help = helpOf(description);
  return {
    name,
    summary,
    help,
    run: async (args) => {
      const given = parseOptions(args, { ...description.options, help: HELP });
      if (given.values.help === true) {
        process.stdout.write(help);
        return 0;
      }
      const usage = `usage: holdfast ${name}${operands === '' ? '' : ` ${operands}`}`;
      if (given.operands.length < operandsMin) throw new UsageError(`something is missing; ${usage}`);
      if (given.operands.length > operandsMax) throw new UsageError(`"${given.operands[operandsMax]}" is too much; ${usage}`);
      return run({ values: given.values, operands: given.operands });
    },
  };
}

const HELP = flag('print this', 'h');

function helpOf({ name, summary, operands, options, details, examples }: Omit<CommandDescription<OptionTable>, 'run'>): string {
  const width = Math.max(...examples.map(([line]) => line.length));
  return [
    `holdfast ${name}: ${summary}`,
    `Usage: holdfast ${name} ${operands}${operands === '' ? '' : ' '}[options]`,
    details,
    `Options:\n${describeOptions({ ...options, help: HELP })}`,
    `Examples:\n${examples.map(([line, text]) => `  ${line.padEnd(width)}  ${text}`).join('\n')}`,
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}
