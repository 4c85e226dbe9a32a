/* test_ground.c - a worker whose heap is full goes on with malloc's */
#include <wolfssl/options.h>
#include "common/filter.h"
#include "master/filters.h"
#include "test/unit/child.h"
#include "worker/ground.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <wolfssl/wolfcrypt/memory.h>

#include <cmocka.h>

#define SIZE  1000u
#define COUNT 300u /* more than there is room for */
#define LARGE (1u << 20)

static uint8_t *block[COUNT];

/* holds - does a block begin with what was written there? */
static bool
holds(const uint8_t *at, unsigned value)
{
    for (size_t i = 0; i < SIZE; i++)
        if (at[i] != (uint8_t)value)
            return false;
    return true;
}

/* fill - until the heap is full, and some more */
static void
fill(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        block[i] = wolfSSL_Malloc(SIZE);
        child_must(block[i] != NULL);
        memset(block[i], (int)i, SIZE);
    }
}

/* grow - every one of them; those of the heap have to leave it */
static void
grow(size_t size)
{
    for (unsigned i = 0; i < COUNT; i += 30) {
        block[i] = wolfSSL_Realloc(block[i], size);
        child_must(block[i] != NULL);
        child_must(holds(block[i], i));
        memset(block[i], (int)i, size);
    }
}

static void
check_all(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        child_must(holds(block[i], i));
        wolfSSL_Free(block[i]);
    }
}

static void
outgrow(const void *arg)
{
    (void)arg;
    fill();
    grow(10 * SIZE);
    grow(LARGE / 10);
    grow(LARGE); /* where malloc(3) would rather have mmap(2) */
    check_all();
    _exit(0);
}

/* the same where mmap(2) and mremap(2) are refused */
static void
outgrow_confined(const void *arg)
{
    if (filters_compiled()) {
        child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        child_must(filters_build(false, NULL) == ERR_OK);
        child_must(filters_enter(FILTERS_WORKER, NULL) == ERR_OK);
    }
    outgrow(arg);
}

static void
free_worker(void *arg)
{
    (void)arg;
    ground_run(outgrow, "", 1);
}

static void
confined_worker(void *arg)
{
    (void)arg;
    ground_run(outgrow_confined, "", 1);
}

static void
a_block_outgrows_a_full_heap(void **state)
{
    (void)state;
    assert_true(child_run(free_worker, NULL));
}

static void
so_it_does_in_a_confined_worker(void **state)
{
    (void)state;
    assert_true(child_run(confined_worker, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_outgrows_a_full_heap),
        cmocka_unit_test(so_it_does_in_a_confined_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
