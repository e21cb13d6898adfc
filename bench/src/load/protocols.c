/*
 * How each kind of server is spoken to over a WebSocket: Holdfast (PROTOCOL.md), plain text for bare servers, Socket.IO 5 over
 * Engine.IO 4, NATS, MQTT 3.1.1. Topics are called t0, t1, ... everywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "load.h"

#define TEXT 1
#define BINARY 2

static void root_path(const Conn *conn, char *path) {
  (void)conn;
  strcpy(path, "/");
}

/* Reads digits from `*at`, moves behind them. */
static uint64_t number_at(const char **at, const char *end) {
  uint64_t value = 0;
  while (*at < end && **at >= '0' && **at <= '9') value = value * 10 + (uint64_t)(*(*at)++ - '0');
  return value;
}

static int begins(const char *data, size_t len, const char *text) {
  size_t wanted = strlen(text);
  return len >= wanted && memcmp(data, text, wanted) == 0;
}

/* Behind the first `text`, or NULL. */
static const char *behind(const char *data, const char *end, const char *text) {
  const char *found = data == NULL ? NULL : memmem(data, (size_t)(end - data), text, strlen(text));
  return found == NULL ? NULL : found + strlen(text);
}

static void send_text(Conn *conn, const char *text) {
  send_frame(conn, TEXT, text, strlen(text));
}

static void unexpected(const Conn *conn, const char *data, size_t len) {
  fail(conn, "unexpected: %.*s", (int)(len > 200 ? 200 : len), data);
}

/* Holdfast */

static void holdfast_opened(Conn *conn) {
  char hello[512], credit[40] = "", position[160] = "";
  const Group *group = &groups[conn->group];
  int at = snprintf(hello, sizeof hello, "{\"type\":\"hello\",\"client\":\"c%d\",\"token\":\"u%d\"", conn->index, conn->index);
  if (conn->role == SUBSCRIBER) {
    if (group->credit > 0) snprintf(credit, sizeof credit, ",\"credit\":%d", group->credit);
    if (group->from >= 0 || group->is_storm)
      snprintf(position, sizeof position, ",\"position\":{\"epoch\":\"%s\",\"offset\":%llu,\"revision\":0}", topics[conn->topic].epoch,
               group->is_storm ? (unsigned long long)conn->offset : (unsigned long long)group->from);
    at += snprintf(hello + at, sizeof hello - (size_t)at, ",\"subscribe\":[{\"id\":1,\"topic\":\"t%u\"%s%s}]", conn->topic, position, credit);
  }
  snprintf(hello + at, sizeof hello - (size_t)at, "}");
  send_text(conn, hello);
}

static void holdfast_credit(Conn *conn) {
  const uint64_t window = (uint64_t)groups[conn->group].credit;
  if (window == 0 || conn->offset - conn->credited < window / 2) return;
  char credit[200];
  conn->credited = conn->offset;
  snprintf(credit, sizeof credit, "{\"type\":\"credit\",\"topic\":\"t%u\",\"upTo\":%llu,\"epoch\":\"%s\"}", conn->topic,
           (unsigned long long)(conn->offset + window), topics[conn->topic].epoch);
  send_text(conn, credit);
}

static void holdfast_entry(Conn *conn, const char *data, const char *end) {
  const char *topic = data + sizeof "{\"type\":\"entry\",\"topic\":\"" - 1;
  const char *topic_end = memchr(topic, '"', (size_t)(end - topic));
  const char *at = topic_end == NULL ? NULL : topic_end + sizeof "\",\"offset\":" - 1;
  const char *payload = behind(at, end, "\"data\":\"");
  if (payload == NULL || end - payload != PAYLOAD_BYTES + 2) return unexpected(conn, data, (size_t)(end - data));
  uint64_t offset = number_at(&at, end);
  /* A storm tallies by the payloads what is not as it should be. */
  if (offset != conn->offset + 1 && !groups[conn->group].is_storm) return fail(conn, "offset %llu after %llu", (unsigned long long)offset, (unsigned long long)conn->offset);
  conn->offset = offset;
  delivered(conn, topic, (size_t)(topic_end - topic), payload, PAYLOAD_BYTES);
  holdfast_credit(conn);
}

