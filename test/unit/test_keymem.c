/*
 * test_keymem.c - the arena: what it gives, wipes, refuses; both kinds
 */
/* wrap: syscall */
#include "common/err.h"
#include "master/keymem.h"
#include "test/unit/keygen.h"
#include "test/unit/old_kernel.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int
open_newest(void **state)
{
    (void)state;
    old_kernel = false;
    return keymem_open(4, NULL) == ERR_OK ? 0 : -1;
}

static int
open_locked(void **state)
{
    (void)state;
    old_kernel = true;
    return keymem_open(4, NULL) == ERR_OK ? 0 : -1;
}

static int
closed(void **state)
{
    (void)state;
    keymem_close();
    return 0;
}

static void
an_old_kernel_gets_locked_memory(void **state)
{
    (void)state;
    assert_string_equal(keymem_kind(), "locked");
}

static void
a_new_kernel_gets_secret_memory(void **state)
{
    int fd = (int)__real_syscall(SYS_memfd_secret, 0, 0, 0, 0, 0, 0);

    (void)state;
    assert_string_equal(keymem_kind(), fd < 0 ? "locked" : "memfd_secret");
    if (fd >= 0)
        close(fd);
}

static void
blocks_are_aligned_apart_and_inside(void **state)
{
    uint8_t *block[64];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        block[i] = keymem_alloc(i * 7);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 16, 0);
        assert_true(keymem_holds(block[i], i * 7));
        memset(block[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 64; i++)
        for (size_t j = 0; j < i * 7; j++)
            assert_int_equal(block[i][j], i);
    for (size_t i = 0; i < 64; i++)
        keymem_free(block[(i * 37) % 64]);
}

/* whole - does the heap give its largest block again: has everything been
 * joined? */
static size_t
largest(void)
{
    size_t low = 0, high = 1u << 24;

    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        void *at = keymem_alloc(middle);

        if (at != NULL)
            low = middle;
        else
            high = middle;
        keymem_free(at);
    }
    return low;
}

static void
a_random_life_leaves_one_whole_block(void **state)
{
    static struct {
        uint8_t *at;
        size_t len;
        uint8_t mark;
    } live[200];
    size_t before = largest();
    unsigned seed = 12345;

    (void)state;
    for (int step = 0; step < 100000; step++) {
        size_t i = (size_t)rand_r(&seed) % 200,
               want = (size_t)rand_r(&seed) % 3000;

        for (size_t j = 0; j < live[i].len; j++)
            assert_int_equal(live[i].at[j], live[i].mark);
        if (live[i].at == NULL) {
            live[i].at = keymem_alloc(want);
        } else if (step % 3 == 0) {
            uint8_t *moved = keymem_realloc(live[i].at, want);

            if (moved == NULL)
                continue;
            live[i].at = moved;
            for (size_t j = 0; j < live[i].len && j < want; j++)
                assert_int_equal(moved[j], live[i].mark);
        } else {
            keymem_free(live[i].at);
            live[i].at = NULL;
        }
        live[i].len = live[i].at != NULL ? want : 0;
        live[i].mark = (uint8_t)step;
        if (live[i].at != NULL)
            memset(live[i].at, live[i].mark, live[i].len);
    }
    for (size_t i = 0; i < 200; i++) {
        keymem_free(live[i].at);
        live[i].at = NULL;
        live[i].len = 0;
    }
    assert_int_equal(largest(), before);
}

static void
freeing_and_moving_wipe(void **state)
{
    uint8_t *at = keymem_alloc(256), *keep = keymem_alloc(16), *moved;

    (void)state;
    assert_non_null(keep);
    memset(at, 0xa5, 256);
    moved = keymem_realloc(at, 4096);
    assert_ptr_not_equal(moved, at);
    for (size_t i = 0; i < 256; i++) {
        assert_int_equal(at[i], 0); /* still mapped: the arena never shrinks */
        assert_int_equal(moved[i], 0xa5);
    }
    keymem_free(moved);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(moved[i], 0);
    keymem_free(keep);
}

static void
a_full_arena_says_no(void **state)
{
    (void)state;
    assert_null(keymem_alloc(SIZE_MAX));
    assert_null(keymem_alloc(SIZE_MAX - 15));
    assert_null(keymem_alloc(keymem_need(4)));
    for (int i = 0; i < 4;
         i++) { /* what a key file needs for a moment fits beside all keys */
        void *key = keymem_alloc(KEYMEM_PER_KEY - 64);

        assert_non_null(key);
    }
    assert_non_null(keymem_alloc(80u << 10));
}

