/* program.h - get a program for a client from the runner */
#ifndef WORKER_PROGRAM_H
#define WORKER_PROGRAM_H
#include "common/err.h"
#include "common/reason.h"
#include <stdbool.h>
#include <stdint.h>

struct conf_service;
struct session;

struct program_client { /* who it is for */
    int fd;             /* watched while waiting; its local address is told */
    const struct session *session; /* NULL: a plain listener */
    const char *host;              /* the address; with port 0 a unix socket */
    uint16_t port;
};

struct program {
    bool open; /* the runner believes that our session goes on */
    uint32_t seq;
    bool ended; /* status is waitpid(2)'s */
    int status;
};

/*
 * program_open - ask (runwire.h), wait until it runs
 * runner_fd  the worker's pair; borrowed.
 * fd         out: our end of its 0 and 1; the caller closes. -1 else.
 * ERR_OK; ERR_IO (EXEC_FAILED), ERR_TIMEOUT (UPSTREAM_TIMEOUT), ERR_RESET (the
 * client is gone: CLIENT_RESET), ERR_STOP (STOPPED), ERR_EOF (the runner is
 * gone: INTERNAL), ERR_PEER; *reason is the word, why says more.
 * program_close in every case.
 */
enum err program_open(int runner_fd, const struct conf_service *service,
                      const struct program_client *client, int64_t timeout_ms,
                      struct program *out, int *fd, enum reason *reason,
                      struct why *why);

/* program_wait - its stream is over: until it ends too, at most so long, or until
 * SIGTERM. out->ended says whether it has. */
void program_wait(int runner_fd, struct program *program, int64_t ms);

/* program_close - the session is over; one that still runs is ended by the
 * runner. Fine when it is not open. */
void program_close(int runner_fd, struct program *program);
#endif
