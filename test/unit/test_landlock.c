/*
 * test_landlock.c - outside the fence nothing answers, not even to root
 */
#include "common/landlock.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char base[] = "/tmp/mtlsd-landlock.XXXXXX";
static char inside[64], outside[64];

static int
setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(base));
    assert_int_equal(chdir(base), 0);
    assert_true(mkdir("in", 0755) == 0 && mkdir("out", 0755) == 0);
    for (const char *const *file =
             (const char *const[]){ "in/f", "in/run", "out/f", NULL };
         *file != NULL; file++) {
        int fd = open(*file, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

        assert_int_equal(write(fd, "#!/bin/true\n", 12), 12);
        close(fd);
    }
    assert_int_equal(symlink("../out/f", "in/link"), 0);
    snprintf(inside, sizeof(inside), "%s/in", base);
    snprintf(outside, sizeof(outside), "%s/out", base);
    return 0;
}

static int
teardown(void **state)
{
    static const char *const files[] = { "in/f",   "in/g",    "in/h",
                                         "in/run", "in/link", "out/f" };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(files[i]);
    rmdir("in");
    rmdir("out");
    return chdir("/") == 0 && rmdir(base) == 0 ? 0 : -1;
}

/* opens - may this be opened? A refusal must be the fence's own. */
static bool
opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    child_must(fd >= 0 || errno == EACCES);
    close(fd);
    return fd >= 0;
}

static void
fence(const char *path, unsigned rights, struct landlock_extra extra)
{
    const struct landlock_dir dirs[] = { { path, rights },
                                         { "/no/such/directory", rights } };
    struct why why = { "" };

    child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    child_must(landlock_fence(dirs, 2, extra, &why) == ERR_OK);
}

static void
read_only(void *arg)
{
    int before = open("out/f", O_RDONLY | O_CLOEXEC), status;
    char byte;
    pid_t pid;

    (void)arg;
    fence(inside, LANDLOCK_READ, (struct landlock_extra){ 0 });
    child_must(opens("in/f", O_RDONLY) && opens("in", O_RDONLY | O_DIRECTORY));
    child_must(!opens("/etc/passwd", O_RDONLY) && !opens("out/f", O_RDONLY));
    child_must(!opens("in/link", O_RDONLY) && !opens("in/../out/f", O_RDONLY));
    child_must(!opens("/proc/self/root/etc/passwd", O_RDONLY));
    child_must(!opens("/", O_RDONLY | O_DIRECTORY) &&
               !opens(".", O_RDONLY | O_DIRECTORY));
    child_must(!opens("in/f", O_WRONLY) && !opens("in/f", O_RDWR) &&
               !opens("in/g", O_WRONLY | O_CREAT));
    child_must(truncate("in/f", 0) != 0 && unlink("in/f") != 0 &&
               mkdir("in/g", 0700) != 0);
    child_must(rename("in/f", "in/g") != 0 && link("out/f", "in/g") != 0);
    child_must(rename("out/f", "in/f") != 0 && symlink("/etc", "in/g") != 0);
    child_must(execl("in/run", "run", (char *)NULL) != 0 && errno == EACCES);
    child_must(execl("/bin/true", "true", (char *)NULL) != 0 &&
               errno == EACCES);
    child_must(!opens("/dev/null", O_RDWR));
    child_must(read(before, &byte, 1) == 1); /* what is open stays open */
    pid = fork(); /* children inherit it, and cannot widen it */
    if (pid == 0) {
        fence("/", LANDLOCK_READ | LANDLOCK_WRITE,
              (struct landlock_extra){ 0 });
        child_must(!opens("/etc/passwd", O_RDONLY) && opens("in/f", O_RDONLY));
        _exit(0);
    }
    child_must(waitpid(pid, &status, 0) == pid && status == 0);
}

static void
writable(void *arg)
{
    (void)arg;
    fence(inside, LANDLOCK_WRITE, (struct landlock_extra){ 0 });
    child_must(opens("in/g", O_WRONLY | O_APPEND | O_CREAT));
    child_must(rename("in/g", "in/h") == 0 &&
               opens("in/h", O_WRONLY | O_TRUNC));
    child_must(unlink("in/h") == 0);
    child_must(!opens("in/f", O_RDONLY) && !opens("out/f", O_WRONLY));
    child_must(mkdir("in/g", 0700) != 0 && symlink("/etc", "in/g") != 0);
    child_must(mknod("in/g", S_IFIFO | 0600, 0) != 0);
    child_must(rename("in/f", "out/g") != 0);
}

