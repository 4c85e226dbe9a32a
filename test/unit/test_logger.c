/*
 * test_logger.c - the logger writes what it is sent, stamps it, and outlives
 * dead targets, hostile senders and rotation
 */
#include "common/fdio.h"
#include "master/logger.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define PATIENCE_MS 60000

static struct drop_ids ids = { .uid = CHILD_UID, .gid = CHILD_UID };
static char base[64], path[96];

static struct {
    int fd, control;
    pid_t pid;
} logger;

static int
setup(void **state)
{
    (void)state;
    ids.root = geteuid() == 0;
    if (!ids.root) {
        ids.uid = getuid();
        ids.gid = getgid();
    }
    snprintf(base, sizeof(base), "/tmp/mtlsd-logger.XXXXXX");
    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0755), 0);
    assert_int_equal(chown(base, ids.uid, ids.gid), 0);
    snprintf(path, sizeof(path), "%s/log", base);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    log_open(-1, LOG_L_INFO);
    child_remove(base);
    return 0;
}

static enum err
start(const char *where, enum log_format format, struct why *why)
{
    return logger_start(where, format, LOG_L_DEBUG, &ids, &logger.fd,
                        &logger.control, &logger.pid, why);
}

/* stop - close our ends; the logger's exit code */
static int
stop(void)
{
    int status;

    close(logger.fd);
    close(logger.control);
    assert_int_equal(waitpid(logger.pid, &status, 0), logger.pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* content - a file as text */
static const char *
content(const char *file)
{
    static char text[65536];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, text, sizeof(text) - 1);

    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

/* told - does the log hold this within two seconds? */
static bool
told(const char *file, const char *text)
{
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        if (strstr(content(file), text) != NULL)
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

static void
log_from_child(void *arg)
{
    struct log_line line;

    (void)arg;
    log_begin(&line, LOG_L_WARN, "refused");
    log_text(&line, "cn", "ops\n2026-01-01T00:00:00.000Z mtlsd[1] info fake");
    log_int(&line, "said", getpid());
    log_send(&line);
}

static void
lines_are_stamped_by_the_logger(void **state)
{
    char stamp[32], head[64];
    const char *text, *at;
    long said;
    time_t now = time(NULL);
    struct tm tm;
    struct stat st;

    (void)state;
    assert_int_equal(start(path, LOG_F_LOGFMT, NULL), ERR_OK);
    assert_true(child_run(log_from_child, NULL));
    log_simple(LOG_L_INFO, "ready", NULL);
    assert_int_equal(stop(), 0);
    text = content(path);
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:", &tm);
    assert_memory_equal(text, stamp, 14);
    at = strstr(text, "said=");
    assert_non_null(at);
    said = strtol(at + 5, NULL, 10);
    assert_int_not_equal(said, getpid());
    snprintf(head, sizeof(head), " mtlsd[%ld] warn refused cn=", said);
    assert_memory_equal(text + 24, head, strlen(head));
    assert_null(strstr(text, "\n2026-01-01"));
    for (said = 0, at = text; *at != '\0'; at++)
        said += *at == '\n';
    assert_int_equal(said, 2);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_uid == ids.uid && st.st_gid == ids.gid);
    assert_int_equal(st.st_mode & ALLPERMS & ~0640u, 0);
}

static void
json_on_request(void **state)
{
    (void)state;
    assert_int_equal(start(path, LOG_F_JSON, NULL), ERR_OK);
    log_simple(LOG_L_INFO, "ready", "a \"b\"");
    assert_int_equal(stop(), 0);
    assert_memory_equal(content(path), "{\"ts\":\"2", 8);
    assert_non_null(strstr(content(path), "\"reason\":\"a \\\"b\\\"\"}\n"));
}

/* status_line - the value of one line of /proc/PID/status */
static void
status_line(const char *key, char *value, size_t size)
{
    char file[64];
    const char *at;

    snprintf(file, sizeof(file), "/proc/%d/status", (int)logger.pid);
    at = strstr(content(file), key);
    assert_non_null(at);
    at += strlen(key) + 1;
    at += strspn(at, " \t");
    snprintf(value, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void
the_logger_is_confined(void **state)
{
    static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:",
                                        "CapAmb:" };
    char value[128], want[128];
    int spare[20], count = 0;

    (void)state;
    for (size_t i = 0; i < 20; i++)
        spare[i] = dup(0);
    assert_int_equal(start(path, LOG_F_LOGFMT, NULL), ERR_OK);
    for (size_t i = 0; i < 20; i++)
        close(spare[i]);
    snprintf(want, sizeof(want), "%u\t%u\t%u\t%u", ids.uid, ids.uid, ids.uid,
             ids.uid);
    status_line("Uid:", value, sizeof(value));
    assert_string_equal(value, want);
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        status_line(sets[i], value, sizeof(value));
        assert_string_equal(value, "0000000000000000");
    }
    status_line("NoNewPrivs:", value, sizeof(value));
    assert_string_equal(value, "1");
    for (int fd = 3; ids.root && fd < 256; fd++) {
        char link[64];

        snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)logger.pid, fd);
        count += readlink(link, value, sizeof(value)) > 0;
    }
    assert_true(!ids.root || count == 3); /* data, control, the file */
    kill(logger.pid, SIGTERM);
    kill(logger.pid, SIGINT);
    kill(logger.pid, SIGHUP);
    log_simple(LOG_L_INFO, "alive", NULL);
    assert_int_equal(stop(), 0);
    assert_non_null(strstr(content(path), "alive"));
}

