import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { freshFolder, holdfast } from './program.testing.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
const COMMANDS = ['serve', 'tail', 'publish', 'token', 'revoke', 'backup', 'restore'];

describe('the command line', () => {
  test('without a command says which there are', async () => {
    const { code, stdout, stderr } = await holdfast([]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  test('--version is that of the package', async () => {
    expect(await holdfast(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test.each(COMMANDS)('%s --help shows usage, options and examples', async (name) => {
    const { code, stdout, stderr } = await holdfast([name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^holdfast ${name}: .*\\n\\nUsage: holdfast ${name} `));
    expect(stdout).toMatch(/^Options:\n(?: {2}.+\n)+/m);
    expect(stdout).toMatch(new RegExp(`^Examples:\\n {2}holdfast ${name} `, 'm'));
    expect(await holdfast(['help', name])).toMatchObject({ code: 0, stdout });
    expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(`\`\`\`text\n${stdout}\`\`\`\n`);
  });

  test.each([
    [['serv'], 'holdfast: there is no command "serv"; did you mean serve? See: holdfast --help\n'],
    [['--prot'], 'holdfast: there is no option --prot. See: holdfast --help\n'],
    [['serve', '--prot', '1'], 'holdfast serve: there is no option --prot; did you mean --port? See: holdfast serve --help\n'],
    [['serve', 'here'], 'holdfast serve: "here" is too much; usage: holdfast serve. See: holdfast serve --help\n'],
    [['tail'], 'holdfast tail: something is missing; usage: holdfast tail TOPIC. See: holdfast tail --help\n'],
    [['serve', '--memory', '--data', 'x'], 'holdfast serve: memory (--memory) and data (--data) exclude each other.\n'],
    [['tail', 'x', '--last', '1', '--from', '1'], 'holdfast tail: --last and --from exclude each other. See: holdfast tail --help\n'],
    [
      ['publish', 'x', '--url', 'http://localhost:8080'],
      'holdfast publish: --url wants an address such as ws://localhost:8080 or wss://chat.example.com, not "http://localhost:8080". See: holdfast publish --help\n',
    ],
    [
      ['revoke', 'x', '--url', 'wss://localhost:8080'],
      'holdfast revoke: --url wants an address such as http://localhost:8080, not "wss://localhost:8080". See: holdfast revoke --help\n',
    ],
    [['publish', 'x', '--json', '{'], 'holdfast publish: "{" is not JSON. See: holdfast publish --help\n'],
  ])('%j costs one line and exit code 2', async (args, line) => {
    expect(await holdfast(args)).toMatchObject({ code: 2, stdout: '', stderr: line });
  });

  test.each([['tail'], ['publish']])('%s without a server says how to get one', async (name) => {
    // Port 1 of this machine: nobody listens there.
    expect(await holdfast([name, 'x', '--url', 'ws://127.0.0.1:1', '--timeout', '100ms'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        new RegExp(
          `^holdfast ${name}: no Holdfast server answers at ws://127\\.0\\.0\\.1:1( \\(.+\\))?\\. Start one with "holdfast serve", or name another with --url\\.\n$`,
        ),
      ),
    });
  });

  test('a file that is missing is named', async () => {
    const folder = await freshFolder();
    expect(await holdfast(['publish', 'x', '--file', 'nothing'], { cwd: folder })).toMatchObject({
      code: 1,
      stderr: 'holdfast publish: nothing does not exist (ENOENT).\n',
    });
  });
});
