/*
 * For power-loss.test.ts, loaded with LD_PRELOAD: records what a process writes, truncates, deletes and syncs of one
 * SQLite file and its write-ahead log, in order, together with what it prints. From the record the test rebuilds the file
 * as a power cut at any moment would have left it. With FAIL_SYNC_AFTER=n, syncs fail from the n-th on.
 *
 * A record: type (1 byte), file (1 byte), offset (8), length (4), bytes. Little-endian, as the machines of the tests are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OTHER = 0, DATABASE = 1, WAL = 2, FDS = 4096 };

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static unsigned char file_of[FDS];
static int log_fd = -1;
static long syncs_left = -1;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RECORD_LOG");
    const char *fail = getenv("FAIL_SYNC_AFTER");
    if (path) log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fail) syncs_left = atol(fail);
}

static unsigned char file_at(const char *path) {
    const char *recorded = getenv("RECORD_FILE");
    size_t length = recorded ? strlen(recorded) : 0;
    if (!length || strncmp(path, recorded, length) != 0) return OTHER;
    const char *suffix = path + length;
    if (!*suffix) return DATABASE;
    return strcmp(suffix, "-wal") ? OTHER : WAL;
}

static unsigned char file_by(int fd) { return fd >= 0 && fd < FDS ? file_of[fd] : OTHER; }

static void note(char type, unsigned char file, uint64_t offset, const void *bytes, uint32_t length) {
    if (log_fd < 0) return;
    unsigned char head[14];
    head[0] = type;
    head[1] = file;
    memcpy(head + 2, &offset, 8);
    memcpy(head + 10, &length, 4);
    if (syscall(SYS_write, log_fd, head, 14) != 14 || (length && syscall(SYS_write, log_fd, bytes, length) != length)) abort();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(int fd, const char *path) {
    if (fd >= 0 && fd < FDS) file_of[fd] = file_at(path);
    return fd;
}

#define OPEN(name)                                                   \
    int name(const char *path, int flags, ...) {                     \
        va_list rest;                                                \
        va_start(rest, flags);                                       \
        mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;  \
        va_end(rest);                                                \
        return opened(REAL(name)(path, flags, mode), path);          \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0 && fd < FDS) file_of[fd] = OTHER;
    return REAL(close)(fd);
}

/* Done and noted as one: what another thread does comes before both or after both. */
#define RECORDED(condition, act, written)            \
    if (!(condition)) return act;                    \
    pthread_mutex_lock(&order);                      \
    __typeof__(act) result = act;                    \
    if (result >= 0) written;                        \
    pthread_mutex_unlock(&order);                    \
    return result

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    unsigned char file = file_by(fd);
    RECORDED(file, REAL(pwrite64)(fd, bytes, length, offset), note('W', file, offset, bytes, result));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    unsigned char file = file_by(fd);
    RECORDED(file, REAL(pwrite)(fd, bytes, length, offset), note('W', file, offset, bytes, result));
}

ssize_t write(int fd, const void *bytes, size_t length) {
    RECORDED(fd == 1 && log_fd >= 0, REAL(write)(fd, bytes, length), note('P', OTHER, 0, bytes, result));
}

int ftruncate64(int fd, off64_t length) {
    unsigned char file = file_by(fd);
    RECORDED(file, REAL(ftruncate64)(fd, length), note('T', file, length, NULL, 0));
}

int ftruncate(int fd, off_t length) {
    unsigned char file = file_by(fd);
    RECORDED(file, REAL(ftruncate)(fd, length), note('T', file, length, NULL, 0));
}

int unlink(const char *path) {
    unsigned char file = file_at(path);
    RECORDED(file, REAL(unlink)(path), note('D', file, 0, NULL, 0));
}

static int sync_fails(unsigned char file) {
    if (!file || syncs_left < 0) return 0;
    if (syncs_left > 0) return syncs_left--, 0;
    errno = EIO;
    return 1;
}

int fsync(int fd) {
    unsigned char file = file_by(fd);
    if (sync_fails(file)) return -1;
    RECORDED(file, REAL(fsync)(fd), note('S', file, 0, NULL, 0));
}

int fdatasync(int fd) {
    unsigned char file = file_by(fd);
    if (sync_fails(file)) return -1;
    RECORDED(file, REAL(fdatasync)(fd), note('S', file, 0, NULL, 0));
}
