/*
 * test_blocks.c - where blocks lie, and what is given back; test_keymem.c has
 * the rest
 */
#include "common/blocks.h"
#include "common/mem.h"
#include "test/unit/child.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SPAN (1u << 20)

static uint8_t *span;
static struct blocks blocks;

static int
setup(void **state)
{
    (void)state;
    span = mmap(NULL, SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    assert_ptr_not_equal(span, MAP_FAILED);
    blocks_init(&blocks, span, SPAN);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    munmap(span, SPAN);
    return 0;
}

static void
large_ones_leave_no_holes(void **state)
{
    uint8_t *first = blocks_alloc(&blocks, 100),
            *large = blocks_alloc(&blocks, BLOCKS_LARGE),
            *second = blocks_alloc(&blocks, 100);

    (void)state;
    assert_true(first < span + 4096 && second < span + 4096);
    assert_true(large > span + SPAN - BLOCKS_LARGE - 4096);
    blocks_free(&blocks, large);
    blocks_free(&blocks, first);
    blocks_free(&blocks, second);
    assert_int_equal(blocks.used, 0);
    assert_non_null(blocks_alloc(&blocks, SPAN - 64)); /* whole again */
}

/* resident - pages of the span that the kernel has given */
static size_t
resident(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    unsigned char there[SPAN / 4096];

    assert_int_equal(mincore(span, SPAN, there), 0);
    for (size_t i = 0; i < SPAN / page; i++)
        count += there[i] & 1;
    return count;
}

static void
what_is_free_is_given_back(void **state)
{
    uint8_t *keep = blocks_alloc(&blocks, 100),
            *gone = blocks_alloc(&blocks, SPAN / 2);

    (void)state;
    memset(keep, 0xa5, 100);
    memset(gone, 0xa5, SPAN / 2);
    blocks_free(&blocks, gone);
    blocks_trim(&blocks, (size_t)sysconf(_SC_PAGESIZE));
    assert_true(resident() <= 2);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(keep[i], 0xa5);
    gone = blocks_alloc(&blocks, SPAN / 2);
    assert_non_null(gone);
    blocks_free(&blocks, gone);
    blocks_free(&blocks, keep);
}

static void
touch(void *own)
{
    signal(SIGSEGV, SIG_DFL);
    *(volatile char *)own = 1;
}

static void
what_is_our_own_no_child_has(void **state)
{
    char *own = mem_own(10000);

    (void)state;
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(own[i], 0);
    assert_int_equal(child_signal(touch, own), SIGSEGV);
    own[9999] = 1;
    mem_own_free(own);
    mem_own_free(NULL);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(large_ones_leave_no_holes),
        TEST(what_is_free_is_given_back),
        TEST(what_is_our_own_no_child_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
