/*
 * What was there before WebSockets, doing the same job over HTTP/1.1: polling every second, long polling, and server-sent
 * events. Bodies are lines: "data: t0 PAYLOAD" for each update, "next: N" at the end of an answer, ": ready" when events may
 * come; the lines of headers are passed over. A publisher posts, and 204 is its answer. See peers/http-updates.mjs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "load.h"

#define POLL_NS 1000000000ull

/* What a browser says besides, with a cookie for the session. */
#define HEADERS                                                                                                                    \
  "Host: 127.0.0.1\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" \
  "Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: http://127.0.0.1/\r\n"          \
  "Cookie: session=0123456789abcdef0123456789abcdef\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"

/* Connections that wait for their next poll: all for the same time, so in order. */
static struct { Conn *conn; uint64_t due; } *polls;
static size_t polls_from, polls_to, polls_room;

static void get(Conn *conn, const char *path, uint64_t after) {
  char request[1024];
  int len = snprintf(request, sizeof request, "GET %s?after=%llu HTTP/1.1\r\n" HEADERS "\r\n", path, (unsigned long long)after);
  send_bytes(conn, request, (size_t)len);
}

static void poll_later(Conn *conn) {
  if (polls_to == polls_room) {
    if (polls_from > 0) memmove(polls, polls + polls_from, (polls_to - polls_from) * sizeof *polls);
    polls_to -= polls_from, polls_from = 0;
    if (polls_to * 2 >= polls_room) polls = realloc(polls, (polls_room = polls_room * 2 + 1024) * sizeof *polls);
  }
  polls[polls_to].conn = conn;
  polls[polls_to++].due = now + POLL_NS;
}

uint64_t poll_due(void) {
  uint64_t time = clock_ns();
  for (; polls_from < polls_to && polls[polls_from].due <= time; polls_from++)
    if (polls[polls_from].conn->phase == READY) get(polls[polls_from].conn, "/poll", polls[polls_from].conn->offset);
  return polls_from < polls_to ? polls[polls_from].due - time : UINT64_MAX;
}

static void polling_opened(Conn *conn) {
  if (conn->role == SUBSCRIBER) get(conn, "/at", 0);
  else ready(conn);
}

static void events_opened(Conn *conn) {
  if (conn->role == SUBSCRIBER) get(conn, "/sse", 0);
  else ready(conn);
}

static void take_line(Conn *conn, const char *line, size_t len, int is_long) {
  if (len > 8 && memcmp(line, "data: ", 6) == 0) {
    const char *topic = line + 6, *space = memchr(topic, ' ', len - 6);
    if (space == NULL) return fail(conn, "an update without a topic");
    delivered(conn, topic, (size_t)(space - topic), space + 1, len - (size_t)(space + 1 - line));
  } else if (len > 6 && memcmp(line, "next: ", 6) == 0) {
    conn->offset = strtoull(line + 6, NULL, 10);
    if (conn->phase == GREETING) ready(conn);
    if (is_long) get(conn, "/long", conn->offset);
    else poll_later(conn);
  } else if (len == 7 && memcmp(line, ": ready", 7) == 0) ready(conn);
  else if (len > 12 && memcmp(line, "HTTP/1.1 204", 12) == 0) acknowledged(conn, UNKNOWN);
  else if (len > 12 && memcmp(line, "HTTP/1.1 ", 9) == 0 && line[9] != '2') fail(conn, "answered %.*s", (int)len, line);
}

static size_t take_lines(Conn *conn, const char *data, size_t len, int is_long) {
  size_t taken = 0;
  for (const char *eol; taken < len && (eol = memchr(data + taken, '\n', len - taken)) != NULL; taken = (size_t)(eol - data) + 1) {
    size_t size = (size_t)(eol - data) - taken;
    take_line(conn, data + taken, size > 0 && eol[-1] == '\r' ? size - 1 : size, is_long);
  }
  return taken;
}

static size_t polling_take(Conn *conn, const char *data, size_t len) {
  return take_lines(conn, data, len, 0);
}

static size_t long_take(Conn *conn, const char *data, size_t len) {
  return take_lines(conn, data, len, 1);
}

static size_t http_publish(Conn *conn, char *to, uint32_t topic, uint32_t counter, uint32_t number, const char *payload, int wants_ack) {
  (void)conn, (void)counter, (void)number, (void)wants_ack;
  char content[160];
  int len = snprintf(content, sizeof content, "t%u %.*s", topic, PAYLOAD_BYTES, payload);
  return (size_t)snprintf(to, FRAME_BYTES_MAX, "POST /pub HTTP/1.1\r\n" HEADERS "Content-Length: %d\r\n\r\n%s", len, content);
}

const Protocol POLLING = { "http-poll", NULL, NULL, polling_opened, polling_take, http_publish, NULL, 0, 1, 1, 1, NULL, 0 };
const Protocol LONG_POLLING = { "http-long", NULL, NULL, polling_opened, long_take, http_publish, NULL, 0, 1, 1, 1, NULL, 0 };
const Protocol EVENTS = { "http-sse", NULL, NULL, events_opened, polling_take, http_publish, NULL, 0, 1, 1, 1, NULL, 0 };
