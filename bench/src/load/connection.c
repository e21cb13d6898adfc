/*
 * The generator's side of a WebSocket (RFC 6455): connect, upgrade, masked frames out, frames in. Frames of a turn leave in
 * one write; what has arrived is parsed where it lies. What a frame says is the protocol's (protocols.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "load.h"

#define READ_BYTES (512 * 1024)
#define PARTIAL_BYTES_MAX (64 * 1024 * 1024)

static int epoll_fd;
static struct sockaddr_in address;
static Conn **dirty;
static size_t dirty_count, dirty_room;
static char buffer[PARTIAL_BYTES_MAX + READ_BYTES];

uint64_t clock_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

void listen_to(int fd, const char *host, int port) {
  epoll_fd = fd;
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  inet_pton(AF_INET, host, &address.sin_addr);
}

/* The link failed: of a storm that is told and tried again, of everybody else it is wrong. */
static void broken(Conn *conn, const char *what, const char *why) {
  if (groups[conn->group].is_storm) lost(conn, 0, 0);
  else fail(conn, "%s: %s", what, why);
}

static void watch(Conn *conn, int operation, uint32_t events) {
  struct epoll_event event = { .events = events, .data.ptr = conn };
  epoll_ctl(epoll_fd, operation, conn->fd, &event);
}

