/** Standard output, line by line, with back-pressure; a reader that goes away (`| head`) is an ordinary end. */

export class Output {
  /** Resolves when nobody reads any more. */
  readonly gone: Promise<void>;
  #isGone = false;

  constructor() {
    this.gone = new Promise((resolve) => {
      process.stdout.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error;
        this.#isGone = true;
        resolve();
      });
    });
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Resolves when the line was handed to the system or nobody reads; says which: whether it was taken. */
  line(text: string): Promise<boolean> {
    if (this.#isGone) return Promise.resolve(false);
    return new Promise((resolve) => {
      process.stdout.write(`${text}\n`, (error) => {
        // The callback comes before the event.
        if (error) this.#isGone = true;
        resolve(!error);
      });
    });
  }
}
