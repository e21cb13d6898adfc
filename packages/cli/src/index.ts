export { run } from './run.ts';
export { EXIT_CODES } from './failure.ts';
export { chatHandler } from './chat-handler.ts';
export { environmentName, SETTINGS, type Setting, type Settings } from './settings.ts';
