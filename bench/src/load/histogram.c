/* Values by their size, to about 3 %: 32 buckets for each power of two. */
#include "load.h"

void record(Histogram *histogram, uint64_t value) {
  int power = value < 64 ? 0 : 58 - __builtin_clzll(value);
  histogram->buckets[power * 32 + (int)(value >> power)]++;
  histogram->count++;
  if (value > histogram->max) histogram->max = value;
}

/* The value that `share` of the sample does not exceed, by the middle of its bucket; 0 of an empty sample. */
uint64_t quantile(const Histogram *histogram, double share) {
  uint64_t rank = (uint64_t)(share * (double)histogram->count), seen = 0;
  for (int at = 0; at < 64 * 32; at++) {
    seen += histogram->buckets[at];
    if (seen <= rank || histogram->buckets[at] == 0) continue;
    int power = at < 64 ? 0 : at / 32 - 1;
    uint64_t from = at < 64 ? (uint64_t)at : (uint64_t)(at - power * 32) << power;
    uint64_t middle = from + (power == 0 ? 0 : (1ull << power) / 2);
    return middle < histogram->max ? middle : histogram->max;
  }
  return histogram->max;
}
