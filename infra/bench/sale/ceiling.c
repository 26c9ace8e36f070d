// Redis's own limit: stockd's script, in batches of one size, driven by hiredis with nothing in between.
//
//   ceiling port=N recording=FILE batch=N [flights=1] [seconds=4] [watch=PID]
//
// The recording holds what stockd said to an empty Redis (record.py), and among it a script with one
// reserve.  Every batch is made of that command: so many holds of other names, so many copies of its
// operation, all in one argument.  `flights` batches are out at a time.  Counted as in load.c.
#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "../rpc/measure.h"

enum { ARGUMENTS_MAX = 4096, FIXED_KEYS = 4, HEADER = 6, PLACE_AT = 3, HOLD_KEY = 37 };
enum { KEYS_AT = 3, HOLD_AT = KEYS_AT + FIXED_KEYS, HEADER_AT = HOLD_AT + 3 };
enum { TEMPLATE = HEADER_AT + HEADER + 2 }; // arguments of a script with one reserve
enum { SEQUENCE_AT = HEADER_AT + 3, DEADLINE_AT = 17 };

typedef struct {
  size_t count, bytes[ARGUMENTS_MAX];
  const char *at[ARGUMENTS_MAX];
} command;

static struct {
  int port, batch, flights;
  double seconds;
  pid_t watched;
  const char *recording;
} load = {.flights = 1, .seconds = 4};
static uint64_t run, holds;
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

// Reads one command; false at the end of what was recorded.
static bool read_command(char **at, const char *end, command *into) {
  if (*at >= end || **at != '*') return false;
  into->count = (size_t)strtol(*at + 1, at, 10);
  if (into->count > ARGUMENTS_MAX) return false;
  for (size_t place = 0; place < into->count; place++) {
    *at += 2;
    if (*at >= end || **at != '$') return false;
    into->bytes[place] = (size_t)strtol(*at + 1, at, 10);
    *at += 2;
    into->at[place] = *at;
    *at += into->bytes[place];
    if (*at >= end) return false;
  }
  *at += 2;
  return true;
}

static bool is(const command *said, size_t place, const char *text) {
  return place < said->count && said->bytes[place] == strlen(text) &&
         !memcmp(said->at[place], text, strlen(text));
}

// EVALSHA sha 7 | fence events expiry skus | hold | stock sku | header source writer sequence opening
// answered | operations, deadlines.  The sequence rises with each; there is no deadline.
static void send_batch(redisContext *redis, const command *one) {
  static command many;
  static char hold_names[ARGUMENTS_MAX][HOLD_KEY + 1], header[64], key_count[16], sequence[24];
  static unsigned long long sequences;
  if (sequences == 0) sequences = run / 1000; // above those of every run before
  static char operations[512 * 1024];
  size_t batch = (size_t)load.batch, hold_bytes = one->bytes[HOLD_AT];
  size_t operation_at = TEMPLATE - 2;
  many.count = 0;
#define PUT(text, length) (many.at[many.count] = (text), many.bytes[many.count++] = (length))
  PUT(one->at[0], one->bytes[0]);
  PUT(one->at[1], one->bytes[1]);
  PUT(key_count, (size_t)snprintf(key_count, sizeof key_count, "%zu", FIXED_KEYS + batch + 2));
  for (size_t place = KEYS_AT; place < HOLD_AT; place++) PUT(one->at[place], one->bytes[place]);
  for (size_t hold = 0; hold < batch; hold++) {
    memcpy(hold_names[hold], one->at[HOLD_AT], hold_bytes);
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%06llu%014llu", (unsigned long long)(run % 1000000),
                          (unsigned long long)++holds);
    memcpy(hold_names[hold] + hold_bytes - (size_t)length, digits, (size_t)length);
    PUT(hold_names[hold], hold_bytes);
  }
  for (size_t place = HOLD_AT + 1; place < HEADER_AT; place++) PUT(one->at[place], one->bytes[place]);
  memcpy(header, one->at[HEADER_AT], one->bytes[HEADER_AT]);
  uint32_t count = (uint32_t)batch;
  memcpy(header, &count, sizeof count);
  memset(header + DEADLINE_AT, 0, 8);
  PUT(header, one->bytes[HEADER_AT]);
  for (size_t place = HEADER_AT + 1; place < operation_at; place++) {
    if (place == SEQUENCE_AT) {
      PUT(sequence, (size_t)snprintf(sequence, sizeof sequence, "%llu", ++sequences));
    } else {
      PUT(one->at[place], one->bytes[place]);
    }
  }
  for (size_t hold = 0; hold < batch; hold++) {
    uint16_t place = (uint16_t)(hold + 1);
    char *operation = operations + hold * one->bytes[operation_at];
    memcpy(operation, one->at[operation_at], one->bytes[operation_at]);
    memcpy(operation + PLACE_AT, &place, sizeof place);
  }
  PUT(operations, batch * one->bytes[operation_at]);
  PUT("", 0);
  redisAppendCommandArgv(redis, (int)many.count, many.at, many.bytes);
}

