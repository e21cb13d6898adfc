/*
 * The 100 bytes that every message carries, printable and free of what JSON would escape: topic, publisher, counter of the
 * publisher in the topic, number of the publisher's message, time, checksum; each half-byte one letter from `a` to `p`; then a
 * filler that goes by the counter. The checksum is over all the rest.
 */
#include <string.h>
#include "load.h"

#define NUMBERS 40
#define SUM 16

static uint64_t word_at(const char *from) {
  uint64_t word;
  memcpy(&word, from, 8);
  return word;
}

static void write_letters(char *to, uint32_t value) {
  for (int at = 7; at >= 0; at--, value >>= 4) to[at] = (char)('a' + (value & 15));
}

/* The first letter is the highest half-byte; the word's lowest byte is the first letter. Anything that is no letter spoils the checksum. */
static uint32_t read_letters(const char *from) {
  uint64_t word = word_at(from) - 0x6161616161616161ull;
  word = (word << 4 | word >> 8) & 0x00ff00ff00ff00ffull;
  word = (word << 8 | word >> 16) & 0x0000ffff0000ffffull;
  return (uint32_t)(word << 16 | word >> 32);
}

static uint64_t checksum(const char *payload) {
  uint64_t sum = 0x9e3779b97f4a7c15ull;
  for (int at = 0; at < NUMBERS; at += 8) sum = (sum ^ word_at(payload + at)) * 0xff51afd7ed558ccdull, sum ^= sum >> 32;
  for (int at = NUMBERS + SUM; at + 8 <= PAYLOAD_BYTES; at += 8)
    sum = (sum ^ word_at(payload + at)) * 0xff51afd7ed558ccdull, sum ^= sum >> 32;
  /* The last four bytes, with the four before them. */
  return (sum ^ word_at(payload + PAYLOAD_BYTES - 8)) * 0xc4ceb9fe1a85ec53ull;
}

void write_payload(char *to, Payload payload) {
  write_letters(to, payload.topic << 16 | payload.publisher);
  write_letters(to + 8, payload.counter);
  write_letters(to + 16, payload.number);
  write_letters(to + 24, (uint32_t)(payload.stamp >> 32));
  write_letters(to + 32, (uint32_t)payload.stamp);
  for (int at = NUMBERS + SUM; at < PAYLOAD_BYTES; at++) to[at] = (char)('A' + (payload.counter + (uint32_t)at) % 26);
  uint64_t sum = checksum(to);
  write_letters(to + NUMBERS, (uint32_t)(sum >> 32));
  write_letters(to + NUMBERS + 8, (uint32_t)sum);
}

int read_payload(const char *from, Payload *payload) {
  uint32_t place = read_letters(from);
  payload->topic = place >> 16;
  payload->publisher = place & 0xffff;
  payload->counter = read_letters(from + 8);
  payload->number = read_letters(from + 16);
  payload->stamp = (uint64_t)read_letters(from + 24) << 32 | read_letters(from + 32);
  return checksum(from) == ((uint64_t)read_letters(from + NUMBERS) << 32 | read_letters(from + NUMBERS + 8));
}
