export { CLOSE_CODES, closeAdvice, ERROR_CODES, isErrorCode, type CloseAdvice, type ErrorCode, type ErrorCodeRow } from './codes.ts';
export { HoldfastError, type HoldfastErrorOptions } from './error.ts';