// now, stream id, members swept, and the heads of all results: two bytes HELD and eight of what is left.
static void check(const redisReply *reply) {
  bool held = reply->type == REDIS_REPLY_ARRAY && reply->elements == 4 &&
              reply->element[3]->len == 10 * (size_t)load.batch;
  for (int place = 0; held && place < load.batch; place++)
    held = reply->element[3]->str[10 * place] == 1 && reply->element[3]->str[10 * place + 1] == 0;
  if (held) return;
  fprintf(stderr, "a reserve was not held: %s\n", reply->type == REDIS_REPLY_ERROR ? reply->str : "");
  exit(1);
}

static void arguments(int count, char **texts) {
  for (int place = 1; place < count; place++) {
    char *value = strchr(texts[place], '=');
    if (!value) value = texts[place];
    *value++ = 0;
    if (!strcmp(texts[place], "port")) load.port = atoi(value);
    else if (!strcmp(texts[place], "batch")) load.batch = atoi(value);
    else if (!strcmp(texts[place], "flights")) load.flights = atoi(value);
    else if (!strcmp(texts[place], "seconds")) load.seconds = atof(value);
    else if (!strcmp(texts[place], "watch")) load.watched = (pid_t)atol(value);
    else if (!strcmp(texts[place], "recording")) load.recording = value;
    else {
      fprintf(stderr, "unknown: %s; see the head of ceiling.c\n", texts[place]);
      exit(64);
    }
  }
  if (load.batch >= 1 && load.batch <= 1024) return;
  fprintf(stderr, "batch: 1-1024\n");
  exit(64);
}

int main(int count, char **texts) {
  arguments(count, texts);
  run = now_ns();
  redisContext *redis = redisConnect("127.0.0.1", load.port);
  if (redis == NULL || redis->err != 0) die("Redis");
  size_t bytes;
  char *at = whole_file(load.recording, &bytes), *end = at + bytes;
  static command said, one;
  while (one.count == 0 && read_command(&at, end, &said)) {
    if (is(&said, 0, "SCRIPT")) {
      redisReply *reply = redisCommandArgv(redis, (int)said.count, said.at, said.bytes);
      if (!reply || reply->type == REDIS_REPLY_ERROR) die("SCRIPT LOAD");
      freeReplyObject(reply);
    }
    bool has_shape = is(&said, 2, "7") && said.count == TEMPLATE && said.bytes[HOLD_AT] <= HOLD_KEY;
    if (has_shape && is(&said, 0, "EVALSHA")) one = said;
  }
  if (one.count == 0) {
    fprintf(stderr, "no script with one reserve was recorded\n");
    return 1;
  }
  uint64_t start = now_ns(), began = start + 1000000000, ends = began + (uint64_t)(load.seconds * 1e9);
  uint64_t sent_at[64], before = 0, done = 0, now;
  bool watching = false;
  size_t sent = 0, answered = 0, flights = (size_t)load.flights;
  while ((now = now_ns()) < ends) {
    if (!watching && now >= began) watching = true, before = load.watched ? cpu_ns(load.watched) : 0;
    while (sent < answered + flights) {
      sent_at[sent++ % 64] = now_ns();
      send_batch(redis, &one);
    }
    redisReply *reply = NULL;
    if (redisGetReply(redis, (void **)&reply) != REDIS_OK) die(redis->errstr);
    check(reply);
    freeReplyObject(reply);
    now = now_ns();
    if (now >= began && now < ends) {
      done += (uint64_t)load.batch;
      histogram_add(&times, now - sent_at[answered % 64]);
    }
    answered++;
  }
  double cpu = load.watched ? (double)(cpu_ns(load.watched) - before) / 1e9 : 0;
  printf("{\"calls\": {\"goodput_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f},"
         " \"watched_cpu_s\": [%.4f]}\n",
         (double)done / load.seconds, histogram_us(&times, 0.5) / 1000, histogram_us(&times, 0.99) / 1000,
         cpu);
  return 0;
}