static void
what_is_not_ours_is_left_alone(void **state)
{
    void *other = malloc(64);

    (void)state;
    keymem_free(NULL);
    keymem_free(other);
    assert_null(keymem_realloc(other, 128));
    free(other); /* would be a double free otherwise */
}

/* ends - how the child ends that runs this */
static int
ends(void (*child)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        keymem_open(1, NULL);
        child();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void
free_twice(void)
{
    void *at = keymem_alloc(64);

    keymem_free(at);
    keymem_free(at);
}

static void
a_block_freed_twice_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(ends(free_twice), SIGABRT);
}

#ifndef MTLSD_SANITIZE /* there is one stack only */
static int
inside(void *arg)
{
    volatile uint8_t local[4096];

    memset((void *)(uintptr_t)local, 0x5a, sizeof(local));
    assert_true(keymem_holds((const void *)(uintptr_t)local, sizeof(local)));
    return *(int *)arg + local[17];
}

static void
run_uses_the_secret_stack_and_returns(void **state)
{
    int value = 1;
    size_t heap, stack;
    double half = 0.5;

    (void)state;
    if (keygen_valgrind())
        skip();
    assert_false(keymem_holds(&value, sizeof(value)));
    assert_int_equal(keymem_run(inside, &value), 1 + 0x5a);
    value = 2;
    assert_int_equal(keymem_run(inside, &value), 2 + 0x5a);
    keymem_peak(&heap, &stack);
    assert_in_range(stack, 4096, KEYMEM_STACK - 4096);
    assert_true(half + half == 1.0);
}

static int
/* NOLINTNEXTLINE(misc-no-recursion): it is to use up the stack */
deeper(void *arg)
{
    volatile uint8_t local[1024];

    local[0] = 1;
    return *(bool *)arg ? deeper(arg) + local[0] : 0;
}

static void
run_deep(void)
{
    bool forever = true;

    keymem_run(deeper, &forever);
}

static void
behind_the_heap(void)
{
    volatile uint8_t *last = keymem_alloc(16);

    while (keymem_holds((const void *)(uintptr_t)last, 1))
        last++;
    *last = 1;
}

static void
guards_stand_at_both_ends(void **state)
{
    (void)state;
    assert_int_equal(ends(run_deep), SIGSEGV);
    assert_int_equal(ends(behind_the_heap), SIGSEGV);
}
#endif

static void *shared;

static void
touch_inherited(void)
{
    *(volatile uint8_t *)shared = 1;
}

static void
a_child_does_not_inherit_it(void **state)
{
    pid_t pid;
    int status;

    (void)state;
    shared = keymem_alloc(64);
    pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        touch_inherited();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* limited - in a child that is nobody and may lock that little */
static void
limited(void)
{
    struct rlimit limit = { 64u << 10, 64u << 10 };
    struct why why = { "" };

    keymem_close();
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
        (getuid() == 0 && setresuid(65534, 65534, 65534) != 0))
        _exit(2);
    if (keymem_open(1, &why) != ERR_SYS)
        _exit(3);
    _exit(strstr(why.text, "RLIMIT_MEMLOCK is 64 KiB") != NULL &&
                  strstr(why.text, "LimitMEMLOCK=268K") != NULL
              ? 0
              : 4);
}

static void
a_low_limit_is_named(void **state)
{
    (void)state;
#ifdef MTLSD_SANITIZE
    skip(); /* the sanitizer makes mlock do nothing */
#endif
    assert_int_equal(ends(limited), 0);
}

static void
nothing_is_given_before_open(void **state)
{
    (void)state;
    assert_string_equal(keymem_kind(), "none");
    assert_null(keymem_alloc(1));
    assert_false(keymem_holds(&state, 1));
    keymem_close();
}

#define BOTH(test)                                          \
    { #test " (newest)", test, open_newest, closed, NULL }, \
    {                                                       \
#test " (locked)", test, open_locked, closed, NULL  \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_given_before_open),
        cmocka_unit_test_setup_teardown(a_new_kernel_gets_secret_memory,
                                        open_newest, closed),
        cmocka_unit_test_setup_teardown(an_old_kernel_gets_locked_memory,
                                        open_locked, closed),
        BOTH(blocks_are_aligned_apart_and_inside),
        BOTH(a_random_life_leaves_one_whole_block),
        BOTH(freeing_and_moving_wipe),
        BOTH(a_full_arena_says_no),
        BOTH(what_is_not_ours_is_left_alone),
        BOTH(a_block_freed_twice_ends_the_process),
#ifndef MTLSD_SANITIZE
        BOTH(run_uses_the_secret_stack_and_returns),
        BOTH(guards_stand_at_both_ends),
#endif
        BOTH(a_child_does_not_inherit_it),
        BOTH(a_low_limit_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
