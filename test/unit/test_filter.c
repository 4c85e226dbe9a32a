/*
 * test_filter.c - what has no line kills, what has one counts as it says
 */
#include "common/filter.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { ONE = 1, TWO = 2, BOTH = ONE | TWO };

static const struct filter_rule rules[] = {
    { SCMP_SYS(exit_group), BOTH, 0, { { 0 } } },
    { SCMP_SYS(alarm), BOTH, 0, { { 0 } } },
    { SCMP_SYS(getppid), ONE, 0, { { 0 } } },
    { SCMP_SYS(seccomp), ONE, 0, { { 0 } } },
    /* tests: all of a line, any of the lines */
    { SCMP_SYS(getpriority), ONE, 0, { { 0, FILTER_INT, 1 } } },
    { SCMP_SYS(getpriority),
      ONE,
      0,
      { { 0, FILTER_INT, 0 }, { 1, FILTER_INT & ~31u, 0 } } },
    /* the widest of a call's lines, whatever their order */
    { SCMP_SYS(openat), TWO, EACCES, { { 0 } } },
    { SCMP_SYS(openat), ONE, 0, { { 2, O_ACCMODE, O_RDONLY } } },
    { SCMP_SYS(getsid), ONE, EPERM, { { 0 } } },
    { SCMP_SYS(getsid), TWO, 0, { { 0 } } },
    { SCMP_SYS(getpgid), ONE, 0, { { 0, FILTER_INT, 0 } } },
    { SCMP_SYS(getpgid), TWO, 0, { { 0 } } },
    /* a call that this machine does not have */
    { -1, BOTH, 0, { { 0 } } },
};

static struct filter *program[4]; /* by the bits of who has it */

static int
setup(void **state)
{
    static const unsigned all[] = { ONE, TWO, BOTH };
    struct why why;

    (void)state;
    return filter_build(rules, sizeof(rules) / sizeof(rules[0]), all, BOTH,
                        &program[ONE], &why) == ERR_OK
               ? 0
               : -1;
}

static int
teardown(void **state)
{
    (void)state;
    for (unsigned who = ONE; who <= BOTH; who++)
        filter_free(program[who]);
    return 0;
}

/* one call, in a child behind these filters, the first one loaded first */
struct call {
    unsigned who[2];
    long number, arg[3];
    int error; /* 0: it must work */
};

static void
make(void *arg)
{
    const struct call *call = arg;
    long result;

    child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    for (size_t i = 0; i < 2; i++)
        if (filter_load(program[call->who[i]], NULL) != ERR_OK)
            _exit(2);
    errno = 0;
    result = syscall(call->number, call->arg[0], call->arg[1], call->arg[2]);
    _exit((result < 0) == (call->error != 0) && errno == call->error ? 0 : 3);
}

#define CALL(first, second, want, name, ...)                                \
    &(struct call)                                                          \
    {                                                                       \
        .who = { first, second }, .number = (name), .arg = { __VA_ARGS__ }, \
        .error = (want)                                                     \
    }
#define PASSES(...) assert_true(child_run(make, CALL(__VA_ARGS__)))
#define KILLS(first, second, ...)                                             \
    assert_int_equal(child_signal(make, CALL(first, second, 0, __VA_ARGS__)), \
                     SIGSYS)

static void
test_a_line_allows(void **state)
{
    (void)state;
    PASSES(ONE, 0, 0, SYS_getppid, 0);
    PASSES(0, 0, 0, SYS_getppid, 0);
}

static void
test_no_line_kills(void **state)
{
    (void)state;
    KILLS(TWO, 0, SYS_getppid, 0);
    KILLS(ONE, 0, SYS_getuid, 0);
    KILLS(BOTH, 0, SYS_execve, 0);
    KILLS(BOTH, 0, 100000, 0);
}

static void
test_all_tests_of_a_line(void **state)
{
    (void)state;
    PASSES(ONE, 0, 0, SYS_getpriority, PRIO_PGRP, 0);
    PASSES(ONE, 0, 0, SYS_getpriority, PRIO_PROCESS, 0);
    KILLS(ONE, 0, SYS_getpriority, PRIO_PROCESS, 32);
    KILLS(ONE, 0, SYS_getpriority, PRIO_USER, 0);
    KILLS(TWO, 0, SYS_getpriority, PRIO_PGRP, 0);
}

/* the upper half of an int's register says nothing */
static void
test_an_int_is_its_lower_half(void **state)
{
    (void)state;
    PASSES(ONE, 0, 0, SYS_getpriority, (long)(1ull << 32 | PRIO_PGRP), 0);
    KILLS(ONE, 0, SYS_getpriority, (long)(1ull << 32 | PRIO_USER), 0);
    KILLS(ONE, 0, SYS_getpriority, PRIO_PROCESS, -1);
}

