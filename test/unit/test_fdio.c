/*
 * test_fdio.c - one packet, at most one descriptor, and nothing left behind
 */
#include "common/fdio.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static int pair[2];

static int
setup(void **state)
{
    (void)state;
    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fdio_close(&pair[0]);
    fdio_close(&pair[1]);
    return 0;
}

/* open_count - how many descriptors this process has */
static int
open_count(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* send_many - the hostile sender: as many descriptors as it likes */
static void
send_many(size_t count)
{
    union {
        char room[CMSG_SPACE(16 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = { (char[]){ 'x' }, 1 };
    struct msghdr msg = { .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.room };
    struct cmsghdr *head;

    memset(&control, 0, sizeof(control));
    msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
    head = CMSG_FIRSTHDR(&msg);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    assert_int_equal(sendmsg(pair[0], &msg, 0), 1);
}

static void
passcred(int fd)
{
    const int on = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)),
                     0);
}

static void
a_descriptor_arrives_once(void **state)
{
    char data[16];
    size_t len = sizeof(data);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd, before = open_count();
    struct stat a, b;

    (void)state;
    assert_int_equal(fdio_send(pair[0], "hello", 5, null, 0, NULL), ERR_OK);
    assert_int_equal(fdio_recv(pair[1], data, &len, &fd, NULL, 0, NULL),
                     ERR_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(data, "hello", 5);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(fstat(null, &a) == 0 && fstat(fd, &b) == 0 &&
                a.st_rdev == b.st_rdev);
    assert_int_equal(open_count(), before + 1);
    close(fd);
    close(null);

    len = sizeof(data);
    assert_int_equal(fdio_send(pair[0], "", 1, -1, 0, NULL), ERR_OK);
    assert_int_equal(fdio_recv(pair[1], data, &len, &fd, NULL, 0, NULL),
                     ERR_OK);
    assert_int_equal(fd, -1);
}

static void
unwanted_descriptors_vanish(void **state)
{
    char data[16];
    int before = open_count(), fd;

    (void)state;
    /* no control buffer; one for the sender alone, with and without passcred */
    for (int round = 0; round < 3; round++)
        for (size_t count = 1; count <= 16; count++) {
            size_t len = sizeof(data);
            pid_t sender;

            if (round == 2)
                passcred(pair[1]);
            send_many(count);
            assert_int_equal(fdio_recv(pair[1], data, &len, NULL,
                                       round > 0 ? &sender : NULL, 0, NULL),
                             ERR_OK);
            assert_int_equal(open_count(), before);
        }
    for (int with = 0; with < 2; with++)
        for (size_t count = 2; count <= 16; count++) {
            size_t len = sizeof(data);
            pid_t sender;

            send_many(count);
            assert_int_equal(fdio_recv(pair[1], data, &len, &fd,
                                       with ? &sender : NULL, 0, NULL),
                             ERR_PEER);
            assert_int_equal(fd, -1);
            assert_int_equal(open_count(), before);
        }
}

static void
long_packets_are_refused(void **state)
{
    char data[4], big[64] = { 0 };
    size_t len = sizeof(data);
    int before = open_count(), fd;

    (void)state;
    assert_int_equal(fdio_send(pair[0], big, sizeof(big), pair[0], 0, NULL),
                     ERR_OK);
    assert_int_equal(fdio_recv(pair[1], data, &len, &fd, NULL, 0, NULL),
                     ERR_PEER);
    assert_int_equal(fd, -1);
    assert_int_equal(open_count(), before);
}

static void
send_from_child(void *arg)
{
    (void)arg;
    child_must(fdio_send(pair[0], "x", 1, -1, 0, NULL) == ERR_OK);
    child_must(fdio_send(pair[0], NULL, 0, -1, 0, NULL) == ERR_OK);
    child_must(fdio_send(pair[0], &(pid_t){ getpid() }, sizeof(pid_t), -1, 0,
                         NULL) == ERR_OK);
}

/* the kernel names the sender, and an empty packet is no end */
static void
the_sender_is_known(void **state)
{
    char data[16];
    pid_t sender, first, said;
    size_t len = sizeof(data);

    (void)state;
    passcred(pair[1]);
    assert_true(child_run(send_from_child, NULL));
    assert_int_equal(fdio_recv(pair[1], data, &len, NULL, &first, 0, NULL),
                     ERR_OK);
    assert_true(first > 0 && first != getpid());
    len = sizeof(data);
    assert_int_equal(fdio_recv(pair[1], data, &len, NULL, &sender, 0, NULL),
                     ERR_OK);
    assert_int_equal(len, 0);
    assert_int_equal(sender, first);
    len = sizeof(said);
    assert_int_equal(fdio_recv(pair[1], &said, &len, NULL, &sender, 0, NULL),
                     ERR_OK);
    assert_int_equal(said, sender);
    fdio_close(&pair[0]);
    len = sizeof(data);
    assert_int_equal(fdio_recv(pair[1], data, &len, NULL, &sender, 0, NULL),
                     ERR_EOF);
    assert_int_equal(sender, 0);
}

static void
ends_are_told(void **state)
{
    struct why why;
    char data[16] = "";
    size_t len = sizeof(data);
    int fd;

    (void)state;
    assert_int_equal(
        fdio_recv(pair[1], data, &len, &fd, NULL, MSG_DONTWAIT, &why),
        ERR_AGAIN);
    assert_int_equal(fdio_nonblock(pair[1], &why), ERR_OK);
    assert_int_equal(fdio_recv(pair[1], data, &len, NULL, NULL, 0, &why),
                     ERR_AGAIN);
    while (fdio_send(pair[0], data, 1, -1, MSG_DONTWAIT, &why) == ERR_OK)
        ;
    assert_int_equal(fdio_send(pair[0], data, 1, -1, MSG_DONTWAIT, &why),
                     ERR_AGAIN);
    fdio_close(&pair[1]); /* with unread packets: a reset here */
    assert_int_equal(fdio_recv(pair[0], data, &len, NULL, NULL, 0, &why),
                     ERR_EOF);
    assert_int_equal(fdio_send(pair[0], data, 1, -1, 0, &why), ERR_EOF);
    assert_int_equal(fdio_send(-1, data, 1, -1, 0, &why), ERR_IO);
    assert_int_equal(fdio_nonblock(-1, &why), ERR_SYS);
}

static void
close_all_but_some(void *arg)
{
    int keep[] = { 77, -1, 5, 201, 5, 0, 1000 };

    (void)arg;
    for (int fd = 3; fd < 250; fd++)
        child_must(dup2(0, fd) == fd);
    fdio_close_except(keep, sizeof(keep) / sizeof(keep[0]));
    for (int fd = 0; fd < 250; fd++) {
        bool wanted = fd < 3 || fd == 5 || fd == 77 || fd == 201;

        child_must((fcntl(fd, F_GETFD) >= 0) == wanted);
    }
    fdio_close_except(NULL, 0);
    for (int fd = 3; fd < 250; fd++)
        child_must(fcntl(fd, F_GETFD) < 0);
}

static void
only_the_kept_stay_open(void **state)
{
    (void)state;
    assert_true(child_run(close_all_but_some, NULL));
}

static void
std_missing(void *arg)
{
    int saved = dup(STDERR_FILENO);
    char byte;

    (void)arg;
    close(0);
    close(2);
    child_must(fdio_std(NULL) == ERR_OK);
    child_must(read(0, &byte, 1) == 0);
    child_must(write(2, "x", 1) == 1);
    child_must(fcntl(0, F_GETFD) == 0 && fcntl(2, F_GETFD) == 0);
    dup2(saved, STDERR_FILENO);
}

static void
missing_standard_descriptors_are_null(void **state)
{
    (void)state;
    assert_true(child_run(std_missing, NULL));
}

static void
close_keeps_errno(void **state)
{
    int fd = -1, real = dup(0);

    (void)state;
    errno = 4711;
    fdio_close(&fd);
    fdio_close(&real);
    assert_int_equal(errno, 4711);
    assert_int_equal(real, -1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_descriptor_arrives_once),
        TEST(unwanted_descriptors_vanish),
        TEST(long_packets_are_refused),
        TEST(the_sender_is_known),
        TEST(ends_are_told),
        TEST(only_the_kept_stay_open),
        TEST(missing_standard_descriptors_are_null),
        TEST(close_keeps_errno),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
