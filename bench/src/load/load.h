/*
 * The load generator's own terms: a connection, a publisher, a group of connections, what is counted, and the table that
 * a protocol is. It knows no server and no scenario: those are told to it line by line (load.c).
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_BYTES 100
#define WINDOW_MAX 1024
#define GROUPS_MAX 16
#define TOPICS_MAX 4096
/* A frame of a publish: payload, topic and envelope. */
#define FRAME_BYTES_MAX 1024
#define UNKNOWN UINT32_MAX

/* What a payload says; `stamp` is a time of the monotonic clock, ns. */
typedef struct {
  uint32_t topic, publisher, counter, number;
  uint64_t stamp;
} Payload;

typedef struct {
  uint64_t buckets[64 * 32];
  uint64_t count, max;
} Histogram;

enum phase { CLOSED, CONNECTING, UPGRADING, GREETING, READY };
enum role { SUBSCRIBER, PUBLISHER, CALLER };

/* Connections that were opened together and do the same. Everything counted is of the current window of measurement. */
typedef struct {
  enum role role;
  int first, count, begun, ready;
  /* Whether a message is under way until this group has it. */
  int is_counted;
  int topic, topics, credit;
  /* Where a resuming group begins, entries; -1: at the head. */
  long from;
  /* Connections that have everything that was sent on their topics since they began. */
  int complete;
  uint64_t opened_at;
  /* Dropped at least once: what its connections get is tallied (storm.c), and who is lost comes back. */
  int is_storm;
  uint64_t deliveries, acks, replies, bytes, sent_bytes;
  Histogram latency, handshakes;
} Group;

/* The sending side of one connection: publishes or calls. */
typedef struct {
  /* Messages sent; the oldest that is not done; answered. */
  uint32_t number, base, answered;
  /* Its topics, and its place among the publishers of each. */
  uint32_t topic_first, topic_count, topic_step, slot;
  /* Messages that a pace owes, and since when the oldest is due, ns. */
  uint32_t owed;
  uint64_t due;
  int is_dirty;
  /* Of what is under way: who has not got it or answered yet. */
  struct { uint32_t left, is_answered; uint64_t sent; } ring[WINDOW_MAX];
} Publisher;

typedef struct Conn {
  int fd, index, group;
  enum phase phase;
  enum role role;
  int is_paused, wants_out, is_dirty;
  uint32_t topic;
  /* Holdfast: the last offset, and the last that was credited. */
  uint64_t offset, credited;
  uint64_t opened_at, received;
  /* What had been sent on the topic before the first message that is for this connection. */
  uint64_t sent_before;
  /* Of each publisher of the topic the next counter; `UNKNOWN` until its first message where some came before. */
  uint32_t *next, next_count;
  char *partial, *stream, *out;
  uint32_t partial_len, stream_len, out_len, out_at;
  Publisher *publisher;
  /* Of a storm. Attempts since the drop; the alarm that counts; messages of its topic before the drop, and which of those after it came. */
  uint32_t attempts, alarm, base, lacked;
  uint64_t seen;
  int is_back, is_anew;
  /* Holdfast: the spread that was announced last, ms. Socket.IO: the session, and the last event's mark. */
  uint32_t spread_ms;
  char session[32], mark[32];
} Conn;

/* How one kind of server is spoken to. */
typedef struct {
  const char *name, *subprotocol;
  /* The path of the upgrade; may write into `path`. */
  void (*path)(const Conn *conn, char *path);
  /* After the upgrade. */
  void (*opened)(Conn *conn);
  /* One frame, or for a stream as much as there is; returns how many bytes were taken. */
  size_t (*take)(Conn *conn, const char *data, size_t len);
  /* The content of a frame that publishes; returns its length. `acknowledged`: ask for an answer. */
  size_t (*publish)(Conn *conn, char *to, uint32_t topic, uint32_t counter, uint32_t number, const char *payload, int acknowledged);
  size_t (*call)(Conn *conn, char *to, uint32_t number, const char *payload);
  int is_binary, is_stream, always_acknowledges;
  /* No WebSocket: what is taken and published is written as it is. */
  int is_http;
  /* How its own client comes back: ms before an attempt, 0 being the first after a loss, by `chance` from [0, 1); how long one may take. */
  double (*wait)(const Conn *conn, uint32_t attempt, double chance);
  uint32_t attempt_ms;
} Protocol;

typedef struct {
  /* Subscribers until which a message is under way; messages sent. */
  uint32_t audience;
  uint64_t sent;
  /* Holdfast: the log's. */
  char epoch[68];
} Topic;

extern const Protocol *const PROTOCOLS[];
extern const Protocol POLLING, LONG_POLLING, EVENTS;
extern const Protocol *protocol;
extern Group groups[GROUPS_MAX];
extern Topic topics[TOPICS_MAX];
extern Conn *conns;
/* The time of the last reading, ns. */
extern uint64_t now;

/* What protocols report and use. */
void fail(const Conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ready(Conn *conn);
void delivered(Conn *conn, const char *topic, size_t topic_len, const char *payload, size_t len);
void acknowledged(Conn *conn, uint32_t number);
void replied(Conn *conn, uint32_t number, const char *payload, size_t len);
void send_frame(Conn *conn, int opcode, const char *content, size_t len);

/* storm.c: a group is dropped and comes back. */
void drop_group(Group *group);
void begin_return(Group *group, int is_at_once);
int has_returned(const Group *group);
/* The figures of a return as JSON, with a comma in front. */
void write_return(const Group *group, char *to, size_t room);
/* A connection of a storm is subscribed again, got a message, or was lost; `floor_ms`: the server asked for at least so long. */
void returned(Conn *conn);
void tally(Conn *conn, uint32_t counter);
void lost(Conn *conn, int is_refused, uint32_t floor_ms);
/* Attempts that are due; the ns until the next is, or UINT64_MAX. */
uint64_t return_due(void);

/* connection.c */
void send_bytes(Conn *conn, const char *bytes, size_t len);
void open_connection(Conn *conn);
void close_connection(Conn *conn);
/* The same without a goodbye: the peer is told of a reset. */
void reset_connection(Conn *conn);
void pause_connection(Conn *conn, int is_paused);
/* What epoll told of a connection. */
void attend(Conn *conn, uint32_t events);
/* Writes what frames of this turn wait. */
void flush_connections(void);
void listen_to(int epoll_fd, const char *host, int port);
uint64_t clock_ns(void);

/* http.c: polls that are due; the ns until the next is, or UINT64_MAX. */
uint64_t poll_due(void);

/* sending.c */
/* `limit`: messages of each, 0: none. */
void set_pace(int group, uint32_t window, double per_second, int acknowledged, uint32_t limit);
void stop_sending(void);
/* Sends what is due; returns the ns until the next is, or UINT64_MAX. */
uint64_t send_due(void);
/* 1 when nothing is under way, and who has a limit has reached it. */
int is_settled(void);

/* payload.c */
void write_payload(char *to, Payload payload);
/* 0 if anything in it is not as it was written. */
int read_payload(const char *from, Payload *payload);

/* histogram.c */
void record(Histogram *histogram, uint64_t value);
uint64_t quantile(const Histogram *histogram, double share);

#endif
