/*
 * test_jail.c - out of the jail leads no way, and nothing can be put into it
 */
#include "common/landlock.h"
#include "master/drop.h"
#include "master/jail.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static const struct drop_ids nobody = { .root = true,
                                        .uid = CHILD_UID,
                                        .gid = CHILD_UID };

static char base[64]; /* root's own directory, below nobody else's */

static int
setup(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/run/mtlsd-test.XXXXXX");
    if (geteuid() != 0)
        return 0;
    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0755), 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    return geteuid() == 0 ? rmdir(base) : 0;
}

/* in_base - a path below base */
static const char *
in_base(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

static void
attack_outward(void)
{
    static const char *const ways[] = {
        "/etc/passwd",
        "../etc/passwd",
        "../../../../../../etc/passwd",
        "/proc/self/root/etc/passwd",
        "/../etc/passwd",
        "etc/passwd",
        "/run",
        "/proc/self/fd",
        "/dev/null",
    };
    struct stat up, root;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        child_must(open(ways[i], O_RDONLY | O_CLOEXEC) < 0);
    child_must(chroot("..") != 0 && chroot("/") != 0);
    child_must(chdir("..") == 0);
    child_must(stat("..", &up) == 0 && stat("/", &root) == 0);
    child_must(up.st_ino == root.st_ino && up.st_dev == root.st_dev);
    for (int fd = 3; fd < 256; fd++) /* no way left through a directory */
        child_must(fchdir(fd) != 0);
}

static void
attack_inward(void)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/s" };
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    child_must(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0);
    child_must(open("/x", O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0);
    child_must(open("/", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600) < 0);
    child_must(mkdir("x", 0700) != 0 && mknod("x", S_IFIFO | 0600, 0) != 0);
    child_must(symlink("/etc", "x") != 0 && link("/", "x") != 0);
    child_must(bind(sock, (struct sockaddr *)&to, sizeof(to)) != 0);
    child_must(rename("/", "/x") != 0 && rmdir("/") != 0);
    child_must(chmod("/", 0777) != 0 && chown("/", CHILD_UID, CHILD_UID) != 0);
    close(sock);
}

static void
enter_and_attack(void *arg)
{
    struct jail jail;
    struct why why = { "" };
    int fd;

    child_must(jail_open(arg, &jail, &why) == ERR_OK);
    fd = jail.fd;
    child_must(drop_now(&nobody, DROP_CAP_CHROOT, false, &why) == ERR_OK);
    child_must(jail_enter(&jail, &why) == ERR_OK);
    child_must(jail.fd == -1 && fcntl(fd, F_GETFD) < 0);
    child_must(!drop_has(DROP_CAP_CHROOT));
    for (int other = 3; other < 256; other++)
        close(other); /* cmocka's and the sanitizer's, not ours */
    attack_outward();
    attack_inward();
}

static void
there_is_no_way_out(void **state)
{
    char dir[128];

    (void)state;
    if (!child_is_root())
        skip();
    assert_true(child_run(enter_and_attack, (char[]){ "auto" }));
    snprintf(dir, sizeof(dir), "%s", in_base("empty"));
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_true(child_run(enter_and_attack, dir));
    rmdir(dir);
}

/* root itself cannot put a file into the directory that is gone */
static void
the_automatic_jail_is_gone(void **state)
{
    struct jail jail;
    struct stat st;

    (void)state;
    if (!child_is_root())
        skip();
    assert_int_equal(jail_open("auto", &jail, NULL), ERR_OK);
    assert_int_equal(fstat(jail.fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(fcntl(jail.fd, F_GETFD), FD_CLOEXEC);
    assert_true(openat(jail.fd, "x", O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0);
    assert_int_equal(errno, ENOENT);
    assert_int_not_equal(mkdirat(jail.fd, "x", 0700), 0);
    close(jail.fd);
}

static void
enter_without_power(void *arg)
{
    struct jail jail;
    struct why why;

    (void)arg;
    child_must(jail_open("auto", &jail, &why) == ERR_OK);
    child_must(drop_now(&nobody, 0, false, &why) == ERR_OK);
    child_must(jail_enter(&jail, &why) == ERR_PRIV);
    child_must(strstr(why.text, "CAP_SYS_CHROOT") != NULL);
}

static void
enter_none(void *arg)
{
    struct jail jail = { 7 };
    struct why why;

    (void)arg;
    child_must(jail_open("none", &jail, &why) == ERR_OK && jail.fd == -1);
    child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    child_must(jail_enter(&jail, &why) == ERR_OK);
    child_must(!drop_has(DROP_CAP_CHROOT) && !drop_has(DROP_CAP_READ));
    /* no jail, but Landlock: files are out of reach all the same */
    child_must((open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0) ==
               (landlock_abi() == 0));
    child_must(landlock_abi() < 6 || kill(getppid(), 0) != 0);
}

static void
power_is_needed_and_forgotten(void **state)
{
    (void)state;
    assert_true(child_run(enter_none, NULL));
    if (!child_is_root())
        skip();
    assert_true(child_run(enter_without_power, NULL));
}

/* refused - jail_open(path) is ERR_CONF, and why holds says */
static void
refused(const char *path, const char *says)
{
    struct jail jail;
    struct why why = { "" };

    assert_int_equal(jail_open(path, &jail, &why), ERR_CONF);
    assert_int_equal(jail.fd, -1);
    assert_non_null(strstr(why.text, says));
}

static void
a_jail_that_others_control_is_refused(void **state)
{
    char dir[128], below[160];

    (void)state;
    if (!child_is_root())
        skip();
    refused("jail", "absolute");
    refused("", "absolute");
    refused("/no/such/directory", "/no must be a directory");
    refused("/etc/passwd", "/etc/passwd must be a directory");
    refused("/tmp", "/tmp may be written by others");
    refused("/tmp/x", "/tmp may be written by others");
    refused("/run/../run", "..");

    snprintf(dir, sizeof(dir), "%s", in_base("d"));
    snprintf(below, sizeof(below), "%s/e", dir);
    assert_true(mkdir(dir, 0755) == 0 && mkdir(below, 0755) == 0);
    refused(dir, "is not empty: it holds e");
    assert_int_equal(chmod(dir, 0775), 0);
    refused(dir, "may be written by others than root (mode 0775)");
    refused(below, "may be written by others");
    assert_true(chmod(dir, 0755) == 0 && chown(dir, CHILD_UID, 0) == 0);
    refused(dir, "belongs to uid 65534");
    refused(below, "belongs to uid 65534");
    assert_true(chown(dir, 0, 0) == 0 && chmod(dir, 0700) == 0);
    refused(dir, "nobody but root can enter");
    assert_true(rmdir(below) == 0 && symlink("/run", below) == 0);
    refused(below, "must be a directory, not a link");
    assert_true(unlink(below) == 0 && rmdir(dir) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_no_way_out),
        cmocka_unit_test(the_automatic_jail_is_gone),
        cmocka_unit_test(power_is_needed_and_forgotten),
        cmocka_unit_test(a_jail_that_others_control_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
