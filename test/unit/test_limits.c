/*
 * test_limits.c - limits are raised or refused, and a child's are tight
 */
#include "master/limits.h"
#include "test/unit/child.h"
#include "test/unit/keygen.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void
raise_soft(void *arg)
{
    const struct limits_need need = { .descriptors = 200,
                                      .processes = 20,
                                      .locked = 4096 };
    struct rlimit limit = { 64, 1000 };
    unsigned long have;
    struct why why;

    (void)arg;
    child_must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    child_must(limits_raise(&need, &have, &why) == ERR_OK);
    child_must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    child_must(limit.rlim_cur == 200 && limit.rlim_max == 1000);
    child_must(have == 200);
    child_must(getrlimit(RLIMIT_CORE, &limit) == 0);
    child_must(limit.rlim_cur == 0 && limit.rlim_max == 0);
}

static void
too_little(void *arg)
{
    const struct limits_need need = { .descriptors = 2000 };
    const struct limits_need enough = { .descriptors = 100, .wanted = 2000 };
    struct rlimit limit = { 64, 1000 };
    unsigned long have;
    struct why why;

    (void)arg;
    if (geteuid() == 0)
        child_ordinary();
    child_must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    child_must(limits_raise(&need, &have, &why) == ERR_SYS);
    child_must(strstr(why.text, "open files: the limit is 1000") != NULL);
    child_must(strstr(why.text, "LimitNOFILE=2000") != NULL);
    child_must(limits_raise(&enough, &have, &why) == ERR_OK);
    child_must(limits_raise(&enough, &have, &why) ==
               ERR_OK); /* twice is once */
}

static void
soft_limits_are_raised_hard_ones_told(void **state)
{
    (void)state;
    if (keygen_valgrind()) /* it lets nobody lower the hard limit */
        skip();
    assert_true(child_run(raise_soft, NULL));
    assert_true(child_run(too_little, NULL));
}

static void
hear(void *ctx, const char *what, unsigned long is)
{
    if (strcmp(what, "LimitNPROC") == 0)
        *(unsigned long *)ctx = is;
    else
        child_must(what[0] == '/' && is > 0 && is < 100000000);
}

/* more than any kernel can have, then what all have */
static void
short_of_processes(void *arg)
{
    struct rlimit limit = { 77, 77 };
    unsigned long nproc = 0;

    (void)arg;
    child_must(setrlimit(RLIMIT_NPROC, &limit) == 0);
    limits_short(100000000, hear, &nproc);
    child_must(nproc == 77);
    nproc = 0;
    limits_short(77, hear, &nproc);
    child_must(nproc == 0);
}

static void
what_allows_too_few_processes_is_named(void **state)
{
    (void)state;
    if (keygen_valgrind()) /* the same */
        skip();
    assert_true(child_run(short_of_processes, NULL));
}

static void
tight(void *arg)
{
    struct rlimit limit;

    (void)arg;
    if (geteuid() == 0)
        child_ordinary();
    child_must(limits_child(32, false, NULL) == ERR_OK);
    child_must(fork() < 0 && errno == EAGAIN);
    child_must(dup2(0, 32) < 0 && dup2(0, 31) == 31);
    child_must(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
    child_must(getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max == 0);
    /* not mlock(3): sanitizers make it do nothing */
    child_must(syscall(SYS_mlock, &limit, sizeof(limit)) != 0);
    limit = (struct rlimit){ 1, 1 };
    child_must(setrlimit(RLIMIT_NPROC, &limit) != 0);
    child_must(limits_child(64, false, NULL) == ERR_OK); /* never wider again */
    child_must(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 32);
    child_must(limits_child(0, false, NULL) == ERR_OK);
}

/* take - memory until there is no more; MiB */
static size_t
take(bool by_heap)
{
    size_t got = 0;

    while (got < 1024) {
        char *at = by_heap ? malloc(1u << 20)
                           : mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (at == NULL || at == MAP_FAILED)
            break;
        at[got++] = 1;
    }
    return got;
}

static void
exhaust(void *arg)
{
    const bool *by_heap = arg;
    char *held = malloc(40u << 20); /* as a large revocation list is */
    size_t got;

    child_must(held != NULL);
    limits_weigh();
    child_must(limits_child(32, false, NULL) == ERR_OK);
    got = take(*by_heap);
    child_must(got >= 8 && got <= LIMITS_MEMORY >> 20);
    child_must(errno == ENOMEM);
    free(held); /* what has come by inheritance is its own */
    child_must(take(*by_heap) >= 40);
}

/* room - what is asked for on top */
static void
room(void *arg)
{
    const struct limits_bound bound = { .descriptors = 4096,
                                        .memory = 20u << 20 };
    size_t got;

    (void)arg;
    child_must(limits_bound(&bound, NULL) == ERR_OK);
    got = take(false);
    child_must(got >= 32 && got <= 40);
}

static void
memory_is_bounded(void **state)
{
    bool by_heap = true, by_mapping = false;

    (void)state;
#ifdef MTLSD_SANITIZE
    skip();
#endif
    if (keygen_valgrind()) /* the same */
        skip();
    assert_true(child_run(exhaust, &by_heap));
    assert_true(child_run(exhaust, &by_mapping));
    assert_true(child_run(room, NULL));
}

static void
who_forks_and_writes(void *arg)
{
    const struct limits_bound bound = { .forks = true, .writes = true };
    struct rlimit limit = { 100, 200 };
    int status, fd = memfd_create("x", MFD_CLOEXEC);
    pid_t pid;

    (void)arg;
    if (geteuid() == 0)
        child_ordinary();
    child_must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    child_must(limits_bound(&bound, NULL) == ERR_OK);
    child_must(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == 100);
    child_must(write(fd, "x", 1) == 1);
    if ((pid = fork()) == 0)
        _exit(0);
    child_must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static void
some_may_fork_and_write(void **state)
{
    (void)state;
    if (keygen_valgrind()) /* the same */
        skip();
    assert_true(child_run(who_forks_and_writes, NULL));
}

static void
write_file(void *arg)
{
    int fd = memfd_create("x", MFD_CLOEXEC);

    (void)arg;
    signal(SIGXFSZ, SIG_DFL);
    child_must(limits_child(0, false, NULL) == ERR_OK);
    child_must(write(fd, "x", 1) == 1);
}

static void
a_child_has_what_it_needs(void **state)
{
    (void)state;
    if (keygen_valgrind()) /* the same */
        skip();
    assert_true(child_run(tight, NULL));
    assert_int_equal(child_signal(write_file, NULL), SIGXFSZ);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soft_limits_are_raised_hard_ones_told),
        cmocka_unit_test(what_allows_too_few_processes_is_named),
        cmocka_unit_test(a_child_has_what_it_needs),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(some_may_fork_and_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
