/* libhiredis: commands with bytes, a pipeline, RESP's types. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisReply *ask(redisContext *c, int type, const char *format, const char *bytes, size_t length) {
    redisReply *reply = redisCommand(c, format, bytes, length);
    if (reply == NULL || reply->type != type) {
        fprintf(stderr, "%s: %s\n", format, reply == NULL ? c->errstr : reply->str);
        exit(1);
    }
    return reply;
}

int main(int argc, char **argv) {
    redisContext *c = redisConnect("127.0.0.1", argc > 1 ? atoi(argv[1]) : 6379);
    if (c == NULL || c->err) return 1;
    ask(c, REDIS_REPLY_STATUS, "SET k %b", "\xff\0", 2);
    redisReply *value = ask(c, REDIS_REPLY_STRING, "GET k", NULL, 0);
    if (value->len != 2 || memcmp(value->str, "\xff\0", 2) != 0) return 2;
    ask(c, REDIS_REPLY_NIL, "GET none", NULL, 0);
    ask(c, REDIS_REPLY_ERROR, "INCR k", NULL, 0);
    ask(c, REDIS_REPLY_INTEGER, "RPUSH list a b c", NULL, 0);
    if (ask(c, REDIS_REPLY_ARRAY, "LRANGE list 0 -1", NULL, 0)->elements != 3) return 3;
    for (int i = 0; i < 1000; i++) redisAppendCommand(c, "INCR n");
    for (int i = 1; i <= 1000; i++) {
        redisReply *reply;
        if (redisGetReply(c, (void **)&reply) != REDIS_OK || reply->integer != i) return 4;
        freeReplyObject(reply);
    }
    redisFree(c);
    return 0;
}
