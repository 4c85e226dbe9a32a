/*
 * wait.c - where a worker with a connection sleeps
 *
 * Owns SIGTERM's handler and mask in a worker, every ppoll(2) of it, and the
 * look at how long the session may last.
 * Never does anything in the handler but remember; never logs, never exits.
 */
#include "worker/wait.h"
#include "common/clock.h"
#include "common/mem.h"
#include "worker/ground.h"
#include "worker/lifetime.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

/* ppoll(2) hands a pending signal over only when it would sleep: with
 * descriptors that are always ready SIGTERM would never get in. So every so
 * many ready results we look for it ourselves. */
#define LOOK_EVERY 16

static const struct lifetime for_ever = { .until = CLOCK_NEVER };

static MEM_TOUCHED volatile sig_atomic_t term_came;
static MEM_TOUCHED struct lifetime life = { .until = CLOCK_NEVER };
static MEM_TOUCHED bool goodbye;
static MEM_TOUCHED unsigned ready_count;
static MEM_TOUCHED sigset_t wait_mask; /* nothing blocked */
static MEM_TOUCHED void (*on_rest)(void *ctx);
static MEM_TOUCHED void *on_rest_ctx;
static MEM_TOUCHED bool (*is_meant)(void *ctx);
static MEM_TOUCHED void *is_meant_ctx;

static void
on_term(int number)
{
    (void)number;
    term_came = 1;
}

static int
handle(int number, void (*what)(int))
{
    struct sigaction action = { .sa_handler = what };

    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL);
}

enum err
wait_init(struct why *why)
{
    static const int deaf[] = { SIGPIPE, SIGHUP, SIGINT, SIGUSR1 };
    sigset_t blocked;

    term_came = 0;
    wait_life(NULL);
    ready_count = 0;
    sigemptyset(&wait_mask);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    if (handle(SIGTERM, on_term) != 0)
        return why_errno(why, ERR_SYS, "sigaction");
    for (size_t i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
        if (handle(deaf[i], SIG_IGN) != 0)
            return why_errno(why, ERR_SYS, "sigaction");
    if (sigprocmask(SIG_SETMASK, &blocked, NULL) != 0)
        return why_errno(why, ERR_SYS, "sigprocmask");
    return ERR_OK;
}

const void *
wait_idle_mask(void)
{
    return &wait_mask;
}

void
wait_meant(bool (*meant)(void *ctx), void *ctx)
{
    is_meant = meant;
    is_meant_ctx = ctx;
}

/* came - asked anew each time: the next session may begin before we look */
static bool
came(void)
{
    if (term_came && is_meant != NULL && !is_meant(is_meant_ctx))
        term_came = 0;
    return term_came != 0;
}

void
wait_life(const struct lifetime *begins)
{
    life = begins != NULL ? *begins : for_ever;
    goodbye = false;
}

enum reason
wait_life_over(void)
{
    if (life.until == CLOCK_NEVER && life.not_after == 0)
        return REASON_NONE;
    return lifetime_over(&life, clock_ms(), time(NULL));
}

/* wait_until - the deadline, or when the session's life has to be looked at */
static int64_t
wait_until(int64_t deadline)
{
    if (goodbye || (life.until == CLOCK_NEVER && life.not_after == 0))
        return deadline;
    return lifetime_next(&life, clock_ms(), time(NULL), deadline);
}

bool
wait_stopped(void)
{
    sigset_t pending;

    if (!term_came && sigpending(&pending) == 0 &&
        sigismember(&pending, SIGTERM) == 1)
        term_came = 1;
    return came() || wait_life_over() != REASON_NONE;
}

void
wait_goodbye(void)
{
    goodbye = true;
}

void
wait_on_rest(void (*rest)(void *ctx), void *ctx)
{
    on_rest = rest;
    on_rest_ctx = ctx;
}

/* sleep_for - ppoll(2) with SIGTERM let in, ms < 0: for ever. Whoever waits for
 * longer than a moment gives back what the work before has touched. */
static int
sleep_for(struct pollfd *items, size_t count, int ms)
{
    struct timespec moment = { .tv_nsec = WAIT_MOMENT_MS * 1000000L }, left;
    int n;

    if (ms < 0 || ms > WAIT_MOMENT_MS) {
        n = ppoll(items, (nfds_t)count, &moment, &wait_mask);
        if (n != 0)
            return n;
        if (on_rest != NULL)
            on_rest(on_rest_ctx);
        ground_rest();
        ms -= ms < 0 ? 0 : WAIT_MOMENT_MS;
    }
    left.tv_sec = ms / 1000;
    left.tv_nsec = (long)(ms % 1000) * 1000000L;
    return ppoll(items, (nfds_t)count, ms < 0 ? NULL : &left, &wait_mask);
}

/* stop_now - must this wait end because the session must? */
static bool
stop_now(bool look)
{
    if (goodbye)
        return false;
    return look ? wait_stopped() : came() || wait_life_over() != REASON_NONE;
}

enum err
wait_for(struct pollfd *items, size_t count, int64_t deadline)
{
    int n;

    for (;;) {
        if (stop_now(false))
            return ERR_STOP;
        n = sleep_for(items, count, clock_left(wait_until(deadline)));
        if (n > 0)
            return stop_now(++ready_count % LOOK_EVERY == 0) ? ERR_STOP
                                                             : ERR_OK;
        if (n < 0 && errno != EINTR)
            return ERR_SYS;
        /* a deadline beyond what poll(2) can take in one go is not over yet */
        if (n == 0 && clock_left(deadline) == 0)
            return ERR_TIMEOUT;
    }
}

enum err
wait_beside(int fd, short events, int client_fd, int64_t deadline)
{
    struct pollfd items[2] = {
        { .fd = fd, .events = events },
        { .fd = client_fd, .events = 0 }, /* hang-up and error are reported */
    };
    enum err err = wait_for(items, 2, deadline);

    if (err == ERR_OK &&
        (items[1].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
        return ERR_RESET;
    return err;
}
