// The same calls without the server: direct SOCKET|PORT RECORDING
//
// Sends what stockd once sent to an empty Redis (record.py), command by command and byte by byte, with
// hiredis's blocking calls.  Timed are the scripts with one reserve: they name seven keys.  Only the
// deadlines are taken out, which have passed since.
#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "../rpc/measure.h"

enum { HEADER_AT = 10, HEADER_BYTES = 25, DEADLINE_AT = 17 };
static histogram times;

static char *whole_file(const char *path, size_t *count) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) die(path);
  *count = (size_t)ftell(file);
  rewind(file);
  char *bytes = malloc(*count + 1);
  if (bytes == NULL || fread(bytes, 1, *count, file) != *count) die(path);
  bytes[*count] = 0;
  fclose(file);
  return bytes;
}

// One command: an array of bulk strings.  Its end; NULL when it is cut off.
static char *command_end(char *at, char *end, bool *is_reserve) {
  if (*at != '*') die("the recording is no list of commands");
  long arguments = strtol(at + 1, &at, 10);
  bool is_script = false;
  *is_reserve = false;
  for (long place = 0; place < arguments; place++) {
    at += 2;
    if (at >= end || *at != '$') return NULL;
    long bytes = strtol(at + 1, &at, 10);
    at += 2;
    if (at + bytes + 2 > end) return NULL;
    if (place == 0) is_script = bytes == 7 && memcmp(at, "EVALSHA", 7) == 0;
    if (place == 2) *is_reserve = is_script && bytes == 1 && *at == '7';
    if (place == HEADER_AT && *is_reserve && bytes == HEADER_BYTES) memset(at + DEADLINE_AT, 0, 8);
    at += bytes;
  }
  return at + 2;
}

// What the script says of its one operation begins with HELD.
static void check(const redisReply *reply) {
  bool held = reply->type == REDIS_REPLY_ARRAY && reply->elements == 4 &&
              reply->element[3]->type == REDIS_REPLY_STRING && reply->element[3]->str[0] == 1;
  if (held) return;
  fprintf(stderr, "a reserve was not held: %s\n", reply->type == REDIS_REPLY_ERROR ? reply->str : "");
  exit(1);
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: direct SOCKET|PORT RECORDING\n");
    return 64;
  }
  bool is_path = arguments[1][0] == '/';
  redisContext *redis = is_path ? redisConnectUnix(arguments[1])
                                : redisConnect("127.0.0.1", atoi(arguments[1]));
  if (redis == NULL || redis->err != 0) die("Redis");
  size_t bytes;
  char *at = whole_file(arguments[2], &bytes), *end = at + bytes, *next;
  bool is_reserve;
  long calls = 0, reserves = 0;
  for (char *scan = at; scan < end && (next = command_end(scan, end, &is_reserve)); scan = next)
    reserves += is_reserve;
  long warm_up = reserves / 11;
  for (; at < end && (next = command_end(at, end, &is_reserve)); at = next) {
    uint64_t began = now_ns();
    redisReply *reply = NULL;
    redisAppendFormattedCommand(redis, at, (size_t)(next - at));
    if (redisGetReply(redis, (void **)&reply) != REDIS_OK) die(redis->errstr);
    uint64_t took = now_ns() - began;
    if (is_reserve) check(reply);
    if (is_reserve && calls++ >= warm_up) histogram_add(&times, took);
    freeReplyObject(reply);
  }
  printf("{\"p50_us\": %.2f, \"p99_us\": %.2f, \"calls\": %ld}\n", histogram_us(&times, 0.5),
         histogram_us(&times, 0.99), calls - warm_up);
  return 0;
}