static void holdfast_subscribed(Conn *conn, const char *data, const char *end) {
  const char *epoch = behind(data, end, "\"epoch\":\"");
  const char *offset = behind(epoch, end, "\"offset\":");
  if (offset == NULL) return unexpected(conn, data, (size_t)(end - data));
  size_t len = (size_t)((const char *)memchr(epoch, '"', (size_t)(end - epoch)) - epoch);
  if (len >= sizeof topics[0].epoch) return unexpected(conn, data, (size_t)(end - data));
  memcpy(topics[conn->topic].epoch, epoch, len);
  topics[conn->topic].epoch[len] = 0;
  conn->offset = conn->credited = number_at(&offset, end);
  ready(conn);
}

static void holdfast_ack(Conn *conn, const char *data, const char *end) {
  const char *topic = behind(data, end, "\"topic\":\"t");
  const char *seq = behind(topic, end, "\"seq\":");
  if (seq == NULL || conn->publisher == NULL) return unexpected(conn, data, (size_t)(end - data));
  const Publisher *publisher = conn->publisher;
  uint32_t place = ((uint32_t)number_at(&topic, end) - publisher->topic_first) / publisher->topic_step;
  acknowledged(conn, ((uint32_t)number_at(&seq, end) - 1) * publisher->topic_count + place);
}

static void holdfast_reply(Conn *conn, const char *data, const char *end) {
  const char *id = behind(data, end, "\"id\":");
  const char *payload = behind(id, end, "\"data\":\"");
  if (payload == NULL) return unexpected(conn, data, (size_t)(end - data));
  replied(conn, (uint32_t)number_at(&id, end), payload, (size_t)(end - payload) - 2);
}

/* "welcome", and pings where it has changed. */
static void holdfast_spread(Conn *conn, const char *data, const char *end) {
  const char *spread = behind(data, end, "\"spreadMs\":");
  if (spread != NULL) conn->spread_ms = (uint32_t)number_at(&spread, end);
}

/* HF-11.3, as packages/wire/src/backoff.ts. */
static double holdfast_wait(const Conn *conn, uint32_t attempt, double chance) {
  double bound = conn->spread_ms, grown = attempt < 8 ? 500.0 * (1 << (attempt - (attempt > 0))) : 20000;
  if (attempt > 0 && grown > bound) bound = grown;
  return chance * (bound > 20000 && attempt > 0 ? 20000 : bound);
}

static size_t holdfast_take(Conn *conn, const char *data, size_t len) {
  const char *end = data + len;
  if (begins(data, len, "{\"type\":\"entry\",")) holdfast_entry(conn, data, end);
  else if (begins(data, len, "{\"type\":\"ack\",")) holdfast_ack(conn, data, end);
  else if (begins(data, len, "{\"type\":\"reply\",")) holdfast_reply(conn, data, end);
  else if (begins(data, len, "{\"type\":\"subscribed\",")) holdfast_subscribed(conn, data, end);
  else if (begins(data, len, "{\"type\":\"ping\"")) holdfast_spread(conn, data, end), send_text(conn, "{\"type\":\"pong\"}");
  else if (!begins(data, len, "{\"type\":\"welcome\",")) unexpected(conn, data, len);
  else if (holdfast_spread(conn, data, end), conn->role != SUBSCRIBER) ready(conn);
  return len;
}

static size_t holdfast_publish(Conn *conn, char *to, uint32_t topic, uint32_t counter, uint32_t number, const char *payload, int wants_ack) {
  (void)number, (void)wants_ack;
  return (size_t)snprintf(to, FRAME_BYTES_MAX, "{\"type\":\"publish\",\"topic\":\"t%u\",\"producer\":\"p%d\",\"seq\":%u,\"data\":\"%.*s\"}", topic,
                          conn->index, counter + 1, PAYLOAD_BYTES, payload);
}

static size_t holdfast_call(Conn *conn, char *to, uint32_t number, const char *payload) {
  (void)conn;
  return (size_t)snprintf(to, FRAME_BYTES_MAX, "{\"type\":\"call\",\"id\":%u,\"method\":\"echo\",\"data\":\"%.*s\"}", number, PAYLOAD_BYTES, payload);
}

