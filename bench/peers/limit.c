/*
 * What a server of broadcasts can cost at the least: C and epoll. What arrives in one turn for a topic is framed once into one
 * buffer, and goes to each subscriber in one write. No rights, no log, no limits, no defence against anything: it is nothing to
 * be used, only the mark to measure against. Speaks the plain protocol of protocols.c; prints its port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOPICS 4096
#define READ_BYTES (256 * 1024)

typedef struct {
  char *bytes;
  size_t len, room;
} Bytes;

typedef struct {
  int fd, topic, is_upgraded, wants_out;
  size_t place;
  /* What could not be read or written yet. */
  Bytes in, out;
  size_t out_at;
} Conn;

static struct {
  Conn **subscribers;
  size_t count, room;
  Bytes turn;
  int is_due;
} topics[TOPICS];

static int epoll_fd, due[TOPICS], due_count;
static Bytes input;

static void append(Bytes *to, const char *bytes, size_t len) {
  if (to->len + len > to->room) to->bytes = realloc(to->bytes, to->room = (to->len + len) * 2);
  memcpy(to->bytes + to->len, bytes, len);
  to->len += len;
}

static void watch(Conn *conn, int operation) {
  struct epoll_event event = { .events = EPOLLIN | (conn->wants_out ? EPOLLOUT : 0u), .data.ptr = conn };
  epoll_ctl(epoll_fd, operation, conn->fd, &event);
}

static void drain(Conn *conn) {
  while (conn->out_at < conn->out.len) {
    ssize_t sent = send(conn->fd, conn->out.bytes + conn->out_at, conn->out.len - conn->out_at, MSG_NOSIGNAL);
    if (sent < 0) return;
    conn->out_at += (size_t)sent;
  }
  conn->out.len = conn->out_at = 0;
  conn->wants_out = 0;
  watch(conn, EPOLL_CTL_MOD);
}

static void give(Conn *conn, const char *bytes, size_t len) {
  ssize_t sent = conn->wants_out ? 0 : send(conn->fd, bytes, len, MSG_NOSIGNAL);
  if (sent < 0) sent = 0;
  if ((size_t)sent == len) return;
  append(&conn->out, bytes + sent, len - (size_t)sent);
  if (conn->wants_out) return;
  conn->wants_out = 1;
  watch(conn, EPOLL_CTL_MOD);
}

static void append_frame(Bytes *to, const char *content, size_t len) {
  unsigned char head[4] = { 0x81, (unsigned char)len };
  if (len > 125) head[1] = 126, head[2] = (unsigned char)(len >> 8), head[3] = (unsigned char)len;
  append(to, (char *)head, len > 125 ? 4 : 2);
  append(to, content, len);
}

static void close_conn(Conn *conn) {
  if (conn->topic >= 0) {
    Conn *last = topics[conn->topic].subscribers[--topics[conn->topic].count];
    topics[conn->topic].subscribers[conn->place] = last;
    last->place = conn->place;
  }
  close(conn->fd);
  free(conn->in.bytes), free(conn->out.bytes), free(conn);
}

static void subscribe(Conn *conn, int topic) {
  conn->topic = topic;
  conn->place = topics[topic].count;
  if (topics[topic].count == topics[topic].room)
    topics[topic].subscribers = realloc(topics[topic].subscribers, (topics[topic].room = topics[topic].room * 2 + 64) * sizeof(Conn *));
  topics[topic].subscribers[topics[topic].count++] = conn;
}

static size_t upgrade(Conn *conn, const char *data, size_t len) {
  /* The answer to the one key that the generator sends. */
  static const char ANSWER[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  const char *end = memmem(data, len, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  if (len > 6 && memcmp(data, "GET /t", 6) == 0) subscribe(conn, atoi(data + 6) % TOPICS);
  conn->is_upgraded = 1;
  give(conn, ANSWER, sizeof ANSWER - 1);
  return (size_t)(end - data) + 4;
}

static void take(Conn *conn, char *content, size_t len) {
  if (len > 0 && *content == '?') {
    Bytes answer = { 0 };
    append_frame(&answer, content, len);
    give(conn, answer.bytes, answer.len);
    free(answer.bytes);
    return;
  }
  int topic = len > 1 ? atoi(content + 1) % TOPICS : 0;
  append_frame(&topics[topic].turn, content, len);
  if (!topics[topic].is_due) due[due_count++] = topic, topics[topic].is_due = 1;
}

static size_t take_frames(Conn *conn, char *data, size_t len) {
  size_t at = 0;
  while (len - at >= 6) {
    unsigned char *frame = (unsigned char *)data + at;
    size_t size = frame[1] & 127, start = 2;
    if (size == 126) size = (size_t)frame[2] << 8 | frame[3], start = 4;
    if (len - at < start + 4 + size) break;
    unsigned char *content = frame + start + 4;
    for (size_t byte = 0; byte < size; byte++) content[byte] ^= frame[start + (byte & 3)];
    take(conn, (char *)content, size);
    at += start + 4 + size;
  }
  return at;
}

static void receive(Conn *conn) {
  static char buffer[READ_BYTES];
  ssize_t got = recv(conn->fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return close_conn(conn);
  input.len = 0;
  append(&input, conn->in.bytes == NULL ? "" : conn->in.bytes, conn->in.len);
  append(&input, buffer, (size_t)got);
  size_t at = conn->is_upgraded ? 0 : upgrade(conn, input.bytes, input.len);
  if (conn->is_upgraded) at += take_frames(conn, input.bytes + at, input.len - at);
  conn->in.len = 0;
  if (at < input.len) append(&conn->in, input.bytes + at, input.len - at);
}

int main(void) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  struct epoll_event events[512], arrival = { .events = EPOLLIN };
  int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) return 1;
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  epoll_fd = epoll_create1(0);
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &arrival);
  for (;;) {
    int count = epoll_wait(epoll_fd, events, 512, -1);
    for (int at = 0; at < count; at++) {
      Conn *conn = events[at].data.ptr;
      if (conn == NULL) {
        for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          conn = calloc(1, sizeof *conn);
          conn->fd = fd, conn->topic = -1;
          watch(conn, EPOLL_CTL_ADD);
        }
        continue;
      }
      if (events[at].events & EPOLLOUT) drain(conn);
      if (events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(conn);
    }
    for (int at = 0; at < due_count; at++) {
      Bytes *turn = &topics[due[at]].turn;
      for (size_t place = 0; place < topics[due[at]].count; place++) give(topics[due[at]].subscribers[place], turn->bytes, turn->len);
      turn->len = 0;
      topics[due[at]].is_due = 0;
    }
    due_count = 0;
  }
}
