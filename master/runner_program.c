/*
 * runner_program.c - the processes that a runner has started
 *
 * Owns fork, wait and kill of programs, and what becomes of their 2. Must never
 * wait for a program, and never signal a process group that may be another's:
 * its leader is reaped after the last signal.
 */
#include "master/runner_program.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "master/runner_child.h"
#include "master/runner_lines.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASKED_MS  1000  /* from SIGTERM to SIGKILL */
#define READ_MAX  16384 /* of a program's 2 at a time */
#define WINDOW_MS 100   /* in this time */
#define WINDOW    65536 /* no more is read of it: it waits */

enum state { STARTING, RUNNING, LEFT, ASKED, KILLED };

struct program {
    struct runner_watch starting, errors;
    enum state state;
    pid_t pid;
    int socket;               /* the worker's end, until it has it */
    struct runner_pair *pair; /* NULL: its session is over */
    struct runner_table *table;
    int64_t due;   /* of LEFT and ASKED; CLOCK_NEVER */
    int64_t since; /* the window began */
    size_t read;   /* in this window */
    int64_t again; /* errors are looked at again; CLOCK_NEVER: not paused */
    struct runner_lines lines;
    char client[64];
    struct program *next, *prev;
};

static struct program *programs;
static struct program *ended;          /* to be freed, linked by next */
static int64_t next_due = CLOCK_NEVER; /* at the earliest */

static void
due_at(int64_t *when, int64_t time)
{
    *when = time;
    if (time < next_due)
        next_due = time;
}

/* --- lines ---------------------------------------------------------------- */

static void
begin_line(const struct program *program, struct log_line *line,
           enum log_level level, const char *event)
{
    log_begin(line, level, event);
    log_text(line, "service", program->table->name);
    log_text(line, "client", program->client);
    log_int(line, "pid", program->pid);
}

/* for runner_lines */
static void
say(void *ctx, const char *text, size_t len, unsigned long lost)
{
    struct log_line line;

    begin_line(ctx, &line, LOG_L_INFO, "program");
    if (text != NULL)
        log_bytes(&line, "text", text, len);
    if (lost > 0)
        log_int(&line, "left_out", (long long)lost);
    log_send(&line);
}

/* read_errors - a piece; false: nothing now, or the end */
static bool
read_errors(struct program *program, int64_t now)
{
    char bytes[READ_MAX];
    ssize_t n = read(program->errors.fd, bytes, sizeof(bytes));

    if (n > 0) {
        runner_lines_feed(&program->lines, bytes, (size_t)n, now, say, program);
        program->read += (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        runner_watch_end(&program->errors);
    return n > 0;
}

void
program_errors(struct program *program, int64_t now)
{
    if (program->errors.fd < 0 || program->again != CLOCK_NEVER)
        return;
    if (now - program->since >= WINDOW_MS) {
        program->since = now;
        program->read = 0;
    }
    (void)read_errors(program, now);
    if (program->read < WINDOW || program->errors.fd < 0)
        return;
    runner_watch_pause(&program->errors, true);
    due_at(&program->again, program->since + WINDOW_MS);
}

/* last_errors - of one that has ended: what is in the pipe, not what others
 * still write to it */
static void
last_errors(struct program *program, int64_t now)
{
    program->read = 0;
    while (program->errors.fd >= 0 && program->read < WINDOW &&
           read_errors(program, now))
        continue;
    runner_watch_end(&program->errors);
    runner_lines_end(&program->lines, now, say, program);
}

/* --- starting ------------------------------------------------------------- */

/* what a program and we have between us: [0] ours */
struct pipes {
    int socket[2], errors[2], fault[2];
};

static void
pipes_close(struct pipes *pipes, int end)
{
    fdio_close(&pipes->socket[end]);
    fdio_close(&pipes->errors[end]);
    fdio_close(&pipes->fault[end]);
}

static bool
pipes_open(struct pipes *pipes)
{
    memset(pipes, -1, sizeof(*pipes));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipes->socket) ==
            0 &&
        pipe2(pipes->errors, O_CLOEXEC) == 0 &&
        pipe2(pipes->fault, O_CLOEXEC) == 0 &&
        fdio_nonblock(pipes->errors[0], NULL) == ERR_OK &&
        fdio_nonblock(pipes->fault[0], NULL) == ERR_OK)
        return true;
    pipes_close(pipes, 0);
    pipes_close(pipes, 1);
    return false;
}

