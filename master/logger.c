/*
 * logger.c - the process that writes logs, and the only one
 *
 * Owns the logger process from its fork to its end, and the master's door to
 * it.
 * Must never believe a sender: it stamps time and pid itself and renders every
 * record through log_render. Must never end because a target is slow or dead:
 * what is lost is counted, and said when the target takes lines again.
 *
 *   senders --records--> [data]   logger --one write per line--> target
 *   master  --"R"------> [control]        --one byte, 0 or errno--> master
 */
#include "master/logger.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/landlock.h"
#include "common/proctitle.h"
#include "master/filters.h"
#include "master/limits.h"
#include "master/logtarget.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEND_WAIT_MS   100       /* longest wait of a sender */
#define SEND_ROOM      (8 << 20) /* bytes of the kernel's that wait for us */
#define REOPEN_WAIT_MS 5000      /* longest wait of the master */
#define END_WAIT_MS    1000      /* between the ends of data and of control */
#define START_WAIT_MS  5000
#define MOST_FDS       16 /* six, and a moment of reopening */

#define RECORDS_AT_ONCE 16

struct logger {
    struct logtarget target;
    enum log_format format;
    int data, control;
    unsigned long lost; /* lines that the target did not take */
};

/* --- lines -------------------------------------------------------------- */

/* text_of - where the line's own text starts, behind `mtlsd[PID] ` */
static const char *
text_of(const char *line, enum log_format format)
{
    return format == LOG_F_JSON ? line : strchr(line, ' ') + 1;
}

/* as_syslog - <PRI>mtlsd[PID]: TEXT; the syslog daemon puts the time */
static bool
as_syslog(const struct logger *logger, const char *record, size_t len,
          pid_t pid, char *out, size_t size)
{
    static const unsigned severities[] = { 3, 4, 5, 6, 7 };
    char line[LOG_LINE_MAX - 64];

    if (log_render(record, len, logger->format, 0, (int)pid, line,
                   sizeof(line)) != ERR_OK)
        return false;
    snprintf(out, size, "<%u>mtlsd[%d]: %s",
             logger->target.facility * 8 + severities[(size_t)record[0]],
             (int)pid, text_of(line, logger->format));
    return true;
}

static bool
as_line(const struct logger *logger, const char *record, size_t len, pid_t pid,
        char *out, size_t size)
{
    struct timespec now;
    int64_t now_us;

    clock_gettime(CLOCK_REALTIME, &now);
    now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    if (log_render(record, len, logger->format, now_us, (int)pid, out,
                   size - 1) != ERR_OK)
        return false;
    len = strlen(out);
    out[len] = '\n';
    out[len + 1] = '\0';
    return true;
}

/* put_line - render and write; false: it is no record, nothing was written */
static bool
put_line(struct logger *logger, const char *record, size_t len, pid_t pid)
{
    char line[LOG_LINE_MAX];
    bool good = logger->target.kind == LOGTARGET_SYSLOG
                    ? as_syslog(logger, record, len, pid, line, sizeof(line))
                    : as_line(logger, record, len, pid, line, sizeof(line));

    if (good && !logtarget_write(&logger->target, line, strlen(line)))
        logger->lost++;
    return good;
}

/* put_own - a line of the logger's own */
static void
put_own(struct logger *logger, const char *event, const char *key,
        long long number, const char *reason)
{
    struct log_line line;

    log_begin(&line, LOG_L_WARN, event);
    if (key != NULL)
        log_int(&line, key, number);
    log_text(&line, "reason", reason);
    put_line(logger, line.data, line.len, getpid());
}

/* tell_lost - once the target takes lines again, how many it did not take */
static void
tell_lost(struct logger *logger)
{
    unsigned long lost = logger->lost;

    if (lost == 0)
        return;
    logger->lost = 0;
    put_own(logger, "log_lost", "lost", (long long)lost, NULL);
    if (logger->lost > 0)
        logger->lost = lost; /* still dead: this line is not one of them */
}

/* --- the process -------------------------------------------------------- */

/* reopen - 0 or an errno; a failure stands in the old log */
static unsigned char
reopen(struct logger *logger)
{
    struct why why;
    int code;

    if (logtarget_reopen(&logger->target, &why) == ERR_OK)
        return 0;
    code = errno;
    put_own(logger, "log_reopen_failed", NULL, 0, why.text);
    return (unsigned char)(code > 0 && code < 256 ? code : EIO);
}