/* Bare servers: the topic is the path; "t0 PAYLOAD" goes to its subscribers as it is, "?PAYLOAD" comes back. */

static void plain_path(const Conn *conn, char *path) {
  if (conn->role == SUBSCRIBER) sprintf(path, "/t%u", conn->topic);
  else strcpy(path, "/");
}

static void plain_opened(Conn *conn) {
  ready(conn);
}

static size_t plain_take(Conn *conn, const char *data, size_t len) {
  const char *space = memchr(data, ' ', len < 8 ? len : 8);
  if (space != NULL) delivered(conn, data, (size_t)(space - data), space + 1, len - (size_t)(space + 1 - data));
  else if (len == PAYLOAD_BYTES + 1 && *data == '?') replied(conn, UNKNOWN, data + 1, PAYLOAD_BYTES);
  else unexpected(conn, data, len);
  return len;
}

static size_t plain_publish(Conn *conn, char *to, uint32_t topic, uint32_t counter, uint32_t number, const char *payload, int wants_ack) {
  (void)conn, (void)counter, (void)number, (void)wants_ack;
  return (size_t)snprintf(to, FRAME_BYTES_MAX, "t%u %.*s", topic, PAYLOAD_BYTES, payload);
}

static size_t plain_call(Conn *conn, char *to, uint32_t number, const char *payload) {
  (void)conn, (void)number;
  return (size_t)snprintf(to, FRAME_BYTES_MAX, "?%.*s", PAYLOAD_BYTES, payload);
}

/* Socket.IO: events "sub" (acknowledged), "pub" (may be), "m", "call" (acknowledged). */

static void socketio_path(const Conn *conn, char *path) {
  (void)conn;
  strcpy(path, "/socket.io/?EIO=4&transport=websocket");
}

static void nothing_opened(Conn *conn) {
  (void)conn;
}

static void socketio_answer(Conn *conn, const char *data, size_t len) {
  const char *at = data + 2, *end = data + len;
  uint32_t number = (uint32_t)number_at(&at, end);
  if (conn->role == SUBSCRIBER) ready(conn);
  else if (conn->role == PUBLISHER) acknowledged(conn, number);
  else if (end - at == PAYLOAD_BYTES + 4) replied(conn, number, at + 2, PAYLOAD_BYTES);
  else unexpected(conn, data, len);
}

/* With connection state recovery every event ends in a mark, from which a session goes on. */
static void socketio_event(Conn *conn, const char *data, size_t len) {
  const char *topic = data + 8, *topic_end = memchr(topic, '"', len - 8), *end = data + len;
  const char *rest = topic_end == NULL ? end : topic_end + 3 + PAYLOAD_BYTES;
  size_t left = rest < end ? (size_t)(end - rest) : 0;
  int is_marked = left > 5 && left < sizeof conn->mark && memcmp(rest, "\",\"", 3) == 0 && memcmp(end - 2, "\"]", 2) == 0;
  if (!is_marked && (left != 2 || memcmp(rest, "\"]", 2) != 0)) return unexpected(conn, data, len);
  if (is_marked) memcpy(conn->mark, rest + 3, left - 5), conn->mark[left - 5] = 0;
  delivered(conn, topic, (size_t)(topic_end - topic), topic_end + 3, PAYLOAD_BYTES);
}

/* The session that was, where there is one (socket.io-client: `_sendConnectPacket`). */
static void socketio_connect(Conn *conn) {
  char connect[160] = "40", offset[60] = "";
  if (conn->mark[0] != 0) snprintf(offset, sizeof offset, ",\"offset\":\"%s\"", conn->mark);
  if (conn->session[0] != 0) snprintf(connect, sizeof connect, "40{\"pid\":\"%s\"%s}", conn->session, offset);
  send_text(conn, connect);
}