/* set_client - as other lines of the log have it */
static void
set_client(struct program *program, const struct runwire_request *run)
{
    size_t ip_len, port_len;
    const char *ip = runwire_get(run, RUNWIRE_REMOTE_IP, &ip_len);
    const char *port = runwire_get(run, RUNWIRE_REMOTE_PORT, &port_len);
    bool v6 = memchr(ip, ':', ip_len) != NULL;

    (void)snprintf(program->client, sizeof(program->client),
                   ip_len > 0 ? "%s%.*s%s%s%.*s" : "unix", v6 ? "[" : "",
                   (int)ip_len, ip, v6 ? "]" : "", port_len > 0 ? ":" : "",
                   (int)port_len, port);
}

/* spawn - the pid, -1 and errno */
static pid_t
spawn(const struct runner_table *table, const struct runwire_request *run,
      const struct pipes *pipes)
{
    static struct runner_env env;
    struct runner_child child = {
        .table = table,
        .env = &env,
        .socket = pipes->socket[1],
        .errors = pipes->errors[1],
        .fault = pipes->fault[1],
    };
    pid_t pid;

    runner_env_make(table->name, run, &env);
    if ((pid = fork()) == 0)
        runner_child_run(&child);
    return pid;
}

static void
enlist(struct program *program, struct runner_pair *pair)
{
    program->pair = pair;
    program->table = pair->table;
    program->table->users++;
    program->table->running++;
    program->due = program->again = CLOCK_NEVER;
    program->next = programs;
    if (programs != NULL)
        programs->prev = program;
    programs = program;
}

/* watch - both pipes; without one nobody would learn of its end: then the
 * child sees its socket close, and is killed when that is not enough */
static void
watch(struct program *program, struct pipes *pipes)
{
    program->socket = pipes->socket[0];
    if (!runner_watch_start(&program->starting, RUNNER_STARTING,
                            pipes->fault[0], program) ||
        !runner_watch_start(&program->errors, RUNNER_ERRORS, pipes->errors[0],
                            program))
        due_at(&program->due, 0);
}

struct program *
program_start(struct runner_pair *pair, const struct runwire_request *run,
              enum runwire_step *step)
{
    struct program *program;
    struct pipes pipes;

    *step = RUNWIRE_TOO_MANY;
    errno = EAGAIN;
    if (pair->table->running >= pair->table->most)
        return NULL;
    *step = RUNWIRE_PROCESS;
    if ((program = calloc(1, sizeof(*program))) == NULL)
        return NULL;
    program->starting.fd = program->errors.fd = program->socket = -1;
    set_client(program, run);
    if (!pipes_open(&pipes)) {
        free(program);
        return NULL;
    }
    program->pid = spawn(pair->table, run, &pipes);
    pipes_close(&pipes, 1);
    if (program->pid < 0) {
        pipes_close(&pipes, 0);
        free(program);
        return NULL;
    }
    enlist(program, pair);
    watch(program, &pipes);
    return program;
}

/* failed - there is no program, only the child that could not become one */
static void
failed(struct program *program, const struct runner_fault *fault, int64_t now)
{
    struct runner_pair *pair = program->pair;

    program->pair = NULL;
    if (pair != NULL)
        runner_pair_tell(pair, RUNWIRE_FAILED, (enum runwire_step)fault->step,
                         fault->error, -1, now);
}

