/** A process that carries out runs for another one (`runner.ts`); ends when that one lets go of it. */

import { runHere, type FromWorker, type ToWorker } from './runner.ts';

process.on('message', ({ run, isTraced }: ToWorker) => {
  const send = (message: FromWorker): void => void process.send!(message);
  void runHere(run, isTraced ? (line) => send({ line }) : undefined).then((result) => send({ result }));
});