static void
test_refused(void **state)
{
    const long name = (long)(uintptr_t) "/";

    (void)state;
    PASSES(TWO, 0, EACCES, SYS_openat, AT_FDCWD, name, O_RDONLY);
    PASSES(TWO, 0, EACCES, SYS_openat, AT_FDCWD, name, O_RDWR);
    PASSES(ONE, 0, EPERM, SYS_getsid, 0);
}

static void
test_the_widest_line_counts(void **state)
{
    const long name = (long)(uintptr_t) "/";

    (void)state;
    PASSES(BOTH, 0, 0, SYS_openat, AT_FDCWD, name, O_RDONLY);
    KILLS(BOTH, 0, SYS_openat, AT_FDCWD, name, O_RDWR);
    PASSES(BOTH, 0, 0, SYS_getsid, 0);
    PASSES(BOTH, 0, 0, SYS_getpgid, 0);
    PASSES(BOTH, 0, ESRCH, SYS_getpgid, 100000000);
    KILLS(ONE, 0, SYS_getpgid, 100000000);
}

/* a second filter narrows the first; the strictest answer counts */
static void
test_one_above_the_other(void **state)
{
    const long name = (long)(uintptr_t) "/";

    (void)state;
    KILLS(ONE, TWO, SYS_getppid, 0);
    KILLS(BOTH, TWO, SYS_getppid, 0);
    PASSES(BOTH, TWO, EACCES, SYS_openat, AT_FDCWD, name, O_RDONLY);
    KILLS(BOTH, TWO, SYS_openat, AT_FDCWD, name, O_RDWR);
    PASSES(BOTH, ONE, EPERM, SYS_getsid, 0);
    KILLS(TWO, ONE, SYS_getppid, 0); /* it may not even load another */
}

#ifdef __x86_64__
/* getpid(2) by its numbers for programs of 32 bits */
static void
i386(void *arg)
{
    long result = 20;

    (void)arg;
    child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (filter_load(program[BOTH], NULL) != ERR_OK)
        _exit(2);
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
}

static void
test_another_architecture_kills(void **state)
{
    (void)state;
    assert_int_equal(child_signal(i386, NULL), SIGSYS);
    /* x32: a line of ours with the bit of the other numbers */
    KILLS(BOTH, 0, SYS_getppid | 0x40000000, 0);
}
#else
static void
test_another_architecture_kills(void **state)
{
    (void)state; /* no other one can be called from here */
}
#endif

static void
privileged(void *arg)
{
    struct why why;

    (void)arg;
    child_must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    child_ordinary();
    child_must(filter_load(program[BOTH], &why) == ERR_PRIV);
    child_must(strstr(why.text, "filter") != NULL);
}

static void
test_needs_no_new_privs(void **state)
{
    (void)state;
    if (child_is_root())
        assert_true(child_run(privileged, NULL));
}

static void
test_nothing_to_load(void **state)
{
    (void)state;
    assert_int_equal(filter_load(NULL, NULL), ERR_OK);
    assert_true(filter_known());
}

/* it finds a call by halving: no list of comparisons */
static void
test_length(void **state)
{
    (void)state;
    assert_true(filter_length(program[BOTH]) > 10);
    assert_true(filter_length(program[BOTH]) < 200);
}

/* a kernel without, or valgrind: an error that can be told, no program */
static void
test_unknown(void **state)
{
    struct filter *filter = program[ONE];
    const unsigned one = ONE;
    struct why why;

    (void)state;
    assert_int_equal(filter_build(rules, 1, &one, 1, &filter, &why), ERR_SYS);
    assert_null(filter);
    assert_int_equal(filter_load(NULL, NULL), ERR_OK);
}

/* a sanitizer's run time makes calls of its own in the children */
#ifdef MTLSD_SANITIZE
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_allows),
        cmocka_unit_test(test_no_line_kills),
        cmocka_unit_test(test_all_tests_of_a_line),
        cmocka_unit_test(test_an_int_is_its_lower_half),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_the_widest_line_counts),
        cmocka_unit_test(test_one_above_the_other),
        cmocka_unit_test(test_another_architecture_kills),
        cmocka_unit_test(test_needs_no_new_privs),
        cmocka_unit_test(test_nothing_to_load),
        cmocka_unit_test(test_length),
    };

    const struct CMUnitTest unknown[] = {
        cmocka_unit_test(test_unknown),
    };

    const struct CMUnitTest outside[] = {
        cmocka_unit_test(test_needs_no_new_privs),
        cmocka_unit_test(test_nothing_to_load),
        cmocka_unit_test(test_length),
    };

    if (!filter_known())
        return cmocka_run_group_tests(unknown, NULL, NULL);
    if (sanitized)
        return cmocka_run_group_tests(outside, setup, teardown);
    return cmocka_run_group_tests(tests, setup, teardown);
}