static void
single_file(void *arg)
{
    char path[96];

    (void)arg;
    snprintf(path, sizeof(path), "%s/f", inside);
    fence(path, LANDLOCK_READ, (struct landlock_extra){ 0 });
    child_must(opens("in/f", O_RDONLY) && !opens("in/run", O_RDONLY));
    child_must(!opens("in", O_RDONLY | O_DIRECTORY));
}

static void
nothing_at_all(void *arg)
{
    (void)arg;
    child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    child_must(landlock_fence(NULL, 0, (struct landlock_extra){ 0 }, NULL) ==
               ERR_OK);
    child_must(!opens("in/f", O_RDONLY) && !opens("/dev/null", O_RDWR));
}

static void
the_fence_holds(void **state)
{
    (void)state;
    if (landlock_abi() == 0)
        skip();
    assert_true(child_run(read_only, NULL));
    assert_true(child_run(writable, NULL));
    assert_true(child_run(single_file, NULL));
    assert_true(child_run(nothing_at_all, NULL));
}

/* connect_tcp - errno of a connection to a listener on loopback */
static int
connect_tcp(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), code;

    code =
        connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 ? 0 : errno;
    close(fd);
    return code;
}

static void
no_network(void *arg)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in any = to;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(to);

    (void)arg;
    child_must(bind(listener, (struct sockaddr *)&to, sizeof(to)) == 0);
    child_must(listen(listener, 1) == 0);
    child_must(getsockname(listener, (struct sockaddr *)&to, &len) == 0);
    child_must(connect_tcp(&to) == 0);
    fence("/", LANDLOCK_READ, (struct landlock_extra){ .no_tcp = 1 });
    child_must(connect_tcp(&to) == EACCES);
    close(listener);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    child_must(bind(listener, (struct sockaddr *)&any, sizeof(any)) != 0 &&
               errno == EACCES);
}

static void
no_tcp_is_kept_from(void **state)
{
    (void)state;
    if (landlock_abi() < 4)
        skip();
    assert_true(child_run(no_network, NULL));
}

/* connect_abstract - errno of a connection to the parent's abstract socket */
static int
connect_abstract(const struct sockaddr_un *to)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), code;

    code =
        connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 ? 0 : errno;
    close(fd);
    return code;
}

static void
no_scope(void *arg)
{
    const struct sockaddr_un *to = arg;
    pid_t pid;
    int status;

    child_must(connect_abstract(to) == 0 && kill(getppid(), 0) == 0);
    fence("/", LANDLOCK_READ, (struct landlock_extra){ 1, 1, 0 });
    child_must(connect_abstract(to) == EPERM);
    child_must(kill(getppid(), 0) != 0 && errno == EPERM);
    pid = fork(); /* our own children stay ours */
    if (pid == 0) {
        pause();
        _exit(0);
    }
    child_must(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
}

static void
scopes_are_kept(void **state)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    if (landlock_abi() < 6) {
        close(listener);
        skip();
    }
    snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "mtlsd-test-%d",
             (int)getpid());
    assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_true(child_run(no_scope, &to));
    close(listener);
}

static void
with_privileges(void *arg)
{
    struct why why;

    (void)arg;
    child_must(landlock_fence(NULL, 0, (struct landlock_extra){ 0 }, &why) ==
               ERR_PRIV);
    child_must(strstr(why.text, landlock_abi() > 0 ? "no_new_privs"
                                                   : "no Landlock") != NULL);
    child_must(opens("/etc/passwd", O_RDONLY));
}

static void
no_new_privs_come_first(void **state)
{
    (void)state;
    assert_true(child_run(with_privileges, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fence_holds),
        cmocka_unit_test(no_tcp_is_kept_from),
        cmocka_unit_test(scopes_are_kept),
        cmocka_unit_test(no_new_privs_come_first),
    };

    if (landlock_abi() == 0)
        printf("skipped in part: this kernel has no Landlock\n");
    return cmocka_run_group_tests(tests, setup, teardown);
}
