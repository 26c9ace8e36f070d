// Writes down how much of each file is on the disk: loaded into a process with LD_PRELOAD, it logs every
// fsync and fdatasync that has succeeded as a line "inode length", to the file that SYNCED_LOG names.
//
// The length is the one before the call: only what was written by then is sure to be synced.  A file is
// named by its inode, since it may be renamed afterwards.  One write(2) a line, to a file opened with
// O_APPEND, so that threads and forked children do not mix theirs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*sync_call)(int);

static void note(const struct stat *before) {
  const char *path = getenv("SYNCED_LOG");
  if (path == NULL || !S_ISREG(before->st_mode)) return;
  char line[64];
  int length = snprintf(line, sizeof line, "%llu %lld\n", (unsigned long long)before->st_ino,
                        (long long)before->st_size);
  int kept = errno;
  int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  // A line that is missing would pass for a file that was not synced, and fail a test for nothing.
  if (log < 0 || write(log, line, (size_t)length) != length || close(log) != 0) abort();
  errno = kept;
}

static int synced(const char *name, int file) {
  sync_call call = (sync_call)dlsym(RTLD_NEXT, name);
  struct stat before;
  int known = fstat(file, &before);
  int result = call(file);
  if (result == 0 && known == 0) note(&before);
  return result;
}

int fsync(int file) { return synced("fsync", file); }

int fdatasync(int file) { return synced("fdatasync", file); }
