/*
 * test_bans.c - the master bans, readers read, and no reader can write
 */
/* wrap: memfd_create */
#include "common/bans.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct bans *bans;
static int own = -1; /* a copy of the descriptor, which bans.c does not keep */

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);

int
__wrap_memfd_create(const char *name, unsigned flags)
{
    int fd = __real_memfd_create(name, flags);

    own = dup(fd);
    return fd;
}

static int
setup(void **state)
{
    (void)state;
    assert_int_equal(bans_new(&bans, NULL), ERR_OK);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    bans_free(bans);
    close(own);
    return 0;
}

/* source - ::ffff:10.0.0.n */
static const uint8_t *
source(unsigned n)
{
    static uint8_t addr[16];

    memset(addr, 0, sizeof(addr));
    addr[10] = addr[11] = 0xff;
    addr[12] = 10;
    addr[14] = (uint8_t)(n >> 8);
    addr[15] = (uint8_t)n;
    return addr;
}

static void
a_ban_ends(void **state)
{
    (void)state;
    assert_false(bans_has(bans, source(1), 0));
    bans_add(bans, source(1), 1000);
    assert_true(bans_has(bans, source(1), 999));
    assert_false(bans_has(bans, source(1), 1000));
    assert_false(bans_has(bans, source(2), 999));
    bans_add(bans, source(1), 2000); /* longer, in the same place */
    assert_true(bans_has(bans, source(1), 1999));
}

static void
a_unix_socket_is_never_banned(void **state)
{
    const uint8_t none[16] = { 0 };

    (void)state;
    bans_add(bans, none, 1000);
    assert_false(bans_has(bans, none, 1));
}

static void
the_ban_that_ends_first_makes_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BANS_MAX; i++)
        bans_add(bans, source(i + 1), 10000 + (i + 100) % BANS_MAX);
    for (unsigned i = 0; i < BANS_MAX; i++)
        assert_true(bans_has(bans, source(i + 1), 1));
    bans_add(bans, source(999), 20000);
    assert_true(bans_has(bans, source(999), 1));
    for (unsigned i = 0; i < BANS_MAX; i++)
        assert_int_equal(bans_has(bans, source(i + 1), 1), i != BANS_MAX - 100);
    bans_add(bans, source(1), 30000); /* known: nobody else goes */
    assert_true(bans_has(bans, source(2), 1));
}

/* as_net - a network of the mask's size */
static struct net
as_net(unsigned n)
{
    const struct net_mask mask = { 24, 64 };

    return net_of(source(n), &mask);
}

static enum reason
limited(unsigned n, uint64_t scope, int64_t now)
{
    const struct net_mask mask = { 24, 64 };

    return bans_limited(bans, source(n), &mask, scope, now);
}

static void
a_limit_is_of_one_network_in_one_scope(void **state)
{
    const uint64_t here = bans_scope(7, 3);
    const struct net_mask other = { 25, 64 };
    struct net net = as_net(1);

    (void)state;
    assert_true(here != bans_scope(8, 3) && here != bans_scope(7, 4));
    bans_limit(bans, &net, here, REASON_PER_SOURCE_RATE, 1000);
    assert_int_equal(limited(1, here, 999), REASON_PER_SOURCE_RATE);
    assert_int_equal(limited(255, here, 999), REASON_PER_SOURCE_RATE);
    assert_int_equal(limited(256, here, 999), REASON_NONE);
    assert_int_equal(limited(1, here, 1000), REASON_NONE);
    assert_int_equal(limited(1, bans_scope(8, 3), 1), REASON_NONE);
    assert_int_equal(bans_limited(bans, source(1), &other, here, 1),
                     REASON_NONE);
    assert_false(bans_has(bans, source(1), 1));
    bans_limit(bans, &net, here, REASON_PER_SOURCE, 500); /* changes in place */
    assert_int_equal(limited(1, here, 1), REASON_PER_SOURCE);
    assert_int_equal(limited(1, here, 999), REASON_NONE);
    bans_lift(bans, &net, here);
    assert_int_equal(limited(1, here, 1), REASON_NONE);
    bans_lift(bans, &net, here);
}

static void
a_limit_may_be_for_everybody(void **state)
{
    static const struct net everybody;
    const uint8_t unix_socket[16] = { 0 };
    const struct net_mask mask = { 24, 64 };

    (void)state;
    bans_limit(bans, &everybody, 1, REASON_POOL_FULL, 1000);
    assert_int_equal(limited(1, 1, 1), REASON_POOL_FULL);
    assert_int_equal(bans_limited(bans, unix_socket, &mask, 1, 1),
                     REASON_POOL_FULL);
    assert_int_equal(limited(1, 2, 1), REASON_NONE);
    bans_lift(bans, &everybody, 1);
    assert_int_equal(limited(1, 1, 1), REASON_NONE);
}

