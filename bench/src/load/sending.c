/*
 * Who sends when. A publisher or caller keeps up to `window` messages under way. A message is under way until every subscriber
 * that counts has it and, where the protocol answers, it was answered: the same for every server. With a pace, messages
 * are due at fixed times, whether or not the ones before were quick: a late one counts from when it was due.
 */
#include <stdlib.h>
#include "load.h"

static struct {
  int is_sending, group, is_acknowledged, turn;
  uint32_t window, limit;
  /* Between two messages of the group, ns; 0: as soon as the window allows. */
  double interval, next_due;
} paces[GROUPS_MAX];

static Conn **waiting;
static size_t waiting_count, waiting_room;

static void wake(Conn *conn) {
  if (conn->publisher->is_dirty) return;
  if (waiting_count == waiting_room) waiting = realloc(waiting, (waiting_room = waiting_room * 2 + 64) * sizeof *waiting);
  waiting[waiting_count++] = conn;
  conn->publisher->is_dirty = 1;
}

void set_pace(int group, uint32_t window, double per_second, int is_acknowledged, uint32_t limit) {
  paces[group].is_sending = 1;
  paces[group].is_acknowledged = is_acknowledged;
  paces[group].window = window > WINDOW_MAX ? WINDOW_MAX : window;
  paces[group].limit = limit == 0 ? UINT32_MAX : limit;
  paces[group].interval = per_second > 0 ? 1e9 / per_second : 0;
  paces[group].next_due = (double)clock_ns();
  for (int at = 0; at < groups[group].count; at++) {
    Conn *conn = &conns[groups[group].first + at];
    conn->publisher->owed = 0;
    wake(conn);
  }
}

void stop_sending(void) {
  for (int at = 0; at < GROUPS_MAX; at++) paces[at].is_sending = 0;
}

int is_settled(void) {
  for (int group = 0; group < GROUPS_MAX; group++)
    for (int at = 0; at < groups[group].count; at++) {
      const Publisher *publisher = conns[groups[group].first + at].publisher;
      if (publisher == NULL) continue;
      if (publisher->base != publisher->number || (paces[group].is_sending && publisher->number < paces[group].limit)) return 0;
    }
  return 1;
}

/* One step of a message: one of those who were to get or answer it has. */
static void step(Conn *conn, uint32_t number) {
  Publisher *publisher = conn->publisher;
  if (number - publisher->base >= publisher->number - publisher->base) return fail(conn, "message %u is not under way", number);
  if (--publisher->ring[number % WINDOW_MAX].left > 0) return;
  while (publisher->base != publisher->number && publisher->ring[publisher->base % WINDOW_MAX].left == 0) publisher->base++;
  wake(conn);
}

static void answered(Conn *conn, uint32_t number) {
  Publisher *publisher = conn->publisher;
  if (number - publisher->base >= publisher->number - publisher->base || publisher->ring[number % WINDOW_MAX].is_answered)
    return fail(conn, "an answer to message %u, which waits for none", number);
  if (publisher->topic_count == 1 && number != publisher->answered)
    return fail(conn, "the answer to message %u, not to %u", number, publisher->answered);
  publisher->ring[number % WINDOW_MAX].is_answered = 1;
  publisher->answered++;
  record(&groups[conn->group].latency, now - publisher->ring[number % WINDOW_MAX].sent);
  step(conn, number);
}

void acknowledged(Conn *conn, uint32_t number) {
  groups[conn->group].acks++;
  answered(conn, number == UNKNOWN ? conn->publisher->answered : number);
}

void replied(Conn *conn, uint32_t number, const char *payload, size_t len) {
  Payload said;
  if (len != PAYLOAD_BYTES || !read_payload(payload, &said) || said.publisher != (uint32_t)conn->index)
    return fail(conn, "a reply was changed: %.*s", (int)len, payload);
  if (number != UNKNOWN && number != said.number) return fail(conn, "a reply with number %u to call %u", number, said.number);
  groups[conn->group].replies++;
  answered(conn, said.number);
}

