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
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
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
    limit = (struct rlimit){ 1, 1 };
    child_must(setrlimit(RLIMIT_NPROC, &limit) != 0);
    child_must(limits_child(64, false, NULL) == ERR_OK); /* never wider again */
    child_must(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 32);
    child_must(limits_child(0, false, NULL) == ERR_OK);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
