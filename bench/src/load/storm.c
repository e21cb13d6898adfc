/*
 * Load that comes all at once: every socket of a group is reset, and each connection comes back by the rule of the product's own
 * client (protocols.c), or at once. It keeps what it knew: its position or session, and which messages it has. Nothing fails by
 * what is lost, doubled or out of order here: it is tallied, for each connection and message.
 */
#include <stdio.h>
#include <stdlib.h>
#include "load.h"

#define MISSED_MAX 64

/* When a connection is to be tried, or an attempt has taken too long. */
typedef struct {
  uint64_t due;
  Conn *conn;
  uint32_t number;
} Alarm;

/* What one return came to; times from its beginning. */
typedef struct {
  uint64_t begun;
  uint32_t attempts, refused, broken, late_attempts, relapsed;
  uint32_t back, doubled, disordered, late;
  Histogram times;
} Return;

static Return returns[GROUPS_MAX];
/* A heap, the earliest first. */
static Alarm *alarms;
static size_t alarm_count, alarm_room;

static double chance(void) {
  static uint64_t state = 88172645463325252ull;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (double)(state >> 11) / 9007199254740992.0;
}

static void set_alarm(Conn *conn, uint64_t due) {
  if (alarm_count == alarm_room) alarms = realloc(alarms, (alarm_room = alarm_room * 2 + 1024) * sizeof *alarms);
  size_t at = alarm_count++;
  for (; at > 0 && alarms[(at - 1) / 2].due > due; at = (at - 1) / 2) alarms[at] = alarms[(at - 1) / 2];
  alarms[at] = (Alarm){ due, conn, ++conn->alarm };
}

static Alarm take_alarm(void) {
  Alarm first = alarms[0], last = alarms[--alarm_count];
  size_t at = 0;
  for (size_t next; (next = at * 2 + 1) < alarm_count; at = next) {
    if (next + 1 < alarm_count && alarms[next + 1].due < alarms[next].due) next++;
    if (alarms[next].due >= last.due) break;
    alarms[at] = alarms[next];
  }
  alarms[at] = last;
  return first;
}

static Return *return_of(const Conn *conn) {
  return &returns[conn->group];
}

static uint64_t wait_ns(const Conn *conn) {
  return (uint64_t)(protocol->wait(conn, conn->attempts, chance()) * 1e6);
}

/* What the connection should have got since it was dropped, a bit for each message. */
static uint64_t wanted(const Conn *conn) {
  uint64_t count = topics[conn->topic].sent - conn->base;
  return count >= MISSED_MAX ? UINT64_MAX : (1ull << count) - 1;
}

void drop_group(Group *group) {
  int is_first = !group->is_storm;
  group->is_storm = 1;
  group->ready = 0;
  for (int at = 0; at < group->count; at++) {
    Conn *conn = &conns[group->first + at];
    reset_connection(conn);
    conn->alarm++;
    if (!is_first) conn->lacked += (uint32_t)__builtin_popcountll(wanted(conn) & ~conn->seen);
    conn->base = (uint32_t)topics[conn->topic].sent;
    conn->seen = 0;
    conn->attempts = 0;
    conn->is_back = conn->is_anew = 0;
  }
}

void begin_return(Group *group, int is_at_once) {
  Return *back = &returns[group - groups];
  *back = (Return){ .begun = clock_ns() };
  for (int at = 0; at < group->count; at++) {
    Conn *conn = &conns[group->first + at];
    set_alarm(conn, back->begun + (is_at_once ? 0 : wait_ns(conn)));
  }
}

static void check_back(Conn *conn) {
  if (conn->is_back || conn->phase != READY || conn->seen != wanted(conn)) return;
  conn->is_back = 1;
  return_of(conn)->back++;
  record(&return_of(conn)->times, now - return_of(conn)->begun);
}

void returned(Conn *conn) {
  conn->alarm++;
  check_back(conn);
}

void tally(Conn *conn, uint32_t counter) {
  Return *back = return_of(conn);
  groups[conn->group].deliveries++;
  if (counter < conn->base) {
    /* Of before the drop: had it then, or lacked it. */
    if (conn->lacked > 0) conn->lacked--, back->late++;
    else back->doubled++;
    return;
  }
  uint32_t place = counter - conn->base;
  if (place >= MISSED_MAX) return fail(conn, "message %u, %u after the drop: more than are counted", counter, place);
  if (conn->seen >> place & 1) {
    back->doubled++;
    return;
  }
  if (conn->seen >> place != 0) back->disordered++;
  conn->seen |= 1ull << place;
  check_back(conn);
}

void lost(Conn *conn, int is_refused, uint32_t floor_ms) {
  Return *back = return_of(conn);
  if (conn->phase == READY) groups[conn->group].ready--, back->relapsed++;
  else if (is_refused) back->refused++;
  else back->broken++;
  close_connection(conn);
  set_alarm(conn, clock_ns() + floor_ms * 1000000ull + wait_ns(conn));
}

uint64_t return_due(void) {
  uint64_t time = clock_ns();
  while (alarm_count > 0 && alarms[0].due <= time) {
    Alarm alarm = take_alarm();
    Conn *conn = alarm.conn;
    if (alarm.number != conn->alarm || conn->phase == READY) continue;
    if (conn->phase != CLOSED) {
      return_of(conn)->late_attempts++;
      reset_connection(conn);
      set_alarm(conn, time + wait_ns(conn));
      continue;
    }
    conn->attempts++;
    return_of(conn)->attempts++;
    set_alarm(conn, time + protocol->attempt_ms * 1000000ull);
    open_connection(conn);
  }
  return alarm_count == 0 ? UINT64_MAX : alarms[0].due - time;
}

/* All are connected, and nobody waits for anything any more: who had to begin anew gets nothing of before. */
int has_returned(const Group *group) {
  if (group->ready < group->count) return 0;
  for (int at = 0; at < group->count; at++)
    if (!conns[group->first + at].is_back && !conns[group->first + at].is_anew) return 0;
  return 1;
}

void write_return(const Group *group, char *to, size_t room) {
  const Return *back = &returns[group - groups];
  uint32_t anew = 0;
  uint64_t missing = 0;
  for (int at = 0; at < group->count; at++) {
    const Conn *conn = &conns[group->first + at];
    anew += conn->is_anew != 0;
    missing += (uint64_t)__builtin_popcountll(wanted(conn) & ~conn->seen);
  }
  snprintf(to, room,
           ",\"ready\":%d,\"back\":%u,\"p50Us\":%.1f,\"p95Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f,\"attempts\":%u,\"refusals\":%u,\"broken\":%u,"
           "\"timedOut\":%u,\"relapsed\":%u,\"anew\":%u,\"lost\":%llu,\"doubled\":%u,\"disordered\":%u,\"late\":%u",
           group->ready, back->back, (double)quantile(&back->times, 0.5) / 1e3, (double)quantile(&back->times, 0.95) / 1e3,
           (double)quantile(&back->times, 0.99) / 1e3, (double)back->times.max / 1e3, back->attempts, back->refused, back->broken, back->late_attempts,
           back->relapsed, anew, (unsigned long long)missing, back->doubled, back->disordered, back->late);
}
