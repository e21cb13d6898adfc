/*
 * A load generator for servers of WebSockets: `load PROTOCOL HOST PORT SERVER_PID`. Commands come on standard input, one a
 * line, `NAME KEY=VALUE ...`; each is answered on standard output by one line of JSON. It checks every message that it counts:
 * topic, order, no hole, no double, payload. Scenarios are made of these commands (load-generator.ts).
 *
 *   open group= role=sub|pub|call count= topic= topics= [from=] [credit=] [counted=1] [concurrency=256] [pace=0]   when all are ready;
 *                                            pace: new ones a second
 *   send group= window= [rate=0] [ack=0] [limit=0]   at once; rate: of the whole group, a second; limit: messages of each
 *   begin, end                                 what was counted, and the processor time of the server, between the two
 *   wait ms=                                   after that time
 *   stop                                       sends no more, answers when nothing is under way
 *   finish                                     sends up to the limits, answers when nothing is under way
 *   await group=                               when the group has all that was sent on its topics
 *   pause group=, unpause group=, close group=
 *   drop group=                                resets all of its sockets, without a goodbye; they keep what they know
 *   return group= [at_once=0] [ms=60000]       when all are back with what they missed, one publisher's and 64 messages at the most
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "load.h"

#define CONNS_MAX 20000
#define EVENTS_MAX 512
#define TIMEOUT_MS 60000

const Protocol *protocol;
Group groups[GROUPS_MAX];
Topic topics[TOPICS_MAX];
Conn *conns;
uint64_t now;

static int conn_count, server_pid, concurrency, open_pace;
static uint64_t errors;
static char first_error[400];
static enum { NOTHING, OPENING, WAITING, STOPPING, AWAITING, RETURNING } task;
static Group *task_group;
static uint64_t task_begun, task_ends;
static uint64_t window_begun;
static double window_server_cpu, window_own_cpu;

void fail(const Conn *conn, const char *format, ...) {
  if (errors++ == 0) {
    va_list arguments;
    va_start(arguments, format);
    int at = snprintf(first_error, sizeof first_error, "connection %d: ", conn->index);
    vsnprintf(first_error + at, sizeof first_error - (size_t)at, format, arguments);
    va_end(arguments);
    for (char *letter = first_error; *letter; letter++)
      if (*letter == '"' || *letter == '\\') *letter = '\'';
      else if ((unsigned char)*letter < 32 || (unsigned char)*letter > 126) *letter = ' ';
  }
  /* What has failed once proves nothing afterwards. */
  close_connection((Conn *)conn);
}

void ready(Conn *conn) {
  if (conn->phase == READY) return fail(conn, "ready twice");
  Group *group = &groups[conn->group];
  conn->phase = READY;
  group->ready++;
  record(&group->handshakes, now - conn->opened_at);
  if (group->is_storm) return returned(conn);
  if (conn->role != SUBSCRIBER) return;
  conn->sent_before = group->from >= 0 ? (uint64_t)group->from : topics[conn->topic].sent;
  if (group->is_counted) topics[conn->topic].audience++;
}