/* take_control - one packet of the master's */
static void
take_control(struct logger *logger)
{
    char request;
    size_t len = sizeof(request);
    unsigned char answer;
    enum err err = fdio_recv(logger->control, &request, &len, NULL, NULL,
                             MSG_DONTWAIT, NULL);

    if (err == ERR_AGAIN)
        return;
    if (err != ERR_OK || len != 1 || request != 'R') {
        fdio_close(&logger->control);
        return;
    }
    answer = reopen(logger);
    (void)fdio_send(logger->control, &answer, 1, -1, MSG_DONTWAIT, NULL);
}

/* take_record - one packet of a sender's; ERR_AGAIN: none is here; ERR_EOF: all
 * have closed */
static enum err
take_record(struct logger *logger)
{
    char record[LOG_RECORD_MAX];
    size_t len = sizeof(record);
    pid_t pid;
    enum err err =
        fdio_recv(logger->data, record, &len, NULL, &pid, MSG_DONTWAIT, NULL);

    if (err == ERR_AGAIN || err == ERR_EOF)
        return err;
    tell_lost(logger);
    if (err != ERR_OK || !put_line(logger, record, len, pid))
        put_own(logger, "log_bad", "sender", pid, NULL);
    return ERR_OK;
}

/* take_records - what is here, then the master gets its turn; false: all have
 * closed */
static bool
take_records(struct logger *logger)
{
    enum err err = ERR_OK;

    for (int i = 0; err == ERR_OK && i < RECORDS_AT_ONCE; i++)
        err = take_record(logger);
    return err != ERR_EOF;
}

/* control_open - at the end of the data: is the master still there? It closes
 * both ends together; give it a moment */
static bool
control_open(struct logger *logger)
{
    struct pollfd poller = { .fd = logger->control, .events = POLLIN };
    int64_t deadline = clock_deadline(END_WAIT_MS);

    while (logger->control >= 0 && poll(&poller, 1, clock_left(deadline)) > 0)
        take_control(logger);
    return logger->control >= 0;
}

/*
 * serve - until the last sender has closed. Any sender can shut the shared
 * socket down for all of them (shutdown(2)), which looks the same here; only
 * then the master has not closed its control end. That must not pass for an
 * orderly end, or a taken-over sender could switch the log off.
 */
static int
serve(struct logger *logger)
{
    bool more = true;

    while (more) {
        struct pollfd pollers[] = {
            { .fd = logger->data, .events = POLLIN },
            { .fd = logger->control, .events = POLLIN },
        };

        if (poll(pollers, 2, -1) < 0)
            continue; /* EINTR: nothing else can fail here */
        if (pollers[1].revents != 0)
            take_control(logger);
        if (pollers[0].revents != 0)
            more = take_records(logger);
    }
    tell_lost(logger);
    if (!control_open(logger))
        return EXIT_OK;
    put_own(logger, "log_shut", NULL, 0, "a sender shut the log socket down");
    return EXIT_SYS;
}

/* confine - root, then files: from here on only the log's own directory */
static enum err
confine(struct logger *logger, const struct drop_ids *ids, struct why *why)
{
    const struct landlock_dir here = { ".", LANDLOCK_WRITE };
    const struct landlock_extra extra = { 1, 1, 1 };
    const struct limits_bound bound = { .descriptors = MOST_FDS,
                                        .writes = true };
    enum err err = logtarget_settle(&logger->target, why);

    if (err == ERR_OK)
        err = limits_bound(&bound, why);

    if (err == ERR_OK)
        err = drop_now(ids, 0, false, why);
    /* without Landlock the master judges what confine= demands */
    if (err == ERR_OK && landlock_abi() > 0)
        err = landlock_fence(&here, logger->target.kind == LOGTARGET_FILE,
                             extra, why);
    return err == ERR_OK ? filters_enter(FILTERS_LOGGER, why) : err;
}

/* keep_own - no descriptor but ours */
static void
keep_own(const struct logger *logger)
{
    int keep[] = { logger->data, logger->control, logger->target.fd,
                   logger->target.dir };

    fdio_close_except(keep, sizeof(keep) / sizeof(keep[0]));
}

