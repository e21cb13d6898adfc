/** A line of the log for people: time, level, sentence, then the fields as `name=value`. A stack stands on lines of its own. */

/** Not written as a field. */
const HEAD = new Set(['time', 'level', 'msg', 'err']);
/** What a terminal might take for a command, beside what JSON escapes. */
// oxlint-disable-next-line no-control-regex -- these are meant
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** From one line of JSON; a line that is none comes back as it is. Nothing that a client sent can move the cursor or begin a line. */
export function prettyLine(line: string): string {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return line;
  }
  const { time, level, msg, err } = fields;
  const rest = Object.entries(fields).filter(([name]) => !HEAD.has(name));
  const words = [
    String(time).slice(11, 23),
    String(level).toUpperCase().padEnd(5),
    plain(typeof msg === 'string' ? msg : ''),
    ...rest.map(
      ([name, value]) => `${name}=${typeof value === 'string' && /^[\w.:/@+-]+$/.test(value) ? value : plain(JSON.stringify(value))}`,
    ),
  ];
  return `${words.join(' ')}\n${errorLines(err, '  ')}`;
}

function errorLines(error: unknown, indent: string): string {
  if (typeof error !== 'object' || error === null) return '';
  const { type, message, stack, cause } = error as Readonly<Record<string, unknown>>;
  const text = typeof stack === 'string' ? stack : `${String(type)}: ${String(message)}`;
  const lines = text.split('\n').map((one) => `${indent}${plain(one)}\n`);
  return lines.join('') + (cause === undefined ? '' : `${indent}caused by\n${errorLines(cause, `${indent}  `)}`);
}

function plain(text: string): string {
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