/* ms of user and system time of the server, all threads; 0 if there is no such process. */
static double server_cpu(void) {
  char path[40], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", server_pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  size_t len = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[len] = 0;
  unsigned long user = 0, system = 0;
  /* The name, in parentheses, may have spaces. */
  const char *at = strrchr(text, ')');
  if (at == NULL || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return 0;
  return (double)(user + system) * 1000 / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void answer(const char *more) {
  printf("{\"ms\":%.3f,\"errors\":%llu,\"firstError\":\"%s\"%s}\n", (double)(clock_ns() - task_begun) / 1e6, (unsigned long long)errors, first_error, more);
  fflush(stdout);
  task = NOTHING;
}

static const char *value_of(const char *line, const char *key, const char *otherwise) {
  static char values[8][64];
  static int turn;
  char wanted[32];
  snprintf(wanted, sizeof wanted, " %s=", key);
  const char *found = strstr(line, wanted);
  if (found == NULL) return otherwise;
  char *value = values[turn++ % 8];
  sscanf(found + strlen(wanted), "%63[^ \n]", value);
  return value;
}

static int number_of(const char *line, const char *key, int otherwise) {
  const char *value = value_of(line, key, NULL);
  return value == NULL ? otherwise : atoi(value);
}

static void give_topics(Conn *conn, const Group *group, int place) {
  int count = group->topics;
  if (group->role == SUBSCRIBER) {
    conn->topic = (uint32_t)(group->topic + place % count);
    return;
  }
  Publisher *publisher = conn->publisher = calloc(1, sizeof *conn->publisher);
  int is_wide = count >= group->count;
  publisher->topic_first = (uint32_t)(group->topic + place % count);
  publisher->topic_step = is_wide ? (uint32_t)group->count : 1;
  publisher->topic_count = is_wide ? (uint32_t)((count - place + group->count - 1) / group->count) : 1;
  publisher->slot = is_wide ? 0 : (uint32_t)(place / count);
}

static void open_more(void) {
  double due = open_pace == 0 ? task_group->count : (double)(clock_ns() - task_begun) / 1e9 * open_pace;
  while (task_group->begun < task_group->count && task_group->begun - task_group->ready < concurrency && task_group->begun < due) {
    int place = task_group->begun++;
    Conn *conn = &conns[task_group->first + place];
    conn->index = task_group->first + place;
    conn->group = (int)(task_group - groups);
    conn->role = task_group->role;
    give_topics(conn, task_group, place);
    open_connection(conn);
  }
}

static void begin_open(const char *line) {
  const char *role = value_of(line, "role", "sub");
  Group *group = task_group;
  int count = number_of(line, "count", 1), first = conn_count;
  if (conn_count + count > CONNS_MAX) return answer(",\"refused\":\"too many connections\"");
  memset(group, 0, sizeof *group);
  conn_count += count;
  group->first = first, group->count = count;
  group->role = strcmp(role, "pub") == 0 ? PUBLISHER : strcmp(role, "call") == 0 ? CALLER : SUBSCRIBER;
  group->topic = number_of(line, "topic", 0), group->topics = number_of(line, "topics", 1);
  group->from = number_of(line, "from", -1), group->credit = number_of(line, "credit", 0);
  group->is_counted = number_of(line, "counted", 1);
  concurrency = number_of(line, "concurrency", 256);
  open_pace = number_of(line, "pace", 0);
  task = OPENING;
  open_more();
}

static int has_all(const Conn *conn) {
  return conn->phase == READY && conn->received == topics[conn->topic].sent - conn->sent_before;
}

static void begin_window(void) {
  for (int at = 0; at < GROUPS_MAX; at++) {
    groups[at].deliveries = groups[at].acks = groups[at].replies = groups[at].bytes = groups[at].sent_bytes = 0;
    memset(&groups[at].latency, 0, sizeof groups[at].latency);
  }
  window_begun = clock_ns();
  window_server_cpu = server_cpu();
  window_own_cpu = own_cpu();
}

static void end_window(void) {
  static char text[8192];
  uint64_t ended = clock_ns();
  int at = snprintf(text, sizeof text, ",\"windowMs\":%.3f,\"serverCpuMs\":%.0f,\"ownCpuMs\":%.1f,\"groups\":{", (double)(ended - window_begun) / 1e6,
                    server_cpu() - window_server_cpu, own_cpu() - window_own_cpu);
  for (int index = 0, is_first = 1; index < GROUPS_MAX; index++) {
    const Group *group = &groups[index];
    if (group->count == 0) continue;
    at += snprintf(text + at, sizeof text - (size_t)at,
                   "%s\"%d\":{\"deliveries\":%llu,\"acks\":%llu,\"replies\":%llu,\"bytes\":%llu,\"sentBytes\":%llu,\"p50Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f}",
                   is_first ? "" : ",", index, (unsigned long long)group->deliveries, (unsigned long long)group->acks,
                   (unsigned long long)group->replies, (unsigned long long)group->bytes, (unsigned long long)group->sent_bytes, (double)quantile(&group->latency, 0.5) / 1e3,
                   (double)quantile(&group->latency, 0.99) / 1e3, (double)group->latency.max / 1e3);
    is_first = 0;
  }
  strcat(text, "}");
  answer(text);
}

static void set_paused(int is_paused) {
  for (int at = 0; at < task_group->count; at++) pause_connection(&conns[task_group->first + at], is_paused);
  answer("");
}

static void close_group(void) {
  for (int at = 0; at < task_group->count; at++) {
    Conn *conn = &conns[task_group->first + at];
    if (conn->phase == READY && conn->role == SUBSCRIBER && task_group->is_counted) topics[conn->topic].audience--;
    close_connection(conn);
    /* Its numbers are given to the next only if it was the last: payloads name a connection. */
  }
  if (task_group->first + task_group->count == conn_count && task_group->role == SUBSCRIBER) {
    memset(&conns[task_group->first], 0, (size_t)task_group->count * sizeof *conns);
    conn_count = task_group->first;
  }
  task_group->count = 0;
  answer("");
}

static void begin_await(void) {
  task = AWAITING;
  task_group->complete = 0;
  for (int at = 0; at < task_group->count; at++) task_group->complete += has_all(&conns[task_group->first + at]);
}

static void command(const char *line) {
  char name[32] = "";
  sscanf(line, "%31s", name);
  task_begun = clock_ns();
  task_ends = task_begun + (uint64_t)number_of(line, "ms", TIMEOUT_MS) * 1000000ull;
  task_group = &groups[number_of(line, "group", 0) % GROUPS_MAX];
  if (strcmp(name, "open") == 0) return begin_open(line);
  if (strcmp(name, "begin") == 0) return begin_window(), answer("");
  if (strcmp(name, "end") == 0) return end_window();
  if (strcmp(name, "wait") == 0) return (void)(task = WAITING);
  if (strcmp(name, "stop") == 0) return stop_sending(), (void)(task = STOPPING);
  if (strcmp(name, "finish") == 0) return (void)(task = STOPPING);
  if (strcmp(name, "await") == 0) return begin_await();
  if (strcmp(name, "pause") == 0) return set_paused(1);
  if (strcmp(name, "unpause") == 0) return set_paused(0);
  if (strcmp(name, "close") == 0) return close_group();
  if (strcmp(name, "drop") == 0) return drop_group(task_group), answer("");
  if (strcmp(name, "return") == 0) return begin_return(task_group, number_of(line, "at_once", 0)), (void)(task = RETURNING);
  if (strcmp(name, "send") != 0) return answer(",\"refused\":\"unknown command\"");
  set_pace((int)(task_group - groups), (uint32_t)number_of(line, "window", 1), atof(value_of(line, "rate", "0")), number_of(line, "ack", 0),
           (uint32_t)number_of(line, "limit", 0));
  answer("");
}

/* Answers what has come to its end. */
static void conclude(void) {
  char text[400];
  int is_late = clock_ns() >= task_ends;
  if (task == OPENING) open_more();
  if (task == OPENING && (task_group->ready == task_group->count || is_late || errors > 0)) {
    snprintf(text, sizeof text, ",\"ready\":%d,\"p50Us\":%.1f,\"p99Us\":%.1f", task_group->ready, (double)quantile(&task_group->handshakes, 0.5) / 1e3,
             (double)quantile(&task_group->handshakes, 0.99) / 1e3);
    answer(text);
  } else if (task == WAITING && (is_late || errors > 0)) answer("");
  else if (task == STOPPING && (is_settled() || is_late || errors > 0)) {
    snprintf(text, sizeof text, ",\"isSettled\":%s", is_settled() ? "true" : "false");
    answer(text);
  } else if (task == AWAITING && (task_group->complete >= task_group->count || is_late || errors > 0)) {
    snprintf(text, sizeof text, ",\"complete\":%d", task_group->complete);
    answer(text);
  } else if (task == RETURNING && (has_returned(task_group) || is_late || errors > 0)) {
    write_return(task_group, text, sizeof text);
    answer(text);
  }
}

static int wait_for(int epoll_fd, struct epoll_event *events, uint64_t rest) {
  if (task == WAITING) {
    uint64_t time = clock_ns(), left = task_ends > time ? task_ends - time : 0;
    if (left < rest) rest = left;
  }
  if (task != NOTHING && rest > 100000000ull) rest = 100000000ull;
  struct timespec time = { .tv_sec = (time_t)(rest / 1000000000ull), .tv_nsec = (long)(rest % 1000000000ull) };
  return epoll_pwait2(epoll_fd, events, EVENTS_MAX, rest == UINT64_MAX ? NULL : &time, NULL);
}

int main(int argc, char **argv) {
  if (argc != 5) return fprintf(stderr, "usage: load PROTOCOL HOST PORT SERVER_PID\n"), 2;
  for (int at = 0; PROTOCOLS[at] != NULL; at++)
    if (strcmp(PROTOCOLS[at]->name, argv[1]) == 0) protocol = PROTOCOLS[at];
  if (protocol == NULL) return fprintf(stderr, "no protocol %s\n", argv[1]), 2;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  server_pid = atoi(argv[4]);
  conns = calloc(CONNS_MAX, sizeof *conns);
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  listen_to(epoll_fd, argv[2], atoi(argv[3]));
  struct epoll_event events[EVENTS_MAX], input = { .events = EPOLLIN };
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &input);
  char line[512];
  for (;;) {
    uint64_t rest = send_due(), poll_rest = poll_due(), return_rest = return_due();
    if (poll_rest < rest) rest = poll_rest;
    if (return_rest < rest) rest = return_rest;
    flush_connections();
    conclude();
    int count = wait_for(epoll_fd, events, rest);
    now = clock_ns();
    for (int at = 0; at < count; at++) {
      if (events[at].data.ptr != NULL) attend(events[at].data.ptr, events[at].events);
      else if (task == NOTHING) {
        ssize_t len = read(STDIN_FILENO, line, sizeof line - 1);
        if (len <= 0) return 0;
        line[len] = 0;
        command(line);
      }
    }
  }
}
