/*
 * test_drop.c - a dropped process is attacked from within
 */
#include "master/drop.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const struct drop_ids nobody = {
    .root = true,
    .uid = CHILD_UID,
    .gid = CHILD_UID,
    .group_count = 2,
    .groups = { 4711, 4712 },
};

static char secret[64],
    setuid_id[64]; /* a file of root's alone; id(1), setuid root */

static int
setup(void **state)
{
    char dir[] = "/tmp/mtlsd-drop.XXXXXX";
    struct stat st;
    int in, out;

    (void)state;
    if (geteuid() != 0)
        return 0;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(secret, sizeof(secret), "%s/secret", dir);
    out = open(secret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(out, "key", 3), 3);
    close(out);
    snprintf(setuid_id, sizeof(setuid_id), "%s/id", dir);
    in = open("/usr/bin/id", O_RDONLY | O_CLOEXEC);
    out = open(setuid_id, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    assert_int_equal(fstat(in, &st), 0);
    assert_int_equal(sendfile(out, in, NULL, (size_t)st.st_size), st.st_size);
    assert_int_equal(fchmod(out, 04755), 0);
    close(in);
    close(out);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return 0;
    unlink(secret);
    unlink(setuid_id);
    *strrchr(secret, '/') = '\0';
    rmdir(secret);
    return 0;
}

/* raw_caps - capset as an attacker would call it */
static int
raw_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = {
        { (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
        { (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
          (uint32_t)(inheritable >> 32) },
    };

    return (int)syscall(SYS_capset, &head, data);
}

static uint64_t
raw_permitted(void)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { { 0 } };

    child_must(syscall(SYS_capget, &head, data) == 0);
    return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

/* can_read_secret - and never write it */
static bool
can_read_secret(void)
{
    int fd = open(secret, O_RDONLY | O_CLOEXEC);

    child_must(open(secret, O_WRONLY | O_CLOEXEC) < 0);
    close(fd);
    return fd >= 0;
}

static void
attack_ids(void)
{
    const gid_t root = 0;

    child_must(setuid(0) != 0 && seteuid(0) != 0 && setreuid(0, 0) != 0);
    child_must(setresuid(0, 0, 0) != 0 &&
               setresuid((uid_t)-1, (uid_t)-1, 0) != 0);
    child_must(setgid(0) != 0 && setegid(0) != 0 && setregid(0, 0) != 0);
    child_must(setresgid(0, 0, 0) != 0 && setgroups(1, &root) != 0 &&
               setgroups(0, NULL) != 0);
    setfsuid(0);
    setfsgid(0);
    child_must(!can_read_secret());
    child_must(getuid() == CHILD_UID && geteuid() == CHILD_UID &&
               getegid() == CHILD_UID);
}

static void
attack_caps(uint64_t kept)
{
    child_must(raw_permitted() == kept);
    for (int cap = 0; cap < 41; cap++) {
        uint64_t bit = UINT64_C(1) << cap;

        child_must(prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1);
        child_must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) !=
                   1);
        child_must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) != 0);
        child_must((kept & bit) != 0 || raw_caps(0, kept | bit, 0) != 0);
        child_must((kept & bit) != 0 || raw_caps(bit, kept, 0) != 0);
        child_must((kept & bit) != 0 || raw_caps(0, kept, bit) != 0);
    }
    child_must(chroot("/tmp") != 0);
}

/* a setuid program gives nothing back: no_new_privs */
static void
attack_exec(void)
{
    char out[32] = "";
    int pipes[2], status;
    pid_t pid;

    child_must(pipe(pipes) == 0);
    pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        execl(setuid_id, "id", "-u", (char *)NULL);
        _exit(1);
    }
    child_must(waitpid(pid, &status, 0) == pid && status == 0);
    child_must(read(pipes[0], out, sizeof(out) - 1) > 0);
    child_must(strcmp(out, "65534\n") == 0);
    child_must(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0);
}