/* A session that goes on is in its rooms, and what it missed came before this; a new one joins. */
static void socketio_connected(Conn *conn, const char *data, const char *end) {
  const char *session = behind(data, end, "\"pid\":\""), *session_end = session == NULL ? NULL : memchr(session, '"', (size_t)(end - session));
  size_t len = session_end == NULL ? 0 : (size_t)(session_end - session);
  if (conn->role != SUBSCRIBER) return ready(conn);
  if (len > 0 && strlen(conn->session) == len && memcmp(conn->session, session, len) == 0) return ready(conn);
  if (len > 0 && len < sizeof conn->session) memcpy(conn->session, session, len), conn->session[len] = 0;
  conn->is_anew = groups[conn->group].is_storm;
  char subscribe[40];
  snprintf(subscribe, sizeof subscribe, "420[\"sub\",\"t%u\"]", conn->topic);
  send_text(conn, subscribe);
}

/* Its client's own: 1 s, doubled up to 5 s, each half of it more or less (backo2.js). */
static double socketio_wait(const Conn *conn, uint32_t attempt, double chance) {
  (void)conn;
  double ms = attempt < 3 ? 1000.0 * (1 << attempt) : 8000;
  double deviation = chance * 0.5 * ms;
  ms = ((int)(chance * 10) & 1) == 0 ? ms - deviation : ms + deviation;
  return ms > 5000 ? 5000 : ms;
}

static size_t socketio_take(Conn *conn, const char *data, size_t len) {
  if (begins(data, len, "42[\"m\",\"")) socketio_event(conn, data, len);
  else if (begins(data, len, "43")) socketio_answer(conn, data, len);
  else if (begins(data, len, "2")) send_text(conn, "3");
  else if (begins(data, len, "0{")) socketio_connect(conn);
  else if (begins(data, len, "40")) socketio_connected(conn, data, data + len);
  else unexpected(conn, data, len);
  return len;
}

static size_t socketio_publish(Conn *conn, char *to, uint32_t topic, uint32_t counter, uint32_t number, const char *payload, int wants_ack) {
  (void)conn, (void)counter;
  char id[16] = "";
  if (wants_ack) snprintf(id, sizeof id, "%u", number);
  return (size_t)snprintf(to, FRAME_BYTES_MAX, "42%s[\"pub\",\"t%u\",\"%.*s\"]", id, topic, PAYLOAD_BYTES, payload);
}

static size_t socketio_call(Conn *conn, char *to, uint32_t number, const char *payload) {
  (void)conn;
  return (size_t)snprintf(to, FRAME_BYTES_MAX, "42%u[\"call\",\"%.*s\"]", number, PAYLOAD_BYTES, payload);
}

/* NATS: a stream of lines in binary frames. */

static size_t nats_take(Conn *conn, const char *data, size_t len) {
  size_t taken = 0;
  while (taken < len) {
    const char *line = data + taken, *eol = memchr(line, '\n', len - taken);
    if (eol == NULL) break;
    size_t size = (size_t)(eol - line) + 1;
    if (begins(line, size, "MSG ")) {
      const char *topic = line + 4, *topic_end = memchr(topic, ' ', size - 4);
      if (len - taken - size < PAYLOAD_BYTES + 2) break;
      delivered(conn, topic, (size_t)(topic_end - topic), eol + 1, PAYLOAD_BYTES);
      size += PAYLOAD_BYTES + 2;
    } else if (begins(line, size, "PING")) send_frame(conn, BINARY, "PONG\r\n", 6);
    else if (begins(line, size, "PONG")) ready(conn);
    else if (begins(line, size, "INFO ")) {
      char connect[160] = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
      if (conn->role == SUBSCRIBER) snprintf(connect + strlen(connect), 32, "SUB t%u 1\r\n", conn->topic);
      strcat(connect, "PING\r\n");
      if (conn->phase == GREETING) send_frame(conn, BINARY, connect, strlen(connect));
    } else unexpected(conn, line, size);
    taken += size;
  }
  return taken;
}

static size_t nats_publish(Conn *conn, char *to, uint32_t topic, uint32_t counter, uint32_t number, const char *payload, int wants_ack) {
  (void)conn, (void)counter, (void)number, (void)wants_ack;
  return (size_t)snprintf(to, FRAME_BYTES_MAX, "PUB t%u %d\r\n%.*s\r\n", topic, PAYLOAD_BYTES, PAYLOAD_BYTES, payload);
}