void delivered(Conn *conn, const char *topic, size_t topic_len, const char *payload, size_t len) {
  Payload said;
  if (len != PAYLOAD_BYTES || !read_payload(payload, &said)) return fail(conn, "a payload was changed: %.*s", (int)len, payload);
  uint32_t number = 0;
  for (size_t at = 1; at < topic_len; at++) number = number * 10 + (uint32_t)(topic[at] - '0');
  if (topic_len < 2 || *topic != 't' || number != said.topic || number != conn->topic)
    return fail(conn, "topic %.*s, payload of t%u, subscribed to t%u", (int)topic_len, topic, said.topic, conn->topic);
  if (groups[conn->group].is_storm) return tally(conn, said.counter);
  Publisher *publisher = conns[said.publisher].publisher;
  if (publisher == NULL) return fail(conn, "a message of connection %u, which publishes nothing", said.publisher);
  if (publisher->slot >= conn->next_count) {
    uint32_t count = publisher->slot + 16;
    conn->next = realloc(conn->next, count * sizeof *conn->next);
    for (; conn->next_count < count; conn->next_count++) conn->next[conn->next_count] = conn->sent_before == 0 ? 0 : UNKNOWN;
  }
  uint32_t *next = &conn->next[publisher->slot];
  if (*next != UNKNOWN && *next != said.counter) fail(conn, "message %u of publisher %u, not %u", said.counter, said.publisher, *next);
  *next = said.counter + 1;
  Group *group = &groups[conn->group];
  group->deliveries++;
  record(&group->latency, now - said.stamp);
  if (++conn->received == topics[number].sent - conn->sent_before) group->complete++;
  if (group->is_counted) step(&conns[said.publisher], said.number);
}

static void send_one(Conn *conn, int group) {
  char payload[PAYLOAD_BYTES], frame[FRAME_BYTES_MAX];
  Publisher *publisher = conn->publisher;
  uint32_t number = publisher->number++, at = number % WINDOW_MAX;
  uint32_t topic = publisher->topic_first + number % publisher->topic_count * publisher->topic_step;
  uint32_t counter = number / publisher->topic_count;
  uint64_t sent = clock_ns();
  if (publisher->owed > 0) {
    sent = publisher->due;
    publisher->due += (uint64_t)(paces[group].interval * groups[group].count);
    publisher->owed--;
  }
  int is_call = groups[group].role == CALLER, is_answered = is_call || paces[group].is_acknowledged || protocol->always_acknowledges;
  write_payload(payload, (Payload){ topic, (uint32_t)conn->index, counter, number, sent });
  publisher->ring[at].left = (is_call ? 0 : topics[topic].audience) + (uint32_t)is_answered;
  publisher->ring[at].is_answered = 0;
  publisher->ring[at].sent = sent;
  if (!is_call) topics[topic].sent++;
  size_t len = is_call ? protocol->call(conn, frame, number, payload)
                       : protocol->publish(conn, frame, topic, counter, number, payload, paces[group].is_acknowledged);
  if (protocol->is_http) send_bytes(conn, frame, len);
  else send_frame(conn, protocol->is_binary ? 2 : 1, frame, len);
}

uint64_t send_due(void) {
  uint64_t rest = UINT64_MAX, time = clock_ns();
  for (int group = 0; group < GROUPS_MAX; group++) {
    if (!paces[group].is_sending || paces[group].interval == 0) continue;
    for (; paces[group].next_due <= (double)time; paces[group].next_due += paces[group].interval) {
      Conn *conn = &conns[groups[group].first + paces[group].turn++ % groups[group].count];
      if (conn->publisher->owed++ == 0) conn->publisher->due = (uint64_t)paces[group].next_due;
      wake(conn);
    }
    uint64_t left = (uint64_t)(paces[group].next_due - (double)time) + 1;
    if (left < rest) rest = left;
  }
  for (size_t at = 0; at < waiting_count; at++) {
    Conn *conn = waiting[at];
    Publisher *publisher = conn->publisher;
    publisher->is_dirty = 0;
    if (conn->phase != READY || !paces[conn->group].is_sending) continue;
    while (publisher->number - publisher->base < paces[conn->group].window && publisher->number < paces[conn->group].limit &&
           (paces[conn->group].interval == 0 || publisher->owed > 0))
      send_one(conn, conn->group);
  }
  waiting_count = 0;
  return rest;
}
