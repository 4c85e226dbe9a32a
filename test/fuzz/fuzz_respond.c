/* fuzz_respond.c - any bytes as a request head: no crash, and one well-formed
 * answer or none */
#include "test/fuzz/must.h"
#include "worker/respond.h"
#include "worker/stream.h"
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* check - is text one answer with this body? */
static void
check(const char *text, size_t len, enum reason reason)
{
    const char *end;

    must(len > 13 && memcmp(text, "HTTP/1.1 ", 9) == 0);
    must((end = strstr(text, "\r\n\r\n")) != NULL);
    must(strstr(text + 1, "HTTP/1.1 ") == NULL); /* once */
    must(strstr(text, "\r\nDate: ") != NULL &&
         strstr(text, "\r\nConnection: close\r\n") != NULL);
    if (reason == REASON_RESPONDED)
        must(
            memcmp(text + 9, "200 OK\r\n", 8) == 0 &&
            (strcmp(end, "\r\n\r\nbody") == 0 || strcmp(end, "\r\n\r\n") == 0));
    else
        must(reason == REASON_BAD_REQUEST && strchr("45", text[9]) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stream client;
    static char text[4096];
    enum reason reason;
    uint64_t in, out;
    ssize_t n;
    int pair[2];

    if (size > 32768)
        return -1;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    must(send(pair[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         (ssize_t)size);
    must(shutdown(pair[1], SHUT_WR) == 0);
    stream_init(&client, pair[0], NULL, NULL);
    reason = respond_run(&client, 200, "body", 1000, &in, &out);
    if ((n = recv(pair[1], text, sizeof(text) - 1, MSG_DONTWAIT)) < 0)
        n = 0; /* nothing was said, and the connection stands */
    must(out == (uint64_t)n && in <= size && in <= 16384);
    text[n] = '\0';
    if (size == 0)
        must(reason == REASON_CLIENT_EOF && n == 0);
    else
        check(text, (size_t)n, reason);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