static void
hostile_packets_do_not_end_it(void **state)
{
    char big[LOG_RECORD_MAX + 10];

    (void)state;
    memset(big, 'a', sizeof(big));
    assert_int_equal(start(path, LOG_F_LOGFMT, NULL), ERR_OK);
    assert_int_equal(send(logger.fd, "", 0, 0), 0);
    assert_int_equal(send(logger.fd, "\3e f\0", 5, 0), 5);
    assert_int_equal(send(logger.fd, big, sizeof(big), 0), sizeof(big));
    assert_int_equal(fdio_send(logger.fd, "\3with_fd\0", 9, 0, 0, NULL),
                     ERR_OK);
    log_simple(LOG_L_INFO, "after", NULL);
    assert_int_equal(logger_reopen(logger.control, NULL), ERR_OK);
    assert_int_equal(stop(), 0);
    assert_non_null(strstr(content(path), "info after\n"));
    assert_non_null(strstr(content(path), "info with_fd\n"));
    snprintf(big, sizeof(big), "warn log_bad sender=%d\n", (int)getpid());
    assert_non_null(strstr(content(path), big));
    assert_non_null(
        strstr(strstr(strstr(content(path), big) + 1, big) + 1, big));
}

/* a sender shuts the shared socket down for all: that must not look like an
 * end */
static void
sabotage_is_told(void **state)
{
    int status;

    (void)state;
    assert_int_equal(start(path, LOG_F_LOGFMT, NULL), ERR_OK);
    log_simple(LOG_L_INFO, "before", NULL);
    assert_int_equal(shutdown(logger.fd, SHUT_RDWR), 0);
    assert_int_equal(waitpid(logger.pid, &status, 0), logger.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SYS);
    assert_non_null(strstr(content(path), "before"));
    assert_non_null(strstr(content(path), "log_shut"));
    close(logger.fd);
    close(logger.control);
}

static void
a_workers_end_outlives_the_master(void **state)
{
    int status;

    (void)state;
    assert_int_equal(start(path, LOG_F_LOGFMT, NULL), ERR_OK);
    close(logger.control); /* the master is gone */
    poll(NULL, 0, 50);
    log_simple(LOG_L_INFO, "still", NULL);
    assert_true(told(path, "still"));
    close(logger.fd);
    assert_int_equal(waitpid(logger.pid, &status, 0), logger.pid);
    assert_int_equal(status, 0);
}

