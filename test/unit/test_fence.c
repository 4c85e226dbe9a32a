/*
 * test_fence.c - what the configuration names stays readable, renewals
 * included, and nothing beside it
 */
#include "common/landlock.h"
#include "master/drop.h"
#include "master/fence.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const struct drop_ids nobody = { .root = true,
                                        .uid = CHILD_UID,
                                        .gid = CHILD_UID };

static char base[] = "/tmp/mtlsd-fence.XXXXXX";

/* what the tree holds: a directory (ends in /), a link (with ->), or a file of
 * root's alone */
static const char *const tree[] = {
    "etc/",
    "etc/mtlsd.conf",
    "etc/ca.pem",
    /* certbot */
    "le/",
    "le/live/",
    "le/live/web/",
    "le/archive/",
    "le/archive/web/",
    "le/archive/web/cert1.pem",
    "le/archive/web/cert2.pem",
    "le/archive/other/",
    "le/archive/other/cert1.pem",
    "le/live/web/cert.pem->../../archive/web/cert1.pem",
    /* Kubernetes */
    "k8s/",
    "k8s/..2026_1/",
    "k8s/..2026_1/tls.key",
    "k8s/..data->..2026_1",
    "k8s/tls.key->..data/tls.key",
    /* a release directory behind a link */
    "rel/",
    "rel/v1/",
    "rel/v1/tls/",
    "rel/v1/tls/ca.pem",
    "rel/v2/",
    "rel/v2/tls/",
    "rel/v2/tls/ca.pem",
    "srv/",
    "srv/current->../rel/v1",
    /* not named by anyone */
    "other/",
    "other/file",
    /* chains */
    "loop/",
    "loop/a->b",
    "loop/b->a",
    "etc/dangling->../gone/away.pem",
    "etc/towards->/etc/passwd",
};

static void
make_one(const char *entry)
{
    const char *arrow = strstr(entry, "->");
    char name[128];
    int fd;

    snprintf(name, sizeof(name), "%.*s",
             (int)(arrow == NULL ? strlen(entry) : (size_t)(arrow - entry)),
             entry);
    if (arrow != NULL) {
        assert_int_equal(symlink(arrow + 2, name), 0);
    } else if (entry[strlen(entry) - 1] == '/') {
        assert_int_equal(mkdir(name, 0700), 0);
    } else {
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "x", 1), 1);
        close(fd);
    }
}

static int
setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(base));
    assert_int_equal(chdir(base), 0);
    for (size_t i = 0; i < sizeof(tree) / sizeof(tree[0]); i++)
        make_one(tree[i]);
    return chmod(base, 0755);
}

static int
teardown(void **state)
{
    (void)state;
    child_remove(base);
    return chdir("/");
}

/* full - a name below base as an absolute path; others as they are */
static char *
full(const char *name)
{
    static char paths[16][256];
    static unsigned next;
    char *path = paths[next++ % 16];

    snprintf(path, 256, "%s%s%s", name[0] == '/' ? "" : base,
             name[0] == '/' ? "" : "/", name);
    return path;
}

/* plan - a configuration with one service, or none of its files */
static enum err
plan(const char *cert, const char *key, const char *ca, const char *dir,
     struct fence **fence, struct why *why)
{
    char *files[] = { full("etc/mtlsd.conf") }, *dirs[1] = { NULL };
    char *certs[] = { cert != NULL ? full(cert) : NULL };
    char *keys[] = { key != NULL ? full(key) : NULL };
    struct conf_service service = { 0 };
    struct conf conf = {
        .files = { 1, files },
        .service_count = 1,
        .service = &service,
    };

    service.client.cert = (struct conf_list){ cert != NULL, certs };
    service.client.key = (struct conf_list){ key != NULL, keys };
    service.client.ca = ca != NULL ? full(ca) : NULL;
    if (dir != NULL)
        dirs[0] = full(dir);
    conf.global.reader_dirs = (struct conf_list){ dir != NULL, dirs };
    return fence_plan(&conf, fence, why);
}

static const struct {
    const char *path;
    bool holds;
} places[] = {
    { "etc/mtlsd.conf", true },
    { "etc/new.pem", true },
    { "etc/below/new.pem", true }, /* judged by the directory that is there */
    { "le/live/web/cert.pem", true },
    { "le/archive/web/cert2.pem", true },
    { "le/archive/other/cert1.pem", false },
    { "le/live/other.pem", false },
    { "k8s/tls.key", true },
    { "k8s/..2026_2/tls.key", true },
    { "srv/current/tls/ca.pem", true },
    { "rel/v2/tls/ca.pem", true },
    { "srv/file", false },
    { "other/file", false },
    { "etc/../other/file", false },
    { "etc/dangling", false },
    { "etc/towards", false },
    { "loop/a", false },
    { "etcetera", false },
    { "/etc/passwd", false },
    { "/", false },
};

static void
the_fence_follows_links(void **state)
{
    struct fence *fence;
    struct why why = { "" };

    (void)state;
    assert_int_equal(plan("le/live/web/cert.pem", "k8s/tls.key",
                          "srv/current/tls/ca.pem", NULL, &fence, &why),
                     ERR_OK);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        enum err err = fence_holds(fence, full(places[i].path), &why);

        if ((err == ERR_OK) != places[i].holds)
            fail_msg("%s: %s", places[i].path, why.text);
        assert_true(err == ERR_OK || err == ERR_CONF);
    }
    fence_free(fence);
    assert_int_equal(plan(NULL, NULL, NULL, "other", &fence, &why), ERR_OK);
    assert_int_equal(fence_holds(fence, full("other/file"), &why), ERR_OK);
    fence_free(fence);
    fence_free(NULL);
}

