/* What a session can do, through hiredis: argv is the port. */
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks = 0;

static void check(int good, const char *what) {
  checks++;
  if (good) return;
  fprintf(stderr, "not so: %s\n", what);
  exit(1);
}

static redisContext *open_context(int port) {
  redisContext *c = redisConnect("127.0.0.1", port);
  check(c != NULL && c->err == 0, "a connection");
  return c;
}

/* Runs a command whose reply is of that type and, unless text is NULL, has that text. */
static void same(redisContext *c, int type, const char *text, const char *format, ...) {
  va_list args;
  va_start(args, format);
  redisReply *reply = redisvCommand(c, format, args);
  va_end(args);
  check(reply != NULL && reply->type == type, format);
  if (text != NULL) check(strcmp(reply->str, text) == 0, format);
  freeReplyObject(reply);
}

static void number(redisContext *c, long long wanted, const char *format) {
  redisReply *reply = redisCommand(c, format);
  check(reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer == wanted, format);
  freeReplyObject(reply);
}

static void transactions(redisContext *c, redisContext *other) {
  same(c, REDIS_REPLY_STATUS, "OK", "SET a 1");
  same(c, REDIS_REPLY_STATUS, "OK", "WATCH a");
  same(c, REDIS_REPLY_STATUS, "OK", "MULTI");
  same(c, REDIS_REPLY_STATUS, "QUEUED", "INCR a");
  same(c, REDIS_REPLY_STATUS, "QUEUED", "LPUSH a x");
  redisReply *reply = redisCommand(c, "EXEC");
  check(reply->type == REDIS_REPLY_ARRAY && reply->elements == 2, "EXEC");
  check(reply->element[0]->integer == 2 && reply->element[1]->type == REDIS_REPLY_ERROR, "its replies");
  freeReplyObject(reply);
  same(c, REDIS_REPLY_STATUS, "OK", "WATCH a");
  same(other, REDIS_REPLY_STATUS, "OK", "SET a 5");
  same(c, REDIS_REPLY_STATUS, "OK", "MULTI");
  same(c, REDIS_REPLY_STATUS, "QUEUED", "INCR a");
  same(c, REDIS_REPLY_NIL, NULL, "EXEC");
}

static void pipelines(redisContext *c) {
  redisReply *reply;
  for (int i = 0; i < 10000; i++) redisAppendCommand(c, "INCR counter");
  for (int i = 1; i <= 10000; i++) {
    check(redisGetReply(c, (void **)&reply) == REDIS_OK && reply->integer == i, "a pipelined INCR");
    freeReplyObject(reply);
  }
  char binary[256];
  for (int i = 0; i < 256; i++) binary[i] = (char)i;
  same(c, REDIS_REPLY_STATUS, "OK", "SET %b %b", binary, sizeof binary, binary, sizeof binary);
  reply = redisCommand(c, "GET %b", binary, sizeof binary);
  check(reply->len == sizeof binary && memcmp(reply->str, binary, sizeof binary) == 0, "all byte values");
  freeReplyObject(reply);
}

static void blocking(redisContext *c, redisContext *other) {
  redisReply *reply;
  redisAppendCommand(c, "BLPOP list other 5");
  int done = 0;
  while (!done) check(redisBufferWrite(c, &done) == REDIS_OK, "a write");
  number(other, 1, "RPUSH list value");
  check(redisGetReply(c, (void **)&reply) == REDIS_OK && reply->elements == 2, "BLPOP");
  check(strcmp(reply->element[1]->str, "value") == 0, "its value");
  freeReplyObject(reply);
  same(c, REDIS_REPLY_NIL, NULL, "BLPOP list 0.05");
}

static void messages(redisContext *c, redisContext *other) {
  redisReply *reply = redisCommand(c, "SUBSCRIBE channel");
  check(reply->elements == 3 && reply->element[2]->integer == 1, "SUBSCRIBE");
  freeReplyObject(reply);
  same(c, REDIS_REPLY_ERROR, NULL, "GET a");
  number(other, 1, "PUBLISH channel hello");
  check(redisGetReply(c, (void **)&reply) == REDIS_OK && strcmp(reply->element[2]->str, "hello") == 0, "a message");
  freeReplyObject(reply);
  reply = redisCommand(c, "UNSUBSCRIBE");
  check(reply->element[2]->integer == 0, "UNSUBSCRIBE");
  freeReplyObject(reply);
}

static void users(redisContext *c, redisContext *other) {
  same(c, REDIS_REPLY_STATUS, "OK", "ACL SETUSER bob on >secret ~b* +get");
  same(other, REDIS_REPLY_ERROR, "WRONGPASS invalid username-password pair or user is disabled.", "AUTH bob no");
  same(other, REDIS_REPLY_STATUS, "OK", "AUTH bob secret");
  same(other, REDIS_REPLY_NIL, NULL, "GET b");
  same(other, REDIS_REPLY_ERROR, NULL, "GET a");
  same(other, REDIS_REPLY_ERROR, NULL, "SET b 1");
  number(c, 1, "ACL DELUSER bob");
  check(redisCommand(other, "GET b") == NULL, "the end of a user's connections");
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 6379;
  redisContext *c = open_context(port);
  redisContext *other = open_context(port);
  same(c, REDIS_REPLY_STATUS, "OK", "FLUSHALL");
  transactions(c, other);
  pipelines(c);
  blocking(c, other);
  messages(c, other);
  users(c, other);
  redisFree(c);
  redisFree(other);
  printf("hiredis %d.%d.%d: %d checks\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH, checks);
  return 0;
}