static void
drop_without_caps(void *arg)
{
    struct why why = { "" };

    (void)arg;
    child_must(drop_now(&nobody, 0, false, &why) == ERR_OK);
    child_must(getgroups(0, NULL) == 0);
    attack_ids();
    attack_caps(0);
    attack_exec();
    child_must(drop_caps_use(DROP_CAP_READ, &why) == ERR_PRIV);
    child_must(strstr(why.text, "CAP_DAC_READ_SEARCH") != NULL);
    child_must(drop_caps_use(DROP_CAP_CHROOT, &why) == ERR_PRIV);
    child_must(strstr(why.text, "CAP_SYS_CHROOT") != NULL);
    child_must(!drop_has(DROP_CAP_READ) && !drop_has(DROP_CAP_CHROOT));
    child_must(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static void
drop_with_caps(void *arg)
{
    const uint64_t both =
        UINT64_C(1) << CAP_SYS_CHROOT | UINT64_C(1) << CAP_DAC_READ_SEARCH;
    gid_t groups[8];

    (void)arg;
    child_must(drop_now(&nobody, DROP_CAP_CHROOT | DROP_CAP_READ, true, NULL) ==
               ERR_OK);
    child_must(getgroups(8, groups) == 2 && groups[0] == 4711 &&
               groups[1] == 4712);
    attack_ids();
    attack_caps(both);
    attack_exec();
    child_must(drop_has(DROP_CAP_CHROOT | DROP_CAP_READ));
    child_must(drop_caps_use(DROP_CAP_READ, NULL) == ERR_OK);
    child_must(can_read_secret());
    child_must(chroot("/tmp") != 0);
    child_must(drop_caps_use(0, NULL) == ERR_OK);
    child_must(!can_read_secret());
    child_must(drop_caps_forget(NULL) == ERR_OK);
    child_must(drop_caps_use(DROP_CAP_READ, NULL) == ERR_PRIV);
    attack_caps(0);
}

static void
a_dropped_process_stays_dropped(void **state)
{
    (void)state;
    if (!child_is_root())
        skip();
    assert_true(child_run(drop_without_caps, NULL));
    assert_true(child_run(drop_with_caps, NULL));
}

/* machines give root less than everything: nothing is demanded */
static void
drop_with_less(void *arg)
{
    uint64_t lost = *(uint64_t *)arg, have = raw_permitted() & ~lost;

    child_must(raw_caps(have, have, 0) == 0);
    child_must(drop_now(&nobody, DROP_CAP_CHROOT | DROP_CAP_READ, false,
                        NULL) == ERR_OK);
    child_must(drop_has(DROP_CAP_READ) ==
               ((lost & UINT64_C(1) << CAP_DAC_READ_SEARCH) == 0));
    child_must(drop_has(DROP_CAP_CHROOT) ==
               ((lost & UINT64_C(1) << CAP_SYS_CHROOT) == 0));
    child_must(!can_read_secret());
}

static void
missing_capabilities_are_no_error(void **state)
{
    uint64_t lost[] = { UINT64_C(1) << CAP_SETPCAP,
                        UINT64_C(1) << CAP_DAC_READ_SEARCH,
                        UINT64_C(1) << CAP_SYS_CHROOT,
                        UINT64_C(1) << CAP_SYS_RESOURCE };

    (void)state;
    if (!child_is_root())
        skip();
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
        assert_true(child_run(drop_with_less, &lost[i]));
}

static void
drop_without_setuid(void *arg)
{
    uint64_t have = raw_permitted() & ~(UINT64_C(1) << *(int *)arg);
    struct drop_ids ids;
    struct why why;

    child_must(raw_caps(have, have, 0) == 0);
    child_must(drop_now(&nobody, 0, false, &why) == ERR_PRIV);
    child_must(drop_resolve("nobody", NULL, NULL, 0, &ids, &why) == ERR_PRIV);
    child_must(strstr(why.text, "CAP_SETUID") != NULL);
}

static void
root_that_cannot_leave_is_an_error(void **state)
{
    int caps[] = { CAP_SETUID, CAP_SETGID };

    (void)state;
    if (!child_is_root())
        skip();
    assert_true(child_run(drop_without_setuid, &caps[0]));
    assert_true(child_run(drop_without_setuid, &caps[1]));
}

static void
drop_to_root(void *arg)
{
    struct drop_ids ids = nobody;
    struct why why;

    (void)arg;
    ids.uid = 0;
    child_must(drop_now(&ids, 0, false, &why) == ERR_PRIV);
    ids.uid = CHILD_UID;
    ids.gid = 0;
    child_must(drop_now(&ids, 0, false, &why) == ERR_PRIV);
}

static void
root_is_no_place_to_go(void **state)
{
    (void)state;
    assert_true(child_run(drop_to_root, NULL));
}

/* another process of the same uid cannot attach: dumpable is 0 */
static void
attach_to_dropped(void *arg)
{
    int ready[2], status;
    char byte;
    pid_t pid;

    (void)arg;
    child_must(pipe(ready) == 0);
    pid = fork();
    if (pid == 0) {
        child_must(drop_now(&nobody, 0, false, NULL) == ERR_OK);
        child_must(write(ready[1], "r", 1) == 1);
        pause();
    }
    child_must(read(ready[0], &byte, 1) == 1);
    child_ordinary();
    child_must(ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0);
    child_must(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
}

static void
nobody_can_attach(void **state)
{
    (void)state;
    if (!child_is_root())
        skip();
    assert_true(child_run(attach_to_dropped, NULL));
}

static void
ordinary(void *arg)
{
    char group[] = "4711", *const groups[] = { group };
    struct drop_ids ids;
    struct why why;

    (void)arg;
    if (geteuid() == 0)
        child_ordinary();
    child_must(drop_resolve(NULL, NULL, NULL, 0, &ids, &why) == ERR_OK);
    child_must(!ids.root && ids.uid == getuid() && ids.gid == getgid());
    child_must(drop_resolve("daemon", NULL, NULL, 0, &ids, &why) == ERR_CONF);
    child_must(strstr(why.text, "as root") != NULL);
    child_must(drop_resolve(NULL, "4711", NULL, 0, &ids, &why) == ERR_CONF);
    child_must(drop_resolve(NULL, NULL, groups, 1, &ids, &why) == ERR_CONF);
    child_must(drop_resolve(NULL, NULL, NULL, 0, &ids, &why) == ERR_OK);
    child_must(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
    child_must(drop_now(&ids, DROP_CAP_READ, true, &why) == ERR_OK);
    child_must(!drop_has(DROP_CAP_READ) && raw_permitted() == 0);
    child_must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    child_must(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    child_must(drop_caps_forget(&why) == ERR_OK);
}

static void
an_ordinary_user_stays_who_it_is(void **state)
{
    (void)state;
    assert_true(child_run(ordinary, NULL));
}

static const struct {
    const char *user, *group, *more;
    enum err want;
    const char *says;
} names[] = {
    { "nobody", NULL, NULL, ERR_OK, NULL },
    { "65534", NULL, NULL, ERR_OK, NULL },
    { "nobody", "daemon", NULL, ERR_OK, NULL },
    { "12345", "12345", "daemon", ERR_OK, NULL },
    { "12345", NULL, NULL, ERR_CONF, "group=" },
    { "root", NULL, NULL, ERR_CONF, "user must not be root" },
    { "0", "nogroup", NULL, ERR_CONF, "user must not be root" },
    { "nobody", "root", NULL, ERR_CONF, "group must not be root" },
    { "nobody", NULL, "0", ERR_CONF, "groups must not hold root" },
    { "no-such-user", NULL, NULL, ERR_CONF,
      "no user \"no-such-user\"; make it with: adduser --system --group "
      "--no-create-home "
      "no-such-user" },
    { "nobody", "no-such-group", NULL, ERR_CONF, "no group \"no-such-group\"" },
    { "nobody", NULL, "no-such-group", ERR_CONF, "no group \"no-such-group\"" },
    { "4294967295", "nogroup", NULL, ERR_CONF, "no user" },
    { "4294967296", "nogroup", NULL, ERR_CONF, "no user" },
    { "-1", "nogroup", NULL, ERR_CONF, "no user" },
    { "", "nogroup", NULL, ERR_CONF, "no user" },
};

static void
names_become_ids(void **state)
{
    (void)state;
    if (!child_is_root())
        skip();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *more[] = { (char *)(uintptr_t)names[i].more };
        struct why why = { "" };
        struct drop_ids ids;

        assert_int_equal(drop_resolve(names[i].user, names[i].group, more,
                                      more[0] != NULL, &ids, &why),
                         names[i].want);
        if (names[i].says != NULL)
            assert_non_null(strstr(why.text, names[i].says));
        else
            assert_true(ids.root && ids.uid != 0 && ids.gid != 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dropped_process_stays_dropped),
        cmocka_unit_test(missing_capabilities_are_no_error),
        cmocka_unit_test(root_that_cannot_leave_is_an_error),
        cmocka_unit_test(root_is_no_place_to_go),
        cmocka_unit_test(nobody_can_attach),
        cmocka_unit_test(an_ordinary_user_stays_who_it_is),
        cmocka_unit_test(names_become_ids),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