void
program_started(struct program *program, int64_t now)
{
    struct runner_fault fault;
    ssize_t n;

    if (program->starting.fd < 0)
        return;
    n = read(program->starting.fd, &fault, sizeof(fault));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    runner_watch_end(&program->starting);
    if (program->state == STARTING)
        program->state = RUNNING;
    if (n == (ssize_t)sizeof(fault))
        failed(program, &fault, now);
    else if (program->pair != NULL)
        runner_pair_tell(program->pair, RUNWIRE_STARTED, RUNWIRE_EXEC, 0,
                         program->socket, now);
    fdio_close(&program->socket);
}

/* --- ending --------------------------------------------------------------- */

void
program_leave(struct program *program, int64_t now)
{
    program->pair = NULL;
    program->state = LEFT;
    fdio_close(&program->socket);
    due_at(&program->due, now + program->table->kill_ms);
}

/* hit - its group; it may not lead one yet */
static void
hit(const struct program *program, int number)
{
    if (kill(-program->pid, number) != 0)
        (void)kill(program->pid, number);
}

static void
say_killed(const struct program *program)
{
    struct log_line line;

    begin_line(program, &line, LOG_L_WARN, "program_killed");
    log_text(&line, "reason", "its session is over, and SIGTERM did not help");
    log_send(&line);
}

/* push - the next step towards its end */
static void
push(struct program *program, int64_t now)
{
    if (program->state == ASKED) {
        say_killed(program);
        hit(program, SIGKILL);
        program->state = KILLED;
        program->due = CLOCK_NEVER;
        return;
    }
    hit(program, SIGTERM);
    program->state = ASKED;
    due_at(&program->due, now + ASKED_MS);
}

/* gone - it has been reaped */
static void
gone(struct program *program, int status, int64_t now)
{
    program_started(program, now);
    last_errors(program, now);
    if (program->pair != NULL)
        runner_pair_tell(program->pair, RUNWIRE_ENDED, RUNWIRE_EXEC, status, -1,
                         now);
    runner_watch_end(&program->starting);
    fdio_close(&program->socket);
    program->table->running--;
    program->table->users--;
    if (program->prev != NULL)
        program->prev->next = program->next;
    else
        programs = program->next;
    if (program->next != NULL)
        program->next->prev = program->prev;
    program->next = ended;
    ended = program;
}

static struct program *
find(pid_t pid)
{
    struct program *program = programs;

    while (program != NULL && program->pid != pid)
        program = program->next;
    return program;
}

void
programs_reap(int64_t now)
{
    struct program *program;
    siginfo_t info;
    int status;

    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == 0)
            return;
        program = find(info.si_pid);
        if (program != NULL && program->state >= ASKED)
            hit(program, SIGKILL);
        if (waitpid(info.si_pid, &status, WNOHANG) == info.si_pid &&
            program != NULL)
            gone(program, status, now);
    }
}

/* tend - one; the next time */
static int64_t
tend(struct program *program, int64_t now)
{
    if (program->again <= now) {
        program->again = CLOCK_NEVER;
        runner_watch_pause(&program->errors, false);
    }
    if (program->due <= now)
        push(program, now);
    return program->again < program->due ? program->again : program->due;
}

int64_t
programs_tend(int64_t now)
{
    int64_t next = CLOCK_NEVER, one;

    if (now < next_due)
        return next_due;
    for (struct program *program = programs; program != NULL;
         program = program->next)
        if ((one = tend(program, now)) < next)
            next = one;
    next_due = next;
    return next;
}

void
programs_end(int64_t now)
{
    for (struct program *program = programs; program != NULL;
         program = program->next)
        if (program->state < ASKED)
            due_at(&program->due, now);
}

bool
programs_any(void)
{
    for (const struct program *program = programs; program != NULL;
         program = program->next)
        if (program->state != KILLED)
            return true;
    return false;
}

void
programs_sweep(void)
{
    struct program *one;

    while ((one = ended) != NULL) {
        ended = one->next;
        free(one);
    }
}
