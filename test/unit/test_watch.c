/* test_watch.c - master/watch.c: every way in which files are replaced */
#include "common/clock.h"
#include "master/drop.h"
#include "master/watch.h"
#include "test/unit/child.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static char known[1100][128]; /* paths of this test */
static size_t known_count;

/* at - a path in the test's directory; stays good until its end */
static const char *
at(const char *name)
{
    char *out = known[known_count];

    (void)snprintf(out, sizeof(known[0]), "%s/%s", dir, name);
    for (size_t i = 0; i < known_count; i++)
        if (strcmp(known[i], out) == 0)
            return known[i];
    known_count++;
    return out;
}

static void
put(const char *name, const char *text)
{
    FILE *out = fopen(at(name), "w");

    child_must(out != NULL);
    child_must(fputs(text, out) >= 0);
    child_must(fclose(out) == 0);
}

/* put_over - as renewers do: beside it, then a rename */
static void
put_over(const char *name, const char *text)
{
    put("new", text);
    child_must(rename(at("new"), at(name)) == 0);
}

/* link_over - a link is switched by a rename */
static void
link_over(const char *name, const char *target)
{
    child_must(symlink(target, at("link")) == 0);
    child_must(rename(at("link"), at(name)) == 0);
}

static int
start(void **state)
{
    (void)state;
    known_count = 0;
    (void)strcpy(dir, "/tmp/mtlsd-unit.XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
stop(void **state)
{
    (void)state;
    child_remove(dir);
    return 0;
}

/* steady - nothing to tell, however often it looks */
static void
steady(struct watch *watch)
{
    for (int i = 0; i < 3; i++)
        assert_false(watch_changed(watch, NULL));
}

/* once - a change is told at the second look at it, and then no more */
static void
once(struct watch *watch, const char *path)
{
    const char *which = NULL;

    assert_false(watch_changed(watch, &which));
    assert_null(which);
    assert_true(watch_changed(watch, &which));
    assert_string_equal(which, path);
    steady(watch);
}

static struct watch *
watch_one(const char *path)
{
    struct watch *watch = watch_new(&path, 1);

    steady(watch);
    return watch;
}

/* --- ways to change a file ------------------------------------------------ */

static void
rename_over(void)
{
    put_over("file", "one");
}

static void
in_place(void)
{
    put("file", "two");
}

static void
longer(void)
{
    put("file", "three and more");
}

static void
times_kept(void) /* cp -p, rsync -t: the same size and time, another file */
{
    struct stat st;
    struct timespec times[2];

    child_must(stat(at("file"), &st) == 0);
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    put_over("file", "six");
    child_must(utimensat(AT_FDCWD, at("file"), times, 0) == 0);
}

static void
permission(void)
{
    child_must(chmod(at("file"), 0600) == 0);
}

static void
deletion(void)
{
    child_must(unlink(at("file")) == 0);
}

static void
becomes_a_link(void)
{
    put("other", "one");
    link_over("file", "other");
}

/* tick - until the clock that stamps files has gone on, twice: it moves every few
 * milliseconds */
static void
tick(void)
{
    struct timespec from, now;

    for (int i = 0; i < 2; i++) {
        (void)clock_gettime(CLOCK_REALTIME_COARSE, &from);
        do
            (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
        while (now.tv_nsec == from.tv_nsec);
    }
}

static void
each_change_of_a_file_is_told_once(void **state)
{
    static void (*const ways[])(void) = {
        rename_over, in_place, longer,         times_kept,
        permission,  deletion, becomes_a_link,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *path = at("file");
        struct watch *watch;

        (void)unlink(path);
        put("file", "one");
        watch = watch_one(path);
        tick();
        ways[i]();
        once(watch, path);
        watch_free(watch);
    }
}

static void
what_is_not_there_is_waited_for(void **state)
{
    const char *path = at("file");
    struct watch *watch = watch_one(path);

    (void)state;
    put("file", "one");
    once(watch, path);
    deletion();
    once(watch, path);
    put("file", "one");
    once(watch, path);
    watch_free(watch);
}

static void
gone_and_back_between_two_looks_is_a_change(void **state)
{
    const char *path = at("file");
    struct watch *watch;

    (void)state;
    put("file", "one");
    watch = watch_one(path);
    deletion();
    assert_false(watch_changed(watch, NULL));
    put("file", "one");
    once(watch, path);
    watch_free(watch);
}

static void
a_change_that_is_taken_back_is_none(void **state)
{
    const char *path = at("link-to");
    struct watch *watch;

    (void)state;
    put("one", "1");
    put("two", "2");
    link_over("link-to", "one");
    watch = watch_one(path);
    link_over("link-to", "two");
    assert_false(watch_changed(watch, NULL));
    link_over("link-to", "one");
    steady(watch);
    watch_free(watch);
}

/* --- links ---------------------------------------------------------------- */

static void
kubernetes_switches_a_directory_above(void **state)
{
    const char *path = at("tls.crt");
    struct watch *watch;

    (void)state;
    child_must(mkdir(at("..1"), 0755) == 0 && mkdir(at("..2"), 0755) == 0);
    put("..1/tls.crt", "same");
    put("..2/tls.crt", "same");
    link_over("..data", "..1");
    link_over("tls.crt", "..data/tls.crt");
    watch = watch_one(path);
    link_over("..data", "..2");
    once(watch, path);
    child_must(unlink(at("..1/tls.crt")) == 0); /* as it tidies up */
    steady(watch);
    watch_free(watch);
}

static void
certbot_switches_the_link_itself(void **state)
{
    const char *path = at("live/cert.pem");
    struct watch *watch;

    (void)state;
    child_must(mkdir(at("live"), 0755) == 0 && mkdir(at("archive"), 0755) == 0);
    put("archive/cert1.pem", "one");
    child_must(symlink("../archive/cert1.pem", path) == 0);
    watch = watch_one(path);
    put("archive/cert2.pem", "two"); /* not before the link leads there */
    steady(watch);
    link_over("live/cert.pem", "../archive/cert2.pem");
    once(watch, path);
    watch_free(watch);
}

static void
a_link_to_another_name_of_the_same_file_is_a_change(void **state)
{
    const char *path = at("link-to");
    struct watch *watch;

    (void)state;
    put("one", "1");
    child_must(link(at("one"), at("two")) == 0);
    link_over("link-to", "one");
    watch = watch_one(path);
    link_over("link-to", "two");
    once(watch, path);
    watch_free(watch);
}

/* --- several files -------------------------------------------------------- */

static void
files_that_change_one_after_the_other_are_told_together(void **state)
{
    const char *paths[3];
    struct watch *watch;
    const char *which = NULL;

    (void)state;
    paths[0] = at("cert");
    paths[1] = NULL;
    paths[2] = at("key");
    put("cert", "1");
    put("key", "1");
    watch = watch_new(paths, 3);
    steady(watch);
    put_over("cert", "22");
    assert_false(watch_changed(watch, &which));
    put_over("key", "22");
    assert_false(watch_changed(watch, &which));
    assert_true(watch_changed(watch, &which));
    assert_string_equal(which, paths[0]);
    steady(watch);
    watch_free(watch);
}

static void
a_file_that_never_rests_holds_up_nobody_for_long(void **state)
{
    const char *paths[2];
    struct watch *watch;
    const char *which = NULL;
    char text[64] = "";
    int told = 0;

    (void)state;
    paths[0] = at("restless");
    paths[1] = at("cert");
    put("restless", "");
    put("cert", "1");
    watch = watch_new(paths, 2);
    put_over("cert", "22");
    for (int i = 0; i < 30; i++) {
        text[i] = 'x';
        put("restless", text);
        if (watch_changed(watch, &which)) {
            assert_string_equal(which, paths[1]);
            told++;
        }
    }
    assert_int_equal(told, 1);
    assert_true(watch_changed(watch, &which)); /* it rests at last */
    assert_string_equal(which, paths[0]);
    steady(watch);
    watch_free(watch);
}

static void
a_watch_of_nothing_never_changes(void **state)
{
    struct watch *watch = watch_new(NULL, 0);

    (void)state;
    steady(watch);
    watch_free(watch);
    watch_free(NULL);
}

static void
a_thousand_paths_cost_little(void **state)
{
    enum { COUNT = 1000 };
    static const char *paths[COUNT];
    struct watch *watch;
    int64_t before, best = INT64_MAX;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "f%d", i);
        put(name, "x");
        paths[i] = at(name);
    }
    watch = watch_new(paths, COUNT);
    for (int i = 0; i < 10; i++) {
        before = clock_ms();
        assert_false(watch_changed(watch, NULL));
        before = clock_ms() - before;
        best = before < best ? before : best;
    }
    print_message("1000 paths: %lld ms\n", (long long)best);
    assert_true(best <= 1000); /* 2-3 on a quiet machine */
    watch_free(watch);
}

/* --- without root --------------------------------------------------------- */

static int looked[2]; /* a byte goes through when the first look is done */

static void
dropped(void *arg)
{
    const char *path = arg;
    struct drop_ids ids = { .root = true, .uid = CHILD_UID, .gid = CHILD_UID };
    struct watch *watch;
    struct why why = { "" };

    if (drop_now(&ids, DROP_CAP_READ, true, &why) != ERR_OK)
        child_fail(__FILE__, __LINE__, why.text);
    child_must(access(path, F_OK) != 0); /* not to be searched by itself */
    watch = watch_new(&path, 1);
    child_must(!watch_changed(watch, NULL));
    child_must(write(looked[1], "", 1) == 1);
    for (int i = 0; i < 6000 && !watch_changed(watch, NULL); i++)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    child_must(!watch_changed(watch, NULL));
    child_must(access(path, F_OK) != 0); /* and the power is put down again */
    watch_free(watch);
}

/* replace - by root, while the other one looks */
static void
replace(void *arg)
{
    char byte;
    pid_t pid;

    child_must(pipe2(looked, O_CLOEXEC) == 0);
    pid = fork();
    child_must(pid >= 0);
    if (pid == 0) {
        child_must(read(looked[0], &byte, 1) == 1);
        put_over("private/key", "two");
        _exit(0);
    }
    dropped(arg);
}

static void
a_directory_that_only_root_may_search_is_seen_with_the_capability(void **state)
{
    char path[128];

    (void)state;
    if (!child_is_root())
        skip();
    child_must(chmod(dir, 0755) == 0);
    child_must(mkdir(at("private"), 0700) == 0);
    put("private/key", "one");
    (void)snprintf(path, sizeof(path), "%s", at("private/key"));
    assert_true(child_run(replace, path));
}

#define watch_test(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        watch_test(each_change_of_a_file_is_told_once),
        watch_test(what_is_not_there_is_waited_for),
        watch_test(gone_and_back_between_two_looks_is_a_change),
        watch_test(a_change_that_is_taken_back_is_none),
        watch_test(kubernetes_switches_a_directory_above),
        watch_test(certbot_switches_the_link_itself),
        watch_test(a_link_to_another_name_of_the_same_file_is_a_change),
        watch_test(files_that_change_one_after_the_other_are_told_together),
        watch_test(a_file_that_never_rests_holds_up_nobody_for_long),
        watch_test(a_watch_of_nothing_never_changes),
        watch_test(a_thousand_paths_cost_little),
        watch_test(
            a_directory_that_only_root_may_search_is_seen_with_the_capability),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
