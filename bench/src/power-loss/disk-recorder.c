/*
 * Loaded with LD_PRELOAD: records what a process does to the files of one folder (RECORD_FOLDER) in their order: creates,
 * writes, truncates, renames and deletes them, syncs them and the folder itself, together with what it prints. From the
 * record (RECORD_LOG) disk-image.ts rebuilds the folder as a power cut at any moment would have left it.
 *
 * RECORD_SYNCS=none: syncs are neither done nor recorded, as with SQLite's synchronous=OFF, or on a disk that lies.
 * RECORD_PRINTS=n and RECORD_MORE=m: the process is killed after it has printed n times and then done m recorded things.
 * It is done here, since a kill from outside could fall between an act and its record.
 *
 * A record: type (1 byte), length of the name (1), offset (8), length of the bytes (4), name, bytes. Little-endian, as the
 * machines of the tests are. The memory that SQLite maps (-shm) means nothing after a power cut and is left out.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 4096, NAME = 64 };

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
/* "": not recorded. ".": the folder. */
static char name_of[FDS][NAME];
static const char *folder;
static int log_fd = -1;
static int syncs_nothing;
static long prints_left = -1, more_left;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RECORD_LOG"), *syncs = getenv("RECORD_SYNCS"), *prints = getenv("RECORD_PRINTS"), *more = getenv("RECORD_MORE");
    folder = getenv("RECORD_FOLDER");
    if (path) log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    syncs_nothing = syncs && !strcmp(syncs, "none");
    if (prints) prints_left = atol(prints);
    if (more) more_left = atol(more);
}

static const char *name_at(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    if (log_fd < 0 || !length || strncmp(path, folder, length) != 0) return "";
    if (!path[length]) return ".";
    const char *name = path + length + 1, *end = name + strlen(name);
    if (path[length] != '/' || strchr(name, '/') || end - name >= NAME) return "";
    return end - name >= 4 && !strcmp(end - 4, "-shm") ? "" : name;
}

static const char *name_by(int fd) { return fd >= 0 && fd < FDS ? name_of[fd] : ""; }

static void note(char type, const char *name, uint64_t offset, const void *bytes, uint32_t length) {
    unsigned char head[14];
    unsigned char name_length = strlen(name);
    head[0] = type;
    head[1] = name_length;
    memcpy(head + 2, &offset, 8);
    memcpy(head + 10, &length, 4);
    struct iovec parts[] = {{head, 14}, {(void *)name, name_length}, {(void *)bytes, length}};
    if (syscall(SYS_writev, log_fd, parts, 3) != (long)(14 + name_length + length)) abort();
    if (type == 'P') prints_left -= prints_left > 0;
    if (prints_left == 0 && more_left-- == 0) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Done and noted as one: what another thread does comes before both or after both. */
#define RECORDED(condition, act, written)            \
    if (!(condition)) return act;                    \
    pthread_mutex_lock(&order);                      \
    __typeof__(act) result = act;                    \
    if (result >= 0) written;                        \
    pthread_mutex_unlock(&order);                    \
    return result

static void opened(int fd, const char *name, int was_there, int flags) {
    if (fd >= 0 && fd < FDS) strcpy(name_of[fd], name);
    if (fd < 0 || !*name || !strcmp(name, ".")) return;
    if (!was_there) note('C', name, 0, NULL, 0);
    else if (flags & O_TRUNC) note('T', name, 0, NULL, 0);
}

#define OPEN(open_by_name)                                              \
    int open_by_name(const char *path, int flags, ...) {                \
        va_list rest;                                                   \
        va_start(rest, flags);                                          \
        mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;     \
        va_end(rest);                                                   \
        pthread_mutex_lock(&order);                                     \
        int was_there = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0; \
        int fd = REAL(open_by_name)(path, flags, mode);                 \
        opened(fd, name_at(path), was_there, flags);                    \
        pthread_mutex_unlock(&order);                                   \
        return fd;                                                      \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0 && fd < FDS) *name_of[fd] = 0;
    return REAL(close)(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    const char *name = name_by(fd);
    RECORDED(*name, REAL(pwrite64)(fd, bytes, length, offset), note('W', name, offset, bytes, result));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    const char *name = name_by(fd);
    RECORDED(*name, REAL(pwrite)(fd, bytes, length, offset), note('W', name, offset, bytes, result));
}

/* SQLite writes like this where it was compiled without pwrite. */
ssize_t write(int fd, const void *bytes, size_t length) {
    const char *name = name_by(fd);
    if (!*name) {
        RECORDED(fd == 1 && log_fd >= 0, REAL(write)(fd, bytes, length), note('P', "", 0, bytes, result));
    }
    RECORDED(1, REAL(write)(fd, bytes, length), note('W', name, lseek(fd, 0, SEEK_CUR) - result, bytes, result));
}

int ftruncate64(int fd, off64_t length) {
    const char *name = name_by(fd);
    RECORDED(*name, REAL(ftruncate64)(fd, length), note('T', name, length, NULL, 0));
}

int ftruncate(int fd, off_t length) {
    const char *name = name_by(fd);
    RECORDED(*name, REAL(ftruncate)(fd, length), note('T', name, length, NULL, 0));
}

int unlink(const char *path) {
    const char *name = name_at(path);
    RECORDED(*name, REAL(unlink)(path), note('D', name, 0, NULL, 0));
}

int rename(const char *from, const char *to) {
    const char *name = name_at(from), *other = name_at(to);
    RECORDED(*name, REAL(rename)(from, to), note('R', name, 0, other, strlen(other)));
}

int fsync(int fd) {
    const char *name = name_by(fd);
    if (*name && syncs_nothing) return 0;
    RECORDED(*name, REAL(fsync)(fd), note('S', name, 0, NULL, 0));
}

int fdatasync(int fd) {
    const char *name = name_by(fd);
    if (*name && syncs_nothing) return 0;
    RECORDED(*name, REAL(fdatasync)(fd), note('S', name, 0, NULL, 0));
}