static void
limits_are_bounded_and_push_no_crash_out(void **state)
{
    unsigned kept = 0, max = BANS_SETS * BANS_WAYS;

    (void)state;
    bans_add(bans, source(1), 10);
    for (unsigned i = 0; i < 2 * max; i++) {
        struct net net = { .addr = { 0x20, 1, (uint8_t)(i >> 16),
                                     (uint8_t)(i >> 8), (uint8_t)i },
                           .bits = 64 };

        bans_limit(bans, &net, 1, REASON_PER_SOURCE, 1000 + i);
    }
    for (unsigned i = 0; i < 2 * max; i++) {
        const struct net_mask mask = { 32, 64 };
        uint8_t addr[16] = { 0x20, 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
                             (uint8_t)i };
        bool there = bans_limited(bans, addr, &mask, 1, 1) != REASON_NONE;

        kept += there;
        if (i == 2 * max - 1)
            assert_true(there); /* the last one */
    }
    assert_in_range(kept, max * 3 / 4, max);
    assert_true(bans_has(bans, source(1), 9));
}

/* page_of - where the shared page is mapped, and how; NULL: nowhere */
static char *
page_of(char rights[5])
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], *at = NULL;

    child_must(maps != NULL);
    while (fgets(line, sizeof(line), maps) != NULL) {
        char *end;
        unsigned long from = strtoul(line, &end, 16);

        if (strstr(line, "mtlsd-bans") == NULL)
            continue;
        child_must(at == NULL); /* one mapping, not two */
        end = strchr(end, ' ');
        child_must(end != NULL);
        snprintf(rights, 5, "%.4s", end + 1);
        at = (char *)from; /* an address out of the kernel's list */
    }
    fclose(maps);
    return at;
}

static void
attack_as_reader(void *arg)
{
    char rights[5] = "", path[64];
    struct stat st;
    char *page;
    int fd;

    (void)arg;
    child_must(bans_has(bans, source(1), 1));
    page = page_of(rights);
    child_must(page != NULL && strcmp(rights, "r--s") == 0);
    child_must(mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0);
    /* were the descriptor still there, and in a reader's hands */
    child_must(fstat(own, &st) == 0);
    child_must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0) ==
               MAP_FAILED);
    child_must(write(own, "x", 1) < 0 && pwrite(own, "x", 1, 0) < 0);
    child_must(ftruncate(own, 0) != 0 &&
               ftruncate(own, st.st_size + 4096) != 0);
    child_must(fallocate(own, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                         4096) != 0);
    child_must(fcntl(own, F_ADD_SEALS, 0) != 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", own);
    fd = open(path, O_RDWR | O_CLOEXEC);
    child_must(fd < 0 ||
               mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    child_must(fd < 0 || write(fd, "x", 1) < 0);
    fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    child_must(fd < 0 || pwrite(fd, "x", 1, (off_t)(unsigned long)page) < 0);
}

static void
write_as_reader(void *arg)
{
    char rights[5] = "";
    volatile char *page;

    (void)arg;
    signal(SIGSEGV, SIG_DFL); /* not the sanitizer's report */
    page = page_of(rights);
    child_must(page != NULL);
    *page = 1;
}

/* nobody of ours does that */
static void
ban_as_reader(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    bans_add(bans, source(2), 1000);
}

static void
no_reader_can_write(void **state)
{
    (void)state;
    bans_add(bans, source(1), 1000);
    assert_true(child_run(attack_as_reader, NULL));
    assert_int_equal(child_signal(write_as_reader, NULL), SIGSEGV);
    assert_int_equal(child_signal(ban_as_reader, NULL), SIGSEGV);
    assert_true(bans_has(bans, source(1), 999));
}

/* wait_for_ban - a reader: its ends of two pipes say ready and hear go */
static void
wait_for_ban(int ready, int go)
{
    char byte;

    child_must(!bans_has(bans, source(3), 1));
    child_must(write(ready, "r", 1) == 1);
    child_must(read(go, &byte, 1) == 1);
    child_must(bans_has(bans, source(3), 1));
    _exit(0);
}

static void
readers_see_later_bans(void **state)
{
    int ready[2] = { -1, -1 }, go[2] = { -1, -1 }, status;
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid = fork();
    if (pid == 0)
        wait_for_ban(ready[1], go[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    bans_add(bans, source(3), 1000);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
}

/* In a child only the view to read is mapped. */
static void
leave(void *arg)
{
    char rights[5] = "";

    (void)arg;
    child_must(page_of(rights) != NULL && !bans_has(bans, source(1), 0));
    child_must(bans_leave(NULL) == ERR_OK && bans_leave(NULL) == ERR_OK);
    child_must(page_of(rights) == NULL);
}

static void
who_leaves_sees_no_table(void **state)
{
    (void)state;
    assert_true(child_run(leave, NULL));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        /* first: later pages of other tests stay mapped */
        TEST(no_reader_can_write),
        TEST(a_ban_ends),
        TEST(a_unix_socket_is_never_banned),
        TEST(the_ban_that_ends_first_makes_room),
        TEST(readers_see_later_bans),
        TEST(a_limit_is_of_one_network_in_one_scope),
        TEST(a_limit_may_be_for_everybody),
        TEST(limits_are_bounded_and_push_no_crash_out),
        TEST(who_leaves_sees_no_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