void open_connection(Conn *conn) {
  int on = 1;
  conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (conn->fd < 0) return fail(conn, "no socket: %s", strerror(errno));
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  conn->opened_at = clock_ns();
  conn->phase = CONNECTING;
  if (connect(conn->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
    return broken(conn, "cannot connect", strerror(errno));
  watch(conn, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

void close_connection(Conn *conn) {
  if (conn->phase == CLOSED) return;
  conn->phase = CLOSED;
  close(conn->fd);
  free(conn->partial), free(conn->stream), free(conn->out), free(conn->next);
  conn->partial = conn->stream = conn->out = NULL, conn->next = NULL;
  conn->partial_len = conn->stream_len = conn->out_len = conn->out_at = conn->next_count = 0;
  conn->wants_out = conn->is_paused = 0;
}

void reset_connection(Conn *conn) {
  const struct linger none = { .l_onoff = 1, .l_linger = 0 };
  if (conn->phase != CLOSED) setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close_connection(conn);
}

void pause_connection(Conn *conn, int is_paused) {
  if (conn->phase != READY || conn->is_paused == is_paused) return;
  conn->is_paused = is_paused;
  watch(conn, EPOLL_CTL_MOD, is_paused ? 0 : EPOLLIN);
}

void send_bytes(Conn *conn, const char *bytes, size_t len) {
  if (!conn->is_dirty) {
    if (dirty_count == dirty_room) dirty = realloc(dirty, (dirty_room = dirty_room * 2 + 64) * sizeof *dirty);
    dirty[dirty_count++] = conn;
    conn->is_dirty = 1;
  }
  conn->out = realloc(conn->out, conn->out_len + len);
  memcpy(conn->out + conn->out_len, bytes, len);
  conn->out_len += (uint32_t)len;
}

static void flush(Conn *conn) {
  if (conn->phase == CLOSED) return;
  while (conn->out_at < conn->out_len) {
    ssize_t sent = send(conn->fd, conn->out + conn->out_at, conn->out_len - conn->out_at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return broken(conn, "cannot send", strerror(errno));
    conn->out_at += (uint32_t)sent;
    groups[conn->group].sent_bytes += (uint64_t)sent;
  }
  int wants_out = conn->out_at < conn->out_len;
  if (!wants_out) {
    conn->out_len = conn->out_at = 0;
    free(conn->out), conn->out = NULL;
  }
  if (wants_out != conn->wants_out) watch(conn, EPOLL_CTL_MOD, (conn->is_paused ? 0u : (uint32_t)EPOLLIN) | (wants_out ? EPOLLOUT : 0u));
  conn->wants_out = wants_out;
}

void flush_connections(void) {
  for (size_t at = 0; at < dirty_count; at++) {
    dirty[at]->is_dirty = 0;
    flush(dirty[at]);
  }
  dirty_count = 0;
}

void send_frame(Conn *conn, int opcode, const char *content, size_t len) {
  static uint32_t chance = 2463534242u;
  unsigned char head[8] = { (unsigned char)(0x80 | opcode), (unsigned char)(0x80 | len) }, masked[FRAME_BYTES_MAX];
  size_t start = 2;
  if (len > sizeof masked) return fail(conn, "a frame of %zu bytes is too large to send", len);
  if (len > 125) head[1] = 0x80 | 126, head[2] = (unsigned char)(len >> 8), head[3] = (unsigned char)len, start = 4;
  chance ^= chance << 13, chance ^= chance >> 17, chance ^= chance << 5;
  memcpy(head + start, &chance, 4);
  for (size_t at = 0; at < len; at++) masked[at] = (unsigned char)content[at] ^ head[start + (at & 3)];
  send_bytes(conn, (char *)head, start + 4);
  send_bytes(conn, (char *)masked, len);
}

static void upgrade(Conn *conn) {
  char path[128], request[512], subprotocol[64] = "";
  protocol->path(conn, path);
  if (protocol->subprotocol != NULL) snprintf(subprotocol, sizeof subprotocol, "Sec-WebSocket-Protocol: %s\r\n", protocol->subprotocol);
  int len = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                     path, subprotocol);
  conn->phase = UPGRADING;
  send_bytes(conn, request, (size_t)len);
}

/* Returns how many bytes the answer to the upgrade has, 0 while it is not whole. */
static size_t take_upgrade(Conn *conn, const char *data, size_t len) {
  const char *end = memmem(data, len, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  if (groups[conn->group].is_storm && memcmp(data, "HTTP/1.1 503", 12) == 0) {
    const char *after = memmem(data, (size_t)(end - data), "\r\nRetry-After: ", 15);
    lost(conn, 1, after == NULL ? 0 : (uint32_t)atoi(after + 15) * 1000);
    return 0;
  }
  if (memcmp(data, "HTTP/1.1 101", 12) != 0) {
    fail(conn, "not upgraded: %.*s", 80, data);
    return 0;
  }
  /* The answer to the one key that is always sent (RFC 6455 section 1.3). */
  if (memmem(data, (size_t)(end - data), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28) == NULL) {
    fail(conn, "the upgrade's answer to the key is wrong");
    return 0;
  }
  conn->phase = GREETING;
  protocol->opened(conn);
  return (size_t)(end - data) + 4;
}

/* A stream's rest waits for the next frame. */
static void take_stream(Conn *conn, const char *data, size_t len) {
  char *joined = NULL;
  if (conn->stream_len > 0) {
    joined = realloc(conn->stream, conn->stream_len + len);
    memcpy(joined + conn->stream_len, data, len);
    data = joined, len += conn->stream_len;
    conn->stream = NULL, conn->stream_len = 0;
  }
  size_t taken = protocol->take(conn, data, len);
  if (taken < len && conn->phase != CLOSED) {
    conn->stream = malloc(len - taken);
    conn->stream_len = (uint32_t)(len - taken);
    memcpy(conn->stream, data + taken, len - taken);
  }
  free(joined);
}

static void take_frame(Conn *conn, int head, const char *data, size_t len) {
  int opcode = head & 15;
  if (opcode == 9) send_frame(conn, 10, data, len);
  else if (opcode == 8 && groups[conn->group].is_storm) lost(conn, 0, 0);
  else if (opcode == 8) fail(conn, "closed by the server: %d %.*s", len < 2 ? 0 : (data[0] & 255) << 8 | (data[1] & 255), (int)(len < 2 ? 0 : len - 2), data + 2);
  else if (opcode > 2) return;
  else if (protocol->is_stream) take_stream(conn, data, len);
  else if (!(head & 0x80) || opcode == 0) fail(conn, "a frame in fragments");
  else protocol->take(conn, data, len);
}

/* Returns how many bytes were whole frames. */
static size_t take_frames(Conn *conn, const char *data, size_t len) {
  size_t at = 0;
  while (len - at >= 2 && conn->phase != CLOSED) {
    const unsigned char *frame = (const unsigned char *)data + at;
    size_t size = frame[1] & 127, start = 2;
    if (size == 126) {
      if (len - at < 4) break;
      size = (size_t)frame[2] << 8 | frame[3], start = 4;
    } else if (size == 127) {
      if (len - at < 10) break;
      size = (size_t)frame[6] << 24 | (size_t)frame[7] << 16 | (size_t)frame[8] << 8 | frame[9], start = 10;
    }
    if (len - at < start + size) break;
    take_frame(conn, frame[0], (const char *)frame + start, size);
    at += start + size;
  }
  return at;
}

static void receive(Conn *conn) {
  size_t held = conn->partial_len;
  if (held > 0) memcpy(buffer, conn->partial, held);
  ssize_t got = recv(conn->fd, buffer + held, READ_BYTES, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return broken(conn, "connection lost", got == 0 ? "ended by the server" : strerror(errno));
  now = clock_ns();
  groups[conn->group].bytes += (uint64_t)got;
  size_t len = held + (size_t)got, at = 0;
  if (conn->phase == UPGRADING) at = take_upgrade(conn, buffer, len);
  if (protocol->is_http) {
    take_stream(conn, buffer, len);
    at = len;
  } else if (conn->phase > UPGRADING) at += take_frames(conn, buffer + at, len - at);
  if (conn->phase == CLOSED) return;
  if (len - at > PARTIAL_BYTES_MAX) return fail(conn, "a frame of more than %d bytes", PARTIAL_BYTES_MAX);
  if (len > at && len - at > held) conn->partial = realloc(conn->partial, len - at);
  else if (len == at && held > 0) free(conn->partial), conn->partial = NULL;
  conn->partial_len = (uint32_t)(len - at);
  memcpy(conn->partial == NULL ? buffer : conn->partial, buffer + at, len - at);
}

void attend(Conn *conn, uint32_t events) {
  if (conn->phase == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return broken(conn, "cannot connect", strerror(error));
    watch(conn, EPOLL_CTL_MOD, EPOLLIN);
    now = clock_ns();
    if (!protocol->is_http) return upgrade(conn);
    conn->phase = GREETING;
    return protocol->opened(conn);
  }
  if (conn->phase != CLOSED && events & EPOLLOUT) flush(conn);
  if (conn->phase != CLOSED && !conn->is_paused && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(conn);
  else if (conn->phase != CLOSED && events & (EPOLLHUP | EPOLLERR)) broken(conn, "connection lost", "hung up");
}