/* MQTT 3.1.1: a stream of packets in binary frames; QoS 1 where an answer is asked for. */

static void mqtt_opened(Conn *conn) {
  char id[16], packet[64] = { 0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0 };
  size_t len = (size_t)snprintf(id, sizeof id, "c%d", conn->index);
  packet[1] = (char)(12 + len);
  packet[13] = (char)len;
  memcpy(packet + 14, id, len);
  send_frame(conn, BINARY, packet, 14 + len);
}

static void mqtt_subscribe(Conn *conn) {
  char topic[16], packet[64] = { (char)0x82, 0, 0, 1, 0 };
  size_t len = (size_t)snprintf(topic, sizeof topic, "t%u", conn->topic);
  packet[1] = (char)(5 + len);
  packet[5] = (char)len;
  memcpy(packet + 6, topic, len);
  packet[6 + len] = 0;
  send_frame(conn, BINARY, packet, 7 + len);
}

static size_t mqtt_take(Conn *conn, const char *data, size_t len) {
  size_t taken = 0;
  while (len - taken >= 2) {
    const unsigned char *packet = (const unsigned char *)data + taken;
    size_t size = packet[1] & 127, start = 2;
    if (packet[1] & 128) {
      if (len - taken < 3) break;
      size |= (size_t)packet[2] << 7, start = 3;
    }
    if (len - taken < start + size) break;
    const char *body = (const char *)packet + start;
    switch (packet[0] >> 4) {
      case 2: conn->role == SUBSCRIBER ? mqtt_subscribe(conn) : ready(conn); break;
      case 3: delivered(conn, body + 2, (size_t)body[1], body + 2 + body[1], size - 2 - (size_t)body[1]); break;
      case 4: acknowledged(conn, UNKNOWN); break;
      case 9: ready(conn); break;
      default: fail(conn, "unexpected packet of type %d", packet[0] >> 4);
    }
    taken += start + size;
  }
  return taken;
}

static size_t mqtt_publish(Conn *conn, char *to, uint32_t topic, uint32_t counter, uint32_t number, const char *payload, int wants_ack) {
  (void)conn, (void)counter;
  char name[16];
  size_t len = (size_t)snprintf(name, sizeof name, "t%u", topic), size = 2 + len + (wants_ack ? 2 : 0) + PAYLOAD_BYTES, at = 0;
  to[at++] = wants_ack ? 0x32 : 0x30;
  if (size > 127) to[at++] = (char)((size & 127) | 128), to[at++] = (char)(size >> 7);
  else to[at++] = (char)size;
  to[at++] = 0, to[at++] = (char)len;
  memcpy(to + at, name, len), at += len;
  /* An identifier is never 0. */
  uint32_t id = number % 65535 + 1;
  if (wants_ack) to[at++] = (char)(id >> 8), to[at++] = (char)id;
  memcpy(to + at, payload, PAYLOAD_BYTES);
  return at + PAYLOAD_BYTES;
}

static const Protocol HOLDFAST = { "holdfast", "holdfast.v1", root_path, holdfast_opened, holdfast_take, holdfast_publish, holdfast_call, 0, 0, 1, 0, holdfast_wait, 10000 };
static const Protocol PLAIN = { "plain", NULL, plain_path, plain_opened, plain_take, plain_publish, plain_call, 0, 0, 0, 0, NULL, 0 };
static const Protocol SOCKETIO = { "socket.io", NULL, socketio_path, nothing_opened, socketio_take, socketio_publish, socketio_call, 0, 0, 0, 0, socketio_wait, 20000 };
static const Protocol NATS = { "nats", NULL, root_path, nothing_opened, nats_take, nats_publish, NULL, 1, 1, 0, 0, NULL, 0 };
static const Protocol MQTT = { "mqtt", "mqtt", root_path, mqtt_opened, mqtt_take, mqtt_publish, NULL, 1, 1, 0, 0, NULL, 0 };

const Protocol *const PROTOCOLS[] = { &HOLDFAST, &PLAIN, &SOCKETIO, &NATS, &MQTT, &POLLING, &LONG_POLLING, &EVENTS, NULL };