static void
missing_files_are_somebody_elses_error(void **state)
{
    struct fence *fence;

    (void)state;
    assert_int_equal(
        plan("gone/x.pem", "etc/dangling", "loop/a", NULL, &fence, NULL),
        ERR_OK);
    assert_int_equal(fence_holds(fence, full("other/file"), NULL), ERR_CONF);
    fence_free(fence);
}

static void
wide_directories_are_refused(void **state)
{
    struct fence *fence;
    struct why why;

    (void)state;
    assert_int_equal(plan("/etc/passwd", NULL, NULL, NULL, &fence, &why),
                     ERR_CONF);
    assert_null(fence);
    assert_non_null(strstr(why.text, "/etc/passwd is in /etc,"));
    assert_int_equal(plan(NULL, NULL, "etc/towards", NULL, &fence, &why),
                     ERR_CONF);
    assert_non_null(strstr(why.text, "etc/towards is in /etc,"));
    assert_int_equal(plan(NULL, "/", NULL, NULL, &fence, &why), ERR_CONF);
    assert_int_equal(
        plan(NULL, "/usr//../etc/./passwd", NULL, NULL, &fence, &why),
        ERR_CONF);
    assert_int_equal(plan(NULL, NULL, NULL, "/tmp", &fence, &why), ERR_CONF);
    assert_non_null(strstr(why.text, "too wide"));
    assert_int_equal(plan(NULL, NULL, NULL, "/tmp/../", &fence, &why),
                     ERR_CONF);
    assert_int_equal(plan(NULL, NULL, NULL, "no-such", &fence, &why), ERR_CONF);
}

static bool
opens(const char *name)
{
    int fd = open(full(name), O_RDONLY | O_CLOEXEC);

    close(fd);
    return fd >= 0;
}

/* renew - what certbot, the kubelet and a deployment do, while we run */
static void
renew(void)
{
    child_must(unlink("le/live/web/cert.pem") == 0);
    child_must(symlink("../../archive/web/cert2.pem", "le/live/web/cert.pem") ==
               0);
    child_must(mkdir("k8s/..2026_2", 0700) == 0);
    child_must(link("k8s/..2026_1/tls.key", "k8s/..2026_2/tls.key") == 0);
    child_must(symlink("..2026_2", "k8s/..data_tmp") == 0);
    child_must(rename("k8s/..data_tmp", "k8s/..data") == 0);
    child_must(unlink("srv/current") == 0 &&
               symlink("../rel/v2", "srv/current") == 0);
}

static void
enter(void *arg)
{
    struct fence *fence;
    struct why why = { "" };
    bool root = geteuid() == 0;
    int go[2], done[2];
    char byte;

    (void)arg;
    child_must(pipe(go) == 0 && pipe(done) == 0);
    if (fork() == 0) { /* outside the fence */
        child_must(read(go[0], &byte, 1) == 1);
        renew();
        child_must(write(done[1], "d", 1) == 1);
        _exit(0);
    }
    child_must(plan("le/live/web/cert.pem", "k8s/tls.key",
                    "srv/current/tls/ca.pem", NULL, &fence, &why) == ERR_OK);
    if (root)
        child_must(drop_now(&nobody, DROP_CAP_READ, false, &why) == ERR_OK);
    else
        child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    child_must(fence_enter(fence, &why) == ERR_OK);
    child_must(!root || !opens("etc/ca.pem")); /* the capability lies idle */
    child_must(!root || drop_caps_use(DROP_CAP_READ, NULL) == ERR_OK);
    child_must(opens("etc/ca.pem") && opens("le/live/web/cert.pem") &&
               opens("k8s/tls.key"));
    child_must(opens("srv/current/tls/ca.pem") && opens("etc/mtlsd.conf"));
    child_must(!opens("other/file") && !opens("/etc/passwd") &&
               !opens("/etc/shadow"));
    child_must(!opens("le/archive/other/cert1.pem") && !opens("le/live"));
    child_must(write(go[1], "g", 1) == 1 && read(done[0], &byte, 1) == 1);
    child_must(opens("le/live/web/cert.pem") && opens("k8s/tls.key"));
    child_must(opens("srv/current/tls/ca.pem"));
    child_must(!root || drop_caps_use(0, NULL) == ERR_OK);
    child_must(fence_holds(fence, full("k8s/tls.key"), &why) == ERR_OK);
    child_must(fence_holds(fence, full("other/file"), &why) == ERR_CONF);
    child_must(open("etc/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
    child_must(!root || !opens("etc/ca.pem"));
}

static void
renewals_stay_readable_and_nothing_else(void **state)
{
    (void)state;
    if (landlock_abi() == 0) {
        printf("skipped: this kernel has no Landlock\n");
        skip();
    }
    assert_true(child_run(enter, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fence_follows_links),
        cmocka_unit_test(missing_files_are_somebody_elses_error),
        cmocka_unit_test(wide_directories_are_refused),
        cmocka_unit_test(renewals_stay_readable_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
