/*
 * For failing-sync.test.ts, loaded with LD_PRELOAD: from the n-th on (FAIL_SYNC_AFTER) every sync of one SQLite file
 * (FAIL_FILE) and its write-ahead log fails, as on a disk that has lost a write.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FDS = 4096 };

static atomic_char is_failing[FDS];
static atomic_long syncs_left;

__attribute__((constructor)) static void begin(void) {
    const char *after = getenv("FAIL_SYNC_AFTER");
    syncs_left = after ? atol(after) : 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(int fd, const char *path) {
    const char *file = getenv("FAIL_FILE");
    if (fd < 0 || fd >= FDS || !file) return fd;
    size_t length = strlen(file);
    is_failing[fd] = !strncmp(path, file, length) && (!path[length] || !strcmp(path + length, "-wal"));
    return fd;
}

#define OPEN(open_by_name)                                          \
    int open_by_name(const char *path, int flags, ...) {            \
        va_list rest;                                               \
        va_start(rest, flags);                                      \
        mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                               \
        return opened(REAL(open_by_name)(path, flags, mode), path); \
    }
OPEN(open)
OPEN(open64)

#define SYNC(sync_by_name)                                                              \
    int sync_by_name(int fd) {                                                          \
        int fails = fd >= 0 && fd < FDS && is_failing[fd] && atomic_fetch_sub(&syncs_left, 1) <= 0; \
        if (!fails) return REAL(sync_by_name)(fd);                                      \
        errno = EIO;                                                                    \
        return -1;                                                                      \
    }
SYNC(fsync)
SYNC(fdatasync)