static void
rotation_moves_to_the_new_file(void **state)
{
    char old[128];

    (void)state;
    snprintf(old, sizeof(old), "%s.1", path);
    assert_int_equal(start(path, LOG_F_LOGFMT, NULL), ERR_OK);
    log_simple(LOG_L_INFO, "one", NULL);
    assert_true(told(path, "one"));
    assert_int_equal(rename(path, old), 0);
    log_simple(LOG_L_INFO, "two", NULL);
    assert_true(told(old, "two"));
    assert_int_equal(logger_reopen(logger.control, NULL), ERR_OK);
    log_simple(LOG_L_INFO, "three", NULL);
    assert_int_equal(stop(), 0);
    assert_non_null(strstr(content(path), "three"));
    assert_null(strstr(content(old), "three"));
}

/* a directory of root's alone: logrotate's `create` makes the file, else the
 * old one is kept and the reason told */
static void
rotation_in_a_directory_of_root(void **state)
{
    char old[128];
    struct why why;
    int fd;

    (void)state;
    if (!child_is_root())
        skip();
    snprintf(old, sizeof(old), "%s.1", path);
    assert_int_equal(chown(base, 0, 0), 0);
    assert_int_equal(start(path, LOG_F_LOGFMT, NULL), ERR_OK);
    assert_int_equal(rename(path, old), 0);
    assert_int_equal(logger_reopen(logger.control, &why), ERR_FILE);
    assert_non_null(strstr(why.text, "Permission denied"));
    log_simple(LOG_L_INFO, "kept", NULL);
    assert_true(told(old, "kept") && told(old, "log_reopen_failed"));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    assert_true(fd >= 0 && fchown(fd, ids.uid, 0) == 0);
    close(fd);
    assert_int_equal(logger_reopen(logger.control, &why), ERR_OK);
    log_simple(LOG_L_INFO, "moved", NULL);
    assert_int_equal(stop(), 0);
    assert_non_null(strstr(content(path), "moved"));
}

/* parents closed to the daemon's user do not matter: it stands within */
static void
a_closed_parent_is_no_obstacle(void **state)
{
    char dir[128], file[160];

    (void)state;
    if (!child_is_root())
        skip();
    snprintf(dir, sizeof(dir), "%s/private", base);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chown(dir, ids.uid, ids.gid), 0);
    assert_true(chown(base, 0, 0) == 0 && chmod(base, 0700) == 0);
    snprintf(file, sizeof(file), "%s/log", dir);
    assert_int_equal(start(file, LOG_F_LOGFMT, NULL), ERR_OK);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(logger_reopen(logger.control, NULL), ERR_OK);
    log_simple(LOG_L_INFO, "here", NULL);
    assert_int_equal(stop(), 0);
    assert_non_null(strstr(content(file), "here"));
}

/* bad_start - this target is refused, and why holds says */
static void
bad_start(const char *where, enum err want, const char *says)
{
    struct why why = { "" };
    enum err err = start(where, LOG_F_LOGFMT, &why);

    if (err != want || strstr(why.text, says) == NULL)
        fail_msg("%s: %d %s", where, (int)err, why.text);
}

