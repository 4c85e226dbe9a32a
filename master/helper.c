/*
 * helper.c - a process that is forked at boot and takes orders until the end
 *
 * Owns the hello and the way of an order. Must never wait for a helper that
 * hangs.
 */
#include "master/helper.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/text.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO_MS 10000 /* confinement takes a millisecond */
#define ORDER_MS 5000  /* the longest that the master waits for it to listen */

/* the first packet, from the helper */
struct hello {
    int32_t err; /* enum err */
    char text[256];
};

/* hear - wait until the child is confined, or says why it is not */
static enum err
hear(const char *name, int control, struct why *why)
{
    struct pollfd item = { .fd = control, .events = POLLIN };
    int64_t deadline = clock_deadline(HELLO_MS);
    struct hello packet;
    size_t len = sizeof(packet);
    enum err err;
    int n;

    do {
        n = poll(&item, 1, clock_left(deadline));
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return why_set(why, ERR_SYS, "the %s does not come up", name);
    err = fdio_recv(control, &packet, &len, NULL, NULL, MSG_DONTWAIT, why);
    if (err != ERR_OK || len != sizeof(packet))
        return why_set(why, ERR_SYS, "the %s died while it came up", name);
    packet.text[sizeof(packet.text) - 1] = '\0';
    if (packet.err != ERR_OK)
        return why_set(why, packet.err == ERR_PRIV ? ERR_PRIV : ERR_SYS,
                       "%s: %s", name, packet.text);
    return ERR_OK;
}

/* patience - no order may block the master for ever */
static enum err
patience(const char *name, int control, struct why *why)
{
    struct timeval limit = { .tv_sec = ORDER_MS / 1000 };

    if (setsockopt(control, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) !=
        0)
        return why_errno(why, ERR_SYS, "%s: SO_SNDTIMEO", name);
    return ERR_OK;
}

enum err
helper_start(const char *name, void (*run)(const void *setup, int control),
             const void *setup, pid_t *pid, int *control, struct why *why)
{
    int pair[2];
    enum err err;

    *pid = 0;
    *control = -1;
    if ((err = fdio_pair(pair, why)) != ERR_OK)
        return err;
    if ((*pid = fork()) == 0) {
        run(setup, pair[1]);
        _exit(EXIT_OK);
    }
    fdio_close(&pair[1]);
    if (*pid < 0)
        err = why_errno(why, ERR_SYS, "fork");
    if (err == ERR_OK)
        err = patience(name, pair[0], why);
    if (err == ERR_OK)
        err = hear(name, pair[0], why);
    if (err == ERR_OK) {
        *control = pair[0];
        return ERR_OK;
    }
    fdio_close(&pair[0]);
    if (*pid > 0) {
        (void)kill(*pid, SIGKILL);
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    *pid = 0;
    return err;
}

void
helper_hello(int control, enum err err, const struct why *why)
{
    struct hello hello;

    memset(&hello, 0, sizeof(hello));
    hello.err = (int32_t)err;
    (void)text_copy(hello.text, why->text, sizeof(hello.text));
    if (fdio_send(control, &hello, sizeof(hello), -1, 0, NULL) != ERR_OK &&
        err == ERR_OK)
        err = ERR_SYS;
    if (err != ERR_OK)
        _exit(err_exit(err));
}

enum err
helper_order(const char *name, int control, const void *packet, size_t len,
             const int *fds, size_t count, struct why *why)
{
    struct why said;
    enum err err;

    if (control < 0)
        return why_set(why, ERR_EOF, "the %s is gone", name);
    err = fdio_send_all(control, packet, len, fds, count, 0, &said);
    if (err == ERR_OK)
        return ERR_OK;
    if (err == ERR_EOF)
        return why_set(why, ERR_EOF, "the %s is gone", name);
    if (err == ERR_AGAIN)
        return why_set(why, ERR_SYS, "the %s takes no orders", name);
    return why_set(why, ERR_SYS, "the %s: %s", name, said.text);
}