static void
ignore_signals(void)
{
    static const int ignored[] = { SIGHUP,  SIGINT,  SIGTERM, SIGPIPE,
                                   SIGQUIT, SIGUSR1, SIGUSR2 };
    sigset_t none;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

struct hello { /* the child's first word */
    int32_t err;
    struct why why;
};

_Noreturn static void
child(struct logger *logger, const struct drop_ids *ids)
{
    struct hello hello = { .err = ERR_OK };

    ignore_signals();
    proctitle_set("logger");
    log_open(-1, LOG_L_WARN);
    keep_own(logger);
    hello.err = (int32_t)confine(logger, ids, &hello.why);
    (void)fdio_send(logger->control, &hello, sizeof(hello), -1, 0, NULL);
    _exit(hello.err == ERR_OK ? serve(logger) : err_exit((enum err)hello.err));
}

/* --- the master's side -------------------------------------------------- */

static enum err
set_wait(int fd, int option, int ms, struct why *why)
{
    struct timeval wait = { ms / 1000, (ms % 1000) * 1000 };

    if (setsockopt(fd, SOL_SOCKET, option, &wait, sizeof(wait)) != 0)
        return why_errno(why, ERR_SYS, "logger: setsockopt");
    return ERR_OK;
}

/* make_room - for the lines of thousands of sessions that end together: all
 * senders share the one socket. Without the right to more it is what everybody
 * may have, and what finds no room is counted (tell_lost). */
static void
make_room(int fd)
{
    const int room = SEND_ROOM;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

/* make_pairs - [0] is the senders' and master's end, [1] the logger's */
static enum err
make_pairs(int data[2], int control[2], struct why *why)
{
    const int on = 1;
    enum err err = fdio_pair(data, why);

    if (err == ERR_OK)
        err = fdio_pair(control, why);
    if (err == ERR_OK)
        make_room(data[0]);
    if (err == ERR_OK)
        err = set_wait(data[0], SO_SNDTIMEO, SEND_WAIT_MS, why);
    if (err == ERR_OK &&
        setsockopt(data[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0)
        err = why_errno(why, ERR_SYS, "logger: SO_PASSCRED");
    return err;
}

/* hear_hello - did the child get where it should? */
static enum err
hear_hello(int control, pid_t pid, struct why *why)
{
    struct hello hello;
    size_t len = sizeof(hello);
    enum err err = set_wait(control, SO_RCVTIMEO, START_WAIT_MS, why);

    if (err == ERR_OK)
        err = fdio_recv(control, &hello, &len, NULL, NULL, 0, NULL);
    if (err == ERR_OK && len == sizeof(hello) && hello.err == ERR_OK)
        return set_wait(control, SO_RCVTIMEO, REOPEN_WAIT_MS, why);
    if (err == ERR_OK && len == sizeof(hello))
        err = why_set(why, (enum err)hello.err, "%s", hello.why.text);
    else
        err = why_set(why, ERR_SYS, "the logger did not start");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return err;
}

/* fork_logger - with everything open; closes the logger's ends here */
static enum err
fork_logger(struct logger *logger, const struct drop_ids *ids, int control,
            pid_t *pid, struct why *why)
{
    *pid = fork();
    if (*pid < 0)
        return why_errno(why, ERR_SYS, "logger: fork");
    if (*pid == 0)
        child(logger, ids);
    fdio_close(&logger->data);
    fdio_close(&logger->control);
    return hear_hello(control, *pid, why);
}

enum err
logger_start(const char *where, enum log_format format, enum log_level level,
             const struct drop_ids *ids, int *fd, int *control, pid_t *pid,
             struct why *why)
{
    int data[2] = { -1, -1 }, steer[2] = { -1, -1 };
    struct logger logger = { .format = format };
    enum err err = logtarget_open(&logger.target, where, ids, why);

    if (err == ERR_OK)
        err = make_pairs(data, steer, why);
    logger.data = data[1];
    logger.control = steer[1];
    if (err == ERR_OK)
        err = fork_logger(&logger, ids, steer[0], pid, why);
    if (err == ERR_OK) /* where workers have it (spawn.c): they write nothing */
        err = fdio_move(&data[0], FILTERS_SHARED_FD, why);
    logtarget_close(&logger.target);
    if (err != ERR_OK) {
        fdio_close(&data[0]);
        fdio_close(&steer[0]);
        fdio_close(&logger.data);
        fdio_close(&logger.control);
        return err;
    }
    *fd = data[0];
    *control = steer[0];
    log_open(data[0], level);
    return ERR_OK;
}

enum err
logger_reopen(int control, struct why *why)
{
    unsigned char answer;
    size_t len = sizeof(answer);
    enum err err;

    /* an answer that came too late for the last question */
    while (fdio_recv(control, &answer, &len, NULL, NULL, MSG_DONTWAIT, NULL) ==
           ERR_OK)
        len = sizeof(answer);
    err = fdio_send(control, "R", 1, -1, MSG_DONTWAIT, why);
    if (err == ERR_OK)
        err = fdio_recv(control, &answer, &len, NULL, NULL, 0, why);
    if (err == ERR_AGAIN)
        return why_set(why, ERR_TIMEOUT, "the logger does not answer");
    if (err != ERR_OK || len != sizeof(answer))
        return why_set(why, ERR_SYS, "the logger is gone");
    errno = answer;
    if (answer != 0)
        return why_errno(why, ERR_FILE, "cannot reopen the log");
    return ERR_OK;
}
