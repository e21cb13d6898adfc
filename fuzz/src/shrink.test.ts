import { expect, test } from 'vitest';
import { decodeInput, encodeInput, inputsOf, lineOf, textOf, textStep, type Input } from './input.ts';
import { shrink, type Judge } from './shrink.ts';

const has = (inputs: readonly Input[], text: string): boolean => inputs.some((input) => input.some((step) => textOf(step).includes(text)));

test('a failure becomes as small as it can be', async () => {
  const inputs = [[textStep(1, 'a')], [textStep(1, 'first'), textStep(2, 'x')], [textStep(3, 'yy second yy'), textStep(4, 'z')]];
  const judge: Judge = (candidate) =>
    Promise.resolve(has(candidate, 'first') && has(candidate, 'second') ? 'both in 1 place\nat here' : undefined);
  const small = await shrink(inputs, { judge, trialsMax: 1_000, message: 'both in 22 place\nat there' });
  expect(small?.map((input) => input.map(textOf))).toEqual([['first'], ['second']]);
});

test('one that does not come again, or comes as another, is not made smaller', async () => {
  const judge: Judge = () => Promise.resolve('something else');
  expect(await shrink([[textStep(1, 'a')]], { judge, trialsMax: 100, message: 'this' })).toBeUndefined();
});

test('the judge is not asked without end', async () => {
  let count = 0;
  const judge: Judge = (candidate) => Promise.resolve((count += 1) > 0 && has(candidate, 'x'.repeat(300)) ? `${count}` : undefined);
  await shrink([[textStep(1, 'x'.repeat(500))]], { judge, trialsMax: 20, message: '1' });
  expect(count).toBe(20);
});

test('an input is written and read again, and any bytes are one', () => {
  const input = [textStep(0, 'hello'), { op: 255, bytes: new Uint8Array(70_000) }, { op: 7, bytes: new Uint8Array() }];
  expect(inputsOf(`# a word\n${lineOf(input)}\n`)).toEqual([input]);
  expect(decodeInput(Uint8Array.of(1, 0, 0, 9, 5, 6))).toEqual([{ op: 1, bytes: Uint8Array.of(5, 6) }]);
  expect(decodeInput(encodeInput([]))).toEqual([]);
});