static void
bad_targets_are_refused(void **state)
{
    char other[96];
    struct stat st;
    int fd;

    (void)state;
    bad_start("", ERR_CONF, "absolute");
    bad_start("log", ERR_CONF, "absolute");
    bad_start("syslog:", ERR_CONF, "facility");
    bad_start("syslog:lokal0", ERR_CONF, "no facility \"lokal0\"");
    bad_start("/", ERR_CONF, "names no file");
    bad_start("/tmp/", ERR_CONF, "names no file");
    bad_start("/no/such/place/log", ERR_FILE, "cannot open /no/such/place");
    bad_start("/dev/null", ERR_FILE, "regular file");
    bad_start(base, ERR_FILE, "cannot open");

    /* traps: a link, and a second name, to a file of somebody else's */
    snprintf(other, sizeof(other), "%s/shadow", base);
    fd = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    assert_int_equal(symlink(other, path), 0);
    bad_start(path, ERR_FILE, "cannot open");
    assert_true(unlink(path) == 0 && link(other, path) == 0);
    bad_start(path, ERR_FILE, "one name");
    assert_true(stat(other, &st) == 0 && st.st_uid == geteuid());
    assert_true(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    bad_start(path, ERR_FILE, "cannot open");
}

/* traps set after the start: what a reopen must not fall for either */
static void
reopen_keeps_the_rules(void **state)
{
    struct why why;

    (void)state;
    assert_int_equal(start(path, LOG_F_LOGFMT, NULL), ERR_OK);
    assert_true(unlink(path) == 0 && symlink("/dev/null", path) == 0);
    assert_int_equal(logger_reopen(logger.control, &why), ERR_FILE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(logger_reopen(logger.control, &why), ERR_FILE);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(logger_reopen(logger.control, &why), ERR_OK);
    assert_int_equal(stop(), 0);
    assert_int_equal(logger_reopen(logger.control, &why), ERR_SYS);
}

/* start_on_pipe - the logger with a pipe as its stderr */
static void
start_on_pipe(int pipes[2])
{
    int saved = dup(STDERR_FILENO);

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    fflush(stderr);
    dup2(pipes[1], STDERR_FILENO);
    assert_int_equal(start("stderr", LOG_F_LOGFMT, NULL), ERR_OK);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
}

/* drain - read the pipe until a line holds text */
static bool
drain(int fd, const char *text)
{
    static char seen[1 << 20];
    size_t len = 0;
    struct pollfd poller = { .fd = fd, .events = POLLIN };

    while (len < sizeof(seen) - 1 && poll(&poller, 1, PATIENCE_MS) == 1) {
        ssize_t n = read(fd, seen + len, sizeof(seen) - 1 - len);

        if (n <= 0)
            return false;
        len += (size_t)n;
        seen[len] = '\0';
        if (strstr(seen, text) != NULL)
            return true;
    }
    return false;
}

static void
a_full_pipe_loses_lines_and_says_so(void **state)
{
    char value[500];
    int pipes[2];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    start_on_pipe(pipes);
    /* more than the pipe takes (64 KiB), not more than the socket holds */
    for (int i = 0; i < 160; i++)
        log_simple(LOG_L_INFO, "flood", value);
    poll(NULL, 0, 700);
    assert_int_equal(logger_reopen(logger.control, NULL),
                     ERR_OK); /* it answers */
    assert_true(drain(pipes[0], "flood"));
    log_simple(LOG_L_INFO, "again", NULL);
    assert_true(drain(pipes[0], "warn log_lost lost="));
    assert_int_equal(stop(), 0);
    close(pipes[0]);
}

static void
a_dead_pipe_does_not_kill(void **state)
{
    int pipes[2];

    (void)state;
    start_on_pipe(pipes);
    log_simple(LOG_L_INFO, "heard", NULL);
    assert_true(drain(pipes[0], "info heard\n"));
    close(pipes[0]);
    for (int i = 0; i < 20; i++)
        log_simple(LOG_L_INFO, "unheard", NULL);
    assert_int_equal(logger_reopen(logger.control, NULL), ERR_OK);
    assert_int_equal(kill(logger.pid, 0), 0);
    assert_int_equal(stop(), 0);
}

/* --- syslog, in a mount namespace with a /dev of our own ---------------- */

static int
bind_syslog(void)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    unlink("/dev/log");
    child_must(bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    child_must(chmod("/dev/log", 0666) == 0);
    return fd;
}

/* heard - the next datagram, as text */
static const char *
heard(int fd)
{
    static char text[LOG_LINE_MAX + 1];
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    ssize_t len = poll(&poller, 1, PATIENCE_MS) == 1
                      ? recv(fd, text, sizeof(text) - 1, 0)
                      : 0;

    text[len > 0 ? len : 0] = '\0';
    return text;
}

/* own_mounts - a /dev of our own needs a mount namespace, and a root that is a
 * mount point, lest the change reach the host's */
static void
own_mounts(void *arg)
{
    (void)arg;
    child_must(unshare(CLONE_NEWNS) == 0);
    child_must(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0);
}

static void
talk_to_syslog(void *arg)
{
    char want[128];
    struct why why;
    int fd;

    own_mounts(arg);
    child_must(mount("none", "/dev", "tmpfs", 0, NULL) == 0);
    child_must(start("syslog", LOG_F_LOGFMT, &why) == ERR_SYS);
    child_must(strstr(why.text, "cannot reach /dev/log: No such file") != NULL);

    fd = bind_syslog();
    child_must(start("syslog:local3", LOG_F_LOGFMT, &why) == ERR_OK);
    log_simple(LOG_L_ERROR, "one", "a b\n<0>forged");
    snprintf(want, sizeof(want),
             "<155>mtlsd[%d]: error one reason=\"a b\\x0a<0>forged\"",
             (int)getpid());
    child_must(strcmp(heard(fd), want) == 0);
    log_simple(LOG_L_DEBUG, "two", NULL);
    snprintf(want, sizeof(want), "<159>mtlsd[%d]: debug two", (int)getpid());
    child_must(strcmp(heard(fd), want) == 0);

    close(fd); /* the daemon restarts: its socket is another one */
    log_simple(LOG_L_INFO, "nobody", NULL);
    log_simple(LOG_L_INFO, "hears", NULL);
    child_must(logger_reopen(logger.control, &why) == ERR_FILE);
    poll(NULL, 0, 200); /* both lines are lost by now */
    fd = bind_syslog();
    log_simple(LOG_L_INFO, "back", NULL);
    /* two lines and the one about the reopen */
    child_must(strstr(heard(fd), "warn log_lost lost=3") != NULL);
    child_must(strstr(heard(fd), "info back") != NULL);
    child_must(logger_reopen(logger.control, &why) == ERR_OK);
    close(logger.fd);
    close(logger.control);
    child_must(waitpid(logger.pid, NULL, 0) == logger.pid);
}

static void
syslog_is_found_again(void **state)
{
    (void)state;
    if (!child_is_root())
        skip();
    if (!child_run(own_mounts, NULL)) {
        print_message("skipped: no mounts of our own in this container\n");
        skip();
    }
    assert_true(child_run(talk_to_syslog, NULL));
}

/* --- a start that fails in the child is told to the parent -------------- */

static void
start_without_power(void *arg)
{
    struct drop_ids wrong = ids;
    struct why why = { "" };
    int fd, control;
    pid_t pid;

    (void)arg;
    wrong.uid = 0; /* drop_now refuses it */
    wrong.root = true;
    child_must(logger_start("stderr", LOG_F_LOGFMT, LOG_L_INFO, &wrong, &fd,
                            &control, &pid, &why) == ERR_PRIV);
    child_must(strstr(why.text, "root") != NULL);
    child_must(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void
a_failed_confinement_is_told(void **state)
{
    (void)state;
    assert_true(child_run(start_without_power, NULL));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(lines_are_stamped_by_the_logger),
        TEST(json_on_request),
        TEST(the_logger_is_confined),
        TEST(hostile_packets_do_not_end_it),
        TEST(sabotage_is_told),
        TEST(a_workers_end_outlives_the_master),
        TEST(rotation_moves_to_the_new_file),
        TEST(rotation_in_a_directory_of_root),
        TEST(a_closed_parent_is_no_obstacle),
        TEST(bad_targets_are_refused),
        TEST(reopen_keeps_the_rules),
        TEST(a_full_pipe_loses_lines_and_says_so),
        TEST(a_dead_pipe_does_not_kill),
        TEST(syslog_is_found_again),
        TEST(a_failed_confinement_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
