import { describe, expect, test } from 'vitest';
import { UsageError } from './failure.ts';
import { choiceOption, countOption, describeOptions, durationOption, flag, optionOf, parseOptions, textOption } from './option.ts';
import { size } from './value-type.ts';

const TABLE = {
  port: countOption('PORT', 'where', 0, 65_535),
  host: textOption('HOST', 'the address'),
  wait: durationOption('TIME', 'how long'),
  size: optionOf('SIZE', 'how much', size({ min: 1_024 })),
  sync: choiceOption(['full', 'normal'], 'how safe'),
  quiet: flag('say nothing', 'q'),
};

const parse = (...args: string[]): object => parseOptions(args, TABLE);

describe('options', () => {
  test('are read by their kind, wherever they stand', () => {
    expect(parse('a', '--port', '0', '--host=::1', 'b', '-q', '--wait', '1.5s', '--size', '64kb', '--sync', 'normal')).toEqual({
      values: { port: 0, host: '::1', quiet: true, wait: 1_500, size: 65_536, sync: 'normal' },
      operands: ['a', 'b'],
    });
  });

  test('that come twice: the last counts', () => {
    expect(parse('--port', '1', '--port', '2')).toMatchObject({ values: { port: 2 } });
  });

  test('end with --', () => {
    expect(parse('--', '--port', '-1')).toEqual({ values: {}, operands: ['--port', '-1'] });
  });

  test.each([
    ['250ms', 250],
    ['25s', 25_000],
    ['10m', 600_000],
    ['24h', 86_400_000],
    ['30d', 2_592_000_000],
  ])('the duration %s is %d ms', (text, ms) => {
    expect(parse('--wait', text)).toMatchObject({ values: { wait: ms } });
  });

  test.each([
    [['--prot', '1'], 'there is no option --prot; did you mean --port?'],
    [['--xyz'], 'there is no option --xyz'],
    [['-z'], 'there is no option -z'],
    [['--__proto__'], 'there is no option --__proto__'],
    [['--port'], '--port needs a value: --port PORT'],
    [['--port', '--host', 'x'], '--port needs a value: --port PORT'],
    [['--port', '65536'], '--port wants a whole number from 0 to 65535, not "65536"'],
    [['--port', '8e1'], '--port wants a whole number from 0 to 65535, not "8e1"'],
    [['--port='], '--port wants a whole number from 0 to 65535, not ""'],
    [['--wait', '25'], '--wait wants a duration such as 250ms, 25s, 10m, 24h or 30d, not "25"'],
    [['--size', '1tb'], '--size wants a size such as 65536, 64kb, 10mb or 1gb, not "1tb"'],
    [['--size', '1000'], '--size wants at least 1kb, not "1000"'],
    [['--sync', 'half'], '--sync wants full or normal, not "half"'],
    [['--quiet=yes'], '--quiet takes no value'],
  ])('%j is refused in words', (args, message) => {
    expect(() => parse(...args)).toThrow(new UsageError(message));
  });

  test('are described in two columns', () => {
    expect(describeOptions({ port: TABLE.port, quiet: TABLE.quiet })).toBe('  --port PORT  where\n  -q, --quiet  say nothing');
  });
});
